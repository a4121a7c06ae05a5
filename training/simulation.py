"""Synthetic core-loss spectra: from a recipe and a seed to spectra, labels and every drawn parameter.

A block of spectra is simulated at once: compiled loops (numba) for the edges, Fourier transforms of the whole block
for the low loss, vectorised draws for everything else. The energy axis of the simulation has 4096 channels of 1 eV,
of which the first 3072 are the network input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from exspy._misc.eels.effective_angle import effective_angle as _effective_angle
from numba import njit
from scipy import fft

from hyperspy_eelsid.edges import (
    EDGES,
    ELEMENT_INDEX,
    ELEMENTS,
    ENERGY_MAX_EV,
    ENERGY_MIN_EV,
    element_edges,
)
from hyperspy_eelsid.preprocessing import N_CHANNELS, normalise
from training.compositions import Compositions
from training.edge_library import BEAM_ENERGIES_KEV, COLLECTION_ANGLES_MRAD
from training.fine_structure import (
    add_profile,
    largest_ratio,
    random_profile,
    white_line,
)
from training.measurement import background, degrade, draw_background, draw_detector, record
from training.recipes import Recipe

FILMS = (({"C": 1.0}, 0.25), ({"O": 1.0}, 0.15), ({"Si": 3 / 7, "N": 4 / 7}, 0.06))
N_PADDED = 4096
N_SIMULATED = 3264  # beyond the last channel, so that it is broadened from both sides
MARGIN_BEFORE_EV, MARGIN_AFTER_EV = 10, 25
SIGNAL_RANGE_EV = 50
effective_angle = njit(cache=False)(_effective_angle)

_SHARP_LINES = {("L2", z) for z in [*range(19, 31), *range(38, 47)]}
_SHARP_LINES |= {("L3", z) for _, z in _SHARP_LINES}
_SHARP_LINES |= {(m, z) for m in ("M4", "M5") for z in range(55, 71)}
_SHARP_LINES |= {(m, z) for m in ("M2", "M3") for z in [*range(38, 47), *range(55, 72)]}
_SHARP_LINES |= {(n, z) for n in ("N2", "N3") for z in range(57, 72)}
_GIANT_RESONANCES = {(n, z) for n in ("N4", "N5") for z in range(57, 71)}
NO_LINE, SHARP_LINE, GIANT_RESONANCE, NEAR_EDGE_PEAK = 0, 1, 2, 3


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


@dataclass(frozen=True)
class Block:
    """Simulated spectra.

    Attributes
    ----------
    spectra : Network input, float32, shape (n, 3072).
    labels : 1 where an element has a visible edge group, uint8, shape (n, 80).
    groups : 1 where one of the 107 major edge groups is visible, uint8, shape (n, 107), as in `EDGE_GROUPS`.
    fractions : Atomic fractions, float32, shape (n, 80).
    parameters : Every drawn parameter, arrays of length n.
    """

    spectra: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    fractions: np.ndarray
    parameters: dict[str, np.ndarray]


@njit(cache=False)
def _sum_edges(
    rng,
    table,
    onsets,
    first,
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
    edges,
    signal,
    reference_height,
    reference_onset,
):
    """Sum the edges of each spectrum, weighted by composition, with their fine structure.

    Fills `edges` (n, 4096), `signal` (n, 80, 2): the sum over the first 50 eV of each major group inside the window,
    and the height before fine structure and the onset of one random major edge in the window.
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
                channel = int(
                    round(onsets[e] + shift + offset[i] + stretch[i] * (onsets[e] - start[i]))
                )
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
                random_profile(rng, peaks, width, diameter[i], structure)
                ratio = rng.random() * largest_ratio(structure, structure_ratio)
                if with_lines:
                    ratio *= rng.random()
                add_profile(edge, structure, ratio * height)
                if has_line and lines[e] != NO_LINE:
                    strength = line_height
                    if lines[e] == GIANT_RESONANCE:
                        # with few holes in the 4f shell sharp lines at the onset remain of the resonance
                        if rng.random() < 0.7:
                            place = 6 * line_position - 2 + 8 * rng.random()
                            white_line(line, place, 3.5 * line_fwhm, asymmetry)
                        else:
                            white_line(line, 3 * line_position, line_fwhm, asymmetry)
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


