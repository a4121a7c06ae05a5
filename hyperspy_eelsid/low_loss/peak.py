"""Where the zero-loss peak is and how wide, in each of many spectra; spectra without one are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid.energy_axis import check_eels, in_order
from hyperspy_eelsid.exceptions import EnergyAxisError, ZeroLossError

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

FARTHEST_PEAK_EV = 20.0  # from the zero of the axis; energies of core losses begin beyond
MINIMUM_CHANNELS_PER_FWHM = 3
MINIMUM_CHANNELS = 32
SATURATED_CHANNELS = 3
SATURATED_FROM = 100  # counts; fewer are the same by chance
BEFORE_PEAK_SHARE = 0.1  # of the highest counts, what lies well before the zero loss is less
CENTROID_STEPS = 8


@dataclass(frozen=True)
class Axis:
    """A uniform energy axis.

    Parameters
    ----------
    offset, step
        First energy and width of a channel [eV].
    size
        Number of channels.
    """

    offset: float
    step: float
    size: int

    @property
    def energy(self) -> np.ndarray:
        """Energies [eV], shape (size,)."""
        return self.offset + self.step * np.arange(self.size)

    def relative(self, centre: np.ndarray) -> np.ndarray:
        """Energies from the centre of each pixel's peak [eV], shape (n_pixels, size)."""
        return self.energy - np.asarray(centre)[:, np.newaxis]


def low_loss_signal(signal: EELSSpectrum) -> tuple[EELSSpectrum, Axis]:
    """The signal with its energies last, increasing and in eV, and its axis.

    Raises
    ------
    SignalTypeError
        If it is no EELS signal.
    EnergyAxisError
        If the axis is not uniform, not one of energies, or too short.
    ZeroLossError
        If the axis does not hold the zero loss.
    """
    check_eels(signal)
    signal = in_order(signal)
    axis = signal.axes_manager.signal_axes[0]
    if not axis.is_uniform:
        raise EnergyAxisError(
            "The model of a zero-loss peak needs a uniform energy axis. Use "
            "s.interpolate_on_axis('uniform', axis=-1)."
        )
    if axis.size < MINIMUM_CHANNELS:
        raise EnergyAxisError(
            f"The energy axis has {axis.size} channels, of which at least {MINIMUM_CHANNELS} are needed."
        )
    if axis.low_value > FARTHEST_PEAK_EV or axis.high_value < 0:
        raise ZeroLossError(
            f"The energy axis goes from {axis.low_value:g} to {axis.high_value:g} eV and does not hold the "
            "zero loss. Use the low-loss spectrum of a dual acquisition, or calibrate the axis."
        )
    return signal, Axis(axis.offset, axis.scale, axis.size)


def peak_centres(counts: np.ndarray, axis: Axis, fwhm: float) -> np.ndarray:
    """Energy of the zero-loss peak of each spectrum [eV], to a fraction of a channel.

    The centroid under a Gaussian that follows it, of the width of the peak: noise of the tail has no part in it, and
    neither has the channel in which the peak happens to be highest.

    Parameters
    ----------
    counts
        Shape (n_pixels, n_channels).
    axis
        Their energies.
    fwhm
        Width of the peak [eV].

    Returns
    -------
    np.ndarray
        Shape (n_pixels,); NaN where counts are not finite or nowhere positive.
    """
    usable = np.isfinite(counts).all(axis=1) & (counts > 0).any(axis=1)
    counts = np.where(usable[:, np.newaxis], counts, 0.0)
    highest = counts.argmax(axis=1)
    half = max(2, round(2 * fwhm / axis.step))
    channels = highest[:, np.newaxis] + np.arange(-half, half + 1)
    inside = (channels >= 0) & (channels < axis.size)
    window = np.take_along_axis(counts, channels.clip(0, axis.size - 1), axis=1) * inside
    centre = highest.astype(float)
    sigma = 0.6 * fwhm / axis.step
    for _ in range(CENTROID_STEPS):
        distance = channels - centre[:, np.newaxis]
        weight = np.maximum(window, 0) * np.exp(-0.5 * (distance / sigma) ** 2)
        total = weight.sum(axis=1)
        # of a Gaussian peak the centroid moves about two thirds of the way
        centre += 1.5 * (weight * distance).sum(axis=1) / np.where(total > 0, total, 1)
        centre = np.clip(centre, highest - half, highest + half)
    return np.where(usable, axis.offset + axis.step * centre, np.nan)


