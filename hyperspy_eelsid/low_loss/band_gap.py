"""The band gap: an onset behind the energy resolution, fitted together with what is not known of the zero loss.

Above a band gap the inelastic counts rise as a power of the energy above it, 1/2 for a direct and 3/2 for an indirect
gap (Rafferty and Brown, Phys. Rev. B 58, 10326 (1998)). Resolution, gap and exponent are strongly tied: what is
fitted is the power law convolved with the measured peak. The law holds near the gap only: a departure from it that
grows with the energy is fitted with a prior, and the end of the window is varied; what they change is part of the band.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter1d

from hyperspy_eelsid.exceptions import ExtrapolationError, ZeroLossError
from hyperspy_eelsid.low_loss.maps import pixel_map
from hyperspy_eelsid.low_loss.model import ZeroLossModel
from hyperspy_eelsid.low_loss.survey import Spectrum, compute

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from matplotlib.figure import Figure

    from hyperspy_eelsid.low_loss.result import ZeroLossPeak

EXPONENTS = {"direct": 0.5, "indirect": 1.5}
FREE = "free"
FREE_EXPONENTS = np.array([0.3, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5])
GAP_STEP_EV, FREE_GAP_STEP_EV = 0.02, 0.05
BIN_WIDTHS = (
    0.15  # width of a bin of channels in widths of the peak, which the resolution does not see
)
# ends of the window above the gap [eV]
WINDOWS_EV = (0.5, 0.65, 0.8)
FIRST_WINDOW_EV = 1.2
FIRST_GAPS_EV = 1.2  # gaps are looked for so far above the first energy with inelastic counts
ONSET_SIGMA = 5.0
SEEN_SIGMA = 3.0  # of the amplitude of an onset that is reported
TOLD_APART = 4.0  # difference of chi-squared
COMPARED_WINDOW_EV = 0.6
LAW_ERROR_PER_EV = (
    0.15  # standard deviation of how the onset departs from the power law above the gap
)


@dataclass(frozen=True, eq=False)
class Onset:
    """An onset of given or free exponent, fitted in all pixels.

    Parameters
    ----------
    energy, lower, upper : Band gap [eV] and the ends of its 68 % band; NaN where no onset is seen.
    exponent, exponent_lower, exponent_upper : Exponent, with its band when it was free.
    chi_squared : Of the best fit in the middle window, divided by its degrees of freedom.
    """

    energy: BaseSignal
    lower: BaseSignal
    upper: BaseSignal
    exponent: BaseSignal
    exponent_lower: BaseSignal
    exponent_upper: BaseSignal
    chi_squared: BaseSignal


@dataclass(frozen=True, repr=False, eq=False)
class BandGap(Mapping):
    """Band gaps of a spectrum or an image, one :class:`Onset` for each kind that was fitted: ``gap["direct"].energy``.

    Parameters
    ----------
    onsets : Name of the kind -> fit.
    difference : Chi-squared of the indirect gap less that of the direct one, over that of one degree of freedom;
        positive
        where the direct gap fits better. NaN unless both were fitted.
    peak : The zero-loss peaks.
    """

    onsets: dict[str, Onset]
    difference: np.ndarray
    peak: ZeroLossPeak

    def __getitem__(self, kind: str) -> Onset:
        return self.onsets[kind]

    def __iter__(self):
        return iter(self.onsets)

    def __len__(self) -> int:
        return len(self.onsets)

    @property
    def told_apart(self) -> np.ndarray:
        """Where chi-squared tells a direct gap from an indirect one, bool, with the shape of the pixels."""
        return np.abs(self.difference) > TOLD_APART

    def __repr__(self) -> str:
        lines = [
            f"{type(self).__name__} with the energy resolution of {self.peak.model.fwhm:.2f} eV folded in"
        ]
        for kind, onset in self.onsets.items():
            energy, lower, upper, chi2 = (
                np.asarray(s.data, dtype=float).ravel()
                for s in (onset.energy, onset.lower, onset.upper, onset.chi_squared)
            )
            seen = np.isfinite(energy)
            if not seen.any():
                lines.append(f"{kind}: no onset seen")
                continue
            exponent = np.nanmedian(onset.exponent.data)
            where = (
                ""
                if energy.size == 1
                else f" in the median of {seen.sum()} of {energy.size} pixels"
            )
            lines.append(
                f"{kind}: {np.nanmedian(energy):.2f} eV, 68 % between {np.nanmedian(lower):.2f} and "
                f"{np.nanmedian(upper):.2f} eV{where}; exponent {exponent:.2g}, chi-squared {np.nanmedian(chi2):.2f}"
            )
        return "\n".join([*lines, *self._verdict()])

    def _verdict(self) -> list[str]:
        known = np.isfinite(self.difference)
        if not known.any():
            return []
        share = self.told_apart[known].mean()
        direct = (self.difference[known] > TOLD_APART).mean()
        if share == 0:
            return [
                "chi-squared does not tell a direct gap from an indirect one: both stand, and the gap "
                "depends on the kind"
            ]
        if self.difference.size == 1:
            return [f"chi-squared favours the {'direct' if direct else 'indirect'} gap"]
        return [
            f"chi-squared favours the direct gap in {direct:.0%} and the indirect one in {share - direct:.0%} of the "
            "pixels, and does not tell them apart in the others"
        ]

    def plot(self, figure: Figure | None = None) -> Figure:
        """The onset fitted to the inelastic spectrum; or maps of the gap and of half its band.

        Parameters
        ----------
        figure : Figure to draw in, a new one by default.

        Returns
        -------
        The matplotlib figure.
        """
        from hyperspy_eelsid.low_loss.plot import plot_band_gap

        return plot_band_gap(self, figure)


def band_gap(
    peak: ZeroLossPeak,
    kind: str | float | None = None,
    energy_range: tuple[float, float] | None = None,
    show_progressbar: bool | None = None,
) -> BandGap:
    """Fit A (E - Eg)^b to the inelastic counts, see :meth:`ZeroLossPeak.band_gap`."""
    kinds = _kinds(kind)
    model = peak.model
    first = _first_inelastic(peak) if energy_range is None else None
    fitter = OnsetFitter.of(model, kinds, first, energy_range)
    size = len(kinds) * _FIELDS
    values = compute(peak.per_pixel(fitter, (size + 1,)), show_progressbar)
    difference = values[..., -1].reshape(peak.centre.shape)
    values = values[..., :-1].reshape(*values.shape[:-1], len(kinds), _FIELDS)
    onsets = {}
    for number, name in enumerate(kinds):
        fields = np.moveaxis(values[..., number, :], -1, 0)
        title = f"{name} band gap (eV)"
        onsets[name] = Onset(*(pixel_map(peak.signal, f, title) for f in fields))
    _check_reach(onsets, model)
    return BandGap(onsets, difference, peak)


def _kinds(kind: str | float | None) -> dict[str, np.ndarray]:
    """Names of the kinds to fit and their exponents."""
    if kind is None:
        fixed = {name: np.array([exponent]) for name, exponent in EXPONENTS.items()}
        return fixed | {FREE: FREE_EXPONENTS}
    if isinstance(kind, str):
        if kind == FREE:
            return {FREE: FREE_EXPONENTS}
        if kind in EXPONENTS:
            return {kind: np.array([EXPONENTS[kind]])}
    elif 0 < kind <= 5:
        return {f"exponent {kind:g}": np.array([float(kind)])}
    raise ValueError(
        f"kind is 'direct', 'indirect', 'free', an exponent between 0 and 5 or None, not {kind!r}."
    )


def _first_inelastic(peak: ZeroLossPeak) -> float:
    """First energy [eV] from which the mean spectrum has inelastic counts that are more than noise and ZLP error."""
    mean = peak.mean_spectrum()
    model = peak.model.of_spectrum(mean.axis, mean.noise)
    energy = mean.axis.energy
    beyond = energy > model.zlp_range[1]
    stays = _lasting_excess(mean, model, beyond) if beyond.any() else beyond
    if not stays.any():
        raise ZeroLossError(
            f"No inelastic counts are seen above noise and uncertainty beyond {model.zlp_range[1]:.2f} eV: there is "
            "no onset to fit."
        )
    return float(energy[beyond][stays.argmax()])


def _lasting_excess(mean: Spectrum, model: ZeroLossModel, beyond: np.ndarray) -> np.ndarray:
    """Where counts are above the zero loss from there on for the width of the resolution, shape (beyond.sum(),)."""
    distance = mean.axis.energy[np.newaxis, beyond]
    counts = mean.counts[beyond]
    logarithms = model.tail.logarithms(mean.counts[np.newaxis], np.zeros(1), distance)
    zlp, lower, upper = (np.exp(values[0]) for values in logarithms)
    width = max(1, round(model.fwhm / 2 / mean.axis.step))
    excess = uniform_filter1d(counts - zlp, width, mode="nearest")
    variance = mean.noise.variance(counts) * mean.noise.correlation / width
    seen = excess > ONSET_SIGMA * np.sqrt(variance + ((upper - lower) / 2) ** 2)
    return uniform_filter1d(seen.astype(float), width, origin=-(width // 2), mode="nearest") > 0.99


def _check_reach(onsets: dict[str, Onset], model: ZeroLossModel) -> None:
    if model.reach is None:
        return
    gaps = np.concatenate([np.ravel(onset.energy.data) for onset in onsets.values()])
    gaps = gaps[np.isfinite(gaps)]
    if gaps.size and gaps.min() > model.reach:
        raise ExtrapolationError(
            f"The onset lies at {np.median(gaps):.2f} eV, and the zero-loss peak is extrapolated from "
            f"{model.zlp_range[1]:.2f} eV: beyond {model.reach:.2f} eV nothing is known of it. Use a vacuum spectrum."
        )


_FIELDS = 7  # of an onset


@dataclass(frozen=True, eq=False)
class OnsetFitter:
    """Fits onsets in blocks of pixels.

    Parameters
    ----------
    model : Model of the zero-loss peaks, its range ending where the window begins.
    kinds : Name -> exponents.
    start : First energy of the window [eV].
    last : Last energy that any window may have [eV].
    first_end : End of the window in which a gap is first looked for [eV].
    fixed : Whether that window is the only one.
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
                raise ValueError(
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
        counts : Shape (n_pixels, n_channels).
        centre : Energy of the peak of each pixel [eV], NaN for one that is left out, shape (n_pixels,).

        Returns
        -------
        Shape (n_pixels, n_kinds * 7 + 1): fields of each :class:`Onset`, and the difference of chi-squared.
        """
        result = np.full((len(counts), len(self.kinds) * _FIELDS + 1), np.nan)
        use = np.isfinite(centre)
        if use.any():
            data = self._data(counts[use], centre[use])
            values = [self._fit(data, exponents) for exponents in self.kinds.values()]
            difference = self._difference(data, dict(zip(self.kinds, values, strict=True)))
            for fields in values:
                fields[:, :3] += data.shift[:, np.newaxis]
            result[use] = np.concatenate([*values, difference[:, np.newaxis]], axis=1)
        return result

    def _difference(self, data: _Data, fitted: dict[str, np.ndarray]) -> np.ndarray:
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
            chi2, _, freedom = data.chi_squared(*shapes, ends)
            least[kind] = chi2.min(axis=(1, 2))
        difference = least["indirect"] - least["direct"]
        scale = np.maximum(np.minimum(*least.values()) / freedom, 1)
        return np.where(np.isfinite(middle), difference / scale, np.nan)

    def _gaps(self, step: float) -> np.ndarray:
        """Gaps that are tried [eV]."""
        return np.arange(self.start, self.last - 2 * BIN_WIDTHS * self.model.fwhm, step)

    def _data(self, counts: np.ndarray, centre: np.ndarray) -> _Data:
        """Inelastic counts of the window in bins of channels counted from each peak."""
        axis, noise, fwhm = self.model.axis, self.model.noise, self.model.fwhm
        per_bin = max(1, round(BIN_WIDTHS * fwhm / axis.step))
        peak = np.rint((centre - axis.offset) / axis.step).astype(int)
        first = int(np.ceil(self.start / axis.step))
        number = max(4, int((self.last - self.start) / axis.step) // per_bin)
        steps = first + np.arange(number * per_bin)
        channels = peak[:, np.newaxis] + steps
        inside = (channels >= 0) & (channels < axis.size)
        window = np.take_along_axis(counts, channels.clip(0, axis.size - 1), axis=1)
        shift = axis.offset + axis.step * peak - centre  # of the channels against whole steps
        distance = axis.step * steps + shift[:, np.newaxis]
        log_mean, modes = self.model.tail.modes(counts, centre, distance)
        zlp = np.exp(log_mean)
        smooth = uniform_filter1d(
            window, max(3, round(fwhm / 2 / axis.step)), axis=1, mode="nearest"
        )
        variance = noise.variance(np.maximum(smooth, 0)) * noise.correlation

        def binned(values: np.ndarray) -> np.ndarray:
            shape = (len(values), number, per_bin, *values.shape[2:])
            return values.reshape(shape).mean(axis=2)

        return _Data(
            energy=axis.step * (steps.reshape(number, per_bin).mean(axis=1)),
            counts=binned(window - zlp),
            weight=np.where(binned(inside) == 1, per_bin / binned(variance), 0),
            modes=binned(zlp[..., np.newaxis] * modes),
            shift=shift,
            per_bin=per_bin,
        )

    def _fit(self, data: _Data, exponents: np.ndarray) -> np.ndarray:
        """Gap, exponent, their bands and chi-squared of one kind, shape (n_pixels, 7)."""
        gaps = self._gaps(GAP_STEP_EV if exponents.size == 1 else FREE_GAP_STEP_EV)
        shapes = self._shapes(data, gaps, exponents)
        ends = np.full(len(data.counts), self.first_end)
        if self.fixed:
            windows = [ends]
        else:
            for width in (WINDOWS_EV[-1], WINDOWS_EV[1]):
                chi2, _, _ = data.chi_squared(*shapes, ends)
                best = np.maximum(gaps[chi2.min(axis=2).argmin(axis=1)], self.model.zlp_range[1])
                ends = np.minimum(best + width, self.last)
            windows = [np.minimum(best + width, self.last) for width in WINDOWS_EV]
        total = np.zeros((len(data.counts), gaps.size, exponents.size))
        for number, window in enumerate(windows):
            chi2, signal, freedom = data.chi_squared(*shapes, window)
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

    def _shapes(self, data: _Data, gaps: np.ndarray, exponents: np.ndarray) -> np.ndarray:
        """Onsets behind the resolution in the bins, and their departure from the law, one standard deviation of it.

        Shape (2, n_gaps, n_exponents, n_bins).
        """
        axis, kernel = self.model.axis, self.model.resolution
        half = kernel.size // 2
        first = round(data.energy[0] / axis.step - (data.per_bin - 1) / 2)
        steps = first + np.arange(-half, data.energy.size * data.per_bin + half)
        above = np.maximum(axis.step * steps - gaps[:, np.newaxis, np.newaxis], 0)
        plain = np.where(above > 0, above, 1) ** exponents[:, np.newaxis] * (above > 0)
        both = np.stack([plain, LAW_ERROR_PER_EV * plain * above])
        views = np.lib.stride_tricks.sliding_window_view(both, kernel.size, axis=3)
        smeared = views @ kernel[::-1]
        return smeared.reshape(*smeared.shape[:3], data.energy.size, data.per_bin).mean(axis=4)


@dataclass(frozen=True, eq=False)
class _Data:
    """Inelastic counts of a block in bins.

    Parameters
    ----------
    energy : Middle of the bins from the peak [eV], shape (n_bins,).
    counts, weight : Mean inelastic counts a channel and the inverse of their variances, shape (n_pixels, n_bins).
    modes : What one standard deviation of each independent error of the zero loss adds, shape (n_pixels, n_bins,
        n_modes).
    shift : How far the channels of each pixel lie above `energy` [eV], shape (n_pixels,).
    per_bin : Number of channels in a bin.
    """

    energy: np.ndarray
    counts: np.ndarray
    weight: np.ndarray
    modes: np.ndarray
    shift: np.ndarray
    per_bin: int

    def chi_squared(
        self, onsets: np.ndarray, departures: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Chi-squared of onsets of the best non-negative amplitude, with the errors of zero loss and law "
        "in the covariance.

        The inverses of the covariances are those of Woodbury, of the noise and a few modes, and of Sherman and
        Morrison for the departure from the law, which is in proportion to the amplitude.

        Parameters
        ----------
        onsets, departures : Shape (n_gaps, n_exponents, n_bins).
        ends : End of the window of each pixel [eV], shape (n_pixels,).

        Returns
        -------
        chi_squared : Shape (n_pixels, n_gaps, n_exponents).
        significance : Amplitude over its standard deviation, same shape.
        freedom : Degrees of freedom, shape (n_pixels,).
        """
        shapes = np.stack([onsets, departures]).reshape(2, -1, onsets.shape[-1])
        weight = np.where(self.energy <= ends[:, np.newaxis], self.weight, 0)
        weighted = np.swapaxes(weight[..., np.newaxis] * self.modes, 1, 2)
        root = np.linalg.cholesky(weighted @ self.modes + np.eye(self.modes.shape[2]))
        inverse = np.linalg.inv(root) @ weighted  # (n_pixels, n_modes, n_bins)
        own = (inverse @ self.counts[..., np.newaxis])[..., 0]
        onset, departure = (inverse @ s.T for s in shapes)

        def product(whole: np.ndarray, *parts: np.ndarray) -> np.ndarray:
            return whole - np.multiply(*parts).sum(axis=1)

        weighted_counts = weight * self.counts
        data_data = (weighted_counts * self.counts).sum(axis=1) - (own**2).sum(axis=1)
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
