"""Computed near edges in simulated spectra: entries of the library, made ready for fast simulation.

An entry is of one of two kinds. *Lines* (multiplets) are transitions to bound states, which a continuum oscillator
strength lacks: they are added to the edge. A *modulation* (multiple scattering) is the absorption in units of that of
the free atom: the edge is multiplied by it. Either way the strength of the first 50 eV is known: that of the atom's
continuum, and for lines their own oscillator strength on top.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numba import njit
from scipy.ndimage import gaussian_filter1d

from hyperspy_eelsid.edges import EDGES, ELEMENT_INDEX
from training.physics.draws import Range
from training.physics.fine_structure import FAST_MATH, SIGMA_PER_FWHM

SUM_RULE_EV = 50  # over which the strength is kept
LEAD_EV = 10  # before the onset, for what comes earlier than it
PROFILE_EV = 256  # length of a profile, with its lead
BROADENINGS_EV = (0.0, 0.6, 1.2, 2.0, 3.5)  # full width at half maximum of the Gaussians
_STEP_EV = 0.25
_GRID_EV = np.arange(-24.0, 280.0, _STEP_EV)
# Subshell with j = l + 1/2 of an edge, to which its lines belong, and its partner, whose lines they hold too
_SUBSHELLS = {"K": ("K", ""), "L": ("L3", "L2"), "M": ("M5", "M4"), "N": ("N5", "N4")}
NO_ROLE, MAIN, PARTNER = 0, 1, 2

# Oscillator strength of the transitions to bound states for each hole in their shell, in units of that of the
# continuum of the subshell with j = l + 1/2 in the first 50 eV: f = 4/3 E (l + 1) R^2 / (4 l + 6) with the onset E
# in hartree and the radial integral R of 2p-3d, 3d-4f or 4d-4f in bohr, all from our own atoms (H. A. Bethe,
# E. E. Salpeter, Quantum Mechanics of One- and Two-Electron Atoms (1957), section 61). Straight lines through nine,
# five and five elements: first atomic number, value there, and increase with the atomic number.
_STRENGTH_PER_HOLE = {"L": (21, 0.145, 0.039), "M": (58, 0.35, 0.043), "N": (58, 2.2, 0.09)}
_HOLES = {"L": 10, "M": 14, "N": 14}


class Library(NamedTuple):
    """The library as arrays that compiled code can read; entries of one edge are neighbours.

    Attributes
    ----------
    names
        Of the entries, as in the file.
    cumulative
        Integral of each entry over its energy axis, float32, shape (n_broadenings, n_entries, n_energies).
    lines
        Whether an entry is added to the edge, bool, shape (n_entries,).
    place
        Where the onset of an entry lies above the tabulated one [eV], shape (n_entries,).
    strength
        Oscillator strength of lines in units of that of the continuum of their subshell in 50 eV, shape (n_entries,).
    first, number
        First entry of each subshell of the table of edges, and number of its entries, shape (n_edges,).
    role
        Whether an entry of the subshell holds its own structure (`MAIN`) or its lines stand in the entry of
        its partner (`PARTNER`).
    """

    names: tuple[str, ...]
    cumulative: np.ndarray
    lines: np.ndarray
    place: np.ndarray
    strength: np.ndarray
    first: np.ndarray
    number: np.ndarray
    role: np.ndarray


def _extended(energy: np.ndarray, values: np.ndarray, lines: bool) -> np.ndarray:
    """An entry on the axis of the simulation: lines with Lorentzian tails, a modulation that ends at 1."""
    if not lines:
        result = np.interp(_GRID_EV, energy, values, left=0.0, right=1.0)
        # what is left of the oscillations fades over 20 eV
        behind = _GRID_EV > energy[-1]
        return np.where(
            behind, 1 + (values[-1] - 1) * np.exp(-(_GRID_EV - energy[-1]) / 20), result
        )
    centre = np.average(energy, weights=values)
    result = np.interp(_GRID_EV, energy, values)
    for outside, end in ((_GRID_EV < energy[0], 0), (_GRID_EV > energy[-1], -1)):
        tail = values[end] * ((energy[end] - centre) / (_GRID_EV - centre)) ** 2
        result = np.where(outside, tail, result)
    return result


def _read(path: Path) -> list[tuple[str, np.ndarray, np.ndarray, dict]]:
    """Name, energies [eV from the onset], values and attributes of every entry."""
    with h5py.File(path) as file:
        found: list[tuple[str, h5py.Dataset]] = []
        file.visititems(
            lambda name, item: (
                found.append((name, item)) if isinstance(item, h5py.Dataset) else None
            )
        )
        return [
            (name, file[item.attrs["axis"]][:], item[:].astype(np.float32), dict(item.attrs))
            for name, item in found
            if "element" in item.attrs
        ]


def bound_strength(edge: str, atomic_number: int, electrons: int) -> float:
    """Oscillator strength of an edge's transitions to bound states, in units of the continuum in the first 50 eV.

    Parameters
    ----------
    edge
        L, M or N.
    atomic_number
        Of the element.
    electrons
        In the shell that they lead to.
    """
    first, value, slope = _STRENGTH_PER_HOLE[edge]
    return (_HOLES[edge] - electrons) * (value + slope * (atomic_number - first))


@cache
def library(path: Path | None = None) -> Library:
    """The library of near edges, by default the bundled one."""
    if path is None:
        with as_file(files("hyperspy_eelsid.edges") / "near_edges.h5") as bundled:
            return library(bundled)
    entries = [entry for entry in _read(path) if entry[3]["element"] in ELEMENT_INDEX]
    entries.sort(key=lambda entry: (entry[3]["element"], entry[3]["edge"]))
    lines = np.array([attributes["units"] == "1/eV" for *_, attributes in entries])
    spectra = np.array(
        [_extended(*entry[1:3], line) for entry, line in zip(entries, lines, strict=True)]
    )
    cumulative = np.empty((len(BROADENINGS_EV), *spectra.shape), np.float32)
    for wide, fwhm in zip(cumulative, BROADENINGS_EV, strict=True):
        sigma = fwhm * SIGMA_PER_FWHM / _STEP_EV
        smooth = gaussian_filter1d(spectra, sigma, mode="nearest") if sigma else spectra
        wide[:] = np.cumsum(smooth, axis=1) * _STEP_EV
    place, strength = np.zeros((2, len(entries)), np.float32)
    number = {(edge.element, edge.subshell): i for i, edge in enumerate(EDGES)}
    first = np.zeros(len(EDGES), np.int64)
    count, role = first.copy(), first.copy()
    for i, (*_, attributes) in enumerate(entries):
        element, letter = attributes["element"], attributes["edge"][0]
        main = number[element, _SUBSHELLS[letter][0]]
        edge = EDGES[main]
        if lines[i]:
            strength[i] = bound_strength(letter, edge.atomic_number, attributes["electrons"])
            if letter == "N":
                # the electron stays in the atom, so that the solid hardly moves these lines
                place[i] = attributes["mean_excitation"] + attributes["onset"] - edge.onset_energy
        for subshell, its_role in zip(_SUBSHELLS[letter], (MAIN, PARTNER), strict=True):
            if (e := number.get((element, subshell))) is not None:
                first[e] = i if not count[e] else first[e]
                count[e] += 1
                role[e] = its_role
    return Library(
        names=tuple(name for name, *_ in entries),
        cumulative=cumulative,
        lines=lines,
        place=place,
        strength=strength,
        first=first,
        number=count,
        role=role,
    )


@dataclass(frozen=True)
class ComputedEdges:
    """Effect: near edges from the library instead of random ones.

    Attributes
    ----------
    share
        Of the edges in the library that take an entry; the others keep random fine structure.
    mixed
        Share of those that are mixed with a second entry of the same edge.
    second_share
        Largest share of the second entry.
    move
        Along the energy axis [eV], beside the chemical shift.
    stretch
        Of the energy axis: bond lengths, which scale it by R^-2 (C. R. Natoli, in EXAFS and Near Edge Structure,
        Springer (1983), p. 43), or for lines the reduction of their splitting.
    bound
        Factor of the oscillator strength of lines: a part of it is lost by hybridisation and screening.
    amplitude
        Factor of the oscillations of a modulation.
    behind_lines
        Factor of the random fine structure of a continuum behind lines, which is extended fine structure alone.
    disorder
        Mean square of the bond lengths' deviations beyond those of the computation [nm^2], which damps a modulation
        by exp(-2 disorder k^2).
    """

    share: float = 0.8
    mixed: float = 0.35
    second_share: float = 0.5
    move: Range = (-2.0, 2.0)
    stretch: Range = (0.92, 1.06)
    bound: Range = (0.35, 1.1)
    amplitude: Range = (0.7, 1.2)
    disorder: Range = (0.0, 1e-4)
    behind_lines: float = 0.15

    def draw(self, rows: np.ndarray, entries: Library, uniform: Callable[[], np.ndarray]) -> None:
        """Fill the columns of the computed near edges.

        Parameters
        ----------
        rows
            Structured array with the columns of :data:`training.physics.ionisation.SUBSHELL`.
        uniform
            Function that gives a random number from 0 to 1 for each row, the same for the rows of one shell.
        """

        def within(limits: Range) -> np.ndarray:
            return limits[0] + np.ptp(limits) * uniform()

        edge = rows["edge"]
        number = entries.number[edge]
        used = (uniform() < self.share) & (number > 0)
        chosen, second = (
            np.where(used, entries.first[edge] + np.floor(uniform() * number).astype(int), -1)
            for _ in range(2)
        )
        share = np.where(uniform() < self.mixed, self.second_share * uniform(), 0)
        same_kind = entries.lines[chosen] == entries.lines[second]
        share = np.where(used & same_kind, share, 0)
        lines = used & entries.lines[chosen]
        rows["computed"] = chosen
        rows["second_computed"] = np.where(share > 0, second, -1)
        rows["second_share"] = share
        rows["broadening"] = np.floor(uniform() * len(BROADENINGS_EV))
        rows["move"] = within(self.move)
        rows["stretch"] = within(self.stretch)
        strength = (1 - share) * entries.strength[chosen] + share * entries.strength[second]
        rows["strength"] = np.where(lines, strength * within(self.bound), 0)
        rows["amplitude"] = within(self.amplitude)
        rows["disorder"] = within(self.disorder)
        # an entry holds the lines of both subshells: the partner has none of its own
        partner = lines & (entries.role[edge] == PARTNER)
        rows["computed"][partner] = PARTNER_OF_LINES
        rows["strength"][partner] = 0
        for name in ("line_height", "second_height"):
            rows[name][used] = 0
        rows["continuum"][used] = 1
        rows["delay"][used & ~lines] = 0
        rows["fine_structure_ratio"] *= np.where(used, self.behind_lines * lines, 1)


NOT_COMPUTED, PARTNER_OF_LINES = -1, -2
# (hbar^2 / 2 m) [eV nm^2]: k^2 = E / this
_KINETIC_EV_NM2 = 0.0380998


@njit(cache=True, fastmath=FAST_MATH)
def _fill(cumulative, place, stretch, profile):
    """Mean of an entry in each channel of 1 eV; channel 0 begins `LEAD_EV` below the onset."""
    n = len(cumulative)
    before = 0.0
    for c in range(-1, len(profile)):
        # the end of channel c on the axis of the entry
        x = ((c + 1 - LEAD_EV - place) / stretch + 24.0) / _STEP_EV - 1
        k = min(max(int(x), 0), n - 2)
        part = x - k
        here = cumulative[k] + part * (cumulative[k + 1] - cumulative[k])
        if c >= 0:
            profile[c] = (here - before) * stretch
        before = here


@njit(cache=True, fastmath=FAST_MATH)
def computed_profile(row, cumulative, place, profile, other):
    """Fill `profile` with the entry that was drawn for a subshell, mixed with the second one.

    Parameters
    ----------
    row
        Of the structured array.
    cumulative, place
        As in :class:`Library`.
    other
        Working space as long as `profile`.
    """
    wide = cumulative[row.broadening]
    _fill(wide[row.computed], place[row.computed] + row.move, row.stretch, profile)
    if row.second_share > 0:
        second = row.second_computed
        _fill(wide[second], place[second] + row.move, row.stretch, other)
        for c in range(len(profile)):
            profile[c] = (1 - row.second_share) * profile[c] + row.second_share * other[c]


@njit(cache=True, fastmath=FAST_MATH)
def _strength(spectrum, lead):
    """Sum over the first 50 eV, with what comes before the onset."""
    return spectrum[: lead + SUM_RULE_EV].sum()


@njit(cache=True, fastmath=FAST_MATH)
def add_lines(edge, profile, strength):
    """Add lines of `strength`, in units of the continuum of the first 50 eV.

    Parameters
    ----------
    edge
        The continuum, beginning `LEAD_EV` channels before the onset.
    profile
        The lines, as :func:`computed_profile` gives them.
    """
    n = min(len(edge), len(profile))
    factor = strength * _strength(edge, LEAD_EV) / max(_strength(profile, LEAD_EV), 1e-30)
    for c in range(n):
        edge[c] += factor * profile[c]


@njit(cache=True, fastmath=FAST_MATH)
def modulate(edge, profile, amplitude, disorder):
    """Multiply the continuum by a computed absorption in units of the atom's and keep its strength of 50 eV.

    Parameters
    ----------
    edge
        The continuum, beginning `LEAD_EV` channels before the onset, where it is zero.
    profile
        The absorption, as :func:`computed_profile` gives it.
    amplitude
        Factor of the oscillations; it sets in over 10 eV, so that the rise at the onset stays.
    disorder
        Mean square deviation of bond lengths [nm^2].
    """
    before = _strength(edge, LEAD_EV)
    for c in range(LEAD_EV):
        edge[c] = edge[LEAD_EV]
    for c in range(len(edge)):
        if c < len(profile):
            energy = max(c - LEAD_EV, 0)
            factor = 1 + (amplitude - 1) * (1 - math.exp(-energy / 10))
            factor *= math.exp(-2 * disorder * energy / _KINETIC_EV_NM2)
            edge[c] *= max(1 + factor * (profile[c] - 1), 0.0)
    after = _strength(edge, LEAD_EV)
    if after > 0:
        edge *= before / after
