"""Where in a spectrum the networks see an element."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import logit

from hyperspy_eelsid.edges import ELEMENT_INDEX
from hyperspy_eelsid.identification import ensemble
from hyperspy_eelsid.identification.network_input import to_network_input

WIDTH_EV = 24  # wider than white lines, narrower than the distance of most edges
STEP_EV = 4
ENDS_EV = 4
SMALLEST_PROBABILITY = 1e-4


def relevance(
    spectrum: np.ndarray, energy: np.ndarray, element: str, networks: str | Path | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Relevance of each energy for the probability of an element, by occlusion.

    A window of 24 eV moves over the spectrum and replaces what it covers by a power law between its ends. The
    relevance of an energy is the mean fall of the log-odds over the windows that cover it.

    Parameters
    ----------
    spectrum
        Counts, shape (n_channels,).
    energy
        Energies of the channels [eV], shape (n_channels,).
    element
        Symbol of the element.
    networks
        Networks to ask, as in :func:`hyperspy_eelsid.identification.ensemble.load`.

    Returns
    -------
    energy
        Whole eV of the window, shape (n,).
    relevance
        Fall of the log-odds, shape (n,); negative where covering the spectrum makes the
        element likelier.

    References
    ----------
    M. D. Zeiler and R. Fergus, Visualizing and understanding convolutional networks, ECCV 2014, section 4.2.
    """
    asked = ensemble.load(networks)
    whole = to_network_input(spectrum, energy)
    inside = np.flatnonzero(whole)
    start, end = inside[0], inside[-1] + 1
    last = max(end - WIDTH_EV, start)
    firsts = np.unique(np.append(np.arange(start, last, STEP_EV), last))
    covered = np.repeat(whole[np.newaxis], len(firsts), axis=0)
    for row, first in zip(covered, firsts, strict=True):
        _cover(row, first, min(first + WIDTH_EV, end), start, end)
    probability = asked.predict(np.vstack([whole, covered]))[:, ELEMENT_INDEX[element]]
    odds = logit(np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))
    total, number = np.zeros((2, end - start))
    for first, fall in zip(firsts, odds[0] - odds[1:], strict=True):
        total[first - start : first - start + WIDTH_EV] += fall
        number[first - start : first - start + WIDTH_EV] += 1
    return np.arange(start, end), total / np.maximum(number, 1)


def _cover(spectrum: np.ndarray, first: int, last: int, start: int, end: int) -> None:
    """Replace the channels from `first` to `last` by a power law through the means on either side of them."""
    before = spectrum[max(first - ENDS_EV, start) : first]
    after = spectrum[last : min(last + ENDS_EV, end)]
    sides = [np.maximum(side.mean(), 1e-6) for side in (before, after) if len(side)]
    if sides:
        channels = np.log(np.arange(first, last))
        ends = np.log([first, last])
        spectrum[first:last] = np.exp(np.interp(channels, ends, np.log([sides[0], sides[-1]])))
