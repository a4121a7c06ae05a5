"""Generalised oscillator strength of the ionisation of a subshell, in the plane-wave Born approximation."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.special import spherical_jn

from training.physics.gos.atom import Atom
from training.physics.gos.dirac import HARTREE_EV, angular_momentum, continuum

# of the ejected electron, and of the multipoles
LARGEST_L = 14
NEGLIGIBLE = 1e-9  # of the largest value of an orbital
SHORTEST_RADIUS, LONGEST_RADIUS = 14.0, 85.0  # bohr, where continuum orbitals are normalised

SUBSHELLS = {
    f"{shell}{i + 1}" if n > 1 else shell: (n, kappa)
    for n, shell in enumerate("KLMNO", start=1)
    for i, kappa in enumerate([-1, 1, -2, 2, -3, 3, -4][: 2 * n - 1])
}


@cache
def angular_factor(kappa: int, kappa_out: int, multipole: int) -> float:
    """(2 L + 1)(2 j' + 1) (j L j'; 1/2 0 -1/2)^2, zero where parity or the triangle rule forbids it.

    The sum over magnetic quantum numbers of exp(iqr) between Dirac orbitals (Johnson 2007, eq. 6.136 for the reduced
    matrix element of C^L).
    """
    l, l_out = angular_momentum(kappa), angular_momentum(kappa_out)
    j, j_out = abs(kappa) - 0.5, abs(kappa_out) - 0.5
    if (l + l_out + multipole) % 2 or not abs(j - j_out) <= multipole <= j + j_out:
        return 0.0
    return (2 * multipole + 1) * (2 * j_out + 1) * _three_j_half(j, multipole, j_out) ** 2


def _three_j_half(a: float, b: int, c: float) -> float:
    """Wigner's 3j symbol (a b c; 1/2 0 -1/2) by Racah's formula."""

    def f(x: float) -> int:
        return math.factorial(round(x))

    triangle = f(a + b - c) * f(a - b + c) * f(-a + b + c) / f(a + b + c + 1)
    root = triangle * f(a + 0.5) * f(a - 0.5) * f(b) ** 2 * f(c - 0.5) * f(c + 0.5)
    total = 0.0
    for k in range(round(a + b - c) + 1):
        arguments = (c - b + 0.5 + k, c - a + k, a + b - c - k, a - 0.5 - k, b - k)
        if min(arguments) < 0:
            continue
        total += (-1) ** k / (f(k) * math.prod(f(x) for x in arguments))
    return math.sqrt(root) * total


class _Shell:
    """A bound subshell and what its overlaps need."""

    def __init__(self, atom: Atom, name: str, onset_energy: float, momenta: np.ndarray) -> None:
        self.key = SUBSHELLS[name]
        self.kappa = self.key[1]
        self.onset = onset_energy / HARTREE_EV
        p, q = atom.orbitals[self.key]
        self.n = int(np.flatnonzero(np.abs(p) > NEGLIGIBLE * np.abs(p).max())[-1]) + 1
        self.p, self.q = p[: self.n], q[: self.n]
        r, weight = atom.grid.r[: self.n], atom.grid.weight[: self.n]
        self.bessel = [
            (spherical_jn(multipole, momenta[:, None] * r) * weight).astype(np.float64)
            for multipole in range(LARGEST_L + 1)
        ]


def generalised_oscillator_strengths(
    atom: Atom,
    onset_energies: dict[str, float],
    free_energies: np.ndarray,
    momenta: np.ndarray,
) -> dict[str, np.ndarray]:
    r"""Generalised oscillator strength df/dE of some subshells of an atom.

    .. math:: \frac{df}{dE} = \frac{2 W}{q^2} \sum_{\kappa' L} n_\kappa (2L+1)(2j'+1)
              \begin{pmatrix} j & L & j' \\ 1/2 & 0 & -1/2 \end{pmatrix}^2
              \left[ \int (P P' + Q Q') j_L(qr) dr \right]^2

    Parameters
    ----------
    onset_energies
        Onset energy of each subshell [eV], which sets the energy loss W = onset + free energy.
    free_energies
        Energies of the ejected electron [eV], shape (n_energies,).
    momenta
        Momentum transfers [1/bohr], shape (n_momenta,).

    Returns
    -------
    dict[str, np.ndarray]
        df/dE [1/eV], shape (n_energies, n_momenta), of each subshell.

    References
    ----------
    M. Inokuti, Rev. Mod. Phys. 43, 297 (1971), eq. 2.14 for the definition.
    R. D. Leapman, P. Rez and D. F. Mayers, J. Chem. Phys. 72, 1232 (1980), eqs. 2-6 for the partial waves.
    """
    grid = atom.grid
    shells = {name: _Shell(atom, name, e, momenta) for name, e in onset_energies.items()}
    result = {name: np.zeros((len(free_energies), len(momenta))) for name in shells}
    p, q = np.zeros(len(grid.r)), np.zeros(len(grid.r))
    # beyond this point the potential is that of the ion, -1/r
    tail = np.flatnonzero(np.append(True, np.abs(atom.potential[::2] * grid.r + 1) > 1e-4)[:-1])[-1]
    farthest = max(shell.n for shell in shells.values())
    kappas = [-1] + [kappa for l in range(1, LARGEST_L + 1) for kappa in (l, -l - 1)]
    for row, free_energy in enumerate(free_energies):
        energy = free_energy / HARTREE_EV
        for kappa in kappas:
            l = angular_momentum(kappa)
            wanted = SHORTEST_RADIUS + 60 / (1 + 30 * energy) + 6 * l * (l + 1) / (1 + 10 * energy)
            radius = max(min(wanted, LONGEST_RADIUS), grid.r[tail], grid.r[farthest - 1])
            last = min(int(np.searchsorted(grid.r, radius)), len(grid.r) - 2)
            if not continuum(
                energy,
                atom.potential,
                grid.fine_r,
                grid.fine_slope,
                grid.step,
                kappa,
                float(atom.atomic_number),
                last,
                p,
                q,
            ):
                continue
            for name, shell in shells.items():
                overlap = None
                for multipole in range(LARGEST_L + 1):
                    factor = angular_factor(shell.kappa, kappa, multipole)
                    if factor == 0:
                        continue
                    if overlap is None:
                        overlap = shell.p * p[: shell.n] + shell.q * q[: shell.n]
                    integral = shell.bessel[multipole] @ overlap
                    result[name][row] += atom.occupation[shell.key] * factor * integral**2
    for name, shell in shells.items():
        loss = shell.onset + free_energies[:, None] / HARTREE_EV
        result[name] *= 2 * loss / momenta**2 / HARTREE_EV
    return result
