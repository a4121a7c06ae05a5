"""White lines measured: areas, ratio, places, and the prepeak of O K, in all pixels at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import dask
import dask.array as da
import numpy as np
from hyperspy.signals import LazySignal

from hyperspy_eelsid import arguments
from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.edges import edge_groups
from hyperspy_eelsid.energy_axis import in_order
from hyperspy_eelsid.exceptions import UnknownElementError
from hyperspy_eelsid.oxidation.background import (
    Background,
    background_window,
    before_edge,
    fit_background,
    noise_variance,
    shared_noise,
    smooth,
)
from hyperspy_eelsid.oxidation.edge import Region, WhiteLineEdge
from hyperspy_eelsid.oxidation.peaks import integral, line_places, maximum
from hyperspy_eelsid.oxidation.references import SHARE_OF_FIRST, references

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal

_logger = logging.getLogger(__name__)

LINE_EV = 5.0  # half-width of the first line, and of the second on its far side 4
SECOND_LINE_EV = 4.0
BOUNDARY = 0.55  # share of the distance of the lines where one ends and the other begins
TAIL_EV = (5.0, 11.0)  # behind the second line, where the level of the continuum is read
SHORTEST_TAIL_EV = 1.0
SIGNIFICANT = (
    5.0  # standard errors of the area, below which a pixel has no line that could be measured
)
TYPICAL_THICKNESS = 0.3  # mean free paths
DISPERSION_EV, RESOLUTION_EV = 0.1, 0.8  # of the computed spectra whose ratios states are told by
IRON = (
    "White lines of Fe2+ and Fe3+ have nearly the same shape and ratio: it is the energy that tells them, on an axis "
    "calibrated to a few tenths of an eV."
)
STANDS_OUT = (
    1.25  # top of the first line over the level of the continuum, which is one for a bare step
)
TOP_EV = 1.0  # half-width of the top
OXYGEN_K_EV = {"before": 25.0, "prepeak": (-5.0, 2.5), "main": (3.0, 14.0), "after": 15.0}
LEAST_BEFORE_OXYGEN_EV = 15.0
LEAST_PREPEAK = 0.15  # of the main maximum


@dataclass(frozen=True, eq=False, repr=False)
class WhiteLines:
    """White lines of every pixel, as signals with the navigation axes of the image.

    The variance of each signal is in its ``metadata.Signal.Noise_properties.variance``. Pixels without a first line
    that is five standard errors strong and stands out of the continuum are NaN everywhere.

    Parameters
    ----------
    edge
        Name of the edge, e.g. ``"Mn_L3"``.
    first, second
        Areas of the lines (L3 and L2, or M5 and M4) above the steps of the continuum [counts eV].
    ratio
        First over second.
    position
        Energy of the maximum of the first line [eV], as the axis of the signal has it.
    distance
        Distance of the maxima [eV].
    prepeak_distance
        From the prepeak of O K to its main maximum [eV], NaN where there is no prepeak; None when O K is not in the
        window.
    """

    edge: str
    first: BaseSignal
    second: BaseSignal
    ratio: BaseSignal
    position: BaseSignal
    distance: BaseSignal
    prepeak_distance: BaseSignal | None = None

    def __repr__(self) -> str:
        shape = self.ratio.axes_manager.navigation_shape or self.ratio.axes_manager.signal_shape
        if self.ratio._lazy:
            return f"WhiteLines of {self.edge}, {shape}, not computed"
        values = (
            f"{name} {np.nanmedian(getattr(self, name).data):.2f}{unit}"
            for name, unit in (("ratio", ""), ("position", " eV"), ("distance", " eV"))
            if np.isfinite(getattr(self, name).data).any()
        )
        measured = int(np.isfinite(self.ratio.data).sum())
        return (
            f"WhiteLines of {self.edge}, measured in {measured} of {self.ratio.data.size} pixels; "
            f"medians: {', '.join(values) or 'none'}"
        )

    def compute(self) -> WhiteLines:
        """The same in memory, the data of a lazy signal being read once."""
        signals = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "edge"}
        signals = {name: signal for name, signal in signals.items() if signal is not None}
        arrays = {
            name: (signal.data, signal.metadata.Signal.Noise_properties.variance.data)
            for name, signal in signals.items()
        }
        computed = dask.compute(arrays)[0]
        results = {}
        for name, (values, variance) in computed.items():
            results[name] = with_data(signals[name], values)
            spread = with_data(signals[name], variance)
            for signal in (results[name], spread):
                if isinstance(signal, LazySignal):
                    signal.compute(show_progressbar=False)  # makes a signal in memory of it
            results[name].metadata.set_item("Signal.Noise_properties.variance", spread)
        return replace(self, **results)

    def oxidation_state(self, thickness: float = TYPICAL_THICKNESS) -> BaseSignal:
        """Charge of the ion whose computed spectrum has the nearest ratio of the white lines, NaN without a ratio.

        The ratio is a rule of thumb, which serves where no reference spectrum of the same instrument is at hand: see
        the user guide for how often it is right. It knows no mixtures.

        Parameters
        ----------
        thickness
            Of the specimen in mean free paths, for plural scattering raises the ratio.

        Raises
        ------
        UnknownElementError
            If the library does not hold two ions of the element.
        ArgumentError
            If `thickness` is no number from zero.
        """
        arguments.number("thickness", thickness, least=0)
        charges, ratios = computed_ratios(self.edge, thickness)
        if self.edge.startswith("Fe"):
            _logger.warning("%s", IRON)
        with np.errstate(invalid="ignore", divide="ignore"):
            nearest = da.map_blocks if self.ratio._lazy else _apply
            data = nearest(_nearest, self.ratio.data, charges=charges, ratios=ratios)
        result = with_data(self.ratio, data)
        result.metadata.General.title = f"{self.edge.split('_')[0]} oxidation state by the ratio"
        result.metadata.set_item("Signal.quantity", "Charge")
        return result


@cache
def computed_ratios(edge: str, thickness: float = TYPICAL_THICKNESS) -> tuple[np.ndarray, ...]:
    """Charges of the computed ions of an element, and their ratios of the white lines."""
    ions = references(edge, DISPERSION_EV, RESOLUTION_EV, thickness=thickness)
    if len(ions) < 2:
        raise UnknownElementError(
            f"The library of near edges holds one ion of {edge.split('_')[0]}; two are needed to tell oxidation states."
        )
    charges = np.array([ion.metadata.Signal.reference.charge for ion in ions], float)
    return charges, np.array([ion.white_lines(edge).ratio.data[0] for ion in ions])


def _apply(function, data: np.ndarray, **arguments) -> np.ndarray:
    return function(data, **arguments)


def _nearest(data: np.ndarray, charges: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    positive = data > 0
    difference = np.log(np.where(positive, data, 1))[..., np.newaxis] - np.log(ratios)
    return np.where(positive, charges[np.abs(difference).argmin(axis=-1)], np.nan)


def white_lines(
    signal: EELSSpectrum,
    element: str,
    background: tuple[float, float] | str | None = "auto",
    energy_offset: float = 0.0,
    low_loss: EELSSpectrum | None = None,
) -> WhiteLines:
    """Measure the white lines of an element: areas, their ratio, position and distance, with errors.

    The background is a power law through the levels of two windows before the edge. Under the lines lie two steps of
    the continuum at their maxima, two thirds and one third of the level behind the second line (D. H. Pearson, C. C.
    Ahn and B. Fultz, Phys. Rev. B 47, 8471 (1993)). The lines are summed from 5 eV before the first maximum to 4 eV
    after the second, and parted between them. Nothing is computed for a lazy signal before it is asked for.

    Parameters
    ----------
    element
        Symbol, or an edge such as ``"Mn_L3"``; L2,3 of Sc to Cu and M4,5 of La to Yb have white lines.
    background
        Window before the edge [eV] that the background is read from; ``"auto"`` takes all up to 6 eV before the
        onset, and no background where spectra have none before the edge; None when it has been removed.
    energy_offset
        How far the energy axis is off [eV], positive when edges are seen above their onsets, such as
        ``found.energy_offset`` of an identification.
    low_loss
        Low loss of the same pixels, or one spectrum for all: pixels of more than 0.6 mean free paths are left out.

    Returns
    -------
    WhiteLines
        Signals with the navigation axes of the image.

    Raises
    ------
    hyperspy_eelsid.exceptions.UnknownElementError
        If the element has no white lines.
    hyperspy_eelsid.exceptions.EnergyAxisError
        If the window cuts one of them, or the channels are wider than 1 eV.
    hyperspy_eelsid.exceptions.SignalTypeError
        If it is no EELS signal.
    hyperspy_eelsid.exceptions.ThicknessError
        If most of the specimen is too thick.

    Notes
    -----
    The errors hold the noise of the counts, of the background and of the level of the continuum; not that the
    background is no power law, nor plural scattering, which raises that level and with it the ratio.

    Examples
    --------
    >>> from hyperspy_eelsid.oxidation import references
    >>> manganese = references("Mn", dispersion=0.1, resolution=0.8)[0]
    >>> manganese.white_lines("Mn")
    WhiteLines of Mn_L3, measured in 1 of 1 pixels; medians: ratio 3.27, position 640.07 eV, distance 12.40 eV
    """
    edge = WhiteLineEdge.of(element)
    region = Region.of_edge(signal, edge, energy_offset, low_loss)
    window = background_window(region.energy, edge, background)
    values = region.map(
        measure, len(_QUANTITIES) * 2, energy=region.energy, edge=edge, window=window
    )
    names = dict(zip(("first", "second"), edge.lines, strict=True))
    results = {}
    for number, (name, quantity) in enumerate(_QUANTITIES.items()):
        data = values[..., 2 * number]
        if name == "position":
            data = data + energy_offset
        title = f"{edge.element} {names.get(name, name)}"
        results[name] = _measured(region, data, values[..., 2 * number + 1], title, quantity)
    prepeak = _prepeak_distance(signal, edge, energy_offset)
    return WhiteLines(edge=edge.name, prepeak_distance=prepeak, **results)


_QUANTITIES = {
    "first": "Area (counts eV)",
    "second": "Area (counts eV)",
    "ratio": "Ratio of the white lines",
    "position": "Energy (eV)",
    "distance": "Energy (eV)",
}
RATIO_COLUMN = 2 * list(_QUANTITIES).index("ratio")  # of what `measure` gives


def _measured(region: Region, data, variance, title: str, quantity: str) -> BaseSignal:
    result = region.as_map(data, title, quantity)
    result.metadata.set_item(
        "Signal.Noise_properties.variance", region.as_map(variance, f"{title}, variance", "")
    )
    return result


def measure(
    spectra: np.ndarray,
    variance: float | np.ndarray | None,
    *,
    energy: np.ndarray,
    edge: WhiteLineEdge,
    window: slice | None,
) -> np.ndarray:
    """Areas, ratio, position and distance of the lines, each followed by its variance.

    Parameters
    ----------
    spectra
        Counts, finite, shape (n, n_channels).
    variance
        Of the counts, None where it is not known.
    energy
        Shape (n_channels,) [eV].
    edge
        The edge.
    window
        Channels of the background.

    Returns
    -------
    np.ndarray
        Shape (n, 10).
    """
    return measured(find_lines(spectra, variance, energy=energy, edge=edge, window=window), energy)


class Lines(NamedTuple):
    """White lines of spectra, which the areas and what a classifier sees are read from.

    Attributes
    ----------
    net
        Spectra without background, shape (n, n_channels).
    noise
        Their variance, shape (n, n_channels).
    background
        What was taken off.
    places
        Energies of the maxima of both lines [eV], shape (2, n).
    spreads
        Variances of the places [eV²], shape (2, n).
    """

    net: np.ndarray
    noise: np.ndarray
    background: Background
    places: np.ndarray
    spreads: np.ndarray


def find_lines(
    spectra: np.ndarray,
    variance: float | np.ndarray | None,
    *,
    energy: np.ndarray,
    edge: WhiteLineEdge,
    window: slice | None,
) -> Lines:
    """Take off the background and find the lines; arguments as those of :func:`measure`."""
    background = fit_background(spectra, energy, window)
    noise = noise_variance(spectra, background, variance)
    if variance is None:
        noise = noise * shared_noise(spectra, noise, before_edge(energy, edge))
    net = spectra - background.values
    return Lines(net, noise, background, *line_places(net, noise, energy, edge))


def measured(lines: Lines, energy: np.ndarray) -> np.ndarray:
    """What :func:`measure` gives, of lines that have been found."""
    net, places, spreads = lines.net, lines.places, lines.spreads
    areas, covariance, level = _areas(net, lines.noise, lines.background, energy, places)
    top = integral(net, energy, places[0] - TOP_EV, places[0] + TOP_EV) / (2 * TOP_EV)
    with np.errstate(all="ignore"):
        ratio = areas[0] / areas[1]
        relative = (
            covariance[0, 0] / areas[0] ** 2
            + covariance[1, 1] / areas[1] ** 2
            - 2 * covariance[0, 1] / (areas[0] * areas[1])
        )
    # of a second line below its own standard error no ratio means anything
    ratio[areas[1] <= np.sqrt(covariance[1, 1])] = np.nan
    result = np.stack(
        [
            areas[0],
            covariance[0, 0],
            areas[1],
            covariance[1, 1],
            ratio,
            ratio**2 * relative,
            places[0],
            spreads[0],
            places[1] - places[0],
            spreads.sum(axis=0),
        ],
        axis=1,
    )
    seen = areas[0] > SIGNIFICANT * np.sqrt(covariance[0, 0])
    result[~seen | (top < STANDS_OUT * level)] = np.nan
    return result


def _areas(
    net: np.ndarray,
    noise: np.ndarray,
    background: Background,
    energy: np.ndarray,
    places: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Areas of both lines above the continuum, shape (2, n), their covariance, shape (2, 2, n), and its level."""
    first, second = places
    tail_end = np.minimum(second + TAIL_EV[1], energy[-1])
    tail_start = np.minimum(second + TAIL_EV[0], tail_end - SHORTEST_TAIL_EV)
    boundary = first + BOUNDARY * (second - first)
    dispersion = energy[1] - energy[0]
    bounds = (
        (np.maximum(first - LINE_EV, energy[0]), np.minimum(boundary, first + LINE_EV)),
        (np.maximum(boundary, second - SECOND_LINE_EV), second + SECOND_LINE_EV),
    )
    length = tail_end - tail_start

    def functionals(values: np.ndarray) -> list[np.ndarray]:
        """What both areas would be of these values."""
        level = integral(values, energy, tail_start, tail_end) / length
        return [
            integral(values, energy, start, end) - level * weight
            for (start, end), weight in zip(bounds, weights, strict=True)
        ]

    # level times weight is the area of the continuum in the window of a line
    weights = [
        SHARE_OF_FIRST * np.maximum(end - np.maximum(start, first), 0)
        + (1 - SHARE_OF_FIRST) * np.maximum(end - np.maximum(start, second), 0)
        for start, end in bounds
    ]
    areas = np.stack(functionals(net))
    level_variance = integral(noise, energy, tail_start, tail_end) * dispersion / length**2
    by_background = np.stack(functionals(background.shapes))
    covariance = np.einsum("iwn,jwn,wn->ijn", by_background, by_background, background.variances)
    for i, weight in enumerate(weights):
        covariance[i, i] += integral(noise, energy, *bounds[i]) * dispersion
        for j, other in enumerate(weights):
            covariance[i, j] += weight * other * level_variance
    return areas, covariance, integral(net, energy, tail_start, tail_end) / length


