"""The noise of counts that are no numbers of electrons: gain, floor and correlation, from the spectra themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

LAG = 3  # channels; cameras and interpolation correlate next neighbours
LEVELS = 12
OUTLIER_SIGMA = 5.0
SMALLEST_SAMPLE = 20
# weights of a fourth difference, in which a smooth spectrum vanishes, and the sum of their squares
_FOURTH = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
_FOURTH_NORM = float((_FOURTH**2).sum())


@dataclass(frozen=True)
class Noise:
    """Variance of counts: ``gain * counts + floor``, and ``correlation`` times that for means over many channels.

    Parameters
    ----------
    gain
        Variance over counts; 1 when every electron is one count.
    floor
        Variance where there are no counts, of the read-out.
    correlation
        Variance of a mean of channels over that of independent ones.
    """

    gain: float = 1.0
    floor: float = 0.0
    correlation: float = 1.0

    def variance(self, expected: np.ndarray) -> np.ndarray:
        """Variance of single channels of which the expected counts are given, any shape."""
        # no less than of a quarter of a count, so that empty channels do not count as exact
        return np.maximum(
            self.gain * np.maximum(expected, 0) + self.floor, 0.25 * max(self.gain, 1e-12)
        )

    def scaled(self, factor: float, spectra: float = 1.0) -> Noise:
        """Noise of the mean of a number of spectra, multiplied by a factor."""
        return Noise(
            self.gain * factor / spectra, self.floor * factor**2 / spectra, self.correlation
        )


def estimate_noise(counts: np.ndarray, distance: np.ndarray, fwhm: float) -> Noise:
    """Noise of spectra from the fourth differences of channels outside the peak.

    Differences are taken between every third channel, which cameras hardly correlate, and again between sums of four
    channels: noise that is correlated loses less in the sums.

    Parameters
    ----------
    counts
        Shape (n_pixels, n_channels).
    distance
        Energies from the peak of each pixel [eV], shape (n_pixels, n_channels).
    fwhm
        Width of the peak [eV].

    Returns
    -------
    Noise
        The noise; that of counted electrons where too few channels lie outside the peak.
    """
    outside = np.abs(distance) > 2 * fwhm
    level, square = _squared_differences(counts, outside, LAG)
    if level.size < SMALLEST_SAMPLE:
        return Noise()
    order = np.argsort(level)
    groups = np.array_split(order, min(LEVELS, level.size // SMALLEST_SAMPLE))
    levels = np.array([level[group].mean() for group in groups])
    variances = np.array([_clipped_mean(square[group]) for group in groups])
    known = variances > 0
    if not known.any():
        return Noise()
    # relative errors of the variances are alike
    design = np.stack([np.maximum(levels, 0), np.ones_like(levels)], axis=1)[known]
    gain, floor = nnls(design / variances[known, np.newaxis], np.ones(known.sum()))[0]
    noise = Noise(float(gain), float(floor))
    return Noise(noise.gain, noise.floor, _correlation(counts, outside, noise))


def _correlation(counts: np.ndarray, outside: np.ndarray, noise: Noise) -> float:
    """Variance of sums of four channels over that of independent channels, at least 1."""
    width = 4
    size = counts.shape[1] // width * width
    shape = (len(counts), -1, width)
    sums = counts[:, :size].reshape(shape).sum(axis=2)
    level, square = _squared_differences(sums, outside[:, :size].reshape(shape).all(axis=2), 1)
    if level.size < SMALLEST_SAMPLE:
        return 1.0
    expected = width * noise.variance(level / width)
    ratio = _clipped_mean(square / expected)
    # at most when all four are one
    return float(np.clip(ratio, 1.0, width))


def _squared_differences(
    counts: np.ndarray, outside: np.ndarray, lag: int
) -> tuple[np.ndarray, np.ndarray]:
    """Level and squared fourth difference, scaled to the variance of a channel, where all five channels lie outside."""
    size = counts.shape[1] - 4 * lag
    if size < 1:
        return np.empty(0), np.empty(0)
    parts = [slice(k * lag, k * lag + size) for k in range(5)]
    difference = sum(w * counts[:, p] for w, p in zip(_FOURTH, parts, strict=True))
    level = np.mean([counts[:, p] for p in parts], axis=0)
    use = np.logical_and.reduce([outside[:, p] for p in parts]) & np.isfinite(difference)
    return level[use], (difference[use] ** 2) / _FOURTH_NORM


def _clipped_mean(squares: np.ndarray) -> float:
    """Mean without the outliers that spikes are."""
    for _ in range(3):
        mean = squares.mean()
        squares = squares[squares <= OUTLIER_SIGMA**2 * mean]
    return float(squares.mean())
