"""The edges of a sample: cross sections of all subshells with their shifts, lines and random fine structure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from hyperspy_eelsid.edges import EDGES, ELEMENT_INDEX, ELEMENTS, element_edges
from training.core_loss.recipes import Recipe
from training.physics.cross_section_table import BEAM_ENERGIES_KEV, COLLECTION_ANGLES_MRAD
from training.physics.effective_angle import effective_angle
from training.physics.fine_structure import (
    add_profile,
    delay_onset,
    largest_ratio,
    random_profile,
    white_line,
)
from training.physics.low_loss import N_PADDED

N_SIMULATED = 3264  # beyond the last channel, so that it is broadened from both sides
SIGNAL_RANGE_EV = 50
_DRAWN = ("chemical_shift", "fine_structure_width", "fine_structure_peaks", "fine_structure_ratio")

_SHARP_LINES = {("L2", z) for z in [*range(19, 31), *range(38, 47)]}
_SHARP_LINES |= {("L3", z) for _, z in _SHARP_LINES}
_SHARP_LINES |= {(m, z) for m in ("M4", "M5") for z in range(55, 71)}
_SHARP_LINES |= {(m, z) for m in ("M2", "M3") for z in [*range(38, 47), *range(55, 72)]}
_SHARP_LINES |= {(n, z) for n in ("N2", "N3") for z in range(57, 72)}
_GIANT_RESONANCES = {(n, z) for n in ("N4", "N5") for z in range(57, 71)}
NO_LINE, SHARP_LINE, GIANT_RESONANCE, NEAR_EDGE_PEAK = 0, 1, 2, 3
LANTHANUM = 57


def _line_kind(subshell: str, atomic_number: int) -> int:
    if (subshell, atomic_number) in _SHARP_LINES:
        return SHARP_LINE
    if (subshell, atomic_number) in _GIANT_RESONANCES:
        return GIANT_RESONANCE
    return NEAR_EDGE_PEAK if subshell == "K" else NO_LINE


@dataclass(frozen=True)
class _EdgeArrays:
    """The edge table as arrays that compiled code can read; edges of one element are neighbours."""

    onset: np.ndarray
    element: np.ndarray
    first: np.ndarray  # first edge of each element, and the number of edges at the end
    atomic_number: np.ndarray
    shell: np.ndarray  # principal quantum number: edges of one shell shift together
    slot: np.ndarray  # 0 or 1: which major group of its element the edge belongs to; -1 if minor
    line: np.ndarray

    @classmethod
    def build(cls) -> _EdgeArrays:
        element = np.array([ELEMENT_INDEX[edge.element] for edge in EDGES])
        slot = np.full(len(EDGES), -1)
        for index in range(len(ELEMENTS)):
            of_element = np.flatnonzero(element == index)
            groups = sorted({EDGES[i].group for i in of_element if EDGES[i].major})
            for i in of_element:
                if EDGES[i].major:
                    slot[i] = groups.index(EDGES[i].group)
        return cls(
            onset=np.array([edge.onset_energy for edge in EDGES]),
            element=element,
            first=np.searchsorted(element, np.arange(len(ELEMENTS) + 1)),
            atomic_number=np.array([edge.atomic_number for edge in EDGES]),
            shell=np.array(["KLMNO".index(edge.group) for edge in EDGES]),
            slot=slot,
            line=np.array([_line_kind(edge.subshell, edge.atomic_number) for edge in EDGES]),
        )

    def group_limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest onset [eV] of each major group, shape (80, 2); NaN where there is none."""
        low = np.full((len(ELEMENTS), 2), np.nan)
        high = low.copy()
        for onset, element, slot in zip(self.onset, self.element, self.slot, strict=True):
            if slot >= 0:
                low[element, slot] = np.fmin(low[element, slot], onset)
                high[element, slot] = np.fmax(high[element, slot], onset)
        return low, high


EDGE_ARRAYS = _EdgeArrays.build()
GROUP_LOW, GROUP_HIGH = EDGE_ARRAYS.group_limits()
EDGE_GROUPS = tuple(
    f"{element}_{group}"
    for element in ELEMENTS
    for group in sorted({e.group for e in element_edges(element) if e.major})
)


@njit(cache=False)
def shifted_channel(onset, chemical_shift, offset, stretch, start):
    """Channel in which an onset is seen [eV].

    Parameters
    ----------
    onset : Tabulated onset energy [eV].
    chemical_shift : Shift of all edges of one shell of an element [eV].
    offset, stretch : Error of the energy axis: constant [eV], and relative to the distance from `start`.
    start : First energy of the window [eV], where the axis was calibrated.
    """
    return int(round(onset + chemical_shift + offset + stretch * (onset - start)))


