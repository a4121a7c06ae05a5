"""Atomic multiplets: the shape of the white lines and giant resonances of open 3d and 4f shells.

One core electron goes to the open shell: 2p to 3d (L2,3), 3d to 4f (M4,5) or 4d to 4f (N4,5). All states of both
configurations are diagonalised with Coulomb repulsion, spin-orbit coupling and, for 3d, a tetragonal crystal field.
Hybridisation with neighbours, charge transfer and transitions to the continuum are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import constants
from scipy.linalg import eigh_tridiagonal
from scipy.sparse.linalg import eigsh

from training.physics.gos.atom import Atom, relativistic_subshells, solve
from training.physics.gos.dirac import HARTREE_EV

BOLTZMANN_EV = constants.value("Boltzmann constant in eV/K")
_DENSE = 1100  # states up to which all of them are cheap
_LANCZOS_STEPS = 200
_SMALLEST_POPULATION = 1e-3


@dataclass(frozen=True)
class Transition:
    """The two shells of an edge.

    Attributes
    ----------
    valence, core
        Letters of the shells, as edrixs calls them.
    valence_shell, core_shell
        n and l.
    scales
        Usual reduction of Fk within the valence shell, Fk and Gk with the core hole.
    """

    valence: str
    core: str
    valence_shell: tuple[int, int]
    core_shell: tuple[int, int]
    scales: tuple[float, float, float]


# Mean-field integrals are reduced because the configurations that are left out screen them, most for 4d-4f, which
# overlap (B. T. Thole et al., Phys. Rev. B 32, 5107 (1985); A. Kotani, H. Ogasawara, J. Electron Spectrosc. 60,
# 257 (1992)). The factors of N are those with which the lines of measured oxides lie at their places.
TRANSITIONS = {
    "L": Transition("d", "p", (3, 2), (2, 1), (0.80, 0.80, 0.80)),
    "M": Transition("f", "d", (4, 3), (3, 2), (0.85, 0.85, 0.85)),
    "N": Transition("f", "d", (4, 3), (4, 2), (0.85, 0.75, 0.66)),
}
NOBLE_GAS_BEFORE = {(3, 2): 18, (4, 3): 54, (5, 3): 86}  # an open shell
FIRST_ACTINIDE = 89


@dataclass(frozen=True)
class Integrals:
    """Radial integrals of an edge [eV], not reduced.

    Attributes
    ----------
    direct
        F2, F4 (and F6) of the valence shell.
    core_direct
        F2 (and F4) between valence and core.
    exchange
        G1, G3 (and G5) between valence and core.
    spin_orbit, core_spin_orbit
        Constants zeta of valence and core.
    """

    direct: tuple[float, ...]
    core_direct: tuple[float, ...]
    exchange: tuple[float, ...]
    spin_orbit: float
    core_spin_orbit: float


@dataclass(frozen=True)
class CrystalField:
    """Field of the neighbours of an ion with an open 3d shell; none by default.

    Attributes
    ----------
    ten_dq
        Cubic part 10Dq [eV]; positive where e_g lies above t_2g (octahedron).
    ds, dt
        Tetragonal part [eV].
    """

    ten_dq: float = 0.0
    ds: float = 0.0
    dt: float = 0.0

    def matrix(self, edrixs: Any) -> np.ndarray:
        """What it adds to the energies of the ten states of the shell, in the basis of edrixs [eV]."""
        if self.ds or self.dt:
            return edrixs.cf_tetragonal_d(self.ten_dq, self.ds, self.dt)
        return edrixs.cf_cubic_d(self.ten_dq)


NO_FIELD = CrystalField()


@dataclass(frozen=True)
class Lines:
    """Isotropic line spectrum of an edge.

    Attributes
    ----------
    energy
        Energy minus the difference of the mean energies of both configurations [eV].
    strength
        Sum over x, y and z of the squared matrix elements of r / r of one electron.
    boundary
        Energy that separates the lines of the two spin-orbit partners of the core hole [eV].
    """

    energy: np.ndarray
    strength: np.ndarray
    boundary: float


def transition(edge: str, atomic_number: int) -> Transition:
    """The two shells of an edge; N of actinides leads to 5f.

    Parameters
    ----------
    edge
        L, M or N.
    atomic_number
        Of the element.
    """
    found = TRANSITIONS[edge]
    if atomic_number < FIRST_ACTINIDE:
        return found
    # 4d and 5f hardly overlap, and their integrals are reduced as those of 3d and 4f
    return replace(found, valence_shell=(5, 3), scales=TRANSITIONS["M"].scales)


@lru_cache(maxsize=64)
def ion(atomic_number: int, edge: str, electrons: int, promoted: float = 0.0) -> Atom:
    """An ion with an open shell, outside of which it is empty.

    Parameters
    ----------
    atomic_number, edge
        As in :func:`transition`.
    electrons
        In the open shell of the ground state.
    promoted
        Electrons that have gone there from the core.
    """
    shells = transition(edge, atomic_number)
    occupation = relativistic_subshells(NOBLE_GAS_BEFORE[shells.valence_shell])
    full = 2 * (2 * shells.core_shell[1] + 1)
    for (n, angular), number in (
        (shells.core_shell, full - promoted),
        (shells.valence_shell, electrons + promoted),
    ):
        share = number / (2 * angular + 1)
        occupation |= {(n, angular): angular * share, (n, -angular - 1): (angular + 1) * share}
    return solve(atomic_number, occupation)


def _radial(atom: Atom, n: int, angular: int) -> np.ndarray:
    """Large component of a shell, normalised; mean of both total angular momenta."""
    mean = sum(abs(kappa) * atom.orbitals[n, kappa][0] for kappa in (angular, -angular - 1))
    return mean / np.sqrt(np.sum(mean * mean * atom.grid.weight))


def _slater(atom: Atom, first: np.ndarray, second: np.ndarray, k: int) -> float:
    """Integral of first(r) second(r') r<^k / r>^(k+1) over both radii [eV]."""
    grid, r = atom.grid, atom.grid.r
    outer = grid.cumulative(first / r ** (k + 1))
    potential = grid.cumulative(first * r**k) / r ** (k + 1) + (outer[-1] - outer) * r**k
    return float(np.sum(potential * second * grid.weight)) * HARTREE_EV


def _spin_orbit(atom: Atom, n: int, angular: int) -> float:
    splitting = atom.energies[n, -angular - 1] - atom.energies[n, angular]
    return splitting * HARTREE_EV * 2 / (2 * angular + 1)


def integrals(atomic_number: int, edge: str, electrons: int) -> Integrals:
    """Slater integrals and spin-orbit constants of a free ion.

    Those within the open shell and the spin-orbit constants are of the ground state; those between it and the core are
    of the transition state, half-way to the excited one, because an empty shell has no orbital otherwise and a full
    core hole contracts it more than it does in Hartree-Fock.

    Parameters
    ----------
    atomic_number
        21 to 29 for L, 57 to 70 for M and N, from 89 on also for N.
    edge
        L, M or N.
    electrons
        In the open shell of the ground state.

    References
    ----------
    R. D. Cowan, The Theory of Atomic Structure and Spectra (1981), eqs. 6.41 and 10.9. A spin-orbit constant is
    the splitting of j = l -+ 1/2 divided by l + 1/2.
    """
    shells = transition(edge, atomic_number)
    lv, lc = shells.valence_shell[1], shells.core_shell[1]
    half_way = ion(atomic_number, edge, electrons, promoted=0.5)
    ground = ion(atomic_number, edge, electrons) if electrons else half_way
    own = _radial(ground, *shells.valence_shell)
    v, c = _radial(half_way, *shells.valence_shell), _radial(half_way, *shells.core_shell)
    return Integrals(
        direct=tuple(_slater(ground, own * own, own * own, k) for k in range(2, 2 * lv + 1, 2)),
        core_direct=tuple(_slater(half_way, v * v, c * c, k) for k in range(2, 2 * lc + 1, 2)),
        exchange=tuple(_slater(half_way, v * c, v * c, k) for k in range(lv - lc, lv + lc + 1, 2)),
        spin_orbit=_spin_orbit(ground, *shells.valence_shell),
        core_spin_orbit=_spin_orbit(ground, *shells.core_shell),
    )


def mean_excitation(atomic_number: int, edge: str, electrons: int) -> float:
    """Difference of the mean energies of both configurations [eV]: where the zero of :class:`Lines` lies.

    Half an electron goes from the core to the open shell, and what is between their eigenvalues then is the energy that
    a whole one needs.

    Parameters
    ----------
    atomic_number, edge, electrons
        As in :func:`integrals`.

    References
    ----------
    Transition state: J. C. Slater, Adv. Quantum Chem. 6, 1 (1972).
    """
    shells = transition(edge, atomic_number)
    half_way = ion(atomic_number, edge, electrons, promoted=0.5)

    def energy(n: int, angular: int) -> float:
        inner, outer = half_way.energies[n, angular], half_way.energies[n, -angular - 1]
        return (angular * inner + (angular + 1) * outer) / (2 * angular + 1) * HARTREE_EV

    return energy(*shells.valence_shell) - energy(*shells.core_shell)


def _edrixs() -> Any:
    try:
        import edrixs
    except ImportError as error:
        raise ImportError(
            "Multiplets need edrixs: pip install 'hyperspy-eelsid[near-edges]'."
        ) from error
    return edrixs


def _operators(
    values: Integrals,
    edge: str,
    electrons: int,
    scales: tuple[float, float, float] | None = None,
    field: CrystalField = NO_FIELD,
) -> tuple[Any, Any, list[Any]]:
    """Sparse Hamiltonians of the ground and the excited configuration, and the dipole operators x, y and z."""
    edrixs = _edrixs()
    transition = TRANSITIONS[edge]
    valence, core, exchange = scales or transition.scales
    direct = [valence * x for x in values.direct]
    core_direct = [core * x for x in values.core_direct]
    core_exchange = [exchange * x for x in values.exchange]
    # F0 chosen such that the mean of either configuration is at zero; the filled core has no term splitting
    slater = [edrixs.get_F0(transition.valence, *direct), *direct]
    slater += [edrixs.get_F0(transition.valence + transition.core, *core_exchange), *core_direct]
    slater += core_exchange + [0.0] * (transition.core_shell[1] + 1)
    model = edrixs.model_1v1c(
        (transition.valence, transition.core),
        v_soc=(values.spin_orbit, values.spin_orbit),
        c_soc=values.core_spin_orbit,
        v_noccu=electrons,
        slater=(slater, slater),
        v_cfmat=field.matrix(edrixs) if transition.valence == "d" else None,
        sparse_U=True,
    )
    return edrixs.get_ops(*model[:7], backend="scipy")


def _lowest(hamiltonian: Any) -> tuple[np.ndarray, np.ndarray]:
    """Energies and states of the lowest levels: all of a small configuration, else more than two multiplets."""
    if hamiltonian.shape[0] <= _DENSE:
        return np.linalg.eigh(hamiltonian.toarray())
    start = np.random.default_rng(0).standard_normal(hamiltonian.shape[0])
    energies, states = eigsh(hamiltonian, k=40, ncv=120, which="SA", v0=start)
    order = np.argsort(energies)
    return energies[order], states[:, order]


def ground_levels(
    values: Integrals, edge: str, electrons: int, count: int = 4, **options: Any
) -> list[tuple[float, int]]:
    """Energy above the ground state [eV] and degeneracy of the lowest levels.

    Parameters
    ----------
    values
        Radial integrals.
    edge
        L, M or N.
    electrons
        In the valence shell.
    count
        Number of levels.
    options
        Scale factors and crystal field, as of :func:`lines`.
    """
    energies, _ = _lowest(_operators(values, edge, electrons, **options)[0])
    groups = np.split(energies, np.nonzero(np.diff(energies) > 1e-6)[0] + 1)
    return [(float(group[0] - energies[0]), len(group)) for group in groups[:count]]


def _lanczos(hamiltonian: Any, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lines that `start` excites: energies and squared overlaps; their sum is that of `start` exactly.

    E. Dagotto, Rev. Mod. Phys. 66, 763 (1994), section IV.
    """
    norm = np.linalg.norm(start)
    steps = min(_LANCZOS_STEPS, len(start))
    basis = np.empty((steps, len(start)), dtype=complex)
    basis[0] = start / norm
    diagonal, off_diagonal = [], []
    for i in range(steps):
        new = hamiltonian @ basis[i]
        diagonal.append(np.vdot(basis[i], new).real)
        # twice, so that rounding does not bring converged states back
        for _ in range(2):
            new -= (basis[: i + 1] @ new.conj()).conj() @ basis[: i + 1]
        length = np.linalg.norm(new)
        if length < 1e-9 or i == steps - 1:
            break
        off_diagonal.append(length)
        basis[i + 1] = new / length
    energies, vectors = eigh_tridiagonal(diagonal, off_diagonal)
    return energies, (norm * np.abs(vectors[0])) ** 2


def lines(
    values: Integrals,
    edge: str,
    electrons: int,
    scales: tuple[float, float, float] | None = None,
    field: CrystalField = NO_FIELD,
    temperature: float = 300.0,
) -> Lines:
    """Line spectrum of an ion, mean of all directions and of the thermally populated levels.

    Parameters
    ----------
    values
        Radial integrals.
    edge
        L, M or N.
    electrons
        In the valence shell of the ground state.
    scales
        Reduction of Fk of the valence shell, Fk and Gk with the core; None for the usual ones.
    field
        Crystal field, only for L.
    temperature
        Of the populations [K].
    """
    ground, excited, dipole = _operators(values, edge, electrons, scales, field)
    levels, states = _lowest(ground)
    above = levels - levels[0]
    population = np.exp(-above / (BOLTZMANN_EV * temperature))
    populated = np.nonzero(population > _SMALLEST_POPULATION)[0]
    weight = population[populated] / population[populated].sum()
    if TRANSITIONS[edge].valence == "f":
        # without a field the sum over x, y and z is the same for all states of a level: one is enough
        first = np.nonzero(np.diff(above[populated], prepend=-1.0) > 1e-6)[0]
        weight = np.add.reduceat(weight, first)
        populated = populated[first]
    energies, strengths = [], []
    for state, share in zip(populated, weight, strict=True):
        for component in dipole:
            start = component @ states[:, state]
            if np.linalg.norm(start) < 1e-10:
                continue
            energy, strength = _lanczos(excited, start)
            energies.append(energy - levels[state])
            strengths.append(share * strength)
    energy, strength = np.concatenate(energies), np.concatenate(strengths)
    order = np.argsort(energy)
    # half-way between -l/2 and (l + 1)/2 of the core's spin-orbit constant
    return Lines(energy[order], strength[order], 0.25 * values.core_spin_orbit)


def onset(spectrum: Lines, share: float = 0.01) -> float:
    """Energy below which `share` of the strength lies [eV, on the axis of the lines]."""
    total = np.cumsum(spectrum.strength)
    return float(spectrum.energy[np.searchsorted(total, share * total[-1])])


def core_hole_widths(spectrum: Lines, edge: str, atomic_number: int) -> np.ndarray:
    """Full width at half maximum of every line [eV].

    L and M: round values of the size of the tabulated natural widths (M. O. Krause, J. H. Oliver, J. Phys. Chem.
    Ref. Data 8, 329 (1979) for L); the partner with j = l - 1/2 decays by Coster-Kronig transitions too. N of
    lanthanides: the high terms of 4d9 4f(n+1) lie in the 4f continuum and autoionise, the low ones hardly
    (J. L. Dehmer et al., Phys. Rev. Lett. 26, 1521 (1971)). A rule of thumb: 0.5 eV up to 5 eV below the mean
    energy of the configuration, where the lines of the heavy ones begin, and 5 eV from 10 eV above it. N of actinides:
    4d decays fast (J. L. Campbell, T. Papp, At. Data Nucl. Data Tables 77, 1 (2001)).
    """
    if atomic_number >= FIRST_ACTINIDE:
        return np.full(len(spectrum.energy), 4.0)
    if edge == "N":
        return 0.5 + 4.5 * np.clip((spectrum.energy + 5.0) / 15.0, 0.0, 1.0)
    lower = 0.2 + 0.05 * (atomic_number - 21) if edge == "L" else 0.8
    return np.where(spectrum.energy < spectrum.boundary, lower, lower + 0.4)


def broadened(
    spectrum: Lines, energy: np.ndarray, widths: np.ndarray | float, fano: float | None = None
) -> np.ndarray:
    """Absorption on an energy axis, for each line a Lorentzian or Fano's profile.

    Parameters
    ----------
    spectrum
        Lines.
    energy
        Axis of the lines [eV].
    widths
        Full width at half maximum of every line [eV].
    fano
        Parameter q of the interference with the continuum; None for Lorentzians. Positive values give a tail to higher
        energies. What it takes from the continuum below a line is cut off at zero, as the continuum is not part of the
        spectrum.

    References
    ----------
    U. Fano, Phys. Rev. 124, 1866 (1961), eq. 21, less the continuum and divided by q^2.
    """
    half = np.broadcast_to(np.asarray(widths) / 2, spectrum.energy.shape)
    result = np.zeros_like(energy)
    for place, strength, gamma in zip(spectrum.energy, spectrum.strength, half, strict=True):
        reduced = (energy - place) / gamma
        shape = 1.0 if fano is None else 1 + (2 * reduced / fano - 1 / fano**2)
        result += strength * shape / (np.pi * gamma * (1 + reduced**2))
    return np.maximum(result, 0.0)
