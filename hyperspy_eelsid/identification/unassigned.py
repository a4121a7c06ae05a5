"""Edges that are clearly in a spectrum and that no element found explains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter1d

from hyperspy_eelsid.edges import EDGES
from hyperspy_eelsid.identification.network_input import to_network_input

# half the length of the stretch in which an edge is looked for, and what its rise may take [eV]
HALF_WINDOW_EV = 30
RISE_EV = 3
# smallest step in units of its error and of the counts below it
SIGNIFICANCE = 10.0
STEP = 0.06
# an edge of an element that is found explains what is seen so far before and after its onset [eV]
BEFORE_EV, AFTER_EV = 35.0, 80.0
NEAR_EV = 10.0
# Onsets [eV] of elements outside the 80 (A. Thompson et al., X-ray Data Booklet (2009), table 1-1)
OUTSIDE = {
    "Th": (85.4, 92.5, 333.1, 342.4, 675.2, 712.1),
    "U": (94.2, 102.8, 377.4, 388.2, 736.2, 778.3),
}


class UnassignedEdge(NamedTuple):
    """A step in the spectrum that belongs to no element that was found.

    Attributes
    ----------
    energy
        Where it rises [eV].
    step
        Its height in units of the counts below it.
    significance
        Its height in standard errors, of the scatter of the channels around it.
    elements
        Symbols of elements with a major edge within 10 eV, or with a minor one where there is no major; of the 80,
        thorium and uranium, the nearest first.
    """

    energy: float
    step: float
    significance: float
    elements: tuple[str, ...]


def unassigned_edges(
    counts: np.ndarray, energy: np.ndarray, elements: Iterable[str]
) -> list[UnassignedEdge]:
    """Steps of a spectrum that no edge of the elements found explains, the clearest first.

    Around every energy the logarithm of the counts is fitted with two straight lines of log E, that is with a power
    law on either side (Egerton 2011, eq. 4.51), and the step between them is compared with its error.

    Parameters
    ----------
    counts
        Shape (n_channels,).
    energy
        Energies of the channels [eV], shape (n_channels,).
    elements
        Symbols of the elements that are found.
    """
    spectrum = to_network_input(counts, energy)
    recorded = np.flatnonzero(spectrum)
    if len(recorded) < 2 * HALF_WINDOW_EV + 1:
        return []
    first, last = recorded[0], recorded[-1]
    centre, step, significance = _steps(spectrum[first : last + 1], first)
    known = np.array([e.onset_energy for e in EDGES if e.element in set(elements)])
    beyond = centre[:, None] - known
    explained = ((beyond > -BEFORE_EV) & (beyond < AFTER_EV)).any(axis=1)
    largest = maximum_filter1d(significance, HALF_WINDOW_EV + 1)
    clear = (significance >= SIGNIFICANCE) & (step >= STEP) & (significance == largest)
    found = np.flatnonzero(clear & ~explained)
    order = found[np.argsort(-significance[found])]
    return [
        UnassignedEdge(
            float(centre[i]), float(step[i]), float(significance[i]), _elements_at(centre[i])
        )
        for i in order
    ]


def _steps(spectrum: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energies at which a step was looked for [eV], its relative height, and its significance.

    Parameters
    ----------
    spectrum
        Counts in channels of 1 eV.
    start
        Energy of the first channel [eV].
    """
    offset = np.arange(-HALF_WINDOW_EV, HALF_WINDOW_EV + 1)
    used = np.abs(offset - 0.5) > RISE_EV / 2
    positive = np.where(spectrum > 0, spectrum, np.nan)
    values = sliding_window_view(np.log(positive), len(offset))[:, used]
    centre = start + HALF_WINDOW_EV + np.arange(len(values))
    usable = np.isfinite(values).all(axis=1)
    centre, values = centre[usable], values[usable]
    above = (offset[used] > 0).astype(float)
    log_ratio = np.log1p(offset[used] / centre[:, None])
    design = np.stack(
        [
            np.ones_like(log_ratio),
            log_ratio,
            np.broadcast_to(above, log_ratio.shape),
            above * log_ratio,
        ],
        axis=2,
    )
    inverse = np.linalg.pinv(design)
    fitted = np.einsum("nij,nj->ni", inverse, values)
    residual = values - np.einsum("nji,ni->nj", design, fitted)
    variance = (residual**2).sum(axis=1) / (used.sum() - design.shape[2])
    error = np.sqrt(variance * (inverse[:, 2] ** 2).sum(axis=1))
    return centre.astype(float), np.expm1(fitted[:, 2]), fitted[:, 2] / np.maximum(error, 1e-12)


def _elements_at(energy: float) -> tuple[str, ...]:
    major = [(e.element, e.onset_energy) for e in EDGES if e.major]
    major += [(element, onset) for element, those in OUTSIDE.items() for onset in those]
    minor = [(e.element, e.onset_energy) for e in EDGES if not e.major]
    for edges in (major, minor):
        near = sorted(
            (abs(onset - energy), element)
            for element, onset in edges
            if abs(onset - energy) <= NEAR_EV
        )
        if near:
            return tuple(dict.fromkeys(element for _, element in near))
    return ()
