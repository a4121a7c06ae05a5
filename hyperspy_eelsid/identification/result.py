"""Which elements are in a spectrum or a spectrum image, and where."""

from __future__ import annotations

import html
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
from dask.diagnostics import ProgressBar
from hyperspy.api import load, preferences
from hyperspy.signals import BaseSignal, LazySignal, Signal1D

from hyperspy_eelsid.edges import ELEMENTS, visible_groups
from hyperspy_eelsid.energy_axis import EnergyAxis
from hyperspy_eelsid.exceptions import InvalidSpectraError, SignalTypeError, UnknownElementError
from hyperspy_eelsid.identification import rules
from hyperspy_eelsid.identification.axis_offset import energy_offset
from hyperspy_eelsid.identification.predict import Networks, edge_range, predict_signal
from hyperspy_eelsid.identification.relevance import relevance
from hyperspy_eelsid.signals import ElementProbability, LazyElementProbability

if TYPE_CHECKING:
    import pandas as pd
    from exspy.signals import EELSSpectrum
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOTABLE_OFFSET_EV = 5  # more than chemical shifts make

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False, eq=False)
class ElementIdentification:
    """The elements of a spectrum or of a spectrum image.

    That of a lazy signal is computed when it is first asked for something, or by :meth:`compute`.

    Parameters
    ----------
    probability : Probability of each element in each pixel, NaN in pixels that are masked or not valid spectra.
    spectrum : Sum of all valid spectra.
    intensity : Sum over the energy axis, with the navigation axes of the signal as its own.
    energy : Energy axis of `spectrum` [eV], shape (n_channels,).
    threshold : Probability from which an element counts as found in a pixel.
    min_fraction : Smallest share of the valid pixels in which a reported element is found.
    networks : Name or path of the networks.
    candidates : Symbols of the elements that may be found.
    masked : Number of pixels that were left out on purpose.
    """

    probability: ElementProbability
    spectrum: EELSSpectrum
    intensity: BaseSignal
    energy: np.ndarray
    threshold: float
    min_fraction: float
    networks: str
    candidates: tuple[str, ...] = ELEMENTS
    masked: int = 0

    def compute(self, show_progressbar: bool | None = None) -> None:
        """Compute the results of a lazy signal, reading its data once; those in memory stay as they are.

        Parameters
        ----------
        show_progressbar : Show a progress bar; None takes HyperSpy's preference.

        Raises
        ------
        InvalidSpectraError
            If there is no pixel with positive, finite counts.
        """
        signals = (self.probability, self.spectrum, self.intensity)
        if not isinstance(self.probability, LazySignal):
            return
        arrays = [signal.data for signal in signals]
        results = _computed(arrays, self.energy, self.masked, show_progressbar)
        for signal, data in zip(signals, results, strict=True):
            signal.data = data
            signal._lazy = False
            signal._assign_subclass()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__}: {', '.join(self.elements) or 'no element found'}"]
        rows = [self._columns, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self._columns))]
        for row in rows:
            lines.append("  ".join(f"{x:<{w}}" for x, w in zip(row, widths, strict=True)).rstrip())
        lines.append(self._footer())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        footer = f"<p>{html.escape(self._footer())}</p>"
        if not self.elements:
            return f"<p><b>No element found</b></p>{footer}"
        body = "".join(row(cells, "td") for cells in self._rows())
        return (
            f"<table><thead>{row(self._columns, 'th')}</thead><tbody>{body}</tbody></table>{footer}"
        )

    _columns = ("element", "probability", "pixels found in", "edges in the window [eV]", "or")

    def _rows(self) -> Iterator[tuple[str, ...]]:
        strength, fraction, edges, rivals = self.strength, self.fraction, self.edges, self.rivals
        for element in self.elements:
            yield (
                element,
                f"{strength[element]:.2f}",
                f"{fraction[element]:.1%}",
                ", ".join(f"{element}-{group} {e:g}" for group, e in edges[element].items()),
                ", ".join(rivals[element]),
            )

    def _footer(self) -> str:
        pixels = f" in at least {self.min_fraction:.1%} of {len(self._judgement.found)} pixels"
        image = self.probability.axes_manager.navigation_dimension > 0
        asked = len(self.candidates) < len(ELEMENTS)
        among = f", among {len(self.candidates)} elements" if asked else ""
        offset = self.energy_offset or 0
        hint = f"; the energy axis may be off by {offset:+g} eV"
        return (
            f"threshold {self.threshold:g}{pixels if image else ''}{among}, networks {self.networks}"
            f"{hint if abs(offset) >= NOTABLE_OFFSET_EV else ''}"
        )

    @cached_property
    def _judgement(self) -> rules.Judgement:
        self.compute()
        return rules.judge(
            self.probability.data,
            self.threshold,
            *self._window,
            possible=self.candidates,
            min_fraction=self.min_fraction,
        )

    @property
    def _window(self) -> tuple[float, float]:
        return edge_range(self.energy)

    @property
    def elements(self) -> list[str]:
        """Symbols of the elements that are found, strongest first: in most pixels, most probable.

        An element of an image has to be found in at least `min_fraction` of the pixels, not counting lone pixels
        with weak evidence, nor pixels that an element found in more of them explains as well.
        """
        return [ELEMENTS[i] for i in self._judgement.elements]

    @property
    def fraction(self) -> dict[str, float]:
        """Share of the valid pixels in which each of the 80 elements is found.

        An element is found in a pixel when its probability is above the threshold; of several elements that claim
        the same edge only the strongest is, see :mod:`hyperspy_eelsid.identification.rules`.
        """
        return dict(zip(ELEMENTS, self._judgement.found.mean(axis=0).tolist(), strict=True))

    @property
    def pixels(self) -> dict[str, int]:
        """Number of pixels in which each of the 80 elements is found."""
        return dict(zip(ELEMENTS, self._judgement.found.sum(axis=0).tolist(), strict=True))

    @property
    def strength(self) -> dict[str, float]:
        """Mean probability of each of the 80 elements.

        That of a reported element is the mean over the pixels in which it is found, that of any other the mean
        over all valid pixels.
        """
        probability, found, elements = self._judgement
        strength = probability.mean(axis=0).tolist()
        for i in elements:
            strength[i] = float(probability[found[:, i], i].mean())
        return dict(zip(ELEMENTS, strength, strict=True))

    @cached_property
    def energy_offset(self) -> float | None:
        """How far the energy axis is off [eV], as the edges that are found show it; None when they do not.

        Positive when edges are seen above their tabulated onsets; see
        :func:`hyperspy_eelsid.identification.axis_offset.energy_offset`.
        """
        elements = self.elements  # first, for it computes the spectrum of a lazy signal
        return energy_offset(self.spectrum.data, self.energy, elements)

    @property
    def edges(self) -> dict[str, dict[str, float]]:
        """Major edge groups in the window and their onsets [eV], of each element that is found."""
        return {element: visible_groups(element, *self._window) for element in self.elements}

    @property
    def rivals(self) -> dict[str, list[str]]:
        """Elements that could be there instead of each one found, because their edges lie at the same place."""
        probability, found, elements = self._judgement
        reported = self.elements
        result = {}
        for i in elements:
            rivals = rules.rivals_of(i, probability[found[:, i]].mean(axis=0), *self._window)
            result[ELEMENTS[i]] = [rival for rival in rivals if rival not in reported]
        return result

    def with_threshold(
        self, threshold: float, min_fraction: float | None = None
    ) -> ElementIdentification:
        """The same probabilities judged by another threshold, without running the networks again.

        Raises
        ------
        ValueError
            If a value is not between 0 and 1.
        """
        fraction = self.min_fraction if min_fraction is None else min_fraction
        rules.check_share("threshold", threshold)
        rules.check_share("min_fraction", fraction)
        return replace(self, threshold=threshold, min_fraction=fraction)

    def with_candidates(
        self, elements: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> ElementIdentification:
        """The same probabilities judged with other prior knowledge, without running the networks again.

        Parameters
        ----------
        elements : Symbols of the only elements that can be there; None for all 80.
        exclude : Symbols of elements that cannot be there.

        Raises
        ------
        UnknownElementError
            If a symbol is not one of the 80, or no element is left.
        """
        return replace(self, candidates=rules.candidates(elements, exclude))

    def to_dataframe(self) -> pd.DataFrame:
        """The elements that are found, a row each, strongest first.

        Returns
        -------
        A :class:`pandas.DataFrame` with the symbols as index and the columns ``probability``, ``pixels``, ``fraction``,
        ``edges`` (group to onset energy [eV]) and ``rivals``.
        """
        import pandas as pd

        columns: dict[str, Mapping[str, Any]] = {
            "probability": self.strength,
            "pixels": self.pixels,
            "fraction": self.fraction,
            "edges": self.edges,
            "rivals": self.rivals,
        }
        return pd.DataFrame(
            {name: [values[e] for e in self.elements] for name, values in columns.items()},
            index=pd.Index(self.elements, name="element"),
        )

    def explain(self, element: str) -> Signal1D:
        """Relevance of each energy of the summed spectrum for an element.

        A part of the spectrum is relevant when covering it makes the element less probable; see
        :func:`hyperspy_eelsid.identification.relevance.relevance`. It takes about two seconds.

        Parameters
        ----------
        element : Symbol of the element.

        Returns
        -------
        The fall of the log-odds along the energy axis.

        Raises
        ------
        UnknownElementError
            If `element` is not the symbol of one of the 80 elements, or has no edge in the window.
        """
        (symbol,) = rules.candidates([element])
        if not visible_groups(symbol, *self._window):
            start, end = self._window
            raise UnknownElementError(
                f"{symbol} has no edge between {start:g} and {end:g} eV, so that nothing in the spectrum "
                "can speak for it."
            )
        self.compute()
        energy, values = relevance(self.spectrum.data, self.energy, symbol, self.networks)
        axis = {"name": "Energy loss", "units": "eV", "offset": energy[0], "size": len(energy)}
        signal = Signal1D(values, axes=[axis])
        signal.metadata.General.title = f"Relevance for {symbol}"
        signal.metadata.set_item("Signal.quantity", "Fall of the log-odds")
        return signal

    def save(self, filename: str | Path, **kwargs: Any) -> None:
        """Save the probabilities and all that belongs to them in one file that HyperSpy can read.

        Parameters
        ----------
        filename : Name of the file, ending in ``.hspy`` or ``.zspy``.
        **kwargs : Passed to :meth:`hyperspy.api.signals.BaseSignal.save`, e.g. ``overwrite=True``.
        """
        self.compute()
        signal = self.probability.deepcopy()
        signal.metadata.set_item(
            "EELSID.identification",
            {
                "spectrum": self.spectrum,
                "intensity": self.intensity,
                "energy": self.energy,
                "threshold": self.threshold,
                "min_fraction": self.min_fraction,
                "networks": self.networks,
                "candidates": list(self.candidates),
                "masked": self.masked,
            },
        )
        signal.save(filename, **kwargs)

    @classmethod
    def load(cls, filename: str | Path) -> ElementIdentification:
        """An identification that was saved by :meth:`save`.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        probability = load(filename, escape_square_brackets=True)
        node = isinstance(probability, ElementProbability) and probability.metadata.get_item(
            "EELSID.identification"
        )
        if not node:
            raise ValueError(f"{filename} does not hold an identification that was saved.")
        del probability.metadata.EELSID.identification
        return cls(
            probability=probability,
            spectrum=node.spectrum,
            intensity=node.intensity,
            energy=np.asarray(node.energy),
            threshold=node.threshold,
            min_fraction=node.min_fraction,
            # older files call them model
            networks=node.get_item("networks") or node.get_item("model"),
            candidates=tuple(node.candidates),
            masked=node.masked,
        )

    def plot(self, fig: Figure | None = None) -> Figure:
        """Summed spectrum with the edges that were found, and a periodic table of probabilities.

        Parameters
        ----------
        fig : Figure to draw in, a new one by default.

        Returns
        -------
        The matplotlib figure.
        """
        from hyperspy_eelsid.identification.plot import plot_identification

        self.compute()
        return plot_identification(self, fig)

    def plot_maps(self, **kwargs: Any) -> list[Axes] | Axes:
        """Summed intensity, and beside it the probability map of every element that was found.

        Parameters
        ----------
        **kwargs : Passed to :func:`hyperspy.api.plot.plot_images`.

        Returns
        -------
        The matplotlib axes.

        Raises
        ------
        ValueError
            If the signal was not an image.
        """
        from hyperspy_eelsid.identification.plot import plot_maps

        self.compute()
        return plot_maps(self, **kwargs)


def _computed(
    arrays: Sequence[np.ndarray | da.Array],
    energy: np.ndarray,
    masked: int,
    show_progressbar: bool | None,
) -> Sequence[np.ndarray]:
    """Arrays in memory, of which the first are probabilities, when there is a valid spectrum."""
    show = preferences.General.show_progressbar if show_progressbar is None else show_progressbar
    show &= getattr(arrays[0], "npartitions", 1) > 1
    with ProgressBar() if show else nullcontext():
        results = dask.compute(*arrays)
    _check_valid(results[0], energy, masked)
    return results


def _check_valid(probability: np.ndarray, energy: np.ndarray, masked: int) -> None:
    invalid = np.isnan(probability[..., 0])
    if invalid.all():
        raise InvalidSpectraError(
            f"None of the {invalid.size} spectra has finite counts that are somewhere positive "
            f"between {energy.min():g} and {energy.max():g} eV, or all are masked; check the data."
        )
    bad = np.count_nonzero(invalid) - masked
    if bad > 0:
        _logger.warning(
            "%d of %d spectra have no finite, positive counts and are left out.", bad, invalid.size
        )


def identify_elements(
    signal: EELSSpectrum,
    threshold: float | None = None,
    min_fraction: float = 0.01,
    elements: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    networks: str | Path | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    navigation_mask: BaseSignal | np.ndarray | None = None,
    add_elements: bool = False,
    show_progressbar: bool | None = None,
) -> ElementIdentification:
    """Find the elements whose core-loss edges are in the spectrum, in every pixel.

    The spectra are brought to a 1 eV axis, of which the part between 75 and 3071 eV is used, and an
    ensemble of neural networks gives the probability of 80 elements (Be to Bi). The signal itself
    is not changed. For a lazy signal nothing is computed before the result is asked for something.

    Parameters
    ----------
    threshold
        Probability from which an element counts as found in a pixel, between 0 and 1. By
        default the one that belongs to the networks.
    min_fraction
        Smallest share of the pixels in which an element must be found to be reported.
    elements
        Symbols of the only elements that can be there, when that is known. An edge that another
        element claims as well then belongs to one of these.
    exclude
        Symbols of elements that cannot be there.
    networks
        Name of an installed ensemble, see ``eelsid models``; or path of a folder with a
        ``card.json``. By default the ensemble that is shipped.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU when there is one.
    batch_size
        Number of spectra that a network sees at once; None is the fastest on the CPU.
    navigation_mask
        True for pixels that are left out, boolean, navigation shape.
    add_elements
        Declare the elements that are found on the signal, so that
        ``s.plot(plot_edges=True)`` shows their edges.
    show_progressbar
        Show a progress bar; None takes HyperSpy's preference.

    Returns
    -------
    ElementIdentification
        The elements, their probabilities and maps.

    Raises
    ------
    hyperspy_eelsid.exceptions.EnergyAxisError
        If the energy axis is not one of energies, or its window holds nothing to identify.
    hyperspy_eelsid.exceptions.InvalidSpectraError
        If there is no pixel with positive, finite counts.
    hyperspy_eelsid.exceptions.UnknownElementError
        If a symbol is not one of the 80 elements, or no element is left.
    hyperspy_eelsid.exceptions.WeightsError
        If the networks are missing or altered.
    hyperspy_eelsid.exceptions.DeviceError
        If the networks cannot run on the GPU that was asked for.
    ValueError
        If another argument is out of its range, or the mask has another shape.

    Notes
    -----
    Pixels whose counts are not finite, or nowhere positive, are left out: their probability is NaN
    and they do not count in any fraction.

    Examples
    --------
    >>> from hyperspy_eelsid.data import superlattice
    >>> s = superlattice(shape=(4, 65))
    >>> s.identify_elements().elements  # doctest: +SKIP
    ['O', 'Ti', 'Mn', 'La', 'Ba']
    """
    rules.check_share("min_fraction", min_fraction)
    if threshold is not None:
        rules.check_share("threshold", threshold)
    if batch_size is not None and not (isinstance(batch_size, Integral) and batch_size > 0):
        raise ValueError(f"batch_size must be a positive whole number, not {batch_size!r}.")
    axes = signal.axes_manager.signal_axes
    if signal.metadata.get_item("Signal.signal_type") != "EELS" or len(axes) != 1:
        raise SignalTypeError(
            f"Elements are identified in EELS signals, not in {signal!r}. If it is one, say so with "
            "s.set_signal_type('EELS')."
        )
    candidates = rules.candidates(elements, exclude)
    axis = EnergyAxis.of(signal)
    runtime = Networks(networks, device, batch_size)
    mask = _pixel_mask(navigation_mask, signal)
    masked = 0 if mask is None else int(np.count_nonzero(mask))
    arrays: Sequence[np.ndarray | da.Array] = predict_signal(
        axis.spectra(signal), axis.energies, runtime, mask
    )
    if not isinstance(signal, LazySignal):
        # data in memory are not sent to the workers of a cluster
        with dask.config.set(scheduler="threads"):
            arrays = _computed(arrays, axis.energies, masked, show_progressbar)
    probability, spectrum, intensity = arrays
    energy = axis.energies
    if axis.is_reversed:  # the sum keeps the energy axis of the signal
        energy, spectrum = energy[::-1], spectrum[::-1]
    ensemble = runtime.load()
    found = ElementIdentification(
        probability=_probability_signal(probability, signal),
        spectrum=_spectrum_signal(spectrum, signal),
        intensity=_image_signal(intensity, signal),
        energy=energy,
        threshold=ensemble.threshold if threshold is None else threshold,
        min_fraction=min_fraction,
        networks=ensemble.name if networks is None else str(networks),
        candidates=candidates,
        masked=masked,
    )
    if add_elements:
        signal.add_elements(tuple(found.elements))
    return found


def _pixel_mask(mask: BaseSignal | np.ndarray | None, signal: EELSSpectrum) -> np.ndarray | None:
    """Which pixels to leave out, bool, navigation shape."""
    if mask is None:
        return None
    # HyperSpy shapes signals like their data, and plain arrays like `navigation_shape`
    masked = np.asarray(mask.data) if isinstance(mask, BaseSignal) else np.asarray(mask).T
    shape = signal.axes_manager.navigation_shape[::-1]
    if masked.shape != (shape or (1,)) or masked.dtype != bool:
        raise ValueError(
            f"navigation_mask must be boolean and have the navigation shape {shape[::-1] or (1,)}, "
            f"not {masked.dtype} and {masked.shape[::-1]}."
        )
    return masked.reshape(shape)


def _navigation_axes(signal: EELSSpectrum) -> list[dict[str, Any]]:
    """Descriptions of the navigation axes, in the order of the data."""
    return [axis.get_axis_dictionary() for axis in signal.axes_manager.navigation_axes[::-1]]


def _probability_signal(data: np.ndarray | da.Array, signal: EELSSpectrum) -> ElementProbability:
    element_axis = {"name": "Element", "size": len(ELEMENTS), "navigate": False}
    kind = LazyElementProbability if isinstance(signal, LazySignal) else ElementProbability
    probability = kind(data, axes=[*_navigation_axes(signal), element_axis])
    probability.metadata.General.title = signal.metadata.General.title
    probability.metadata.set_item("EELSID.elements", list(ELEMENTS))
    return probability


def _image_signal(data: np.ndarray | da.Array, signal: EELSSpectrum) -> BaseSignal:
    """An image with the navigation axes of a signal; one number for a single spectrum."""
    kind = LazySignal if isinstance(signal, LazySignal) else BaseSignal
    axes = _navigation_axes(signal)
    return kind(data, axes=axes).T if axes else kind(data[np.newaxis])


def _spectrum_signal(counts: np.ndarray | da.Array, signal: EELSSpectrum) -> EELSSpectrum:
    """A spectrum with the energy axis of a signal, and what its metadata say of sample and microscope."""
    metadata = {
        name: node.as_dictionary()
        for name in ("General", "Sample", "Acquisition_instrument")
        if (node := signal.metadata.get_item(name)) is not None
    }
    axis = signal.axes_manager.signal_axes[0].get_axis_dictionary()
    return type(signal)(counts, axes=[axis], metadata=metadata)
