"""Which elements are in a spectrum or a spectrum image, and where."""

from __future__ import annotations

import html
import logging
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask.diagnostics import ProgressBar
from hyperspy.api import preferences
from tqdm.auto import tqdm

from hyperspy_eelsid import decision, ensemble, preprocessing
from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS, visible_groups
from hyperspy_eelsid.exceptions import InvalidSpectraError
from hyperspy_eelsid.signals import ElementProbability

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal
    from matplotlib.figure import Figure

_logger = logging.getLogger(__name__)

# an edge that lies so far outside of the window can still be seen when the energy axis is not well calibrated
ONSET_TOLERANCE_EV = 5
PIXELS_PER_BLOCK = 512
LAZY_BLOCK = "32 MiB"


class ElementIdentification:
    """The elements of a spectrum or of a spectrum image.

    Parameters
    ----------
    probability : Probability of each element in each pixel, NaN in pixels that are not valid spectra.
    spectrum : Sum of all valid spectra, shape (n_channels,).
    intensity : Sum over the energy axis, with the navigation axes of the signal as its own.
    energy : Energy axis of `spectrum` [eV], shape (n_channels,).
    threshold : Probability from which an element counts as found in a pixel.
    min_fraction : Smallest share of the valid pixels in which a reported element is found.
    model : Name of the networks.
    """

    def __init__(
        self,
        probability: ElementProbability,
        spectrum: EELSSpectrum,
        intensity: BaseSignal,
        threshold: float,
        min_fraction: float,
        model: str,
    ) -> None:
        self.probability = probability
        self.spectrum = spectrum
        self.intensity = intensity
        self.threshold = threshold
        self.min_fraction = min_fraction
        self.model = model

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

        body = "".join(row(cells, "td") for cells in self._rows())
        head = row(self._columns, "th")
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table><p>{self._footer()}</p>"

    _columns = ("element", "probability", "pixels found in", "edges in the window [eV]", "or")

    def _rows(self) -> Iterator[tuple[str, ...]]:
        rivals = self.rivals
        for element in self.elements:
            edges = self.edges[element].items()
            yield (
                element,
                f"{self._strength[ELEMENT_INDEX[element]]:.2f}",
                f"{self.fraction[element]:.1%}",
                ", ".join(f"{element}-{group} {onset:g}" for group, onset in edges),
                ", ".join(rivals[element]),
            )

    def _footer(self) -> str:
        return (
            f"threshold {self.threshold:g} in at least {self.min_fraction:.1%} of "
            f"{np.count_nonzero(self._valid)} pixels, networks {self.model}"
        )

    @property
    def _pixels(self) -> np.ndarray:
        return self.probability.data.reshape(-1, len(ELEMENTS))

    @property
    def _valid(self) -> np.ndarray:
        return np.isfinite(self._pixels[:, 0])

    @property
    def _found(self) -> np.ndarray:
        """Valid pixels in which each element is found, shape (n_valid, 80)."""
        pixels = self._pixels[self._valid]
        return decision.decide(pixels, self.threshold, *self._window)

    @property
    def _window(self) -> tuple[float, float]:
        return _edge_range(preprocessing.energy_axis(self.spectrum))

    @property
    def _strength(self) -> np.ndarray:
        """Mean probability of each element where it is found, or everywhere if it is not, shape (80,)."""
        pixels, found = self._pixels[self._valid], self._found
        where = found | ~found.any(axis=0)
        return np.sum(pixels * where, axis=0) / np.sum(where, axis=0)

    @property
    def fraction(self) -> dict[str, float]:
        """Share of the valid pixels in which each of the 80 elements is found.

        An element is found in a pixel when its probability is above the threshold; of several elements that claim
        the same edge only the strongest is, see :mod:`hyperspy_eelsid.decision`.
        """
        return dict(zip(ELEMENTS, self._found.mean(axis=0).tolist(), strict=True))

    @property
    def elements(self) -> list[str]:
        """Symbols of the elements that are found, strongest first: in most pixels, most probable.

        An element of an image has to be found in at least `min_fraction` of the pixels, not counting lone pixels
        with weak evidence, nor pixels that an element found in more of them explains as well.
        """
        fraction, strength = self._found.mean(axis=0), self._strength
        found = np.zeros(self.probability.data.shape, bool)
        found.reshape(-1, len(ELEMENTS))[self._valid] = self._found
        counted = decision.supported(found, self.probability.data, self.threshold)
        share = counted.reshape(-1, len(ELEMENTS))[self._valid].mean(axis=0)
        reported = np.flatnonzero((share > 0) & (share >= self.min_fraction))
        ordered = sorted(reported, key=lambda i: (-fraction[i], -strength[i]))
        pixels = self._pixels[self._valid]
        return [
            ELEMENTS[i]
            for i in decision.without_double_claims(
                ordered, self._found, pixels, self.threshold, *self._window
            )
        ]

    @property
    def edges(self) -> dict[str, dict[str, float]]:
        """Major edge groups in the window and their onsets [eV], of each element that is found."""
        return {element: visible_groups(element, *self._window) for element in self.elements}

    @property
    def rivals(self) -> dict[str, list[str]]:
        """Elements that could be there instead of each one found, because their edges lie at the same place."""
        result = {}
        pixels, found = self._pixels[self._valid], self._found
        for element in self.elements:
            index = ELEMENT_INDEX[element]
            probability = pixels[found[:, index]].mean(axis=0)
            rivals = decision.rivals_of(index, probability, *self._window)
            result[element] = [rival for rival in rivals if rival not in self.elements]
        return result

    def with_threshold(
        self, threshold: float, min_fraction: float | None = None
    ) -> ElementIdentification:
        """The same probabilities judged by another threshold, without running the networks again."""
        fraction = self.min_fraction if min_fraction is None else min_fraction
        _check_share("threshold", threshold)
        _check_share("min_fraction", fraction)
        return ElementIdentification(
            self.probability, self.spectrum, self.intensity, threshold, fraction, self.model
        )

    def plot(self) -> Figure:
        """Summed spectrum with the edges that were found, and a periodic table of probabilities.

        Returns
        -------
        The matplotlib figure.
        """
        from hyperspy_eelsid.plotting import plot_identification

        return plot_identification(self)

    def plot_maps(self, **kwargs: Any) -> list[Any]:
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


