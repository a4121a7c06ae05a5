"""The background under an edge of all spectra at once, and the noise of their channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid.exceptions import ArgumentError, EnergyAxisError

if TYPE_CHECKING:
    from hyperspy_eelsid.oxidation.edge import WhiteLineEdge

BEFORE_ONSET_EV = 6.0  # chemical shifts and the widths of the lines
NEAREST_BEFORE_ONSET_EV = 2.0  # where the window begins late
SHORT_EV = 12.0  # a window that tells a level but no exponent
EXPONENT = 3.0  # of the power law then
LEVEL_WITHOUT_BACKGROUND = 0.1  # of the maximum; what is recorded has more before an edge
# third differences of neighbouring channels see no smooth spectrum: 1, -3, 3, -1 have the square sum 20; half of the
# squares of a normal variable are below 0.455
_DIFFERENCES, _MEDIAN_OF_SQUARES = 20.0, 0.455
_SMALLEST = 1e-9
LEAST_COUNTS = 0.02  # of the maximum, of what a channel is taken to hold at least
LEAST_SHARED = 0.1  # less is not told from independent noise
_BLOCKS, _LEAST_BLOCKS, _CHANNELS_OF_A_BLOCK = 24, 8, 8


@dataclass(frozen=True)
class Background:
    """Background of spectra, and how its errors go with energy.

    Parameters
    ----------
    values
        Background, shape (n, n_channels).
    shapes
        Change of `values` for a relative change of the mean level of each window, shape (n_windows, n, n_channels).
    variances
        Relative variance of the levels, shape (n_windows, n).
    """

    values: np.ndarray
    shapes: np.ndarray
    variances: np.ndarray


def background_window(
    energy: np.ndarray, edge: WhiteLineEdge, given: tuple[float, float] | str | None
) -> slice | None:
    """Channels that the background is read from; None where it has been removed.

    Raises
    ------
    ArgumentError
        If it is no window.
    EnergyAxisError
        If the window that is given is not before the edge, or holds no two channels.
    """
    if given is None:
        return None
    if isinstance(given, str) and given == "auto":
        return before_edge(energy, edge)
    pair = list(given) if isinstance(given, Iterable) else []
    if len(pair) != 2 or not all(isinstance(x, Real) and np.isfinite(x) for x in pair):
        raise ArgumentError(
            f"background is 'auto', None or a window in eV such as (600, 630), not {given!r}."
        )
    start, end = pair
    if end > edge.onsets[0]:
        raise EnergyAxisError(
            f"The background window ends at {end:g} eV, after the onset of {edge.name} at {edge.onsets[0]:g} eV."
        )
    first, last = np.searchsorted(energy, (start, end))
    if last - first < 2:
        raise EnergyAxisError(
            f"There are not two channels between {start:g} and {end:g} eV to read the background from. If it has been "
            "removed, say so with background=None."
        )
    return slice(int(first), int(last))


def before_edge(energy: np.ndarray, edge: WhiteLineEdge) -> slice:
    """All channels before an edge."""
    end = edge.onsets[0] - BEFORE_ONSET_EV
    if energy[0] > end - SHORT_EV / 4:
        end = edge.onsets[0] - NEAREST_BEFORE_ONSET_EV
    return slice(0, max(int(np.searchsorted(energy, end)), 2))


def fit_background(spectra: np.ndarray, energy: np.ndarray, window: slice | None) -> Background:
    """Power law through the mean levels of both halves of a window before the edge.

    Between the logarithms of the levels, log-background is linear in log-energy (R. F. Egerton, Electron Energy-Loss
    Spectroscopy, 3rd ed., section 4.4.2, two-area method). A window shorter than 12 eV gives the level, the exponent
    is 3 then. Spectra whose level is below a tenth of their maximum have no background: it has been removed.

    Parameters
    ----------
    spectra
        Shape (n, n_channels).
    energy
        Shape (n_channels,) [eV].
    window
        Channels before the edge; None where the background has been removed.
    """
    none = Background(
        np.zeros(spectra.shape), np.zeros((1, *spectra.shape)), np.zeros((1, len(spectra)))
    )
    if window is None:
        return none
    channels = np.arange(window.start, window.stop)
    level = spectra[:, channels].mean(axis=1)
    recorded = level > LEVEL_WITHOUT_BACKGROUND * np.quantile(spectra, 0.98, axis=1)
    if energy[window.stop - 1] - energy[window.start] < SHORT_EV:
        parts = [channels]
    else:
        parts = np.array_split(channels, 2)
    levels = np.array([spectra[:, part].mean(axis=1) for part in parts])
    recorded &= (levels > 0).all(axis=0)
    levels = np.where(recorded, levels, 1.0)
    places = [np.log(energy[part]).mean() for part in parts]
    above = np.log(energy)[np.newaxis] - np.array(places)[:, np.newaxis]
    if len(parts) == 1:
        values = levels[0][:, np.newaxis] * np.exp(-EXPONENT * above[0])
        shares = np.ones((1, len(energy)))
    else:
        share = above[0] / (places[1] - places[0])
        shares = np.stack([1 - share, share])
        values = np.exp(np.log(levels).T @ shares)
    values *= recorded[:, np.newaxis]
    noise = np.array([_level_variance(spectra[:, part]) for part in parts])
    return Background(values, shares[:, np.newaxis] * values, noise / levels**2 * recorded)


def _level_variance(spectra: np.ndarray) -> np.ndarray:
    """Variance of the mean of neighbouring channels, from their scatter about a straight line."""
    channels = spectra.shape[1]
    if channels < 4:
        return np.abs(spectra).mean(axis=1) / channels
    place = np.arange(channels) - (channels - 1) / 2
    slope = spectra @ place / (place @ place)
    rest = spectra - spectra.mean(axis=1, keepdims=True) - slope[:, np.newaxis] * place
    return (rest**2).sum(axis=1) / (channels - 2) / channels


def noise_levels(spectra: np.ndarray, background: Background) -> tuple[np.ndarray, np.ndarray]:
    """Variance of a channel as a constant and a part in proportion to the counts, shape (n, 1) each.

    The third differences of neighbouring channels tell both: of counted electrons they are zero and one. The constant
    is that of spectra whose background has been removed.
    """
    expected = np.maximum(smooth(spectra, 5), 0)[:, 2:-1]
    top = expected.max(axis=1, keepdims=True)
    squares = np.diff(spectra, 3, axis=1) ** 2 / (_DIFFERENCES * _MEDIAN_OF_SQUARES)
    constant = np.zeros((len(spectra), 1))
    slope = np.zeros((len(spectra), 1))
    recorded = background.values.any(axis=1)
    if recorded.any():
        low = np.maximum(expected[recorded], LEAST_COUNTS * top[recorded]) + _SMALLEST**2
        slope[recorded] = np.median(squares[recorded] / low, axis=1, keepdims=True)
    if not recorded.all():
        rest = ~recorded
        counts, part, highest = expected[rest], squares[rest], top[rest]
        constant[rest] = _median_where(part, counts < 0.1 * highest)
        above = np.maximum(counts, 0.3 * highest) + _SMALLEST**2
        slope[rest] = _median_where((part - constant[rest]) / above, counts > 0.3 * highest)
    return constant + _SMALLEST * top**2 + _SMALLEST**2, np.maximum(slope, 0)


def noise_variance(
    spectra: np.ndarray, background: Background, variance: float | np.ndarray | None
) -> np.ndarray:
    """Variance of every channel, shape (n, n_channels): what is given, or from the noise itself."""
    if variance is not None:
        return np.broadcast_to(np.asarray(variance, float), spectra.shape)
    return variance_of(smooth(spectra, 5), *noise_levels(spectra, background))


def variance_of(expected: np.ndarray, constant: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Variance of channels in which so much is expected, shape (n, n_channels)."""
    lowest = LEAST_COUNTS * expected.max(axis=1, keepdims=True)
    return constant + slope * np.maximum(expected, np.maximum(lowest, 0))