def low_loss_transfer(
    zero_loss_fwhm: np.ndarray,
    plasmon_energy: np.ndarray,
    plasmon_width: np.ndarray,
    thickness: np.ndarray,
    tail: np.ndarray,
    tail_width: np.ndarray,
) -> np.ndarray:
    r"""Fourier transform of the low loss that broadens the edges.

    Single scattering is a sum of Drude plasmons, :math:`S(E) \propto E \Gamma E_p^2 / ((E^2 - E_p^2)^2 + (E \Gamma)^2)`
    (Egerton 2011, eq. 3.43), multiple scattering follows Poisson's law, :math:`\exp(t/\lambda (\hat S - 1))`
    (Egerton 2011, eq. 4.10), and the zero loss is a Lorentzian. A share `tail` of every electron lands in the wide
    Lorentzian tail of the detector.

    Parameters
    ----------
    zero_loss_fwhm, thickness : Width [eV] of the zero loss and t/lambda, shape (n,).
    plasmon_energy, plasmon_width : Energies and widths [eV], shape (n, 5), energy 0 for no plasmon.
    tail, tail_width : Share and half width [eV] of the detector tail, shape (n,).

    Returns
    -------
    Complex transfer function, shape (n, 2049).
    """
    energy = np.arange(1, 1025, dtype=np.float32)
    scattering = np.zeros((len(thickness), N_PADDED), np.float32)
    for centre, width in zip(plasmon_energy.T.astype(np.float32), plasmon_width.T, strict=True):
        centre2 = centre[:, None] ** 2
        damping = energy * width[:, None].astype(np.float32)
        scattering[:, 1:1025] += damping * centre2 / ((energy**2 - centre2) ** 2 + damping**2)
    scattering /= scattering.sum(axis=1, keepdims=True)
    transform = fft.rfft(scattering, axis=1)
    frequency = np.arange(N_PADDED // 2 + 1, dtype=np.float32) / N_PADDED
    decay = np.float32(-2 * np.pi) * frequency
    plural = np.exp(thickness[:, None].astype(np.float32) * (transform - 1))
    half_width = (zero_loss_fwhm[:, None] / 2).astype(np.float32)
    point_spread = np.exp(decay * half_width)
    share = tail[:, None].astype(np.float32)
    point_spread *= 1 - share + share * np.exp(decay * tail_width[:, None].astype(np.float32))
    return plural * point_spread


class Simulator:
    """Simulates blocks of spectra by one recipe.

    Parameters
    ----------
    recipe : Ranges of all parameters and the effects that are switched on.
    compositions : Compounds to draw from.
    table : Cross sections, as :func:`training.edge_library.load` gives them.
    """

    def __init__(self, recipe: Recipe, compositions: Compositions, table: np.ndarray) -> None:
        self.recipe = recipe
        self.compositions = compositions
        self.table = table

    def block(self, seed: tuple[int, ...], n_samples: int, spectra_per_sample: int = 1) -> Block:
        """Simulate `n_samples` samples and `spectra_per_sample` spectra of each.

        The query elements go round the 80 elements, beginning at a random one, so that blocks are balanced.

        Parameters
        ----------
        seed : Integers that identify the block, e.g. (seed of the set, number of the block).
        """
        rng = np.random.default_rng(seed)
        query = (np.arange(n_samples) + rng.integers(len(ELEMENTS))) % len(ELEMENTS)
        fractions = self.compositions.draw(rng, query)
        repeat = spectra_per_sample
        return self.simulate(rng, query.repeat(repeat), fractions.repeat(repeat, axis=0))

    def simulate(self, rng: np.random.Generator, query: np.ndarray, fractions: np.ndarray) -> Block:
        """Simulate one spectrum for each row of atomic fractions.

        Parameters
        ----------
        rng : Source of all randomness.
        query : Index of the element whose edges the window must hold, shape (n,).
        fractions : Atomic fractions, shape (n, 80).
        """
        n, recipe = len(query), self.recipe
        if "mixtures" in recipe.effects:
            fractions = self._mix(rng, fractions)
        p = self._draw_parameters(rng, query)
        edges = np.zeros((n, N_PADDED), np.float32)
        signal = np.zeros((n, len(ELEMENTS), 2), np.float32)
        height, onset = np.zeros(n), np.full(n, -1)
        _sum_edges(
            rng,
            self.table,
            EDGE_ARRAYS.onset,
            EDGE_ARRAYS.first,
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
            edges,
            signal,
            height,
            onset,
        )
        transfer = low_loss_transfer(
            p["zero_loss_fwhm"],
            p["plasmon_energy"],
            p["plasmon_width"],
            p["thickness"],
            p["detector_tail"],
            p["detector_tail_width"],
        )
        edges = fft.irfft(fft.rfft(edges, axis=1) * transfer, n=N_PADDED, axis=1)[:, :N_CHANNELS]
        smooth = background(recipe, p)
        at_onset = smooth[np.arange(n), np.maximum(onset, 0)]
        scale = np.where(onset >= 0, p["jump_ratio"] * at_onset / np.maximum(height, 1e-30), 0)
        scale[p["empty"]] = 0
        edges *= scale[:, None].astype(np.float32)
        signal *= scale[:, None, None].astype(np.float32)
        visible = self._visible(fractions, p, signal, smooth + edges) & (scale > 0)[:, None, None]
        spectra = record(rng, recipe, edges, smooth, p)
        spectra = degrade(rng, recipe, spectra, p)
        spectra = normalise(spectra)
        p["jump_onset"] = onset
        return Block(
            spectra,
            labels=visible.any(axis=2).astype(np.uint8),
            groups=visible[:, ~np.isnan(GROUP_LOW)].astype(np.uint8),
            fractions=fractions,
            parameters=p,
        )

    def _mix(self, rng: np.random.Generator, fractions: np.ndarray) -> np.ndarray:
        """Two phases, minor amounts, and films, oxidised surfaces and membranes."""
        n = len(fractions)
        other = fractions[rng.permutation(n)]
        share = np.where(rng.random(n) < 0.25, rng.random(n) * 0.6, 0)[:, None]
        mixed = (1 - share) * fractions + share * other
        spread = np.where(rng.random(n) < 0.3, 1.0, 0)[:, None]
        mixed = mixed * np.exp(spread * rng.standard_normal(mixed.shape))
        for formula, probability in FILMS:
            film = np.where(rng.random(n) < probability, rng.random(n) * 0.7, 0)
            mixed *= (1 - film)[:, None]
            for element, share in formula.items():
                mixed[:, ELEMENT_INDEX[element]] += film * share
        return (mixed / mixed.sum(axis=1, keepdims=True)).astype(np.float32)

    def _draw_parameters(
        self, rng: np.random.Generator, query: np.ndarray
    ) -> dict[str, np.ndarray]:
        recipe, n = self.recipe, len(query)

        def uniform(limits: tuple[float, float]) -> np.ndarray:
            return rng.uniform(*limits, n)

        count = rng.integers(recipe.plasmons[0], recipe.plasmons[1] + 1, n)
        slots = (n, recipe.plasmons[1])
        present = np.arange(recipe.plasmons[1]) < count[:, None]
        low, high = recipe.plasmon_energy
        decades = recipe.counts_decades
        p = {
            "query": query,
            "beam": rng.integers(len(BEAM_ENERGIES_KEV), size=n),
            "convergence_angle": uniform(recipe.convergence_angle),
            "collection_angle": uniform(recipe.collection_angle),
            "zero_loss_fwhm": uniform(recipe.zero_loss_fwhm),
            "plasmon_energy": rng.integers(low, high + 1, slots) * present,
            "plasmon_width": rng.integers(*np.add(recipe.plasmon_width, (0, 1)), size=slots),
            "thickness": uniform(recipe.thickness),
            "jump_ratio": uniform(recipe.jump_ratio),
            "counts": 10.0 ** rng.integers(decades[0], decades[1] + 1, n),
            "atomic_diameter": uniform(recipe.atomic_diameter),
            "energy_offset": rng.integers(
                -recipe.instrumental_shift, recipe.instrumental_shift + 1, n
            ),
            "dispersion_error": np.zeros(n),
            "dispersion": np.ones(n),
            **dict.fromkeys(("detector_tail", "detector_tail_width"), np.zeros(n)),
            **dict.fromkeys(("gain_noise", "fixed_pattern", "readout_noise"), np.zeros(n)),
            "pattern_length": np.ones(n),
            "empty": np.zeros(n, bool),
        }
        p["window_start"], p["window_end"] = self._draw_window(rng, query)
        effects = recipe.effects
        if "counts" in effects:
            p["counts"] = 10 ** uniform(decades)
            p["jump_ratio"] = np.exp(uniform(tuple(np.log(recipe.jump_ratio))))
        if "empty" in effects:
            p["empty"] = rng.random(n) < 0.07
            noisy = p["empty"] & (rng.random(n) < 0.5)
            p["counts"] = np.where(noisy, 10 ** rng.uniform(0, 3, n), p["counts"])
        p |= draw_background(rng, recipe, p["empty"])
        if "calibration" in effects:
            wide = rng.random(n) < 0.4
            p["energy_offset"] = np.where(wide, rng.integers(-20, 21, n), p["energy_offset"])
            error = np.clip(rng.normal(0, 0.004, n), -0.02, 0.02)
            p["dispersion_error"] = np.where(rng.random(n) < 0.5, error, 0)
        if "dispersion" in effects:
            kind = rng.random(n)
            p["dispersion"] = np.where(
                kind < 0.55, 1, np.exp(rng.uniform(np.log(0.1), np.log(4), n))
            )
        if "detector" in effects:
            p |= draw_detector(rng, n)
        return p

    def _draw_window(
        self, rng: np.random.Generator, query: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """First and last energy [eV] of the measured window, shape (n,).

        The window holds the query element's major edges with 10 eV before and 25 eV after; of an element with two
        groups the first, the second or both, equally likely.
        """
        n = len(query)
        both = np.isfinite(GROUP_LOW[query, 1])
        low, high = np.sort(GROUP_LOW[query], axis=1), np.sort(GROUP_HIGH[query], axis=1)
        case = np.where(both, rng.integers(3, size=n), 0)
        first = np.where(case == 1, low[:, 1], low[:, 0])
        last = np.where(case == 0, high[:, 0], high[:, 1])
        latest_start = np.floor(first) - MARGIN_BEFORE_EV
        start = rng.integers(ENERGY_MIN_EV, latest_start + 1)
        earliest_end = np.ceil(last) + MARGIN_AFTER_EV
        end = rng.integers(earliest_end, np.maximum(earliest_end, 3272) + 1)
        if "windows" in self.recipe.effects:
            kind = rng.random(n)
            start = np.where(kind < 0.25, ENERGY_MIN_EV, start)
            near = np.maximum(latest_start - rng.exponential(80, n), ENERGY_MIN_EV)
            start = np.where((kind > 0.25) & (kind < 0.5), near.astype(int), start)
            close = earliest_end + rng.exponential(150, n).astype(int)
            end = np.where(rng.random(n) < 0.4, close, end)
            free = rng.random(n) < 0.12
            start = np.where(free, rng.integers(ENERGY_MIN_EV, 1500, n), start)
            end = np.where(free, start + 60 + rng.exponential(600, n).astype(int), end)
        end = np.minimum(end, ENERGY_MAX_EV)
        return start.astype(np.int64), end.astype(np.int64)

    def _visible(
        self,
        fractions: np.ndarray,
        p: dict[str, np.ndarray],
        signal: np.ndarray,
        expected: np.ndarray,
    ) -> np.ndarray:
        """Which major groups of the elements of the sample are in the window, bool, shape (n, 80, 2).

        With the effect ``visibility`` the edges also have to stand out: 4 standard deviations of the counting and
        readout noise, 0.7 % of the counts in the 50 eV after the onset, and twice the fixed pattern.
        """
        start, end = p["window_start"][:, None, None], p["window_end"][:, None, None]
        inside = (start <= GROUP_LOW) & (end >= GROUP_LOW) & (fractions > 0)[:, :, None]
        if "visibility" in self.recipe.effects:
            total = np.cumsum(expected, axis=1, dtype=np.float64)
            shifted = GROUP_LOW + p["energy_offset"][:, None, None]
            first = np.nan_to_num(shifted, nan=ENERGY_MIN_EV).astype(int)
            first = np.clip(first, start, end - 1)
            last = np.minimum(first + SIGNAL_RANGE_EV, end)
            rows = np.arange(len(total))[:, None, None]
            under = np.maximum(total[rows, last] - total[rows, first], 1e-30)
            counts = p["counts"][:, None, None]
            readout = p["readout_noise"][:, None, None] * counts
            noise = np.sqrt(under * counts + (last - first) * readout**2)
            pattern = p["fixed_pattern"] * np.minimum(np.sqrt(p["pattern_length"] / 20), 1)
            share = np.maximum(2 * pattern, 0.007)[:, None, None]
            inside = (signal * counts > 4 * noise) & (signal > share * under) & np.isfinite(shifted)
        return inside
