"""The zero-loss peak of the vacuum as a template: moved, broadened and scaled to the peak of each pixel."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from hyperspy_eelsid.low_loss.noise import Noise
from hyperspy_eelsid.low_loss.peak import Axis, peak_centres

SMOOTHING = 0.08  # half width of the window in shares of the energy
TAIL_POWER = 3.5  # times this power of the energy a tail is about flat
BROADENINGS = np.linspace(0, 0.5, 6) ** 2  # variances of the broadening in squared widths
FIT_STEPS = 4
WING_WIDTHS = 1.2  # from the peak, where its wings begin
SHAPE_ERROR = (
    0.01  # of a channel: the highest counts must not win over the shape by their number alone
)
BROADENING_SPREAD = 0.02  # of pixels about their mean, in squared widths


class Template:
    """A measured peak without noise in its tail, broadened by any Gaussian.

    Parameters
    ----------
    counts
        Vacuum spectrum, shape (n_channels,).
    axis
        Its energies.
    fwhm
        Its width [eV].
    noise
        Its noise.
    """

    def __init__(self, counts: np.ndarray, axis: Axis, fwhm: float, noise: Noise) -> None:
        self._given = (counts, axis, noise)
        centre = float(peak_centres(counts[np.newaxis], axis, fwhm)[0])
        self.axis = Axis(axis.offset - centre, axis.step, axis.size)
        self.fwhm = fwhm
        broadened = [counts]
        for variance in BROADENINGS[1:]:
            sigma = np.sqrt(variance) * fwhm / axis.step
            broadened.append(gaussian_filter1d(counts, sigma, mode="nearest"))
        energy = self.axis.energy
        self._logarithms = np.log([_smooth_tail(energy, b, fwhm, axis.step) for b in broadened])
        self._deviation = _tail_error(energy, np.exp(self._logarithms[0]), fwhm, axis.step, noise)

    def as_dictionary(self) -> dict[str, Any]:
        """All that :meth:`from_dictionary` needs, of numbers and arrays."""
        counts, axis, noise = self._given
        return {
            "counts": counts,
            "axis": asdict(axis),
            "fwhm": self.fwhm,
            "noise": asdict(noise),
        }

    @classmethod
    def from_dictionary(cls, stored: dict[str, Any]) -> Template:
        """The template of which :meth:`as_dictionary` was stored."""
        axis, noise = Axis(**stored["axis"]), Noise(**stored["noise"])
        return cls(np.asarray(stored["counts"]), axis, stored["fwhm"], noise)

    def deviation(self, distance: np.ndarray) -> np.ndarray:
        """Relative standard deviation that noise of the vacuum leaves in its smoothed tail, at energies [eV]."""
        return np.interp(distance, self.axis.energy, self._deviation)

    def __call__(self, distance: np.ndarray, broadening: np.ndarray) -> np.ndarray:
        """Counts at energies from the peak.

        Parameters
        ----------
        distance
            Energies [eV], the channels of a row a step apart, shape (n_pixels, n_channels).
        broadening
            Variance of the broadening in squared widths, shape (n_pixels,).
        """
        return np.exp(self.logarithm(distance, broadening))

    def logarithm(self, distance: np.ndarray, broadening: np.ndarray) -> np.ndarray:
        """Logarithm of the counts; beyond the ends of the vacuum spectrum those of its end."""
        level = np.sqrt(np.clip(broadening, 0, BROADENINGS[-1])) / np.sqrt(BROADENINGS[1])
        low = level.astype(int).clip(0, len(BROADENINGS) - 2)
        # linear in the variance, as a small broadening is, and in the energy
        share = (broadening - BROADENINGS[low]) / (BROADENINGS[low + 1] - BROADENINGS[low])
        size = self.axis.size
        first = (distance[:, 0] - self.axis.offset) / self.axis.step
        whole = np.floor(first).astype(np.intp)
        between = first - whole
        channel = whole[:, np.newaxis] + np.arange(distance.shape[1])
        np.clip(channel, 0, size - 2, out=channel)
        channel += low[:, np.newaxis] * size
        flat = self._logarithms.ravel()
        result = np.zeros(distance.shape)
        for along, energy_weight in ((0, 1 - between), (1, between)):
            for broader, weight in ((0, 1 - share), (size, share)):
                values = flat.take(channel + (along + broader))
                values *= (energy_weight * weight)[:, np.newaxis]
                result += values
        return result

    def stray(
        self, counts: np.ndarray, axis: Axis, centre: np.ndarray, end: float, at: np.ndarray
    ) -> np.ndarray:
        """Inelastic counts a channel that the wings of the peak bring below the end of the zero-loss-only range.

        An electron that has lost energy is smeared as one that has not: the counts beyond the end, convolved with the
        gain side of the peak outside its core. Of the gain side that was not recorded the shape is that of the loss
        side.

        Parameters
        ----------
        counts, centre
            Spectra and energies of their peaks, shapes (n_pixels, n_channels) and (n_pixels,).
        axis
            Energies of the channels.
        end
            End of the range [eV].
        at
            Energies from the peak [eV], shape (n,).

        Returns
        -------
        np.ndarray
            Shape (n_pixels, n).
        """
        first = np.rint((centre - axis.offset) / axis.step).astype(int)
        loss = axis.step * np.arange(axis.size)
        channels = first[:, np.newaxis] + np.arange(axis.size)
        inside = (channels >= 0) & (channels < axis.size)
        beyond = np.take_along_axis(counts, channels.clip(0, axis.size - 1), axis=1)
        beyond = np.where(inside & (loss > end), beyond, 0)
        offset = loss[:, np.newaxis] - at
        wing = np.where(offset > WING_WIDTHS * self.fwhm, self._gain_side(np.abs(offset)), 0)
        return beyond @ wing

    def _gain_side(self, distance: np.ndarray) -> np.ndarray:
        """Share of all counts in a channel so far below the peak [eV]."""
        energy, counts = self.axis.energy, np.exp(self._logarithms[0])
        recorded = min(0.9 * -energy[0], energy[-1])
        ratio = np.interp(-recorded, energy, counts) / np.interp(recorded, energy, counts)
        loss_side = ratio * np.interp(distance, energy, counts)
        gain_side = np.interp(-distance, energy, counts)
        return np.where(distance > recorded, loss_side, gain_side) / counts.sum()

    def fit(
        self,
        counts: np.ndarray,
        axis: Axis,
        centre: np.ndarray,
        noise: Noise,
        broadening: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Amplitude, energy and broadening of the peak of each pixel, by least squares within twice the width.

        Parameters
        ----------
        counts, centre
            Spectra and first energies of their peaks, shapes (n_pixels, n_channels) and (n_pixels,).
        axis
            Energies of the channels.
        noise
            Noise of the counts.
        broadening
            That of the mean spectrum, about which those of the pixels lie.

        Returns
        -------
        amplitude, centre, broadening : np.ndarray
            Shape (n_pixels,) each.
        """
        half = max(3, int(2 * self.fwhm / axis.step))
        peak = np.rint((centre - axis.offset) / axis.step).astype(int)
        channels = peak[:, np.newaxis] + np.arange(-half, half + 1)
        inside = (channels >= 0) & (channels < axis.size)
        window = np.take_along_axis(counts, channels.clip(0, axis.size - 1), axis=1)
        energies = axis.offset + axis.step * channels
        centre = centre.copy()
        spread = np.full(len(counts), 0.01 if broadening is None else broadening)
        mean = spread.copy()
        width = 0.2 if broadening is None else BROADENING_SPREAD
        for step in range(FIT_STEPS):
            here = self(energies - centre[:, np.newaxis], spread)
            moved = self(energies - centre[:, np.newaxis] - axis.step / 2, spread)
            moved -= self(energies - centre[:, np.newaxis] + axis.step / 2, spread)
            broader = self(energies - centre[:, np.newaxis], spread + 0.01)
            if step == 0:
                amplitude = (window * inside).sum(axis=1) / (here * inside).sum(axis=1)
            scale = amplitude[:, np.newaxis]
            expected = scale * here
            weight = inside / (noise.variance(expected) + (SHAPE_ERROR * expected) ** 2)
            design = np.stack(
                [expected, scale * moved / axis.step, scale * (broader - here) / 0.01], axis=-1
            )
            normal = np.einsum("pci,pc,pcj->pij", design, weight, design)
            slope = np.einsum("pci,pc,pc->pi", design, weight, window - expected)
            normal[:, 2, 2] += 1 / width**2
            slope[:, 2] += (mean - spread) / width**2
            normal += 1e-12 * normal.trace(axis1=1, axis2=2)[:, np.newaxis, np.newaxis] * np.eye(3)
            change = np.linalg.solve(normal, slope[..., np.newaxis])[..., 0]
            amplitude = amplitude * np.exp(np.clip(change[:, 0], -0.5, 0.5))
            centre = centre + np.clip(change[:, 1], -axis.step, axis.step)
            spread = np.clip(spread + np.clip(change[:, 2], -0.05, 0.05), 0, BROADENINGS[-1])
        return amplitude, centre, spread


