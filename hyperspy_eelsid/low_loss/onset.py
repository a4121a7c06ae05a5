"""Onsets behind the energy resolution, fitted in blocks of pixels together with what is not known of the zero loss.

Resolution, gap and exponent are strongly tied: what is fitted is the power law convolved with the measured peak. The
law holds near the gap only: a departure from it that grows with the energy is fitted with a prior, and the end of the
window is varied; what they change is part of the band.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.low_loss.binned import BIN_WIDTHS, BinnedCounts
from hyperspy_eelsid.low_loss.model import ZeroLossModel

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal

EXPONENTS = {"direct": 0.5, "indirect": 1.5}
FREE = "free"
FREE_EXPONENTS = np.array([0.3, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5])
GAP_STEP_EV, FREE_GAP_STEP_EV = 0.02, 0.05
# ends of the window above the gap [eV]
WINDOWS_EV = (0.5, 0.65, 0.8)
FIRST_WINDOW_EV = 1.2
FIRST_GAPS_EV = 1.2  # gaps are looked for so far above the first energy with inelastic counts
SEEN_SIGMA = 3.0  # of the amplitude of an onset that is reported
COMPARED_WINDOW_EV = 0.6
# standard deviation of how the onset departs from the power law above the gap
LAW_ERROR_PER_EV = 0.15


@dataclass(frozen=True, eq=False)
class Onset:
    """An onset of given or free exponent, fitted in all pixels.

    Parameters
    ----------
    energy, lower, upper
        Band gap [eV] and the ends of its 68 % band; NaN where no onset is seen.
    exponent, exponent_lower, exponent_upper
        Exponent, with its band when it was free.
    chi_squared
        Of the best fit in the middle window, divided by its degrees of freedom.
    """

    energy: BaseSignal
    lower: BaseSignal
    upper: BaseSignal
    exponent: BaseSignal
    exponent_lower: BaseSignal
    exponent_upper: BaseSignal
    chi_squared: BaseSignal


def exponents_of(kind: str | float | None) -> dict[str, np.ndarray]:
    """Names of the kinds to fit and their exponents."""
    if kind is None:
        fixed = {name: np.array([exponent]) for name, exponent in EXPONENTS.items()}
        return fixed | {FREE: FREE_EXPONENTS}
    if isinstance(kind, str):
        if kind == FREE:
            return {FREE: FREE_EXPONENTS}
        if kind in EXPONENTS:
            return {kind: np.array([EXPONENTS[kind]])}
    elif arguments.is_positive(kind) and kind <= 5:
        return {f"exponent {kind:g}": np.array([float(kind)])}
    raise ArgumentError(
        f"kind is 'direct', 'indirect', 'free', an exponent between 0 and 5 or None, not {kind!r}."
    )


FIELDS = len(fields(Onset))


@dataclass(frozen=True, eq=False)
class OnsetFitter:
    """Fits onsets in blocks of pixels.

    Parameters
    ----------
    model
        Model of the zero-loss peaks, its range ending where the window begins.
    kinds
        Name -> exponents.
    start
        First energy of the window [eV].
    last
        Last energy that any window may have [eV].
    first_end
        End of the window in which a gap is first looked for [eV].
    fixed
        Whether that window is the only one.
    """

    model: ZeroLossModel
    kinds: dict[str, np.ndarray]
    start: float
    last: float
    first_end: float
    fixed: bool

    @classmethod
    def of(
        cls,
        model: ZeroLossModel,
        kinds: dict[str, np.ndarray],
        first: float | None,
        energy_range: tuple[float, float] | None,
    ) -> OnsetFitter:
        """A fitter for gaps about the first inelastic counts, or in a range that was asked for."""
        begin, end = model.zlp_range
        highest = model.axis.energy[-1]
        # counts that the onset may have already are left to the fit of the onset
        start = max(end - model.fwhm / 2, (begin + end) / 2)
        if energy_range is None:
            first_end = first + FIRST_WINDOW_EV
            last = first + FIRST_GAPS_EV + max(WINDOWS_EV)
        else:
            start, first_end = max(start, float(energy_range[0])), float(energy_range[1])
            last = first_end
            if first_end - start < 4 * BIN_WIDTHS * model.fwhm:
                raise ArgumentError(
                    f"energy_range is a first and a last energy [eV] beyond the zero-loss-only range, which ends at "
                    f"{end:.2f} eV, not {energy_range!r}."
                )
        last, first_end = min(last, highest), min(first_end, highest)
        tail = model.tail.ending_at(min(start, end))
        return cls(
            replace(model, tail=tail), kinds, start, last, first_end, energy_range is not None
        )

    def __call__(self, counts: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Fit the pixels of a block.

        Parameters
        ----------
        counts
            Shape (n_pixels, n_channels).
        centre
            Energy of the peak of each pixel [eV], NaN for one that is left out, shape (n_pixels,).

        Returns
        -------
        np.ndarray
            Shape (n_pixels, n_kinds * 7 + 1): fields of each :class:`Onset`, and the difference of chi-squared.
        """
        result = np.full((len(counts), len(self.kinds) * FIELDS + 1), np.nan)
        use = np.isfinite(centre)
        if use.any():
            data = BinnedCounts.of(self.model, counts[use], centre[use], self.start, self.last)
            values = [self._fit(data, exponents) for exponents in self.kinds.values()]
            difference = self._difference(data, dict(zip(self.kinds, values, strict=True)))
            for fields in values:
                fields[:, :3] += data.shift[:, np.newaxis]
            result[use] = np.concatenate([*values, difference[:, np.newaxis]], axis=1)
        return result

    def _difference(self, data: BinnedCounts, fitted: dict[str, np.ndarray]) -> np.ndarray:
        """Chi-squared of the indirect gap less that of the direct one in the same window, shape (n_pixels,)."""
        if not fitted.keys() >= EXPONENTS.keys():
            return np.full(len(data.counts), np.nan)
        middle = np.mean([fitted[kind][:, 0] for kind in EXPONENTS], axis=0)
        ends = np.full(len(middle), self.first_end)
        if not self.fixed:
            ends = np.minimum(np.nan_to_num(middle, nan=self.start) + COMPARED_WINDOW_EV, self.last)
        least = {}
        for kind, exponent in EXPONENTS.items():
            shapes = self._shapes(data, self._gaps(GAP_STEP_EV), np.array([exponent]))
            chi2, _, freedom = _chi_squared(data, *shapes, ends)
            least[kind] = chi2.min(axis=(1, 2))
        difference = least["indirect"] - least["direct"]
        scale = np.maximum(np.minimum(*least.values()) / freedom, 1)
        return np.where(np.isfinite(middle), difference / scale, np.nan)

    def _gaps(self, step: float) -> np.ndarray:
        """Gaps that are tried [eV]."""
        return np.arange(self.start, self.last - 2 * BIN_WIDTHS * self.model.fwhm, step)

    def _fit(self, data: BinnedCounts, exponents: np.ndarray) -> np.ndarray:
        """Gap, exponent, their bands and chi-squared of one kind, shape (n_pixels, 7)."""
        gaps = self._gaps(GAP_STEP_EV if exponents.size == 1 else FREE_GAP_STEP_EV)
        shapes = self._shapes(data, gaps, exponents)
        ends = np.full(len(data.counts), self.first_end)
        if self.fixed:
            windows = [ends]
        else:
            for width in (WINDOWS_EV[-1], WINDOWS_EV[1]):
                chi2, _, _ = _chi_squared(data, *shapes, ends)
                best = np.maximum(gaps[chi2.min(axis=2).argmin(axis=1)], self.model.zlp_range[1])
                ends = np.minimum(best + width, self.last)
            windows = [np.minimum(best + width, self.last) for width in WINDOWS_EV]
        total = np.zeros((len(data.counts), gaps.size, exponents.size))
        for number, window in enumerate(windows):
            chi2, signal, freedom = _chi_squared(data, *shapes, window)
            least = chi2.min(axis=(1, 2))
            reduced = least / freedom
            scale = np.maximum(reduced, 1)[:, np.newaxis, np.newaxis]
            likelihood = np.exp(-0.5 * (chi2 - least[:, np.newaxis, np.newaxis]) / scale)
            total += likelihood / likelihood.sum(axis=(1, 2), keepdims=True)
            if number == len(windows) // 2:
                at_best = chi2.reshape(len(chi2), -1).argmin(axis=1)
                seen = np.take_along_axis(
                    signal.reshape(len(chi2), -1), at_best[:, np.newaxis], axis=1
                )[:, 0] > SEEN_SIGMA * np.sqrt(scale[:, 0, 0])
                middle = reduced
        total /= len(windows)
        lower, energy, upper = _quantiles(total.sum(axis=2), gaps)
        low_b, b, high_b = _quantiles(total.sum(axis=1), exponents)
        # a gap at an end of the grid is none
        seen &= (energy > gaps[1]) & (energy < gaps[-2])
        values = np.stack([energy, lower, upper, b, low_b, high_b, middle], axis=1)
        values[~seen] = np.nan
        return values

    def _shapes(self, data: BinnedCounts, gaps: np.ndarray, exponents: np.ndarray) -> np.ndarray:
        """Onsets behind the resolution in the bins, and their departure from the law, one standard deviation of it.

        Shape (2, n_gaps, n_exponents, n_bins).
        """
        kernel = self.model.resolution
        above = np.maximum(data.channel_energies(kernel) - gaps[:, np.newaxis, np.newaxis], 0)
        plain = np.where(above > 0, above, 1) ** exponents[:, np.newaxis] * (above > 0)
        return data.smeared(np.stack([plain, LAW_ERROR_PER_EV * plain * above]), kernel)


