"""Peaks of excitons and plasmons in the inelastic spectrum: a Lorentzian on a straight line, behind the resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter1d

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.low_loss.bands import ZeroLossBands
from hyperspy_eelsid.low_loss.binned import BIN_WIDTHS, BinnedCounts
from hyperspy_eelsid.low_loss.estimate import Estimate
from hyperspy_eelsid.low_loss.model import ZeroLossModel
from hyperspy_eelsid.low_loss.survey import compute
from hyperspy_eelsid.signals import pixel_map

BINS = 60
MINIMUM_BINS = 8
FIT_STEPS = 40
# a peak that is reported lowers chi-squared by so much; for its three parameters, noise does so once in a thousand
SEEN_GAIN = 16.0
LARGEST_STEP = 0.1  # of the position and the width, in windows
PARAMETERS = 5
UNSEEN = 1e-9  # weight of a bin that was not recorded, over the largest


@dataclass(frozen=True, eq=False)
class LossPeak:
    """A peak of the inelastic spectrum.

    Parameters
    ----------
    energy
        Energy from the zero-loss peak [eV], with the band that holds it with a probability of 68 %; NaN in pixels
        where no peak is seen.
    width
        Full width at half maximum [eV], the energy resolution taken out; of a peak that is not resolved the upper end
        of the band says what it may be.
    area
        Counts in the peak.
    """

    energy: Estimate
    width: Estimate
    area: Estimate


def fit_loss_peak(
    peaks: ZeroLossBands, energy_range: tuple[float, float], show_progressbar: bool | None
) -> LossPeak:
    """Fit a peak, see :meth:`ZeroLossPeak.fit_loss_peak`."""
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    fitter = PeakFitter.of(peaks.model, energy_range)
    values = compute(peaks.per_pixel(fitter, (3, 3)), show_progressbar)
    values = np.moveaxis(values, (-2, -1), (0, 1))
    titles = ("energy (eV)", "width (eV)", "area (counts)")
    return LossPeak(
        *(
            Estimate(*(pixel_map(peaks.signal, v, title, title) for v in of_one))
            for title, of_one in zip(titles, values, strict=True)
        )
    )


@dataclass(frozen=True, eq=False)
class PeakFitter:
    """Fits a peak in blocks of pixels.

    Parameters
    ----------
    model
        Model of the zero-loss peaks, its range ending where the window begins.
    first, last
        Window, in energies from the zero-loss peak [eV].
    """

    model: ZeroLossModel
    first: float
    last: float

    @classmethod
    def of(cls, model: ZeroLossModel, energy_range: tuple[float, float]) -> PeakFitter:
        """A fitter for a window.

        Raises
        ------
        ArgumentError
            If the window cannot be used.
        """
        begin, end = model.zlp_range
        narrowest = MINIMUM_BINS * max(BIN_WIDTHS * model.fwhm, model.axis.step)
        try:
            first, last = (float(value) for value in energy_range)
        except (TypeError, ValueError):
            first = last = np.nan
        last = min(last, float(model.axis.energy[-1]))
        if not (first >= begin and last - first >= narrowest):
            raise ArgumentError(
                f"energy_range is a first and a last energy [eV], from {begin:.2f} eV on and at least "
                f"{narrowest:.2f} eV apart, not {energy_range!r}."
            )
        tail = model.tail.ending_at(min(first, end)) if first > begin else model.tail
        return cls(replace(model, tail=tail), first, last)

    def __call__(self, counts: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Fit the pixels of a block.

        Parameters
        ----------
        counts
            Shape (n_pixels, n_channels).
        centre
            Energy of the zero-loss peak of each pixel [eV], NaN for one that is left out, shape (n_pixels,).

        Returns
        -------
        np.ndarray
            Shape (n_pixels, 3, 3): energy, width and area; best value, lower and upper end of its band.
        """
        result = np.full((len(counts), 3, 3), np.nan)
        use = np.isfinite(centre)
        if use.any():
            width = (self.last - self.first) / BINS
            data = BinnedCounts.of(
                self.model, counts[use], centre[use], self.first, self.last, width
            )
            result[use] = _fit(data, self.model.resolution)
        return result


