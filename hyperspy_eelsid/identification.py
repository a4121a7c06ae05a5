"""Which elements are in a spectrum or a spectrum image, and where."""

from __future__ import annotations

import html
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from hyperspy.api import preferences
from hyperspy.signals import BaseSignal

from hyperspy_eelsid import decision, ensemble, preprocessing
from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS, visible_groups
from hyperspy_eelsid.exceptions import InvalidSpectraError, SignalTypeError
from hyperspy_eelsid.prediction import edge_range, predict_signal
from hyperspy_eelsid.signals import ElementProbability

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False, eq=False)
class ElementIdentification:
    """The elements of a spectrum or of a spectrum image.

    Parameters
    ----------
    probability : Probability of each element in each pixel, NaN in pixels that are not valid spectra.
    spectrum : Sum of all valid spectra.
    intensity : Sum over the energy axis, with the navigation axes of the signal as its own.
    energy : Energy axis of `spectrum` [eV], shape (n_channels,).
    threshold : Probability from which an element counts as found in a pixel.
    min_fraction : Smallest share of the valid pixels in which a reported element is found.
    model : Name of the networks.
    """

    probability: ElementProbability
    spectrum: EELSSpectrum
    intensity: BaseSignal
    energy: np.ndarray
    threshold: float
    min_fraction: float
    model: str

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
        pixels = f" in at least {self.min_fraction:.1%} of {len(self._valid_pixels)} pixels"
        image = self.probability.axes_manager.navigation_dimension > 0
        return f"threshold {self.threshold:g}{pixels if image else ''}, networks {self.model}"

    @cached_property
    def _valid(self) -> np.ndarray:
        """Pixels that are valid spectra, bool, navigation shape."""
        return np.isfinite(self.probability.data[..., 0])

    @cached_property
    def _valid_pixels(self) -> np.ndarray:
        """Probabilities of the valid pixels, shape (n_valid, 80)."""
        return self.probability.data[self._valid].reshape(-1, len(ELEMENTS))

    @cached_property
    def _found(self) -> np.ndarray:
        """Valid pixels in which each element is found, bool, shape (n_valid, 80)."""
        return decision.decide(self._valid_pixels, self.threshold, *self._window)

    @property
    def _window(self) -> tuple[float, float]:
        return edge_range(self.energy)

    @cached_property
    def _elements(self) -> tuple[str, ...]:
        found, pixels = self._found, self._valid_pixels
        image = np.zeros(self.probability.data.shape, bool)
        image[self._valid] = found
        counted = decision.supported(image, self.probability.data, self.threshold)
        share = counted[self._valid].reshape(-1, len(ELEMENTS)).mean(axis=0)
        reported = np.flatnonzero((share > 0) & (share >= self.min_fraction))
        order = {i: (-found[:, i].mean(), -pixels[found[:, i], i].mean()) for i in reported}
        return tuple(
            ELEMENTS[i]
            for i in decision.without_double_claims(
                sorted(reported, key=order.get), found, pixels, self.threshold, *self._window
            )
        )

    @property
    def elements(self) -> list[str]:
        """Symbols of the elements that are found, strongest first: in most pixels, most probable.

        An element of an image has to be found in at least `min_fraction` of the pixels, not counting lone pixels
        with weak evidence, nor pixels that an element found in more of them explains as well.
        """
        return list(self._elements)

    @property
    def fraction(self) -> dict[str, float]:
        """Share of the valid pixels in which each of the 80 elements is found.

        An element is found in a pixel when its probability is above the threshold; of several elements that claim
        the same edge only the strongest is, see :mod:`hyperspy_eelsid.decision`.
        """
        return dict(zip(ELEMENTS, self._found.mean(axis=0).tolist(), strict=True))

    @property
    def strength(self) -> dict[str, float]:
        """Mean probability of each of the 80 elements.

        That of a reported element is the mean over the pixels in which it is found, that of any other the mean
        over all valid pixels.
        """
        strength = dict(zip(ELEMENTS, self._valid_pixels.mean(axis=0).tolist(), strict=True))
        for element in self._elements:
            index = ELEMENT_INDEX[element]
            where = self._found[:, index]
            strength[element] = float(self._valid_pixels[where, index].mean())
        return strength

    @property
    def edges(self) -> dict[str, dict[str, float]]:
        """Major edge groups in the window and their onsets [eV], of each element that is found."""
        return {element: visible_groups(element, *self._window) for element in self.elements}

    @property
    def rivals(self) -> dict[str, list[str]]:
        """Elements that could be there instead of each one found, because their edges lie at the same place."""
        result = {}
        for element in self._elements:
            index = ELEMENT_INDEX[element]
            probability = self._valid_pixels[self._found[:, index]].mean(axis=0)
            rivals = decision.rivals_of(index, probability, *self._window)
            result[element] = [rival for rival in rivals if rival not in self._elements]
        return result

    def with_threshold(
        self, threshold: float, min_fraction: float | None = None
    ) -> ElementIdentification:
        """The same probabilities judged by another threshold, without running the networks again."""
        fraction = self.min_fraction if min_fraction is None else min_fraction
        _check_share("threshold", threshold)
        _check_share("min_fraction", fraction)
        return replace(self, threshold=threshold, min_fraction=fraction)

    def plot(self) -> Figure:
        """Summed spectrum with the edges that were found, and a periodic table of probabilities.

        Returns
        -------
        The matplotlib figure.
        """
        from hyperspy_eelsid.plotting import plot_identification

        return plot_identification(self)

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
        from hyperspy_eelsid.plotting import plot_maps

        return plot_maps(self, **kwargs)


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1, not {value!r}.")