def _edge_range(energy: np.ndarray) -> tuple[float, float]:
    start, end = preprocessing.measured_window(energy)
    return start - ONSET_TOLERANCE_EV, end + ONSET_TOLERANCE_EV


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1, not {value!r}.")


def _probability(
    spectra: np.ndarray, energy: np.ndarray, networks: ensemble.Ensemble
) -> np.ndarray:
    """Probabilities of a block of spectra (..., n_channels); NaN where counts are not usable."""
    pixels = spectra.reshape(-1, spectra.shape[-1])
    start, end = preprocessing.measured_window(energy)
    inside = pixels[:, (energy >= start) & (energy <= end)]
    valid = np.isfinite(inside).all(axis=1) & (inside.max(axis=1) > 0)
    result = np.full((len(pixels), len(ELEMENTS)), np.nan, np.float32)
    result[valid] = networks.predict(preprocessing.to_network_input(pixels[valid], energy))
    low, high = _edge_range(energy)
    result[np.ix_(valid, ~decision.visible(low, high))] = 0
    return result.reshape(*spectra.shape[:-1], len(ELEMENTS))


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
    energy = preprocessing.energy_axis(signal)
    networks = ensemble.load()
    progress = (
        preferences.General.show_progressbar if show_progressbar is None else show_progressbar
    )
    compute = _lazy_probability if signal._lazy else _eager_probability
    data = compute(signal.data, energy, networks, progress)

    invalid = ~np.isfinite(data[..., 0])
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
        _probability_signal(data, signal),
        _sum_spectrum(signal, invalid),
        _sum_over_energy(signal),
        networks.threshold if threshold is None else threshold,
        min_fraction,
        networks.name,
    )


def _eager_probability(
    data: np.ndarray, energy: np.ndarray, networks: ensemble.Ensemble, progress: bool
) -> np.ndarray:
    pixels = data.reshape(-1, data.shape[-1])
    result = np.empty((len(pixels), len(ELEMENTS)), np.float32)
    blocks = range(0, len(pixels), PIXELS_PER_BLOCK)
    show = progress and len(blocks) > 1
    with tqdm(total=len(pixels), unit="spectra", disable=not show) as bar:
        for first in blocks:
            block = slice(first, first + PIXELS_PER_BLOCK)
            result[block] = _probability(pixels[block], energy, networks)
            bar.update(len(pixels[block]))
    return result.reshape(*data.shape[:-1], len(ELEMENTS))


def _lazy_probability(
    data: da.Array, energy: np.ndarray, networks: ensemble.Ensemble, progress: bool
) -> np.ndarray:
    chunks = {axis: "auto" for axis in range(data.ndim - 1)} | {data.ndim - 1: -1}
    probability = da.map_blocks(
        _probability,
        data.rechunk(chunks, block_size_limit=LAZY_BLOCK),
        energy,
        networks,
        dtype=np.float32,
        chunks=(*data.rechunk(chunks, block_size_limit=LAZY_BLOCK).chunks[:-1], (len(ELEMENTS),)),
        meta=np.empty((0,) * data.ndim, np.float32),
    )
    with ProgressBar() if progress else nullcontext():
        return probability.compute()


def _probability_signal(data: np.ndarray, signal: EELSSpectrum) -> ElementProbability:
    probability = ElementProbability(data)
    axes = signal.axes_manager.navigation_axes
    for own, axis in zip(probability.axes_manager.navigation_axes, axes, strict=True):
        for name in ("name", "units", "scale", "offset"):
            if hasattr(axis, name):
                setattr(own, name, getattr(axis, name))
    (element_axis,) = probability.axes_manager.signal_axes
    element_axis.name = "Element"
    probability.metadata.General.title = signal.metadata.General.title
    probability.metadata.set_item("EELSID.elements", list(ELEMENTS))
    return probability


def _sum_spectrum(signal: EELSSpectrum, invalid: np.ndarray) -> EELSSpectrum:
    """The sum of all valid pixels."""
    if signal.axes_manager.navigation_dimension == 0:
        total = signal.deepcopy()
    else:
        total = signal.inav[(0,) * signal.axes_manager.navigation_dimension].deepcopy()
        kept = da.where if signal._lazy else np.where
        total.data = kept(invalid[..., None], 0, signal.data).sum(
            axis=tuple(range(signal.data.ndim - 1))
        )
    if total._lazy:
        total.compute(show_progressbar=False)
    return total


def _sum_over_energy(signal: EELSSpectrum) -> BaseSignal:
    """The image of all counts."""
    image = signal.sum(axis=signal.axes_manager.signal_axes[0])
    if image._lazy:
        image.compute(show_progressbar=False)
    return image.T if signal.axes_manager.navigation_dimension else image
