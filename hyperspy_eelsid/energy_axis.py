"""The one gate of all methods: from any EELS signal to energies in eV and spectra in their order."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from dask.array.utils import meta_from_array
from hyperspy.axes import FunctionalDataAxis
from hyperspy.signals import BaseSignal

from hyperspy_eelsid.edges import ENERGY_MAX_EV, ENERGY_MIN_EV
from hyperspy_eelsid.exceptions import EnergyAxisError, InvalidSpectraError, SignalTypeError

if TYPE_CHECKING:
    from hyperspy.axes import DataAxis
    from hyperspy.signals import Signal1D

_logger = logging.getLogger(__name__)

WINDOW_EV = (ENERGY_MIN_EV, ENERGY_MAX_EV)
# an edge that lies so far outside of the window can still be seen when the energy axis is not well calibrated
ONSET_TOLERANCE_EV = 5
MINIMUM_WINDOW_EV = 35
MINIMUM_CHANNELS = 8
LARGEST_COUNTS = (
    1e18  # more is no number of counts, in whatever unit, and would overflow single precision
)
_REAL_NUMBERS = "biuf"  # as NumPy calls the kinds of its types
_EV_PER_PREFIX = {"": 1.0, "k": 1e3, "kilo": 1e3, "m": 1e-3, "milli": 1e-3}
_UNIT = re.compile(r"(k|kilo|m|milli)?[ -]?(?:ev|electron[ -]?volts?)")


def check_eels(signal: object, name: str = "signal") -> None:
    """Raise a SignalTypeError if something is no EELS signal with one energy axis.

    Parameters
    ----------
    name
        Name of the argument, for the message.
    """
    axes = signal.axes_manager.signal_axes if isinstance(signal, BaseSignal) else ()
    if len(axes) != 1 or signal.metadata.get_item("Signal.signal_type") != "EELS":
        raise SignalTypeError(
            f"{name} must be an EELS signal with one energy axis, not {signal!r:.200}. If it is one, say so with "
            "s.set_signal_type('EELS')."
        )


def energy_axis(signal: Signal1D, window: tuple[float, float] = WINDOW_EV) -> np.ndarray:
    """Energies of the channels of an EELS signal, in the order in which they are stored.

    Parameters
    ----------
    signal
        Signal with one signal axis in eV, keV or meV; uniform or not, increasing or decreasing.
    window
        Energies [eV] between which the axis has to hold enough channels.

    Returns
    -------
    energy
        Energies [eV], shape (n_channels,).

    Raises
    ------
    EnergyAxisError
        If the units are not of energy, or the part in the window is too short.
    """
    axis: DataAxis = signal.axes_manager.signal_axes[0]
    return checked_energy(axis.axis * _ev_per_unit(axis), window)


def in_order(signal: Signal1D) -> Signal1D:
    """The signal with its energy axis last in the array, increasing and in eV.

    Masked channels become NaN.

    Parameters
    ----------
    signal
        Signal with one signal axis in eV, keV or meV; uniform or not, increasing or decreasing.

    Returns
    -------
    signal
        The signal itself where it is so already; otherwise one that shares its data, lazy if it is.

    Raises
    ------
    EnergyAxisError
        If the units are not of energy.
    InvalidSpectraError
        If the counts are not real numbers.
    """
    axis = signal.axes_manager.signal_axes[0]
    factor = _ev_per_unit(axis)
    if signal.data.dtype.kind not in _REAL_NUMBERS:
        raise InvalidSpectraError(
            f"Counts must be real numbers, not of type {signal.data.dtype}; complex ones need s.real, and others "
            "s.change_dtype('float32')."
        )
    decreasing = axis.axis[-1] < axis.axis[0]
    masked = isinstance(meta_from_array(signal.data), np.ma.MaskedArray)
    is_last = axis.index_in_array == signal.data.ndim - 1
    if axis.units == "eV" and not decreasing and is_last and not masked:
        return signal
    signal = signal.transpose(
        signal_axes=[axis], navigation_axes=list(signal.axes_manager.navigation_axes)
    )
    if masked:
        signal.data = _filled(signal.data)
    if decreasing:
        signal = signal.isig[::-1]
    axis = signal.axes_manager.signal_axes[0]
    if factor != 1 and axis.is_uniform:
        axis.offset, axis.scale = axis.offset * factor, axis.scale * factor
    elif factor != 1:
        if isinstance(axis, FunctionalDataAxis):  # whose values are those of its expression
            axis.convert_to_non_uniform_axis()
        axis = signal.axes_manager.signal_axes[0]
        axis.axis = axis.axis * factor
    axis.units = "eV"
    return signal


def on_a_uniform_axis(signal: Signal1D) -> tuple[Signal1D, np.ndarray]:
    """The signal :func:`in_order` and its energies [eV], shape (n_channels,), as a model needs them.

    Raises
    ------
    SignalTypeError
        If it is no EELS signal.
    EnergyAxisError
        If the axis is not uniform, not one of energies, or the part in the window is too short.
    InvalidSpectraError
        If the counts are not real numbers.
    """
    check_eels(signal)
    signal = in_order(signal)
    energy = energy_axis(signal)
    if not signal.axes_manager.signal_axes[0].is_uniform:
        raise EnergyAxisError(
            "A model needs a uniform energy axis. Use s.interpolate_on_axis('uniform', axis=-1)."
        )
    return signal, energy


def _filled(data: np.ndarray | da.Array) -> np.ndarray | da.Array:
    """Floating-point numbers with NaN where the data are masked."""
    data = data.astype(np.result_type(data.dtype, np.float32))
    return (
        np.ma.filled(data, np.nan) if isinstance(data, np.ndarray) else da.ma.filled(data, np.nan)
    )


def _ev_per_unit(axis: DataAxis) -> float:
    if isinstance(axis.units, str) and axis.units.strip():
        return _ev_of(axis.units)
    if axis.is_uniform and axis.offset == 0 and abs(axis.scale) == 1:
        raise EnergyAxisError(
            f"The energy axis was never calibrated: it has no units and numbers its {axis.size} channels from 0. "
            "Set s.axes_manager[-1].offset to the energy of the first channel, .scale to the width of a channel and "
            ".units to 'eV'. If the numbers are energies in eV, set .units = 'eV' alone; on the command line that "
            "is --assume-eV."
        )
    _logger.warning("The energy axis has no units; eV are assumed.")
    return 1.0


def is_energy(units: object) -> bool:
    """Whether the units of an axis are of energy."""
    try:
        return isinstance(units, str) and bool(_ev_of(units))
    except EnergyAxisError:
        return False


def _ev_of(units: str) -> float:
    text = units.strip()
    in_brackets = re.search(r"[(\[]\s*(.+?)\s*[)\]]", text)
    name = in_brackets[1] if in_brackets else text
    name = re.split(r"\s*/|\s+per\s", name)[0].strip()  # eV/channel
    unit = _UNIT.fullmatch(name.lower())
    # mega, of which the case is all that tells it from milli
    if unit is None or name.startswith("M") and unit[1] == "m":
        raise EnergyAxisError(
            f"The signal axis has the units {units!r}, options are eV, keV and meV. "
            "Set them with s.axes_manager[-1].units = 'eV'."
        )
    return _EV_PER_PREFIX[unit[1] or ""]


def checked_energy(energy: np.ndarray, window: tuple[float, float] = WINDOW_EV) -> np.ndarray:
    """The energies [eV] of an axis, when enough of them lie in the window.

    Raises
    ------
    EnergyAxisError
        If the part of the axis in the window is too short.
    """
    start, end = window
    inside = energy[(energy >= start) & (energy <= end)]
    length = np.ptp(inside) if len(inside) else 0
    if length < MINIMUM_WINDOW_EV or len(inside) < MINIMUM_CHANNELS:
        raise EnergyAxisError(
            f"The energy axis goes from {energy.min():g} to {energy.max():g} eV in {len(energy)} "
            f"channels. Core-loss edges are identified between {start:g} and {end:g} "
            f"eV, of which at least {MINIMUM_WINDOW_EV} eV in {MINIMUM_CHANNELS} channels are "
            "needed. Use the core-loss spectrum of a dual acquisition, and check the calibration "
            "of the axis."
        )
    return energy


def measured_window(
    energy: np.ndarray, window: tuple[float, float] = WINDOW_EV
) -> tuple[float, float]:
    """First and last energy [eV] of an axis inside the window."""
    return max(energy.min(), window[0]), min(energy.max(), window[1])


def edge_range(energy: np.ndarray) -> tuple[float, float]:
    """Energies [eV] between which an onset can be seen on an energy axis."""
    start, end = measured_window(energy)
    return start - ONSET_TOLERANCE_EV, end + ONSET_TOLERANCE_EV


def plausible(counts: np.ndarray | da.Array) -> np.ndarray | da.Array:
    """Which counts are numbers that a detector can have given; NaN, infinity and 1e300 are not."""
    limit = LARGEST_COUNTS
    if np.issubdtype(counts.dtype, np.floating):
        limit = min(limit, float(np.finfo(counts.dtype).max))  # half precision ends at 65504
    return (counts >= -limit) & (counts <= limit)


def recorded(spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last channel that the detector recorded, shape (..., 1) each.

    Channels of zero or NaN at the ends were not recorded. All channels of an empty spectrum are returned.
    """
    counted = (spectra != 0) & ~np.isnan(spectra)
    first = counted.argmax(axis=-1, keepdims=True)
    last = counted.shape[-1] - 1 - counted[..., ::-1].argmax(axis=-1, keepdims=True)
    return first, last


def without_nan_at_ends(spectra: np.ndarray) -> np.ndarray:
    """Spectra with zeros for the NaN of the channels at their ends, which were not recorded."""
    missing = np.isnan(spectra)
    if not missing.any():
        return spectra
    first, last = recorded(spectra)
    channels = np.arange(spectra.shape[-1])
    return np.where(missing & ((channels < first) | (channels > last)), 0, spectra)