def _prepeak_distance(
    signal: EELSSpectrum, edge: WhiteLineEdge, energy_offset: float
) -> BaseSignal | None:
    """From the prepeak of O K to its main maximum, where O K is in the window and apart from the lines."""
    onset = edge_groups("O")["K"]
    start, end = onset - OXYGEN_K_EV["before"], onset + OXYGEN_K_EV["after"]
    if edge.onsets[0] < end + 3 and edge.onsets[1] > start - 10:
        return None
    axis = in_order(signal).axes_manager.signal_axes[0].axis - energy_offset
    if axis[0] > onset - LEAST_BEFORE_OXYGEN_EV or axis[-1] < end:
        return None
    region = Region.between(signal, start, end, energy_offset)
    window = slice(0, int(np.searchsorted(region.energy, onset - 6)))
    values = region.map(_measure_prepeak, 2, energy=region.energy, onset=onset, window=window)
    return _measured(region, values[..., 0], values[..., 1], "O K prepeak", "Energy (eV)")


def _measure_prepeak(
    spectra: np.ndarray,
    variance: float | np.ndarray | None,
    *,
    energy: np.ndarray,
    onset: float,
    window: slice,
) -> np.ndarray:
    """Distance of the maxima, and its variance, shape (n, 2)."""
    background = fit_background(spectra, energy, window)
    noise = noise_variance(spectra, background, variance)
    net = spectra - background.values
    peaks = []
    for name in ("prepeak", "main"):
        start, end = (onset + above for above in OXYGEN_K_EV[name])
        place, spread = maximum(net, noise, energy, start, end)
        at = np.clip(np.searchsorted(energy, place), 0, len(energy) - 1)
        channels = max(1, round(0.5 / (energy[1] - energy[0])))
        height = np.take_along_axis(smooth(net, 2 * channels + 1), at[:, np.newaxis], 1)[:, 0]
        error = np.sqrt(np.take_along_axis(noise, at[:, np.newaxis], 1)[:, 0] / (2 * channels + 1))
        inside = (place > start + 0.3) & (place < end - 0.3)
        peaks.append((place, spread, height, error, inside))
    (low, low_spread, low_height, error, low_inside), (high, high_spread, height, *_, inside) = (
        peaks
    )
    seen = low_inside & inside & (low_height > LEAST_PREPEAK * height) & (height > 0)
    seen &= low_height > SIGNIFICANT * error
    result = np.stack([high - low, low_spread + high_spread], axis=1)
    result[~seen] = np.nan
    return result
