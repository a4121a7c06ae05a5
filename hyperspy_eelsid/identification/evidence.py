"""Why an element is found and another is not: how its edges rise, and what speaks against its rivals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hyperspy_eelsid.edges import element_edges, visible_groups
from hyperspy_eelsid.identification.rules import AFTER_ONSET_EV, RIVAL_DISTANCE_EV
from hyperspy_eelsid.identification.unassigned import steps

# where the rise of an edge is looked for, about its tabulated onset [eV]: chemical shifts, and the width of white lines
EARLIEST_EV, LATEST_EV = -5.0, 10.0
# standard errors from which a rise is more than the largest of several that noise makes
SEEN = 5.0


class Jump(NamedTuple):
    """How the summed spectrum rises at an edge.

    Attributes
    ----------
    energy
        Where it rises most clearly [eV]; NaN where the window leaves no room to look, 30 eV below and 10 eV above.
    step
        Height of the rise in units of the counts below it.
    significance
        Its height in standard errors, which the scatter of the channels below gives it.
    """

    energy: float
    step: float
    significance: float

    @property
    def is_seen(self) -> bool:
        """Whether it is more than five standard errors. Edges that rise slowly need not be."""
        return self.significance >= SEEN


def jumps(
    counts: np.ndarray,
    energy: np.ndarray,
    edges: Mapping[str, Mapping[str, float]],
    offset: float = 0.0,
) -> dict[str, dict[str, Jump]]:
    """How a spectrum rises at each edge, by the measure of :mod:`hyperspy_eelsid.identification.unassigned`.

    Parameters
    ----------
    counts
        Shape (n_channels,).
    energy
        Energies of the channels [eV], shape (n_channels,).
    edges
        Edge groups of each element and their onsets [eV].
    offset
        How far the energy axis is off [eV].
    """
    looked_at, step, significance = steps(counts, energy)

    def jump(onset: float) -> Jump:
        above = looked_at - onset - offset
        near = np.flatnonzero((above >= EARLIEST_EV) & (above <= LATEST_EV))
        if not near.size or above[near[0]] > 1 or above[near[-1]] < 0:
            return Jump(np.nan, np.nan, np.nan)
        best = near[np.argmax(significance[near])]
        return Jump(float(looked_at[best]), float(step[best]), float(significance[best]))

    return {
        element: {group: jump(onset) for group, onset in groups.items()}
        for element, groups in edges.items()
    }


def reason(
    element: str,
    rival: str,
    probability: Mapping[str, float],
    window: tuple[float, float],
    spectrum: tuple[np.ndarray, np.ndarray],
) -> str:
    """Why an element is found and not one of its rivals, in a sentence.

    Parameters
    ----------
    element, rival
        Symbols.
    probability
        Mean probability of both where the element is found.
    window
        First and last energy at which edges can be seen [eV].
    spectrum
        Counts, and the energies of the channels [eV].
    """
    own = visible_groups(element, *window)
    others = visible_groups(rival, *window)
    group, near = min(
        ((group, near) for group in others for near in own),
        key=lambda pair: abs(others[pair[0]] - own[pair[1]]),
    )
    distance = abs(others[group] - own[near])
    place = (
        f"is {distance:g} eV from {element}-{near}"
        if distance <= RIVAL_DISTANCE_EV
        else f"is among the white lines of {element}-{near}"
    )
    said = [
        f"{rival}-{group} at {others[group]:g} eV {place}",
        f"probability {probability[rival]:.2f}, that of {element} {probability[element]:.2f}"
        if probability[rival] < probability[element]
        else "found in fewer pixels",
    ]
    apart = {
        group: onset
        for group, onset in others.items()
        if not any(_first(first) <= onset <= _last(element, near) for near, first in own.items())
    }
    said += [
        f"no clear rise at {rival}-{group}, {apart[group]:g} eV"
        for group, jump in jumps(*spectrum, {rival: apart})[rival].items()
        if jump.significance < SEEN
    ]
    return "; ".join(said)


def _first(onset: float) -> float:
    """Energy from which another edge can be taken for one with this onset [eV]."""
    return onset - RIVAL_DISTANCE_EV


def _last(element: str, group: str) -> float:
    """Energy up to which another edge can be taken for one of an edge group, or for one of its white lines [eV]."""
    onsets = [e.onset_energy for e in element_edges(element) if e.major and e.group == group]
    return max(min(onsets) + RIVAL_DISTANCE_EV, max(onsets) + AFTER_ONSET_EV)
