"""Dirac-Hartree-Fock-Slater atoms: self-consistent orbitals and potential of a free atom."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.physics.gos.dirac import Grid, bound

# order in which subshells fill (Madelung), and the number of electrons of each l
_FILLING = "1s 2s 2p 3s 3p 4s 3d 4p 5s 4d 5p 6s 4f 5d 6p".split()
_ANGULAR = {"s": 0, "p": 1, "d": 2, "f": 3}
# Configurations that differ from the filling order. Those of the lanthanides have one 5d electron and those of Nb,
# Mo, Tc and Pd are chosen so that the photoionisation cross sections near the edge are those of tabulated
# self-consistent-field calculations; the spectroscopic ground states of free lanthanides, 4f^n, are 30-60 % off.
_EXCEPTIONS: dict[int, dict[str, int]] = {
    24: {"4s": 1, "3d": 5},
    29: {"4s": 1, "3d": 10},
    41: {"5s": 2, "4d": 3},
    42: {"5s": 2, "4d": 4},
    43: {"5s": 1, "4d": 6},
    44: {"5s": 1, "4d": 7},
    45: {"5s": 1, "4d": 8},
    46: {"5s": 1, "4d": 9},
    47: {"5s": 1, "4d": 10},
    57: {"4f": 0, "5d": 1},
    **{z: {"4f": z - 57, "5d": 1} for z in range(58, 70)},
    70: {"4f": 14, "5d": 0},
    78: {"6s": 1, "5d": 9},
    79: {"6s": 1, "5d": 10},
}
_MIXING = 0.4
_TOLERANCE = 1e-5  # of the largest change of r V, in units of the nuclear charge
_MAX_ITERATIONS = 200


def relativistic_subshells(atomic_number: int) -> dict[tuple[int, int], float]:
    """Electrons in each subshell (n, kappa); a subshell l is shared by j = l -+ 1/2 by their degeneracy."""
    left = atomic_number
    electrons = {}
    for name in _FILLING:
        electrons[name] = min(left, 2 * (2 * _ANGULAR[name[1]] + 1))
        left -= electrons[name]
    electrons |= _EXCEPTIONS.get(atomic_number, {})
    occupation = {}
    for name, number in electrons.items():
        n, l = int(name[0]), _ANGULAR[name[1]]
        share = number / (2 * l + 1)
        if number and l:
            occupation[n, l] = l * share
        if number:
            occupation[n, -l - 1] = (l + 1) * share
    return occupation


@dataclass(frozen=True)
class Atom:
    """A self-consistent atom; atomic units.

    Attributes
    ----------
    grid
        Radial grid.
    potential
        Potential on the fine grid, -1/r far out.
    energies
        Eigenvalue of each subshell (n, kappa).
    orbitals
        Normalised large and small component of each subshell.
    occupation
        Electrons in each subshell.
    """

    atomic_number: int
    grid: Grid
    potential: np.ndarray
    energies: dict[tuple[int, int], float]
    orbitals: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]
    occupation: dict[tuple[int, int], float]


def _on_fine_grid(grid: Grid, screening: np.ndarray) -> np.ndarray:
    """Potential on the fine grid from r V on the coarse one; midpoints by four-point interpolation."""
    fine = np.empty(len(grid.fine_r))
    fine[::2] = screening
    padded = np.concatenate([screening[:1], screening, screening[-1:]])
    fine[1::2] = (9 * (padded[1:-2] + padded[2:-1]) - padded[:-3] - padded[3:]) / 16
    return fine / grid.fine_r


def solve(atomic_number: int, occupation: Mapping[tuple[int, int], float] | None = None) -> Atom:
    """Solve the Dirac-Hartree-Fock-Slater equations of an atom.

    Parameters
    ----------
    atomic_number
        Of the element.
    occupation
        Electrons in each subshell (n, kappa), also broken numbers; by default those of the neutral atom.

    Raises
    ------
    RuntimeError
        If the potential does not become self-consistent.

    References
    ----------
    Exchange: J. C. Slater, Phys. Rev. 81, 385 (1951), eq. 16, -3/2 (3 rho / pi)^(1/3).
    Tail: R. Latter, Phys. Rev. 99, 510 (1955), the potential is nowhere weaker than -1/r.
    Starting potential: T. Tietz, J. Chem. Phys. 25, 787 (1956), Thomas-Fermi screening 1 / (1 + 0.53625 x)^2.
    """
    grid = Grid(atomic_number)
    r, charge = grid.r, float(atomic_number)
    occupation = dict(occupation or relativistic_subshells(atomic_number))
    x = r * charge ** (1 / 3) / 0.88534
    screening = -((charge - 1) / (1 + 0.53625 * x) ** 2 + 1)  # r V
    energies = {shell: -0.5 * (charge / shell[0]) ** 2 / 2 for shell in occupation}
    orbitals: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
    for _ in range(_MAX_ITERATIONS):
        potential = _on_fine_grid(grid, screening)
        density = np.zeros_like(r)
        for (n, kappa), electrons in occupation.items():
            energy, p, q = bound(
                energies[n, kappa],
                potential,
                grid.fine_r,
                grid.fine_slope,
                grid.step,
                n,
                kappa,
                charge,
            )
            energies[n, kappa], orbitals[n, kappa] = energy, (p, q)
            density += electrons * (p * p + q * q)
        outer = grid.cumulative(density / r)
        hartree = grid.cumulative(density) + r * (outer[-1] - outer)
        exchange = -1.5 * r * (3 / math.pi * density / (4 * math.pi * r * r)) ** (1 / 3)
        new = np.minimum(-charge + hartree + exchange, -1.0)
        change = np.abs(new - screening).max() / charge
        if change < _TOLERANCE:
            return Atom(atomic_number, grid, potential, energies, orbitals, occupation)
        screening = screening + _MIXING * (new - screening)
    raise RuntimeError(
        f"The atom Z = {atomic_number} did not become self-consistent in {_MAX_ITERATIONS} steps; "
        f"the last relative change was {change:.1e}."
    )