def _windows(
    energy: np.ndarray, fwhm: float, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Channels of both tails with the first and last channel of the window about each."""
    tail = np.flatnonzero(np.abs(energy) > 2 * fwhm)
    half = np.maximum(1, (SMOOTHING * np.abs(energy[tail]) / step).astype(int))
    half = np.minimum(half, np.minimum(tail, energy.size - 1 - tail))
    return tail, tail - half, tail + half + 1


def _smooth_tail(energy: np.ndarray, counts: np.ndarray, fwhm: float, step: float) -> np.ndarray:
    """Counts with the tails averaged over windows that widen with the energy; the peak stays as it is.

    Times a power of the energy the tail is about flat: the mean of a convex curve would be too high.
    """
    result = counts.astype(float)
    power = np.maximum(np.abs(energy), fwhm) ** TAIL_POWER
    running = np.concatenate([[0.0], np.cumsum(counts * power)])
    tail, first, last = _windows(energy, fwhm, step)
    result[tail] = (running[last] - running[first]) / (last - first) / power[tail]
    # a logarithm is taken; what is below a millionth of a millionth of the peak is nothing
    return np.maximum(result, 1e-9 * counts.max())


def _tail_error(
    energy: np.ndarray, smooth: np.ndarray, fwhm: float, step: float, noise: Noise
) -> np.ndarray:
    tail, first, last = _windows(energy, fwhm, step)
    deviation = np.zeros_like(smooth)
    number = last - first
    variance = noise.variance(smooth[tail]) * np.where(number > 1, noise.correlation, 1) / number
    deviation[tail] = np.minimum(np.sqrt(variance) / smooth[tail], 3.0)
    return deviation