def _fit(data: BinnedCounts, kernel: np.ndarray) -> np.ndarray:
    """Energy, width and area with their bands, shape (n_pixels, 3, 3), by Levenberg's and Marquardt's method."""
    whitening = _whitening(data)
    window = data.energy[-1] - data.energy[0]
    smallest = np.array([data.energy[0], data.step / 4])
    largest = np.array([data.energy[-1], window])
    values = _start(data)
    damping = np.full((len(values), 1), 1e-2)
    model, slopes = _peak(values, data, kernel)
    residual = _times(whitening, data.counts - model)
    for _ in range(FIT_STEPS):
        normal, gradient = _normal(whitening @ slopes, residual)
        diagonal = np.diagonal(normal, axis1=1, axis2=2)
        # a peak of no area has no slopes
        diagonal = np.maximum(diagonal, 1e-9 * diagonal.max(axis=1, keepdims=True))
        damped = normal + (damping * diagonal)[..., np.newaxis] * np.eye(PARAMETERS)
        trial = values + _solved(damped, gradient)
        step = np.clip(trial[:, :2] - values[:, :2], -LARGEST_STEP * window, LARGEST_STEP * window)
        trial[:, :2] = np.clip(values[:, :2] + step, smallest, largest)
        model, trial_slopes = _peak(trial, data, kernel)
        trial_residual = _times(whitening, data.counts - model)
        better = (trial_residual**2).sum(axis=1) <= (residual**2).sum(axis=1)
        values[better], residual[better] = trial[better], trial_residual[better]
        slopes[better] = trial_slopes[better]
        damping *= np.where(better, 0.3, 5.0)[:, np.newaxis]
        np.clip(damping, 1e-6, 1e6, out=damping)
    freedom = np.maximum((data.weight > 0).sum(axis=1) - PARAMETERS, 1)
    scale = np.maximum((residual**2).sum(axis=1) / freedom, 1)
    deviation = np.sqrt(scale[:, np.newaxis] * _variances(whitening @ slopes))[:, :3]
    values = values[:, :3]
    # a peak at an end of the window is none, nor one as wide as it
    gain = _without_peak(whitening, data) - (residual**2).sum(axis=1)
    seen = (values[:, 2] > 0) & (gain > SEEN_GAIN * scale)
    seen &= (values[:, 0] > data.energy[1]) & (values[:, 0] < data.energy[-2])
    seen &= values[:, 1] < window
    values[:, 0] += data.shift
    result = np.stack([values, np.maximum(values - deviation, 0), values + deviation], axis=2)
    return np.where(seen[:, np.newaxis, np.newaxis], result, np.nan)


def _without_peak(whitening: np.ndarray, data: BinnedCounts) -> np.ndarray:
    """Chi-squared of the best straight line, shape (n_pixels,)."""
    line = np.stack([np.ones(data.energy.size), np.linspace(-1, 1, data.energy.size)], axis=1)
    counts, lines = _times(whitening, data.counts), whitening @ line
    normal, gradient = _normal(lines, counts)
    residual = counts - _times(lines, _solved(normal, gradient))
    return (residual**2).sum(axis=1)


def _variances(slopes: np.ndarray) -> np.ndarray:
    """Variances of the parameters, of slopes over independent errors of one; shape (n_pixels, 5)."""
    # parameters differ by orders of magnitude
    norm = np.sqrt((slopes**2).sum(axis=1))
    unit = np.where(norm > 0, 1 / np.where(norm > 0, norm, 1), 0)
    normal, _ = _normal(slopes * unit[:, np.newaxis], np.zeros(slopes.shape[:2]))
    inverse = np.linalg.inv(normal + 1e-12 * np.eye(PARAMETERS))
    return np.diagonal(inverse, axis1=1, axis2=2) * unit**2


def _whitening(data: BinnedCounts) -> np.ndarray:
    """Matrices after which the errors of the bins are independent and one, shape (n_pixels, n_bins, n_bins)."""
    variance = 1 / np.where(data.weight > 0, data.weight, UNSEEN * data.weight.max())
    covariance = data.modes @ np.swapaxes(data.modes, 1, 2)
    covariance += variance[..., np.newaxis] * np.eye(data.energy.size)
    return np.linalg.inv(np.linalg.cholesky(covariance))


def _start(data: BinnedCounts) -> np.ndarray:
    """Position, width, area, level and slope of the background, shape (n_pixels, 5)."""
    smooth = uniform_filter1d(data.counts, 3, axis=1, mode="nearest")
    left, right = smooth[:, :1], smooth[:, -1:]
    above = smooth - left - (right - left) * np.linspace(0, 1, data.energy.size)
    position = data.energy[above.argmax(axis=1)][:, np.newaxis]
    width = np.full_like(position, (data.energy[-1] - data.energy[0]) / 4)
    area = above.max(axis=1, keepdims=True) * width / data.step
    return np.concatenate([position, width, area, (left + right) / 2, (right - left) / 2], axis=1)


def _peak(
    values: np.ndarray, data: BinnedCounts, kernel: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Counts in the bins, shape (n_pixels, n_bins), and their derivatives, shape (n_pixels, n_bins, 5)."""
    position, width, area, level, slope = (v[:, np.newaxis] for v in values.T)
    # integrals over the channels, since a peak may be narrower than one
    ends = data.channel_energies(kernel) - position
    low, high = ((ends + side * data.step / 2) / (width / 2) for side in (-1, 1))
    low_density, high_density = ((1 / (1 + u**2)) / np.pi for u in (low, high))
    shape = (np.arctan(high) - np.arctan(low)) / np.pi
    by_position = (low_density - high_density) / (width / 2)
    by_width = (low * low_density - high * high_density) / width
    parts = data.smeared(np.stack([shape, by_position, by_width], axis=1), kernel)
    shape, by_position, by_width = np.moveaxis(parts, 1, 0)
    place = np.broadcast_to(np.linspace(-1, 1, data.energy.size), shape.shape)
    slopes = [area * by_position, area * by_width, shape, np.ones_like(shape), place]
    return area * shape + level + slope * place, np.stack(slopes, axis=2)


def _solved(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.linalg.solve(matrices, vectors[..., np.newaxis])[..., 0]


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (matrices @ vectors[..., np.newaxis])[..., 0]


def _normal(slopes: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    turned = np.swapaxes(slopes, 1, 2)
    return turned @ slopes, _times(turned, residual)
