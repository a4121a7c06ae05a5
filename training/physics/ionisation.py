"""The edges of a sample: cross sections of all subshells with their shifts, lines and random fine structure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from hyperspy_eelsid.edges import EDGES, ELEMENT_INDEX, ELEMENTS, element_edges
from training.physics.computed_edges import (
    LEAD_EV,
    NOT_COMPUTED,
    PARTNER_OF_LINES,
    PROFILE_EV,
    SUM_RULE_EV,
    ComputedEdges,
    add_lines,
    computed_profile,
    library,
    modulate,
)
from training.physics.cross_section_table import BEAM_ENERGIES_KEV, COLLECTION_ANGLES_MRAD
from training.physics.draws import integers
from training.physics.effective_angle import effective_angle
from training.physics.fine_structure import (
    FAST_MATH,
    FineStructure,
    NearEdge,
    add_profile,
    delay_onset,
    gaussian_profile,
    largest_ratio,
    white_line,
)
from training.physics.low_loss import N_PADDED
from training.physics.unlabelled_edges import UnlabelledEdges
from training.physics.white_lines import WhiteLines, line_kind

N_SIMULATED = 3264  # beyond the last channel, so that it is broadened from both sides
SIGNAL_RANGE_EV = SUM_RULE_EV
_DRAWN = ("chemical_shift", "fine_structure_width", "fine_structure_peaks", "fine_structure_ratio")
SUBSHELL = np.dtype(
    [
        ("spectrum", np.int32),
        ("edge", np.int16),  # index into hyperspy_eelsid.edges.EDGES
        (
            "atomic_number",
            np.int16,
        ),  # another one than that of the edge where a neighbour lends its cross section
        ("amount", np.float32),  # atomic fraction
        ("channel", np.int16),  # in which the onset is seen
        ("reference", np.bool_),  # whether the jump ratio is that of this edge
        ("chemical_shift", np.float32),
        ("fine_structure_width", np.float32),
        ("fine_structure_peaks", np.int16),
        ("fine_structure_ratio", np.float32),
        ("fine_structure_decay", np.float32),
        ("delay", np.float32),
        ("continuum", np.float32),  # what a giant resonance leaves of the step, else 1
        ("line_height", np.float32),  # in units of the step; 0 for no line
        ("line_position", np.float32),
        ("line_fwhm", np.float32),
        ("line_asymmetry", np.float32),
        ("second_height", np.float32),  # in units of the first line
        ("second_position", np.float32),
        ("second_fwhm", np.float32),
        (
            "computed",
            np.int16,
        ),  # entry of the library; -1 for none, -2 where the partner's entry has the lines
        ("second_computed", np.int16),  # -1 for none
        ("second_share", np.float32),
        ("broadening", np.int8),  # index into BROADENINGS_EV
        ("move", np.float32),
        ("stretch", np.float32),
        ("strength", np.float32),  # of computed lines, in units of the continuum of 50 eV
        ("amplitude", np.float32),  # of a computed modulation
        ("disorder", np.float32),  # nm^2
    ]
)


class _EdgeArrays(NamedTuple):
    """The edge table as arrays that compiled code can read; edges of one element are neighbours."""

    onset: np.ndarray
    element: np.ndarray
    first: np.ndarray  # first edge of each element, and the number of edges at the end
    atomic_number: np.ndarray
    shell: np.ndarray  # principal quantum number: edges of one shell shift together
    slot: np.ndarray  # 0 or 1: which major group of its element the edge belongs to; -1 if minor
    line: np.ndarray

    @staticmethod
    def build() -> _EdgeArrays:
        element = np.array([ELEMENT_INDEX[edge.element] for edge in EDGES])
        slot = np.full(len(EDGES), -1)
        for index in range(len(ELEMENTS)):
            of_element = np.flatnonzero(element == index)
            groups = sorted({EDGES[i].group for i in of_element if EDGES[i].major})
            for i in of_element:
                if EDGES[i].major:
                    slot[i] = groups.index(EDGES[i].group)
        return _EdgeArrays(
            onset=np.array([edge.onset_energy for edge in EDGES]),
            element=element,
            first=np.searchsorted(element, np.arange(len(ELEMENTS) + 1)),
            atomic_number=np.array([edge.atomic_number for edge in EDGES]),
            shell=np.array(["KLMNO".index(edge.group) for edge in EDGES]),
            slot=slot,
            line=np.array([line_kind(edge.subshell, edge.atomic_number) for edge in EDGES]),
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


def shifted_channel(onset, chemical_shift, offset, stretch, start):
    """Channel in which an onset is seen [eV]; of numbers or of arrays.

    Parameters
    ----------
    onset
        Tabulated onset energy [eV].
    chemical_shift
        Shift of all edges of one shell of an element [eV].
    offset, stretch
        Error of the energy axis: constant [eV], and relative to the distance from `start`.
    start
        First energy of the window [eV], where the axis was calibrated.
    """
    return np.rint(onset + chemical_shift + offset + stretch * (onset - start)).astype(int)


def _slot(rows: np.ndarray) -> np.ndarray:
    """Which major group of its element, 0 or 1, each row belongs to; -1 for none, shape (n_rows,)."""
    own = rows["atomic_number"] == EDGE_ARRAYS.atomic_number[rows["edge"]]
    return np.where(own, EDGE_ARRAYS.slot[rows["edge"]], -1)


@dataclass(frozen=True)
class EdgeRecipe:
    """What is drawn for the edges.

    Attributes
    ----------
    chemical_shift
        Largest shift of an edge by its compound [eV], a whole number.
    fine_structure, near_edge, white_lines, computed_edges, unlabelled_edges
        What draws their structure; None for effects that are off.
    """

    chemical_shift: int = 5
    fine_structure: FineStructure = FineStructure()
    near_edge: NearEdge | None = None
    white_lines: WhiteLines | None = None
    computed_edges: ComputedEdges | None = None
    unlabelled_edges: UnlabelledEdges | None = None


def _plain(rng: np.random.Generator, recipe: EdgeRecipe, rows: np.ndarray) -> None:
    """Random Gaussians for all rows, and nothing else."""
    recipe.fine_structure.draw(rng, rows)
    rows["continuum"] = 1
    rows["computed"] = rows["second_computed"] = NOT_COMPUTED


def draw_subshells(
    rng: np.random.Generator, recipe: EdgeRecipe, fractions: np.ndarray, p: dict[str, np.ndarray]
) -> np.ndarray:
    """What is drawn for each subshell of each sample whose onset is in the simulated range, in order.

    Parameters
    ----------
    fractions
        Atomic fractions, shape (n, 80).
    p
        Parameters of the spectra, arrays of length n.

    Returns
    -------
    np.ndarray
        Structured array of dtype `SUBSHELL`; energies in eV above the onset. `fine_structure_ratio` is still a share of
        the largest possible one, which depends on the profile.
    """
    atlas = EDGE_ARRAYS
    spectrum, element = np.nonzero(fractions)
    number = np.diff(atlas.first)[element]  # edges of each element of each sample
    spectrum = spectrum.repeat(number)
    first = np.cumsum(number) - number
    edge = np.arange(len(spectrum)) + (atlas.first[element] - first).repeat(number)
    shell = atlas.shell[edge]
    # edges of one shell share their chemical shift and the shape of their lines
    new = np.ones(len(edge), bool)
    new[1:] = (shell[1:] != shell[:-1]) | (edge[1:] != edge[:-1] + 1)
    new[first] = True
    of_shell = np.cumsum(new) - 1
    shells = new.sum()

    def uniform() -> np.ndarray:
        """One number for each shell, as seen from each edge."""
        return rng.random(shells)[of_shell]

    n = len(edge)
    rows = np.zeros(n, SUBSHELL)
    rows["spectrum"], rows["edge"] = spectrum, edge
    rows["atomic_number"] = atlas.atomic_number[edge]
    rows["amount"] = fractions[spectrum, atlas.element[edge]]
    limit = recipe.chemical_shift
    rows["chemical_shift"] = np.floor(uniform() * (2 * limit + 1)) - limit
    _plain(rng, recipe, rows)
    if recipe.near_edge is not None:
        recipe.near_edge.draw(rows, uniform)
    if recipe.white_lines is not None:
        recipe.white_lines.draw(rng, rows, atlas.line[edge], uniform)
    if recipe.computed_edges is not None:
        recipe.computed_edges.draw(rows, library(), uniform)
    onset = atlas.onset[edge]
    if recipe.unlabelled_edges is not None:
        more, more_onsets = recipe.unlabelled_edges.draw(rng, fractions, SUBSHELL)
        _plain(rng, recipe, more)
        shifts = integers(rng, (-limit, limit), len(fractions))
        more["chemical_shift"] = shifts[more["spectrum"]]
        rows, onset = np.concatenate([rows, more]), np.concatenate([onset, more_onsets])
        order = np.argsort(rows["spectrum"], kind="stable")
        rows, onset = rows[order], onset[order]
    i = rows["spectrum"]
    errors = (p[name][i] for name in ("energy_offset", "dispersion_error", "window_start"))
    channel = shifted_channel(onset, rows["chemical_shift"], *errors)
    seen = (channel >= 1) & (channel < N_SIMULATED)
    rows, channel = rows[seen], channel[seen]
    rows["channel"] = channel

    # one random major edge in the window, each equally likely
    i = rows["spectrum"]
    inside = (channel >= p["window_start"][i]) & (channel <= p["window_end"][i])
    candidates = np.flatnonzero(
        inside & (_slot(rows) >= 0) & (rows["computed"] != PARTNER_OF_LINES)
    )
    shuffled = rng.permutation(candidates)
    _, chosen = np.unique(i[shuffled], return_index=True)
    rows["reference"][shuffled[chosen]] = True
    return rows


class Settings(NamedTuple):
    """What the edges of a spectrum share; angles in mrad, lengths in nm, arrays of length n."""

    beam: np.ndarray
    convergence_angle: np.ndarray
    collection_angle: np.ndarray
    atomic_diameter: np.ndarray
    window_start: np.ndarray
    window_end: np.ndarray


@njit(cache=False, fastmath=FAST_MATH)
def add_edges(rows, slots, gaussians, largest, table, grid, computed, atlas, settings, out):
    """Add the edge of each subshell, weighted by composition, to its spectrum.

    Parameters
    ----------
    rows
        As :func:`draw_subshells` gives them; `fine_structure_ratio` becomes the ratio itself.
    slots
        Major group of each row, -1 for none.
    gaussians
        Position in units of the width and weight of all Gaussians of the fine structure, row after row.
    largest
        Largest ratio of the fine structure.
    grid
        Logarithms of the collection angles of the table, and its beam energies.
    computed
        Integrals of the computed near edges, which of them are lines, and their places.
    out
        The :class:`IonisationEdges` that are filled.
    """
    log_angles, beam_energies = grid
    cumulative, are_lines, place = computed
    structure = np.empty(128, np.float32)
    line = np.empty(128, np.float32)
    second = np.empty(128, np.float32)
    profile = np.empty(PROFILE_EV, np.float32)
    other = np.empty(PROFILE_EV, np.float32)
    end = 0
    for row, slot in zip(rows, slots):  # noqa: B905 (numba knows no strict)
        i, e, channel = row.spectrum, row.edge, row.channel
        angle = effective_angle(
            beam_energies[settings.beam[i]],
            atlas.onset[e],
            settings.convergence_angle[i],
            settings.collection_angle[i],
        )
        position = (math.log(angle) - log_angles[0]) / (log_angles[1] - log_angles[0])
        k = min(max(int(position), 0), len(log_angles) - 2)
        weight = np.float32(min(max(position - k, 0), 1))
        low, high = table[e, settings.beam[i], k], table[e, settings.beam[i], k + 1]
        # what is computed may begin before the onset
        lead = LEAD_EV if row.computed >= 0 else 0
        extended = np.zeros(lead + min(N_SIMULATED - channel, table.shape[3]), np.float32)
        edge = extended[lead:]
        for c in range(len(edge)):
            edge[c] = row.amount * ((1 - weight) * low[c] + weight * high[c])
        height = edge.max()
        if row.reference:
            out.reference_height[i] = height * (1 + row.strength)
            out.reference_onset[i] = channel
        strength = edge[:SUM_RULE_EV].sum()

        if row.continuum != 1:
            edge *= row.continuum
        if row.delay > 0:
            delay_onset(edge, row.delay)
        begin, end = end, end + row.fine_structure_peaks
        if row.fine_structure_ratio > 0:
            positions = row.fine_structure_width * gaussians[0, begin:end]
            diameter, decay = settings.atomic_diameter[i], row.fine_structure_decay
            gaussian_profile(positions, gaussians[1, begin:end], diameter, structure, decay)
            row.fine_structure_ratio *= largest_ratio(structure, largest)
            add_profile(edge, structure, row.fine_structure_ratio * height)
        if row.line_height > 0:
            white_line(line, row.line_position, row.line_fwhm, row.line_asymmetry)
            if row.second_height > 0:
                white_line(second, row.second_position, row.second_fwhm, row.line_asymmetry)
                line += row.second_height * second
            m = min(len(edge), len(line))
            edge[:m] += row.line_height * height * line[:m]
        if row.computed != NOT_COMPUTED:
            now = edge[:SUM_RULE_EV].sum()
            if now > 0:
                edge *= strength / now
        if row.computed >= 0:
            computed_profile(row, cumulative, place, profile, other)
            if are_lines[row.computed]:
                add_lines(extended, profile, row.strength)
            else:
                modulate(extended, profile, row.amplitude, row.disorder)
        first = channel - lead
        cut = max(-first, 0)
        out.spectra[i, first + cut : first + len(extended)] += extended[cut:]
        last = settings.window_end[i]
        if slot >= 0 and settings.window_start[i] <= channel < last:
            m = min(SIGNAL_RANGE_EV, last - channel)
            out.signal[i, atlas.element[e], slot] += edge[:m].sum()


class IonisationEdges(NamedTuple):
    """The edges of a block of spectra.

    Attributes
    ----------
    spectra
        Sum of the edges in barn per eV, weighted by the atomic fractions, float32, shape (n, 4096).
    signal
        Sum over the first 50 eV of each major group inside the window, shape (n, 80, 2).
    reference_height, reference_onset
        Of one random major edge in the window: its maximum before fine structure, and its channel, -1 if there is
        none; shape (n,).
    subshells
        What was drawn for each subshell, structured array of dtype `SUBSHELL`.
    """

    spectra: np.ndarray
    signal: np.ndarray
    reference_height: np.ndarray
    reference_onset: np.ndarray
    subshells: np.ndarray

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Draws of the last subshell of each of the 107 major groups, shape (n, 107); NaN where the sample has none."""
        rows = self.subshells[_slot(self.subshells) >= 0]
        e = rows["edge"]
        result = {}
        for name in _DRAWN:
            drawn = np.full(self.signal.shape, np.nan, np.float32)
            drawn[rows["spectrum"], EDGE_ARRAYS.element[e], EDGE_ARRAYS.slot[e]] = rows[name]
            result[name] = drawn[:, ~np.isnan(GROUP_LOW)]
        return result


