"""From any EELS signal to the network input: the only definition, which training uses too.

The network sees 3072 channels of 1 eV, from 0 to 3071 eV; outside of the measured window, which lies
between 75 and 3071 eV, the channels are zero, and inside the largest is 1.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from hyperspy_eelsid.edges import ENERGY_MAX_EV, ENERGY_MIN_EV
from hyperspy_eelsid.energy_axis import MINIMUM_CHANNELS, recorded

N_CHANNELS = ENERGY_MAX_EV + 1


def normalise(spectra: np.ndarray) -> np.ndarray:
    """Divide each spectrum by its maximum; a spectrum without positive counts is left as it is."""
    largest = spectra.max(axis=-1, keepdims=True)
    return spectra / np.where(largest > 0, largest, 1)


def to_network_input(spectra: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Bring spectra to the network input.

    Channels narrower than 1 eV are averaged in groups of about 1 eV; then a cubic spline brings the
    spectra to whole eV. Channels of zero or NaN at either end of a spectrum, which the detector did
    not record, are no part of its window.

    Parameters
    ----------
    spectra
        Counts, shape (..., n_channels).
    energy
        Energies of the channels [eV], shape (n_channels,), in any order.

    Returns
    -------
    np.ndarray
        float32, shape (..., 3072).
    """
    order = np.argsort(energy)
    order = order[(energy[order] >= ENERGY_MIN_EV) & (energy[order] <= ENERGY_MAX_EV)]
    energy = np.asarray(energy, np.float64)[order]
    spectra = np.asarray(spectra)[..., order].astype(np.float64)
    first, last = recorded(spectra)
    start, end = energy[first], energy[last]
    # continued over the ends, so that the spline does not ring at a step which is none of the spectrum
    index = np.clip(np.arange(len(energy)), first, last)
    spectra = np.take_along_axis(spectra, index, axis=-1)
    dispersion = np.diff(energy)
    if np.ptp(dispersion) > 1e-3 * dispersion.mean():
        uniform = np.linspace(energy[0], energy[-1], len(energy))
        spectra = _interpolate(uniform, energy, spectra)
        energy = uniform
    group = min(max(round(1 / dispersion.mean()), 1), len(energy) // MINIMUM_CHANNELS)
    whole = len(energy) // group * group
    half = (group - 1) / 2 * dispersion.mean()
    energy = energy[:whole].reshape(-1, group).mean(axis=1)
    spectra = spectra[..., :whole].reshape(*spectra.shape[:-1], len(energy), group).mean(axis=-1)
    channels = np.arange(int(np.ceil(energy[0] - 1e-6)), int(energy[-1] + 1e-6) + 1)
    if len(channels) != len(energy) or not np.allclose(channels, energy, atol=1e-6):
        spectra = CubicSpline(energy, spectra, axis=-1)(channels)
    spectra[(channels < start + half - 1e-6) | (channels > end - half + 1e-6)] = 0
    result = np.zeros((*spectra.shape[:-1], N_CHANNELS), np.float32)
    result[..., channels] = normalise(spectra)
    return result


def _interpolate(x: np.ndarray, energy: np.ndarray, spectra: np.ndarray) -> np.ndarray:
    """Linear interpolation along the last axis."""
    right = np.clip(np.searchsorted(energy, x), 1, len(energy) - 1)
    weight = (x - energy[right - 1]) / (energy[right] - energy[right - 1])
    return spectra[..., right - 1] * (1 - weight) + spectra[..., right] * weight
