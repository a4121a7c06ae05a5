"""Inelastic counts in bins, with the error of the zero loss, for fits behind the energy resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from hyperspy_eelsid.low_loss.model import ZeroLossModel

# width of a bin of channels in widths of the peak, which the resolution does not see
BIN_WIDTHS = 0.15
MINIMUM_BINS = 4


@dataclass(frozen=True, eq=False)
class BinnedCounts:
    """Inelastic counts of a block of pixels in bins.

    Parameters
    ----------
    energy
        Middle of the bins from the peak [eV], shape (n_bins,).
    counts, weight
        Mean inelastic counts a channel and the inverse of their variances, shape (n_pixels, n_bins).
    modes
        What one standard deviation of each independent error of the zero loss adds, shape (n_pixels, n_bins, n_modes).
    shift
        How far the channels of each pixel lie above `energy` [eV], shape (n_pixels,).
    step
        Width of a channel [eV].
    per_bin
        Number of channels in a bin.
    """

    energy: np.ndarray
    counts: np.ndarray
    weight: np.ndarray
    modes: np.ndarray
    shift: np.ndarray
    step: float
    per_bin: int

    @classmethod
    def of(
        cls,
        model: ZeroLossModel,
        counts: np.ndarray,
        centre: np.ndarray,
        start: float,
        last: float,
        bin_width: float = 0.0,
    ) -> BinnedCounts:
        """Inelastic counts between two energies, in bins of channels counted from each peak.

        Parameters
        ----------
        model
            Model of the zero-loss peaks.
        counts, centre
            Spectra and energies of their peaks, shapes (n_pixels, n_channels) and (n_pixels,).
        start, last
            Energies from the peak [eV].
        bin_width
            Width of a bin [eV]; no less than a share of the resolution.
        """
        axis, noise, fwhm = model.axis, model.noise, model.fwhm
        per_bin = max(1, round(max(BIN_WIDTHS * fwhm, bin_width) / axis.step))
        peak = np.rint((centre - axis.offset) / axis.step).astype(int)
        first = int(np.ceil(start / axis.step))
        number = max(MINIMUM_BINS, int((last - start) / axis.step) // per_bin)
        steps = first + np.arange(number * per_bin)
        channels = peak[:, np.newaxis] + steps
        inside = (channels >= 0) & (channels < axis.size)
        window = np.take_along_axis(counts, channels.clip(0, axis.size - 1), axis=1)
        shift = axis.offset + axis.step * peak - centre  # of the channels against whole steps
        distance = axis.step * steps + shift[:, np.newaxis]
        log_mean, modes = model.tail.modes(counts, centre, distance)
        zlp = np.exp(log_mean)
        smooth = uniform_filter1d(
            window, max(3, round(fwhm / 2 / axis.step)), axis=1, mode="nearest"
        )
        variance = noise.variance(np.maximum(smooth, 0)) * noise.correlation

        def binned(values: np.ndarray) -> np.ndarray:
            shape = (len(values), number, per_bin, *values.shape[2:])
            return values.reshape(shape).mean(axis=2)

        return cls(
            energy=axis.step * steps.reshape(number, per_bin).mean(axis=1),
            counts=binned(window - zlp),
            weight=np.where(binned(inside) == 1, per_bin / binned(variance), 0),
            modes=binned(zlp[..., np.newaxis] * modes),
            shift=shift,
            step=axis.step,
            per_bin=per_bin,
        )

    def channel_energies(self, kernel: np.ndarray) -> np.ndarray:
        """Energies [eV] of the channels from which the resolution brings counts into the bins, shape (n_channels,)."""
        margin = kernel.size // 2
        first = round(self.energy[0] / self.step - (self.per_bin - 1) / 2)
        return self.step * (first + np.arange(-margin, self.energy.size * self.per_bin + margin))

    def smeared(self, plain: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """Values at the :meth:`channel_energies`, seen in the bins behind a resolution.

        Parameters
        ----------
        plain
            Shape (..., n_channels).
        kernel
            The resolution, of unit sum, shape (n,) with n odd.

        Returns
        -------
        np.ndarray
            Shape (..., n_bins).
        """
        views = np.lib.stride_tricks.sliding_window_view(plain, kernel.size, axis=-1)
        channels = views @ kernel[::-1]
        return channels.reshape(*plain.shape[:-1], self.energy.size, self.per_bin).mean(axis=-1)
