"""What an identification found: elements, their probabilities, maps, and what can be asked of them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
from dask.diagnostics import ProgressBar
from hyperspy.api import preferences
from hyperspy.signals import BaseSignal, LazySignal, Signal1D

from hyperspy_eelsid import arguments, method
from hyperspy_eelsid.citation import citation
from hyperspy_eelsid.edges import ELEMENTS, element_index, symbols, visible_groups
from hyperspy_eelsid.energy_axis import edge_range
from hyperspy_eelsid.exceptions import (
    ArgumentError,
    InvalidSpectraError,
    PixelError,
    UnknownElementError,
    WeightsError,
)
from hyperspy_eelsid.identification import ensemble, rules, saved, table, unusual
from hyperspy_eelsid.identification.axis_offset import energy_offset
from hyperspy_eelsid.identification.evidence import Jump, jumps, reason
from hyperspy_eelsid.identification.network_input import to_network_input
from hyperspy_eelsid.identification.relevance import relevance
from hyperspy_eelsid.identification.unassigned import UnassignedEdge, unassigned_edges
from hyperspy_eelsid.method import Method
from hyperspy_eelsid.oxidation import white_lines
from hyperspy_eelsid.signals import ElementProbability, PackedSignal, pack, unpack

if TYPE_CHECKING:
    import dask.array as da
    import pandas as pd
    from exspy.models import EELSModel
    from exspy.signals import EELSSpectrum
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hyperspy_eelsid.oxidation import WhiteLines

_logger = logging.getLogger(__name__)

NOTABLE_SHARE = 0.05  # of the pixels, from which what is odd about them is told of the whole


@dataclass(frozen=True, repr=False, eq=False)
class ElementIdentification:
    """The elements of a spectrum or of a spectrum image.

    That of a lazy signal is computed when it is first asked for something, or by :meth:`compute`.

    Parameters
    ----------
    probability
        Probability of each element in each pixel, NaN in pixels that are masked or not
        valid spectra.
    spectrum
        Sum of all valid spectra.
    intensity
        Sum over the energy axis, with the navigation axes of the signal as its own.
    energy
        Energy axis of `spectrum` [eV], shape (n_channels,).
    threshold
        Probability from which an element counts as found in a pixel.
    min_fraction
        Smallest share of the valid pixels in which a reported element is found.
    networks
        Name or path of the networks.
    candidates
        Symbols of the elements that may be found.
    masked
        Number of pixels that were left out on purpose.
    is_loaded
        Whether it comes from a file, whose networks are not run unasked.
    oddities
        What is unusual about each pixel, sum of :class:`~hyperspy_eelsid.identification.unusual.Oddity`, with the
        navigation axes of the signal as its own; None in files of earlier versions.
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
    is_loaded: bool = False
    oddities: BaseSignal | None = None

    def compute(self, show_progressbar: bool | None = None) -> None:
        """Compute the results of a lazy signal, reading its data once; those in memory stay as they are.

        Parameters
        ----------
        show_progressbar
            Show a progress bar; None takes HyperSpy's preference.

        Raises
        ------
        InvalidSpectraError
            If there is no pixel with positive, finite counts.
        """
        arguments.flag("show_progressbar", show_progressbar, or_none=True)
        signals = (self.probability, self.spectrum, self.intensity, self.oddities)
        if not isinstance(self.probability, LazySignal):
            return
        arrays = [signal.data for signal in signals]
        results = computed(arrays, self.energy, self.masked, show_progressbar)
        for signal, data in zip(signals, results, strict=True):
            signal.data = data
            signal.compute(show_progressbar=False)  # makes a signal in memory of it
        unusual.warn(self.unusual)

    def __repr__(self) -> str:
        heading = f"{type(self).__name__}: {', '.join(self.elements) or 'no element found'}"
        return table.as_text(heading, self._rows(), self._footer())

    def _repr_html_(self) -> str:
        return table.as_html(self._rows(), self._footer())

    def _rows(self) -> list[table.Row]:
        rivals = {
            element: {rival: values[rival] for rival in self.rivals[element]}
            for element, values in self._where_found.items()
        }
        return table.rows(
            self.elements, self.strength, self.fraction, self.edges, self.jumps, rivals
        )

    def _footer(self) -> str:
        image = self.probability.axes_manager.navigation_dimension > 0
        return table.footer(
            self.threshold,
            self.networks,
            (self.min_fraction, len(self._judgement.found)) if image else None,
            len(self.candidates),
            self.energy_offset,
            self.unassigned,
            self.unusual,
        )

    def __contains__(self, element: str) -> bool:
        """Whether an element is found: ``"Ti" in found``."""
        return ELEMENTS[element_index(element)] in self.elements

    def __iter__(self) -> Iterator[str]:
        return iter(self.elements)

    def __len__(self) -> int:
        """Number of elements that are found."""
        return len(self.elements)

    def __getitem__(self, element: str) -> BaseSignal:
        """Probability of an element in every pixel: ``found["Ti"]``.

        Raises
        ------
        UnknownElementError
            If `element` is not the symbol of one of the 80 elements.
        """
        self.compute()
        return self.probability[element]

    def elements_at(self, *pixel: int) -> dict[str, float]:
        """Those of the elements that are found which are in one pixel.

        Parameters
        ----------
        *pixel
            Indices of the pixel in the order of ``s.inav``: ``found.elements_at(x, y)``.

        Returns
        -------
        dict[str, float]
            Symbols and probabilities, most probable first.

        Raises
        ------
        PixelError
            If there is no such pixel.
        InvalidSpectraError
            If the pixel was left out because it holds no valid spectrum.
        """
        row, judged = self._row(pixel), self._judgement
        values = {
            ELEMENTS[i]: float(judged.probability[row, i])
            for i in judged.elements
            if judged.found[row, i]
        }
        return dict(sorted(values.items(), key=lambda item: -item[1]))

    def _row(self, pixel: tuple[int, ...]) -> int:
        """Number of a pixel among the valid ones."""
        self.compute()
        valid = np.isfinite(self.probability.data[..., 0])
        if len(pixel) != valid.ndim:
            raise PixelError(f"A pixel has {valid.ndim} indices here, not {len(pixel)}.")
        sizes = valid.shape[::-1]
        for index, size in zip(pixel, sizes, strict=True):
            whole = isinstance(index, Integral) and not isinstance(index, bool)
            if not whole or not -size <= index < size:
                raise PixelError(
                    f"The indices of a pixel are below {' x '.join(map(str, sizes))}, not {pixel!r:.80}."
                )
        if not valid[pixel[::-1]]:
            raise InvalidSpectraError(f"The pixel {pixel} is masked or holds no valid spectrum.")
        return int((np.cumsum(valid).reshape(valid.shape) - 1)[pixel[::-1]])

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

    @cached_property
    def unassigned(self) -> list[UnassignedEdge]:
        """Steps of the summed spectrum that no edge of the elements found explains, the clearest first.

        Each has its ``energy`` [eV], its relative height ``step``, its ``significance``, and the ``elements`` that have
        an edge there, thorium and uranium among them; see
        :func:`hyperspy_eelsid.identification.unassigned.unassigned_edges`. Weak edges, slow ones such as N4,5 of the
        lanthanides, and those on the structure of a stronger edge are not seen.
        """
        elements = self.elements  # first, for it computes the spectrum of a lazy signal
        return unassigned_edges(self.spectrum.data, self.energy, elements)

    @cached_property
    def unusual(self) -> list[str]:
        """What is unlike the spectra that networks learn from, in words; empty when nothing is.

        A result that is unusual may be wrong, whatever its probabilities. Told is what is odd about the summed
        spectrum, and what is odd about at least one pixel in twenty; :meth:`unusual_at` tells it of one pixel, and
        ``oddities`` is the map. See :mod:`hyperspy_eelsid.identification.unusual`.
        """
        self.compute()
        seen = to_network_input(self.spectrum.data[np.newaxis], self.energy)
        of_sum = unusual.oddities(seen)[0]
        if self.oddities is None:
            return list(unusual.in_words(of_sum))
        valid = np.isfinite(self.probability.data[..., 0])
        codes = self.oddities.data.reshape(valid.shape)[valid]
        if valid.ndim == 0:
            return list(unusual.in_words(codes[0]))
        share = {oddity: np.mean(codes & oddity > 0) for oddity in unusual.Oddity}
        return [
            *unusual.in_words(of_sum),
            *(
                f"{words} in {part:.0%} of the pixels"
                for oddity, part in share.items()
                if part >= NOTABLE_SHARE
                for words in unusual.in_words(oddity)
            ),
        ]

    def unusual_at(self, *pixel: int) -> list[str]:
        """What is odd about one pixel, in words; empty when nothing is.

        Parameters
        ----------
        *pixel
            Indices of the pixel in the order of ``s.inav``: ``found.unusual_at(x, y)``.

        Raises
        ------
        PixelError
            If there is no such pixel.
        InvalidSpectraError
            If the pixel was left out because it holds no valid spectrum.
        """
        self._row(pixel)
        if self.oddities is None:
            return []
        codes = self.oddities.data.reshape(self.probability.data.shape[:-1])
        return list(unusual.in_words(codes[pixel[::-1]]))

    def oxidation(self, element: str) -> WhiteLines:
        """White lines of an element in the summed spectrum, on the axis that the edges found show.

        What ``s.white_lines`` measures in every pixel; ``found.oxidation("Mn").oxidation_state()`` is the charge whose
        computed spectrum has the nearest ratio. States of single pixels come from the signal:
        ``s.oxidation_fractions(references, energy_offset=found.energy_offset or 0)``.

        Parameters
        ----------
        element
            Symbol of an element that is found, or an edge such as ``"Mn_L3"``.

        Raises
        ------
        UnknownElementError
            If it is not found, or has no white lines.
        hyperspy_eelsid.exceptions.EnergyAxisError
            If the window cuts one of the lines, or the channels are wider than 1 eV.
        """
        symbol = symbols(arguments.text("element", element).partition("_")[0])[0]
        if symbol not in self.elements:
            raise UnknownElementError(
                f"{symbol} is not found in these spectra, options are {', '.join(self.elements) or 'none'}."
            )
        return white_lines(self.spectrum, element, energy_offset=self.energy_offset or 0.0)

    @property
    def edges(self) -> dict[str, dict[str, float]]:
        """Major edge groups in the window and their onsets [eV], of each element that is found."""
        return {element: visible_groups(element, *self._window) for element in self.elements}

    @cached_property
    def jumps(self) -> dict[str, dict[str, Jump]]:
        """How the summed spectrum rises at each edge of the elements found, see ``Jump``.

        Element -> edge group -> ``energy`` [eV], relative height ``step``, and ``significance`` in standard errors, by
        the scatter of the channels below. Slow edges, and those on the structure of a stronger edge, rise less
        clearly than they are seen by the networks.
        """
        edges = self.edges  # first, for it computes the spectrum of a lazy signal
        offset = self.energy_offset or 0.0
        return jumps(self.spectrum.data, self.energy, edges, offset)

    @cached_property
    def _where_found(self) -> dict[str, dict[str, float]]:
        """Mean probabilities of all elements in the pixels in which each one reported is found."""
        probability, found, elements = self._judgement
        means = {i: probability[found[:, i]].mean(axis=0).tolist() for i in elements}
        return {ELEMENTS[i]: dict(zip(ELEMENTS, mean, strict=True)) for i, mean in means.items()}

    @cached_property
    def rivals(self) -> dict[str, list[str]]:
        """Elements that could be there instead of each one found, because their edges lie at the same place."""
        means = self._where_found
        return {
            element: [
                rival
                for rival in rules.rivals_of(
                    ELEMENTS.index(element), np.array(list(mean.values())), *self._window
                )
                if rival not in means
            ]
            for element, mean in means.items()
        }

    @cached_property
    def reasons(self) -> dict[str, dict[str, str]]:
        """Why none of its :attr:`rivals` is found in the place of an element: element -> rival -> a sentence."""
        spectrum = (self.spectrum.data, self.energy)
        return {
            element: {
                rival: reason(element, rival, self._where_found[element], self._window, spectrum)
                for rival in rivals
            }
            for element, rivals in self.rivals.items()
        }

    def with_threshold(
        self, threshold: float, min_fraction: float | None = None
    ) -> ElementIdentification:
        """The same probabilities judged by another threshold, without running the networks again.

        Parameters
        ----------
        threshold
            Probability from which an element counts as found.
        min_fraction
            Share of the pixels of an image in which an element has to be found; None keeps it.

        Raises
        ------
        ValueError
            If a value is not between 0 and 1.
        """
        fraction = self.min_fraction if min_fraction is None else min_fraction
        arguments.share("threshold", threshold)
        arguments.share("min_fraction", fraction)
        return replace(self, threshold=threshold, min_fraction=fraction)

    def with_candidates(
        self, elements: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> ElementIdentification:
        """The same probabilities judged with other prior knowledge, without running the networks again.

        Parameters
        ----------
        elements
            Symbols of the only elements that can be there; None for all 80.
        exclude
            Symbols of elements that cannot be there.

        Raises
        ------
        UnknownElementError
            If a symbol is not one of the 80, or no element is left.
        """
        return replace(self, candidates=rules.candidates(elements, exclude))

    def to_dataframe(self, model: EELSModel | None = None) -> pd.DataFrame:
        """The elements that are found, a row each, strongest first, with what speaks for each of them.

        Parameters
        ----------
        model
            Fitted model of ``s.auto_model()``, for the amounts.

        Returns
        -------
        pd.DataFrame
            A :class:`pandas.DataFrame` with the symbols as index and the columns ``probability``, ``pixels``,
            ``fraction``, ``edges`` (group to onset energy [eV]), ``rise`` (group to the rise of the summed spectrum
            there in standard errors), ``rivals`` and ``reasons`` (rival to a sentence why it is not found). With a
            model also ``atomic percent`` of the whole, ``error`` its standard error, ``fit`` (how many standard
            errors the edge has in the fit of the sum: its second opinion) and ``fit pixels``, the share of pixels
            whose amount is more than three standard errors; NaN for elements that the model leaves out.
        """
        import pandas as pd

        columns: dict[str, Mapping[str, Any]] = {
            "probability": self.strength,
            "pixels": self.pixels,
            "fraction": self.fraction,
            "edges": self.edges,
            "rise": {
                element: {group: jump.significance for group, jump in groups.items()}
                for element, groups in self.jumps.items()
            },
            "rivals": self.rivals,
            "reasons": self.reasons,
        }
        if model is not None:
            from exspy.models import EELSModel

            arguments.instance("model", model, EELSModel, "an EELS model")
            total, sure = model.total_composition(), model.significance()
            columns |= {
                "atomic percent": {e: 100 * part.value for e, part in total.items()},
                "error": {e: 100 * part.error for e, part in total.items()},
                "fit": {e: opinion.total for e, opinion in sure.items()},
                "fit pixels": {e: opinion.pixels for e, opinion in sure.items()},
            }
        return pd.DataFrame(
            {
                name: [values.get(e, np.nan) for e in self.elements]
                for name, values in columns.items()
            },
            index=pd.Index(self.elements, name="element"),
        )

    def cite(self) -> str:
        """What to cite when this is published, as BibTeX.

        Returns
        -------
        str
            Two entries: the article of the method, and this program with its version and networks.
        """
        return citation(self.networks)

    def to_method(self, **fit: Any) -> Method:
        """All settings and versions that repeat this identification with other data, and a fit after it.

        Parameters
        ----------
        **fit
            Arguments of ``s.auto_model()`` that belong to the method, e.g. ``beam_energy=200``; those that are not
            given have the values that they have by default.

        Returns
        -------
        hyperspy_eelsid.method.Method
            What ``eelsid repeat`` reads when it is saved: ``found.to_method().save("method.json")``.

        Raises
        ------
        hyperspy_eelsid.exceptions.ArgumentError
            If an argument is none of ``auto_model``, or cannot be written as text.
        """
        if self.masked:
            _logger.warning("A navigation mask is not part of a method.")
        known = self.networks in ensemble.models() or not self.is_loaded
        files = ensemble.load(self.networks).card.files if known else ()
        elements = None if self.candidates == ELEMENTS else list(self.candidates)
        return Method(
            identification={
                "threshold": self.threshold,
                "min_fraction": self.min_fraction,
                "elements": elements,
                "networks": self.networks,
            },
            fit=method.with_defaults(fit),
            weights={file.file: file.sha256 for file in files},
        )

    def explain(self, element: str, networks: str | Path | None = None) -> Signal1D:
        """Relevance of each energy of the summed spectrum for an element.

        A part of the spectrum is relevant when covering it makes the element less probable; see
        :func:`hyperspy_eelsid.identification.relevance.relevance`. It takes about two seconds.

        Parameters
        ----------
        element
            Symbol of the element.
        networks
            Networks to ask; by default those of the identification.

        Returns
        -------
        Signal1D
            The fall of the log-odds along the energy axis.

        Raises
        ------
        UnknownElementError
            If `element` is not the symbol of one of the 80 elements, or has no edge in the window.
        WeightsError
            If a file names the networks, which are not among those installed.
        """
        (symbol,) = symbols(arguments.text("element", element))
        if not visible_groups(symbol, *self._window):
            start, end = self._window
            raise UnknownElementError(
                f"{symbol} has no edge between {start:g} and {end:g} eV, so that nothing in the spectrum "
                "can speak for it."
            )
        self.compute()
        if networks is None and self.is_loaded and self.networks not in ensemble.models():
            raise WeightsError(
                f"The file names the networks {self.networks!r}, which are not installed and are not run "
                f"unasked. Say which to ask: found.explain({symbol!r}, networks=...)."
            )
        energy, values = relevance(
            self.spectrum.data, self.energy, symbol, self.networks if networks is None else networks
        )
        axis = {"name": "Energy loss", "units": "eV", "offset": energy[0], "size": len(energy)}
        signal = Signal1D(values, axes=[axis])
        signal.metadata.General.title = f"Relevance for {symbol}"
        signal.metadata.set_item("Signal.quantity", "Fall of the log-odds")
        return signal

    def save(self, filename: str | Path, **kwargs: Any) -> None:
        """Save the probabilities and all that belongs to them in one file that HyperSpy can read.

        Parameters
        ----------
        filename
            Name of the file, ending in ``.hspy`` or ``.zspy``.
        **kwargs
            Passed to :meth:`hyperspy.api.signals.BaseSignal.save`, e.g.
            ``overwrite=True``.

        Raises
        ------
        ArgumentError
            If `filename` is no name of a file.
        """
        path = arguments.path("filename", filename)
        if path.suffix.lower() not in ("", ".hspy", ".zspy"):
            raise ArgumentError(f"filename must end in .hspy or .zspy, not {path.suffix}.")
        self.compute()
        entries = {name: getattr(self, name) for name in saved.ENTRIES}
        if self.oddities is not None:
            entries["oddities"] = self.oddities
        entries["candidates"] = list(self.candidates)
        saved.save(self.probability, entries, path, **kwargs)

    @classmethod
    def load(cls, filename: str | Path) -> ElementIdentification:
        """An identification that was saved by :meth:`save`.

        Nothing that stands in the file is run, and what it says is checked.

        Parameters
        ----------
        filename
            Name of the file.

        Raises
        ------
        hyperspy_eelsid.exceptions.UnusableFileError
            If the file holds something else.
        """
        return cls(**saved.load(filename), is_loaded=True)

    def __getstate__(self) -> dict[str, Any]:
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: pack(v) if isinstance(v, BaseSignal) else v for name, v in fields.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        fields = {
            name: unpack(v) if isinstance(v, PackedSignal) else v for name, v in state.items()
        }
        self.__dict__.update(fields)

    def plot(self, fig: Figure | None = None) -> list[Axes]:
        """Summed spectrum with the edges that were found, and a periodic table of probabilities.

        Parameters
        ----------
        fig
            Figure to draw in, a new one by default.

        Returns
        -------
        list[Axes]
            The matplotlib axes of the spectrum and of the table.
        """
        from matplotlib.figure import Figure

        from hyperspy_eelsid.identification.plot import plot_identification

        arguments.instance("fig", fig, Figure, "a matplotlib figure", or_none=True)
        self.compute()
        return plot_identification(self.spectrum.data, self.energy, self.edges, self.strength, fig)

    def plot_maps(self, **kwargs: Any) -> list[Axes] | Axes:
        """Summed intensity, and beside it the probability map of every element that was found.

        Parameters
        ----------
        **kwargs
            Passed to :func:`hyperspy.api.plot.plot_images`.

        Returns
        -------
        list[Axes] | Axes
            The matplotlib axes.

        Raises
        ------
        ArgumentError
            If the signal was not an image, or no element was found.
        """
        from hyperspy_eelsid.identification.plot import plot_maps

        self.compute()
        maps = {element: self.probability[element] for element in self.elements}
        return plot_maps(self.intensity, maps, **kwargs)


def computed(
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
        hint = " The spectrum of a region with NaN around it is s.nansum()." * (invalid.size == 1)
        raise InvalidSpectraError(
            f"None of the {invalid.size} spectra has finite counts that are somewhere positive "
            f"between {energy.min():g} and {energy.max():g} eV, or all are masked; check the data.{hint}"
        )
    bad = np.count_nonzero(invalid) - masked
    if bad > 0:
        _logger.warning(
            "%d of %d spectra have no finite, positive counts, like those around a region of "
            "interest, and are left out.",
            bad,
            invalid.size,
        )