def full_width(spectrum: np.ndarray, axis: Axis) -> float:
    """Full width at half maximum of the highest peak [eV].

    Raises
    ------
    ZeroLossError
        If there is no peak of which both sides are seen, or it is saturated or not resolved.
    """
    top = float(spectrum.max())
    peak = int(spectrum.argmax())
    where = axis.offset + axis.step * peak
    if not top > 0:
        raise ZeroLossError("There are no positive counts; check the data.")
    left = np.flatnonzero(spectrum[:peak] < top / 2)
    right = np.flatnonzero(spectrum[peak:] < top / 2)
    if not (left.size and right.size) or abs(where) > FARTHEST_PEAK_EV:
        raise ZeroLossError(
            f"The highest counts, at {where:g} eV, are no peak of which both sides are seen near 0 eV. The spectrum "
            "has to hold the whole zero-loss peak, also its gain side; a spectrum in which a plasmon is higher than "
            "the zero loss is too thick."
        )
    if is_saturated(spectrum[np.newaxis])[0]:
        raise ZeroLossError(
            f"The zero-loss peak is saturated: {SATURATED_CHANNELS} or more channels at {where:g} eV have the same "
            f"{top:g} counts. Record the low loss with a shorter exposure."
        )
    first, last = left[-1], peak + right[0]
    from_left = first + (top / 2 - spectrum[first]) / (spectrum[first + 1] - spectrum[first])
    from_right = last - (top / 2 - spectrum[last]) / (spectrum[last - 1] - spectrum[last])
    width = float(from_right - from_left)
    if width < MINIMUM_CHANNELS_PER_FWHM:
        raise ZeroLossError(
            f"The zero-loss peak is {width:.1f} channels wide at half maximum, of which at least "
            f"{MINIMUM_CHANNELS_PER_FWHM} are needed: its tail cannot be told from its peak. Record with a finer "
            "dispersion."
        )
    before = spectrum[: max(0, int(peak - 3 * width))]
    if before.size and before.max() > BEFORE_PEAK_SHARE * top:
        raise ZeroLossError(
            f"The highest peak, at {where:g} eV, is not the first: there are {before.max() / top:.0%} of its counts "
            f"at {axis.energy[before.argmax()]:g} eV. A sample whose plasmon is higher than the zero loss is too thick."
        )
    return width * axis.step


def is_saturated(counts: np.ndarray) -> np.ndarray:
    """Which spectra have a flat top, shape (n_pixels, n_channels) -> (n_pixels,)."""
    top = counts.max(axis=1, keepdims=True)
    flat = counts == top
    size = counts.shape[1] - SATURATED_CHANNELS + 1
    run = np.logical_and.reduce([flat[:, k : k + size] for k in range(SATURATED_CHANNELS)])
    return run.any(axis=1) & (top[:, 0] >= SATURATED_FROM)


def aligned_sum(
    counts: np.ndarray, axis: Axis, centre: np.ndarray, reference: Axis
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of spectra moved by whole channels so that their peaks lie at 0 eV.

    Parameters
    ----------
    counts, centre
        Spectra and energies of their peaks, shapes (n_pixels, n_channels) and (n_pixels,).
    axis
        Their energies.
    reference
        Energies of the sum, of the same step.

    Returns
    -------
    total : np.ndarray
        Sum, shape (reference.size,).
    recorded : np.ndarray
        Number of spectra that recorded each channel, shape (reference.size,).
    """
    usable = np.isfinite(centre)
    counts, centre = counts[usable], centre[usable]
    first = np.rint((reference.offset + centre - axis.offset) / axis.step).astype(int)
    channels = first[:, np.newaxis] + np.arange(reference.size)
    inside = (channels >= 0) & (channels < axis.size)
    moved = np.take_along_axis(counts, channels.clip(0, axis.size - 1), axis=1)
    return np.where(inside, moved, 0).sum(axis=0), inside.sum(axis=0)


def resolution_kernel(counts: np.ndarray, axis: Axis, fwhm: float) -> np.ndarray:
    """The measured peak within two widths, of unit sum and an odd number of channels; shape (n,)."""
    half = int(np.ceil(2 * fwhm / axis.step))
    # a mean spectrum is aligned to whole channels, energies of peaks are known better
    centre = peak_centres(counts[np.newaxis], axis, fwhm)[0]
    distance = centre + axis.step * np.arange(-half, half + 1)
    kernel = np.interp(distance, axis.energy, np.maximum(counts, 0))
    return kernel / kernel.sum()
