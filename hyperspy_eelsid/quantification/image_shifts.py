"""Where the edges of a model begin: errors of the energy axis and chemical shifts, element by element.

For a fit, which needs an onset for every element. Whether the axis as a whole is off, also by more than a model
searches, is told by :mod:`hyperspy_eelsid.identification.axis_offset`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SEARCH_RANGE_EV = 10.0
SEARCH_STEP_EV = 0.5
# All edges share the error of the axis; chemical shifts come on top.
OWN_SHIFT_EV = 1.5
RISE_WIDTH_EV = 3.0
HIGH_PEAK = 0.5
# multiplied by the cube of the energy a background is flat enough that its slope hides no edge
FLATTENING_EXPONENT = 3


def onset_shifts(
    energy: np.ndarray, counts: np.ndarray, onsets: Mapping[str, list[float]]
) -> dict[str, float]:
    """Shift of the edges of each element to where the spectrum rises.

    The rise at an energy is the mean of the 3 eV after it less that of the 3 eV before it, as a share of the counts
    around the onset. An edge begins at the first peak of the rise that has at least half the height of the
    highest: peaks of the fine structure follow, and often rise more than the onset. The rises of all elements
    together give the shift that they have in common; each element then finds its own within 1.5 eV of it.

    Parameters
    ----------
    energy
        Uniform, increasing energy axis [eV], shape (n_channels,).
    counts
        Spectrum, shape (n_channels,).
    onsets
        Tabulated onset energies of the major edge groups [eV] of each element.

    Returns
    -------
    dict[str, float]
        Shift of each element [eV], positive towards higher energies and 11.5 eV in size at most.
    """
    if not onsets:
        return {}
    limit = SEARCH_RANGE_EV + OWN_SHIFT_EV
    shifts = np.arange(-limit, limit + SEARCH_STEP_EV / 2, SEARCH_STEP_EV)
    rises = {
        element: sum(
            (_rise(energy, counts, onset, shifts) for onset in groups), np.zeros(len(shifts))
        )
        for element, groups in onsets.items()
    }
    common = _first_peak(shifts, np.sum(list(rises.values()), axis=0), 0.0, SEARCH_RANGE_EV)
    return {
        element: _first_peak(shifts, rise, common, OWN_SHIFT_EV) for element, rise in rises.items()
    }


def _first_peak(shifts: np.ndarray, rise: np.ndarray, centre: float, distance: float) -> float:
    """Shift of the first high peak of the rise at most `distance` from `centre`, which it is without one."""
    peak = np.zeros(len(rise), bool)
    peak[1:-1] = (rise[1:-1] >= rise[:-2]) & (rise[1:-1] > rise[2:]) & (rise[1:-1] > 0)
    peak &= np.abs(shifts - centre) <= distance
    if not peak.any():
        return centre
    return float(shifts[peak & (rise >= HIGH_PEAK * rise[peak].max())][0])


def _rise(energy: np.ndarray, counts: np.ndarray, onset: float, shifts: np.ndarray) -> np.ndarray:
    """Relative rise of a spectrum at each shifted onset; none where it cannot be seen."""
    step = energy[1] - energy[0]
    width = max(RISE_WIDTH_EV, step)
    flat = counts * (energy / onset) ** FLATTENING_EXPONENT
    # a channel begins at its energy, as it does for the components of a model
    ends = np.append(energy, energy[-1] + step)
    integral = np.concatenate([[0.0], np.cumsum(flat)]) * step

    def up_to(x: np.ndarray) -> np.ndarray:
        return np.interp(x, ends, integral)

    around = np.clip([onset - 5 * width, onset + 5 * width], ends[0], ends[-1])
    level = np.ptp(up_to(around)) / np.ptp(around) if np.ptp(around) > 0 else 0.0
    at = onset + shifts
    seen = (at - width >= ends[0]) & (at + width <= ends[-1])
    if level <= 0:
        return np.zeros(len(shifts))
    rise = (up_to(at + width) - 2 * up_to(at) + up_to(at - width)) / (width * level)
    return np.where(seen, rise, 0.0)