def identify_elements(
    signal: EELSSpectrum,
    threshold: float | None = None,
    min_fraction: float = 0.01,
    show_progressbar: bool | None = None,
) -> ElementIdentification:
    """Find the elements of an EELS signal; see ``EELSSpectrum.identify_elements`` for all arguments.

    Pixels whose counts are not finite, or nowhere positive, are left out: their probability is NaN
    and they do not count in any fraction.
    """
    _check_share("min_fraction", min_fraction)
    if threshold is not None:
        _check_share("threshold", threshold)
    if signal.metadata.get_item("Signal.signal_type") != "EELS":
        raise SignalTypeError(
            f"Elements are identified in EELS signals, not in {signal!r}. If it is one, say so with "
            "s.set_signal_type('EELS')."
        )
    energy = preprocessing.energy_axis(signal)
    networks = ensemble.load()
    progress = (
        preferences.General.show_progressbar if show_progressbar is None else show_progressbar
    )
    data, spectrum, intensity = predict_signal(signal, energy, progress)

    invalid = np.isnan(data[..., 0])
    if invalid.all():
        raise InvalidSpectraError(
            f"None of the {invalid.size} spectra has finite counts that are somewhere positive "
            f"between {energy.min():g} and {energy.max():g} eV; check the data."
        )
    if invalid.any():
        _logger.warning(
            "%d of %d spectra have no finite, positive counts and are left out.",
            np.count_nonzero(invalid),
            invalid.size,
        )
    return ElementIdentification(
        probability=_probability_signal(data, signal),
        spectrum=_spectrum_signal(spectrum, signal),
        intensity=_image_signal(intensity, signal),
        energy=energy,
        threshold=networks.threshold if threshold is None else threshold,
        min_fraction=min_fraction,
        model=networks.name,
    )


def _navigation_axes(signal: EELSSpectrum) -> list[dict[str, Any]]:
    """Descriptions of the navigation axes, in the order of the data."""
    return [axis.get_axis_dictionary() for axis in signal.axes_manager.navigation_axes[::-1]]


def _probability_signal(data: np.ndarray, signal: EELSSpectrum) -> ElementProbability:
    element_axis = {"name": "Element", "size": len(ELEMENTS), "navigate": False}
    probability = ElementProbability(data, axes=[*_navigation_axes(signal), element_axis])
    probability.metadata.General.title = signal.metadata.General.title
    probability.metadata.set_item("EELSID.elements", list(ELEMENTS))
    return probability


def _image_signal(data: np.ndarray, signal: EELSSpectrum) -> BaseSignal:
    """An image with the navigation axes of a signal; one number for a single spectrum."""
    axes = _navigation_axes(signal)
    return BaseSignal(data, axes=axes).T if axes else BaseSignal([data])


def _spectrum_signal(counts: np.ndarray, signal: EELSSpectrum) -> EELSSpectrum:
    """A spectrum with the energy axis and the metadata of a signal, in memory."""
    dimension = signal.axes_manager.navigation_dimension
    spectrum = (signal.inav[(0,) * dimension] if dimension else signal).deepcopy()
    spectrum.data = da.asarray(counts) if signal._lazy else counts
    if signal._lazy:
        spectrum.compute(show_progressbar=False)
    return spectrum