@njit(cache=False)
def giant_resonance(rng, line, atomic_number, shift, line_fwhm, asymmetry):
    """Fill `line` with the 4d to 4f resonance that holds most of the strength of an N4,5 edge of a lanthanide.

    Exchange raises it 10 to 20 eV above the onset and it is as wide (J. L. Dehmer, A. F. Starace, U. Fano, J. Sugar
    and J. W. Cooper, Phys. Rev. Lett. 26, 1521 (1971)); as the 4f shell fills it comes down to the onset and becomes a
    few narrow lines. The straight lines for place and width were drawn through what the oxides of Ce, Pr, Nd, Tb, Er
    and Tm show.

    Parameters
    ----------
    line : Line over the energy above the onset in 1 eV channels.
    shift : Distance from the mean position, drawn for N4 and N5 together [eV].
    line_fwhm, asymmetry : Width [eV] and asymmetry of the narrowest lines.
    """
    filled = atomic_number - LANTHANUM
    place = max(18 - 1.7 * filled + shift, 0)
    if rng.random() < 0.5:
        step = 4 + 5 * rng.random()
        place += -step if place > step else step
    white_line(line, place, max(4 - 0.25 * filled, 1) * line_fwhm, asymmetry)


@njit(cache=False)
def sum_edges(
    rng,
    table,
    onsets,
    first,
    atomic_numbers,
    shells,
    slots,
    lines,
    log_angles,
    beam_energies,
    fractions,
    beam,
    convergence,
    collection,
    diameter,
    offset,
    stretch,
    start,
    end,
    chemical_shift,
    structure_width,
    structure_peaks,
    structure_ratio,
    with_lines,
    near_edge,
    edges,
    signal,
    reference_height,
    reference_onset,
    drawn,
):
    """Sum the edges of each spectrum, weighted by composition, with their fine structure.

    Fills `edges` (n, 4096), `signal` (n, 80, 2): the sum over the first 50 eV of each major group inside the window,
    the height before fine structure and the onset of one random major edge in the window, and `drawn` (n, 80, 2, 4):
    chemical shift, fine-structure width, number of peaks and ratio of the last subshell of each major group.
    """
    structure = np.empty(128, np.float32)
    line = np.empty(128, np.float32)
    second = np.empty(128, np.float32)
    for i in range(len(fractions)):
        candidates = 0
        for element in range(80):
            if fractions[i, element] == 0:
                continue
            shell = -1
            shift = 0.0
            for e in range(first[element], first[element + 1]):
                if shells[e] != shell:
                    shell = shells[e]
                    shift = math.floor(rng.random() * (2 * chemical_shift + 1)) - chemical_shift
                    line_position = 0.5 + 2.5 * rng.random()
                    line_fwhm = 1.2 + 3.3 * rng.random() ** 2
                    line_height = 0.5 * 24 ** rng.random()
                    asymmetry = rng.random()
                    has_line = with_lines and rng.random() < 0.85
                    decay, delay = np.inf, 0.0
                    if near_edge:
                        decay = 15 * 8 ** rng.random()
                        if rng.random() < 0.25:
                            delay = 2 + 13 * rng.random()
                channel = shifted_channel(onsets[e], shift, offset[i], stretch[i], start[i])
                if channel >= N_SIMULATED or channel < 1:
                    continue
                n = min(N_SIMULATED - channel, table.shape[3])
                angle = effective_angle(
                    beam_energies[beam[i]], onsets[e], convergence[i], collection[i]
                )
                position = (math.log(angle) - log_angles[0]) / (log_angles[1] - log_angles[0])
                row = min(max(int(position), 0), len(log_angles) - 2)
                weight = np.float32(min(max(position - row, 0), 1))
                amount = fractions[i, element]
                low = table[e, beam[i], row]
                high = table[e, beam[i], row + 1]
                edge = np.empty(n, np.float32)
                for c in range(n):
                    edge[c] = amount * ((1 - weight) * low[c] + weight * high[c])
                height = edge.max()
                # one random major edge in the window, each equally likely (reservoir sampling)
                if slots[e] >= 0 and start[i] <= channel <= end[i]:
                    candidates += 1
                    if rng.random() * candidates < 1:
                        reference_height[i] = height
                        reference_onset[i] = channel

                width = structure_width[0] + rng.random() * (
                    structure_width[1] - structure_width[0]
                )
                peaks = rng.integers(structure_peaks[0], structure_peaks[1] + 1)
                if has_line and lines[e] == GIANT_RESONANCE:
                    # what remains of the continuum beside the resonance begins late
                    edge *= np.float32(10 ** -rng.random())
                    delay = 3 + 37 * rng.random()
                if delay > 0:
                    delay_onset(edge, delay)
                random_profile(rng, peaks, width, diameter[i], structure, decay)
                ratio = rng.random() * largest_ratio(structure, structure_ratio)
                if with_lines:
                    ratio *= rng.random()
                add_profile(edge, structure, ratio * height)
                if slots[e] >= 0:
                    drawn[i, element, slots[e], 0] = shift
                    drawn[i, element, slots[e], 1] = width
                    drawn[i, element, slots[e], 2] = peaks
                    drawn[i, element, slots[e], 3] = ratio
                if has_line and lines[e] != NO_LINE:
                    strength = line_height
                    if lines[e] == GIANT_RESONANCE:
                        shift_of_line = 2.5 * (line_position - 1.75)
                        number = atomic_numbers[e]
                        giant_resonance(rng, line, number, shift_of_line, line_fwhm, asymmetry)
                    else:
                        white_line(line, line_position, line_fwhm, asymmetry)
                    if lines[e] == NEAR_EDGE_PEAK:
                        # a pi* line, up to six times the step as in N2, and the broader sigma* above it
                        strength = 0.5 * max(line_height - 1.2, 0)
                        if rng.random() < 0.6:
                            place = line_position + 4 + 10 * rng.random()
                            white_line(second, place, 2 + 8 * rng.random(), asymmetry)
                            line += (0.3 + 1.2 * rng.random()) * second
                    m = min(n, len(line))
                    edge[:m] += strength * height * line[:m]
                edges[i, channel : channel + n] += edge
                if slots[e] >= 0 and start[i] <= channel < end[i]:
                    m = min(SIGNAL_RANGE_EV, end[i] - channel)
                    signal[i, element, slots[e]] += edge[:m].sum()


