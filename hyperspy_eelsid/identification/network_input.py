"""From any EELS signal to the network input: the only definition, which training uses too.

The network sees 3072 channels of 1 eV, from 0 to 3071 eV; outside of the measured window, which lies
between 75 and 3071 eV, the channels are zero, and inside the largest is 1.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline

from hyperspy_eelsid.edges import ENERGY_MAX_EV, ENERGY_MIN_EV
from hyperspy_eelsid.exceptions import EnergyAxisError

if TYPE_CHECKING:
    from hyperspy.axes import DataAxis
    from hyperspy.signals import Signal1D

_logger = logging.getLogger(__name__)

N_CHANNELS = ENERGY_MAX_EV + 1
MINIMUM_WINDOW_EV = 35
MINIMUM_CHANNELS = 8
_EV_PER_UNIT = {"eV": 1.0, "ev": 1.0, "keV": 1e3, "kev": 1e3, "meV": 1e-3}


def energy_axis(signal: Signal1D) -> np.ndarray:
    """Energies of the channels of an EELS signal, in the order in which they are stored.

    Parameters
    ----------
    signal : Signal with one signal axis in eV, keV or meV; uniform or not, increasing or decreasing.

    Returns
    -------
    Energies [eV], shape (n_channels,).

    Raises
    ------
    EnergyAxisError
        If the units are not of energy, or the part between 75 and 3071 eV is too short.
    """
    axis: DataAxis = signal.axes_manager.signal_axes[0]
    unit = axis.units if isinstance(axis.units, str) else ""
    if not unit:
        _logger.warning("The energy axis has no units; eV are assumed.")
    elif unit.strip() not in _EV_PER_UNIT:
        raise EnergyAxisError(
            f"The signal axis has the units {unit!r}, options are eV, keV and meV. "
            "Set them with s.axes_manager[-1].units = 'eV'."
        )
    return checked_energy(axis.axis * _EV_PER_UNIT.get(unit.strip(), 1.0))


def checked_energy(energy: np.ndarray) -> np.ndarray:
    """The energies [eV] of an axis, when elements can be identified on it.

    Raises
    ------
    EnergyAxisError
        If the part between 75 and 3071 eV is too short.
    """
    window = np.sort(energy[(energy >= ENERGY_MIN_EV) & (energy <= ENERGY_MAX_EV)])
    length = np.ptp(window) if len(window) else 0
    if length < MINIMUM_WINDOW_EV or len(window) < MINIMUM_CHANNELS:
        raise EnergyAxisError(
            f"The energy axis goes from {energy.min():g} to {energy.max():g} eV in {len(energy)} "
            f"channels. Core-loss edges are identified between {ENERGY_MIN_EV} and {ENERGY_MAX_EV} "
            f"eV, of which at least {MINIMUM_WINDOW_EV} eV in {MINIMUM_CHANNELS} channels are "
            "needed. Use the core-loss spectrum of a dual acquisition, and check the calibration "
            "of the axis."
        )
    return energy


def measured_window(energy: np.ndarray) -> tuple[float, float]:
    """First and last energy [eV] of an axis between 75 and 3071 eV."""
    return max(energy.min(), ENERGY_MIN_EV), min(energy.max(), ENERGY_MAX_EV)


def normalise(spectra: np.ndarray) -> np.ndarray:
    """Divide each spectrum by its maximum; a spectrum without positive counts is left as it is."""
    largest = spectra.max(axis=-1, keepdims=True)
    return spectra / np.where(largest > 0, largest, 1)


def to_network_input(spectra: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Bring spectra to the network input.

    Channels narrower than 1 eV are averaged in groups of about 1 eV; then a cubic spline brings the
    spectra to whole eV. Channels of exactly zero at either end of a spectrum, which the detector did
    not record, are no part of its window.

    Parameters
    ----------
    spectra : Counts, shape (..., n_channels).
    energy : Energies of the channels [eV], shape (n_channels,), in any order.

    Returns
    -------
    float32, shape (..., 3072).
    """
    order = np.argsort(energy)
    order = order[(energy[order] >= ENERGY_MIN_EV) & (energy[order] <= ENERGY_MAX_EV)]
    energy = np.asarray(energy, np.float64)[order]
    spectra = np.asarray(spectra)[..., order].astype(np.float64)
    first, last = _recorded(spectra)
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


def _recorded(spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last channel that is not zero, shape (..., 1) each; all channels of an empty spectrum."""
    counted = spectra != 0
    first = counted.argmax(axis=-1, keepdims=True)
    last = counted.shape[-1] - 1 - counted[..., ::-1].argmax(axis=-1, keepdims=True)
    return first, last


def _interpolate(x: np.ndarray, energy: np.ndarray, spectra: np.ndarray) -> np.ndarray:
    """Linear interpolation along the last axis."""
    right = np.clip(np.searchsorted(energy, x), 1, len(energy) - 1)
    weight = (x - energy[right - 1]) / (energy[right] - energy[right - 1])
    return spectra[..., right - 1] * (1 - weight) + spectra[..., right] * weight
