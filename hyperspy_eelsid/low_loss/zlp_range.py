"""Up to which energy there is zero loss alone."""

from __future__ import annotations

import numpy as np

from hyperspy_eelsid.low_loss.noise import Noise
from hyperspy_eelsid.low_loss.peak import Axis

# slope of ln(sample / vacuum) over ln(energy); with tails of power -3.5 the ratio of derivatives is then 0.9
RISE = 0.35
SIGNIFICANCE = 2.0
END_SHARE = 0.95  # the rise has begun before it is seen
SLOPE_WINDOW = 0.14  # half width in the logarithm of the energy
FINE_BINS_PER_E_FOLD = 30
KNEE_SHARE = 0.9
# rises of a vacuum spectrum beyond its peak that are none: of the lowest counts, and of the highest
VACUUM_RISE, VACUUM_RISE_OF_PEAK = 0.3, 1e-4
FIRST_SHARE = 1 / 3  # of the end, at which the range begins: nearer the peak other things count
FIRST_WIDTHS = 1.2


def range_start(end: float, fwhm: float) -> float:
    """First energy of the zero-loss-only range [eV]: out of the peak, and not far below its end."""
    return max(FIRST_WIDTHS * fwhm, FIRST_SHARE * end)


def fine_bins(
    spectra: list[np.ndarray], axis: Axis, fwhm: float
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Mean counts a channel beyond 1.2 widths, in fine bins of the logarithm of the energy.

    Returns
    -------
    energy : np.ndarray
        Mean energy of each bin [eV], shape (n_bins,).
    means : np.ndarray
        Mean of each spectrum, shape (n_bins,) each.
    channels : np.ndarray
        Number of channels of each bin, shape (n_bins,).
    """
    energy = axis.energy
    use = energy > FIRST_WIDTHS * fwhm
    number = np.floor(np.log(energy[use] / (FIRST_WIDTHS * fwhm)) * FINE_BINS_PER_E_FOLD)
    _, which, channels = np.unique(number, return_inverse=True, return_counts=True)
    middle = np.bincount(which, energy[use]) / channels
    return middle, [np.bincount(which, s[use]) / channels for s in spectra], channels


def end_with_vacuum(
    sample: np.ndarray, template: np.ndarray, axis: Axis, fwhm: float, noise: Noise
) -> float:
    """Where the sample begins to rise above the vacuum [eV].

    Roest et al. (2021) take the energy at which the derivative of the sample falls below 0.9 of that of the vacuum.
    Here it is the slope of the logarithm of their ratio that says so, since it has an error: the rise has to be seen
    above the noise.

    Parameters
    ----------
    sample
        Mean spectrum of the sample, its peak at 0 eV, shape (n_channels,).
    template
        The vacuum's peak scaled, moved and broadened to it, shape (n_channels,).
    axis
        Their energies.
    fwhm
        Width of the peak [eV].
    noise
        Noise of the sample.
    """
    x, (counts, base), channels = fine_bins([sample, template], axis, fwhm)
    error = np.sqrt(noise.variance(base) * noise.correlation / channels) / base
    ratio = counts / base
    t = np.log(x)
    # phonons and what else lies near the peak make a hump; the range ends after the lowest ratio, not before
    lowest = int(np.argmin(ratio + SIGNIFICANCE * error))
    for k in range(lowest, len(x)):
        near = np.abs(t - t[k]) <= SLOPE_WINDOW
        if x[k] < 1.5 * fwhm or near.sum() < 4:
            continue
        weight = error[near] ** -2
        u = t[near] - np.average(t[near], weights=weight)
        level = np.average(ratio[near], weights=weight)
        slope = (weight * u * ratio[near]).sum() / (weight * u**2).sum()
        slope_error = (weight * u**2).sum() ** -0.5
        if slope - SIGNIFICANCE * slope_error > RISE * level:
            return float(END_SHARE * x[k])
    return float(axis.energy[-1])


def rise_energy(counts: np.ndarray, axis: Axis, fwhm: float, noise: Noise) -> float | None:
    """Where a spectrum rises again beyond the peak [eV], which that of a vacuum does not; None where it only falls."""
    x, (means,), channels = fine_bins([counts], axis, fwhm)
    error = np.sqrt(noise.variance(means) * noise.correlation / channels)
    lowest = np.minimum.accumulate(means + error)
    least = np.maximum((1 + VACUUM_RISE) * lowest, lowest + VACUUM_RISE_OF_PEAK * counts.max())
    risen = means - 5 * error > least
    return float(x[risen.argmax()]) if risen.any() else None


def end_without_vacuum(sample: np.ndarray, axis: Axis, fwhm: float, noise: Noise) -> float:
    """0.9 of the energy of the knee [eV], of the point that lies farthest below the chord to the first minimum.

    The rule of Brokkelkamp et al. (2022), in logarithms of counts and energy, with the minimum that noise cannot have
    made.
    """
    x, (counts,), channels = fine_bins([sample], axis, fwhm)
    error = np.sqrt(noise.variance(counts) * noise.correlation / channels)
    lowest = 0
    for k in range(1, len(x)):
        if counts[k] < counts[lowest]:
            lowest = k
        elif counts[k] - counts[lowest] > 3 * np.hypot(error[k], error[lowest]):
            break
    if lowest < 3:
        return float(KNEE_SHARE * x[min(lowest, len(x) - 1)])
    y = np.log(np.maximum(counts[: lowest + 1], error[: lowest + 1]))
    t = x[: lowest + 1]
    chord = y[0] + (y[-1] - y[0]) * (t - t[0]) / (t[-1] - t[0])
    return float(KNEE_SHARE * t[int(np.argmax(chord - y))])