class IonisationEdges(NamedTuple):
    """The edges of a block of spectra.

    Attributes
    ----------
    spectra : Sum of the edges in barn per eV, weighted by the atomic fractions, float32, shape (n, 4096).
    signal : Sum over the first 50 eV of each major group inside the window, shape (n, 80, 2).
    reference_height, reference_onset : Of one random major edge in the window: its maximum before fine structure, and
        its channel, -1 if there is none; shape (n,).
    parameters : What was drawn for each of the 107 major groups, shape (n, 107); NaN where the sample has none.
    """

    spectra: np.ndarray
    signal: np.ndarray
    reference_height: np.ndarray
    reference_onset: np.ndarray
    parameters: dict[str, np.ndarray]


def ionisation_edges(
    rng: np.random.Generator,
    recipe: Recipe,
    table: np.ndarray,
    fractions: np.ndarray,
    p: dict[str, np.ndarray],
) -> IonisationEdges:
    """Sum the edges of each sample, major and minor subshells, each with its own shift and fine structure.

    Parameters
    ----------
    table : Cross sections, as :func:`training.physics.cross_section_table.load` gives them.
    fractions : Atomic fractions, shape (n, 80).
    p : Parameters of the spectra, arrays of length n.
    """
    n = len(fractions)
    edges = np.zeros((n, N_PADDED), np.float32)
    signal = np.zeros((n, len(ELEMENTS), 2), np.float32)
    height, onset = np.zeros(n), np.full(n, -1)
    drawn = np.full((n, len(ELEMENTS), 2, len(_DRAWN)), np.nan, np.float32)
    sum_edges(
        rng,
        table,
        EDGE_ARRAYS.onset,
        EDGE_ARRAYS.first,
        EDGE_ARRAYS.atomic_number,
        EDGE_ARRAYS.shell,
        EDGE_ARRAYS.slot,
        EDGE_ARRAYS.line,
        np.log(COLLECTION_ANGLES_MRAD),
        np.array(BEAM_ENERGIES_KEV),
        fractions,
        p["beam"],
        p["convergence_angle"],
        p["collection_angle"],
        p["atomic_diameter"],
        p["energy_offset"],
        p["dispersion_error"],
        p["window_start"],
        p["window_end"],
        recipe.chemical_shift,
        np.array(recipe.fine_structure_width),
        np.array(recipe.fine_structure_peaks),
        recipe.fine_structure_ratio,
        "white lines" in recipe.effects,
        "near edge" in recipe.effects,
        edges,
        signal,
        height,
        onset,
        drawn,
    )
    of_groups = drawn[:, ~np.isnan(GROUP_LOW)]
    parameters = {name: of_groups[..., i] for i, name in enumerate(_DRAWN)}
    return IonisationEdges(edges, signal, height, onset, parameters)
