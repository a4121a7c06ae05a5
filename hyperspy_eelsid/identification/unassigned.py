"""Edges that are clearly in a spectrum and that no element found explains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter1d

from hyperspy_eelsid.edges import EDGES
from hyperspy_eelsid.edges.table import OUTSIDE
from hyperspy_eelsid.identification.network_input import to_network_input

# stretches below and above a step that are compared, and what its rise may take [eV]
BELOW_EV, RISE_EV, ABOVE_EV = 30, 2, 9
# smallest step in units of its error and of the counts below it
SIGNIFICANCE = 12.0
STEP = 0.06
# scatter of the logarithm of the counts, beyond which nothing is clear
NOISY = 0.2
# an edge of an element that is found explains what is seen so far before and after its onset [eV]
BEFORE_EV, AFTER_EV = 35.0, 80.0
NEAR_EV = 10.0


class UnassignedEdge(NamedTuple):
    """A step in the spectrum that belongs to no element that was found.

    Attributes
    ----------
    energy
        Where it rises [eV].
    step
        Its height in units of the counts below it.
    significance
        Its height in standard errors, which the scatter of the channels below it gives.
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

    A power law is fitted to the 30 eV below every energy (Egerton 2011, eq. 4.51); how far the median of the channels
    above lies over it is compared with the error that the scatter below gives it.

    Parameters
    ----------
    counts
        Shape (n_channels,).
    energy
        Energies of the channels [eV], shape (n_channels,).
    elements
        Symbols of the elements that are found.
    """
    centre, step, significance = steps(counts, energy)
    if not centre.size:
        return []
    there = set(elements)
    known = np.array([edge.onset_energy for edge in EDGES if edge.element in there])
    beyond = centre[:, None] - known
    explained = ((beyond > -BEFORE_EV) & (beyond < AFTER_EV)).any(axis=1)
    largest = maximum_filter1d(significance, BELOW_EV + 1)
    clear = (significance >= SIGNIFICANCE) & (step >= STEP) & (significance == largest)
    found = np.flatnonzero(clear & ~explained)
    order = found[np.argsort(-significance[found])]
    return [
        UnassignedEdge(
            float(centre[i]), float(step[i]), float(significance[i]), _elements_at(centre[i])
        )
        for i in order
    ]


def steps(counts: np.ndarray, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energies at which a step was looked for [eV], its relative height, and its significance; all shape (n,).

    Parameters
    ----------
    counts
        Shape (n_channels,).
    energy
        Energies of the channels [eV], shape (n_channels,).
    """
    spectrum = to_network_input(counts, energy)
    recorded = np.flatnonzero(spectrum)
    if len(recorded) < BELOW_EV + RISE_EV + ABOVE_EV:
        return (np.empty(0),) * 3
    first, last = recorded[0], recorded[-1]
    return _steps(spectrum[first : last + 1], first)


def _steps(spectrum: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energies at which a step was looked for [eV], its relative height, and its significance.

    Parameters
    ----------
    spectrum
        Counts in channels of 1 eV.
    start
        Energy of the first channel [eV].
    """
    logarithm = np.log(np.where(spectrum > 0, spectrum, np.nan))
    stretches = sliding_window_view(logarithm, BELOW_EV + RISE_EV + ABOVE_EV)
    usable = np.isfinite(stretches).all(axis=1)
    onset = (start + BELOW_EV + np.arange(len(stretches)))[usable]
    below, above = stretches[usable, :BELOW_EV], stretches[usable, -ABOVE_EV:]
    x = np.log1p(np.arange(-BELOW_EV, 0) / onset[:, None])  # ln (E / onset)
    at = np.log1p((RISE_EV + (ABOVE_EV - 1) / 2) / onset)
    centre, spread = x.mean(axis=1), x.var(axis=1) * BELOW_EV
    x -= centre[:, None]
    slope = (x * below).sum(axis=1) / spread
    mean = below.mean(axis=1)
    residual = below - mean[:, None] - slope[:, None] * x
    variance = (residual**2).sum(axis=1) / (BELOW_EV - 2)
    # the median, so that a spike is no step
    step = np.median(above, axis=1) - mean - slope * (at - centre)
    error = np.sqrt(variance * (1 / BELOW_EV + (at - centre) ** 2 / spread + np.pi / 2 / ABOVE_EV))
    significance = np.where(variance < NOISY**2, step / np.maximum(error, 1e-12), 0)
    return onset.astype(float), np.expm1(step), significance


def _elements_at(energy: float) -> tuple[str, ...]:
    major = [(e.element, e.onset_energy) for e in EDGES if e.major]
    major += [(element, onset) for element, those in OUTSIDE.items() for onset in those.values()]
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