def ionisation_edges(
    rng: np.random.Generator,
    recipe: EdgeRecipe,
    table: np.ndarray,
    fractions: np.ndarray,
    p: dict[str, np.ndarray],
) -> IonisationEdges:
    """Sum the edges of each sample, major and minor subshells, each with its own shift and fine structure.

    Parameters
    ----------
    table
        Cross sections, as :func:`training.physics.cross_section_table.load` gives them.
    fractions
        Atomic fractions, shape (n, 80).
    p
        Parameters of the spectra, arrays of length n.
    """
    n = len(fractions)
    rows = draw_subshells(rng, recipe, fractions, p)
    gaussians = rng.random((2, rows["fine_structure_peaks"].sum(dtype=int)))
    gaussians[1] = 2 * gaussians[1] - 1
    result = IonisationEdges(
        spectra=np.zeros((n, N_PADDED), np.float32),
        signal=np.zeros((n, len(ELEMENTS), 2), np.float32),
        reference_height=np.zeros(n),
        reference_onset=np.full(n, -1),
        subshells=rows,
    )
    settings = Settings(*(p[name] for name in Settings._fields))
    grid = np.log(COLLECTION_ANGLES_MRAD), np.array(BEAM_ENERGIES_KEV)
    largest = recipe.fine_structure.largest_ratio
    entries = library()
    computed = entries.cumulative, entries.lines, entries.place
    slots = _slot(rows)
    add_edges(rows, slots, gaussians, largest, table, grid, computed, EDGE_ARRAYS, settings, result)
    return result