def _chi_squared(
    data: BinnedCounts, onsets: np.ndarray, departures: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chi-squared of onsets of the best non-negative amplitude, with the errors of zero loss and law "
    "in the covariance.

    The inverses of the covariances are those of Woodbury, of the noise and a few modes, and of Sherman and
    Morrison for the departure from the law, which is in proportion to the amplitude.

    Parameters
    ----------
    onsets, departures
        Shape (n_gaps, n_exponents, n_bins).
    ends
        End of the window of each pixel [eV], shape (n_pixels,).

    Returns
    -------
    chi_squared : np.ndarray
        Shape (n_pixels, n_gaps, n_exponents).
    significance : np.ndarray
        Amplitude over its standard deviation, same shape.
    freedom : np.ndarray
        Degrees of freedom, shape (n_pixels,).
    """
    shapes = np.stack([onsets, departures]).reshape(2, -1, onsets.shape[-1])
    weight = np.where(data.energy <= ends[:, np.newaxis], data.weight, 0)
    weighted = np.swapaxes(weight[..., np.newaxis] * data.modes, 1, 2)
    root = np.linalg.cholesky(weighted @ data.modes + np.eye(data.modes.shape[2]))
    inverse = np.linalg.inv(root) @ weighted  # (n_pixels, n_modes, n_bins)
    own = (inverse @ data.counts[..., np.newaxis])[..., 0]
    onset, departure = (inverse @ s.T for s in shapes)

    def product(whole: np.ndarray, *parts: np.ndarray) -> np.ndarray:
        return whole - np.multiply(*parts).sum(axis=1)

    weighted_counts = weight * data.counts
    data_data = (weighted_counts * data.counts).sum(axis=1) - (own**2).sum(axis=1)
    data_onset = product(weighted_counts @ shapes[0].T, own[..., np.newaxis], onset)
    data_departure = product(weighted_counts @ shapes[1].T, own[..., np.newaxis], departure)
    onset_onset = product(weight @ (shapes[0] ** 2).T, onset, onset)
    onset_departure = product(weight @ (shapes[0] * shapes[1]).T, onset, departure)
    departure_departure = product(weight @ (shapes[1] ** 2).T, departure, departure)

    amplitude = np.maximum(data_onset, 0) / np.maximum(onset_onset, 1e-300)
    gain = amplitude**2 / (1 + amplitude**2 * departure_departure)
    data_data = data_data[:, np.newaxis] - gain * data_departure**2
    data_onset = data_onset - gain * data_departure * onset_departure
    onset_onset = np.maximum(onset_onset - gain * onset_departure**2, 1e-300)
    amplitude = np.maximum(data_onset, 0) / onset_onset
    chi2 = data_data - amplitude * data_onset + np.log1p(amplitude**2 * departure_departure)
    freedom = np.maximum((weight > 0).sum(axis=1) - 2, 1)
    shape = (len(chi2), *onsets.shape[:2])
    significance = amplitude * np.sqrt(onset_onset)
    return chi2.reshape(shape), significance.reshape(shape), freedom


def _quantiles(weights: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
    """16 %, 50 % and 84 % of distributions on a grid, shape (n_pixels,) each."""
    running = np.cumsum(weights, axis=1)
    # a weight belongs to the cell about its value
    edges = np.concatenate([[values[0]], (values[1:] + values[:-1]) / 2, [values[-1]]])
    running = np.concatenate([np.zeros((len(weights), 1)), running], axis=1)
    running /= running[:, -1:]
    return tuple(
        np.array([np.interp(share, r, edges) for r in running]) for share in (0.16, 0.5, 0.84)
    )