def shared_noise(
    spectra: np.ndarray,
    noise: np.ndarray,
    window: slice,
    channels: int | None = None,
    pooled: bool = False,
) -> np.ndarray:
    """How many times the variance of means of channels is that of single ones, shape (n, 1), or (1, 1) if pooled.

    Detectors spread an electron over channels, and smoothed or interpolated spectra share noise as well: means of
    blocks of channels before the edge then scatter more than `noise` says. One where they do not, significantly.

    Parameters
    ----------
    spectra
        Shape (n, n_channels).
    noise
        What :func:`noise_variance` says.
    window
        Channels before the edge.
    channels
        In a block; None for some two dozen blocks.
    pooled
        One number for all spectra, which have the same noise.
    """
    before = spectra[:, window]
    channels = channels or max(before.shape[1] // _BLOCKS, _CHANNELS_OF_A_BLOCK)
    blocks = before.shape[1] // channels
    if blocks < _LEAST_BLOCKS:
        return np.ones((1 if pooled else len(spectra), 1))
    place = np.linspace(-1, 1, blocks)
    shape = (len(spectra), blocks, channels)
    means = before[:, : blocks * channels].reshape(shape).mean(axis=2)
    expected = noise[:, window][:, : blocks * channels].reshape(shape).mean(axis=2) / channels
    curve = np.vander(place, 3)  # the background is as good as a parabola here
    rest = means - means @ np.linalg.pinv(curve).T @ curve.T
    ratio = (rest**2 / expected).sum(axis=1) / (blocks - 3)
    freedom = blocks - 3
    if pooled:
        ratio, freedom = ratio.mean(keepdims=True), freedom * len(ratio)
    certain = 1 + max(2 * np.sqrt(2 / freedom), LEAST_SHARED)
    return np.where(ratio > certain, ratio, 1.0)[:, np.newaxis]


def _median_where(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Median of the chosen channels of each spectrum, zero where there is none, shape (n, 1)."""
    count = chosen.sum(axis=1, keepdims=True)
    ordered = np.sort(np.where(chosen, values, np.inf), axis=1)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=1)
    return np.where(count > 0, middle, 0)


def smooth(spectra: np.ndarray, channels: int) -> np.ndarray:
    """Running mean over an odd number of channels, the last ones held beyond the ends."""
    if channels < 2:
        return spectra
    half = channels // 2
    wide = np.pad(spectra, ((0, 0), (half, half)), mode="edge")
    total = np.cumsum(np.pad(wide, ((0, 0), (1, 0))), axis=1)
    return (total[:, 2 * half + 1 :] - total[:, : -2 * half - 1]) / (2 * half + 1)
