"""How far the edges of a measured spectrum lie from the table: errors of the energy axis and chemical shifts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SEARCH_RANGE_EV = 10.0
SEARCH_STEP_EV = 0.5
# All edges share the error of the axis; chemical shifts and an error of the dispersion come on top.
OWN_SHIFT_EV = 4.0
RISE_WIDTH_EV = 3.0
# multiplied by the cube of the energy a background is flat enough that its slope hides no edge
FLATTENING_EXPONENT = 3


def onset_shifts(
    energy: np.ndarray, counts: np.ndarray, onsets: Mapping[str, list[float]]
) -> dict[str, float]:
    """Shift of the edges of each element, where the spectrum rises most.

    The rise at an energy is the mean of the 3 eV after it less that of the 3 eV before it, as a share of the counts
    around the onset. The shift that all elements have in common has the largest sum of the rises at their onsets;
    each element then finds its own within 4 eV of it.

    Parameters
    ----------
    energy : Uniform, increasing energy axis [eV], shape (n_channels,).
    counts : Spectrum, shape (n_channels,).
    onsets : Tabulated onset energies of the major edge groups [eV] of each element.

    Returns
    -------
    Shift of each element [eV], positive towards higher energies and 14 eV in size at most.
    """
    if not onsets:
        return {}
    limit = SEARCH_RANGE_EV + OWN_SHIFT_EV
    shifts = np.arange(-limit, limit + SEARCH_STEP_EV / 2, SEARCH_STEP_EV)
    shifts = shifts[np.argsort(np.abs(shifts), kind="stable")]  # of equal rises the nearest counts
    rises = {
        element: sum(_rise(energy, counts, onset, shifts) for onset in groups)
        for element, groups in onsets.items()
    }
    total = np.where(np.abs(shifts) <= SEARCH_RANGE_EV, sum(rises.values()), -np.inf)
    common = shifts[np.argmax(total)]
    order = np.argsort(np.abs(shifts - common), kind="stable")
    order = order[np.abs(shifts[order] - common) <= OWN_SHIFT_EV]
    return {
        element: float(shifts[order[np.argmax(rise[order])]]) for element, rise in rises.items()
    }


def _rise(energy: np.ndarray, counts: np.ndarray, onset: float, shifts: np.ndarray) -> np.ndarray:
    """Relative rise of a spectrum at each shifted onset; where it cannot be seen, the smallest of the others."""
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
    if level <= 0 or not seen[0]:  # the first shift is none
        return np.zeros(len(shifts))
    rise = (up_to(at + width) - 2 * up_to(at) + up_to(at - width)) / (width * level)
    return np.where(seen, rise, min(rise[seen].min(), 0.0))
