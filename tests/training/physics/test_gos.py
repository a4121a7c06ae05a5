"""Cross sections against analytic results, sum rules and tabulated photoionisation data."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from exspy.components import EELSCLEdge
from scipy import constants

from hyperspy_eelsid.edges import EDGES, ELEMENTS, element_edges
from hyperspy_eelsid.edges.component import GOSH_PATH, BundledGOS
from training.physics.cross_section_table import (
    differential_cross_section,
    read_oscillator_strength,
)
from training.physics.gos import atom
from training.physics.gos.dirac import HARTREE_EV, Grid, bound
from training.physics.gos.oscillator_strength import (
    LARGEST_L,
    SUBSHELLS,
    angular_factor,
    generalised_oscillator_strengths,
)

PHOTOIONISATION = (
    Path(__file__).parents[4] / "shared" / "reference" / "photoionisation_penelope2018.npz"
)
BARN_EV = 109.761e6  # photoionisation cross section over optical oscillator strength [barn eV]
RYDBERG_EV = constants.value("Rydberg constant times hc in eV")


@pytest.fixture(scope="module")
def hydrogen():
    """Hydrogen: a bare Coulomb potential."""
    grid = Grid(1)
    potential = -1 / grid.fine_r
    energy, p, q = bound(-0.4, potential, grid.fine_r, grid.fine_slope, grid.step, 1, -1, 1.0)
    return atom.Atom(1, grid, potential, {(1, -1): energy}, {(1, -1): (p, q)}, {(1, -1): 1.0})


@pytest.fixture(scope="module")
def iron():
    return atom.solve(26)


def analytic_hydrogen(free_energy, q):
    """df/dE [1/eV] of hydrogen (Inokuti 1971, eq. 3.12; q in 1/bohr, energy in Rydberg)."""
    e = (free_energy + RYDBERG_EV) / RYDBERG_EV
    k = math.sqrt(e - 1)
    q2 = q * q
    angle = math.atan2(2 * k, q2 - k * k + 1)
    numerator = 128 * e * (q2 + e / 3) * math.exp(-2 / k * angle)
    denominator = (1 - math.exp(-2 * math.pi / k)) * ((q2 - e) ** 2 + 4 * q2) ** 3
    return numerator / denominator / RYDBERG_EV


def test_hydrogen_is_bound_by_a_rydberg(hydrogen):
    assert -hydrogen.energies[1, -1] * HARTREE_EV == pytest.approx(RYDBERG_EV, rel=2e-5)


def test_hydrogen_has_the_analytic_oscillator_strength(hydrogen):
    energies, momenta = np.array([1.0, 5.0, 30.0, 200.0]), np.array([0.05, 0.5, 1.5, 3.0])
    computed = generalised_oscillator_strengths(hydrogen, {"K": RYDBERG_EV}, energies, momenta)["K"]
    expected = [[analytic_hydrogen(e, q) for q in momenta] for e in energies]
    np.testing.assert_allclose(computed, expected, rtol=5e-3, atol=1e-7)


def test_bethe_sum_rule(hydrogen):
    """Discrete and continuous part make 1: 0.565 + 0.435 in the optical limit, nearly all continuum at q = 3."""
    energies = np.geomspace(0.05, 3000, 60)
    momenta = np.array([0.02, 3.0])
    strength = generalised_oscillator_strengths(hydrogen, {"K": RYDBERG_EV}, energies, momenta)["K"]
    total = np.trapezoid(strength, energies, axis=0) + strength[0] * energies[0]
    assert total[0] == pytest.approx(0.4350, abs=0.005)
    assert total[1] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("element", ELEMENTS)
def test_electrons_add_up(element):
    number = ELEMENTS.index(element) + 4
    occupation = atom.relativistic_subshells(number)
    assert sum(occupation.values()) == pytest.approx(number)
    for (_, kappa), electrons in occupation.items():
        assert 0 <= electrons <= 2 * abs(kappa)


def test_orbitals_are_orthonormal(iron):
    weight = iron.grid.weight
    shells = [shell for shell in iron.orbitals if shell[1] == -1]
    for a in shells:
        for b in shells:
            (p, q), (p2, q2) = iron.orbitals[a], iron.orbitals[b]
            overlap = np.sum((p * p2 + q * q2) * weight)
            assert overlap == pytest.approx(float(a == b), abs=2e-4)


def test_potential_is_that_of_the_nucleus_inside_and_of_an_ion_outside(iron):
    screening = iron.potential * iron.grid.fine_r
    assert screening[0] == pytest.approx(-26, rel=1e-3)
    assert screening[-1] == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize("number", [8, 26, 57, 82])
def test_eigenvalues_are_near_the_edges(number):
    """Within 3 % and 20 eV: orbital relaxation and the solid shift real edges."""
    solved = atom.solve(number)
    for edge in element_edges(ELEMENTS[number - 4]):
        eigenvalue = -solved.energies[SUBSHELLS[edge.subshell]] * HARTREE_EV
        assert eigenvalue == pytest.approx(edge.onset_energy, rel=0.03, abs=20), edge.name


@pytest.mark.parametrize("kappa", [-1, 1, -2, 2, -3])
@pytest.mark.parametrize("multipole", [0, 1, 3])
def test_angular_factors_obey_the_sum_rule(kappa, multipole):
    """The sum over final states is 2 L + 1, by the orthogonality of 3j symbols."""
    finals = [-1] + [k for orbital in range(1, LARGEST_L) for k in (orbital, -orbital - 1)]
    total = sum(angular_factor(kappa, final, multipole) for final in finals)
    assert total == pytest.approx(2 * multipole + 1)


def test_shipped_table_is_complete_and_small():
    assert Path(GOSH_PATH).stat().st_size < 6e6
    with h5py.File(GOSH_PATH) as file:
        for edge in EDGES:
            gos = read_oscillator_strength(file, edge)
            assert np.isfinite(gos.strength).all() and gos.strength.min() >= 0
            assert gos.free_energy[-1] + edge.onset_energy > 3071


def test_shipped_table_is_what_the_code_computes(iron):
    """Fe L3 again, on a few points of the table."""
    with h5py.File(GOSH_PATH) as file:
        (edge,) = (e for e in element_edges("Fe") if e.subshell == "L3")
        gos = read_oscillator_strength(file, edge)
        free = file["Fe/L3/free_energies"][[5, 20, 40]]
    bohr = constants.value("Bohr radius")
    momenta = gos.momentum[[0, 20, 30]] * bohr
    computed = generalised_oscillator_strengths(iron, {"L3": edge.onset_energy}, free, momenta)
    np.testing.assert_allclose(
        gos.strength[np.ix_([5, 20, 40], [0, 20, 30])], computed["L3"], rtol=2e-3
    )


def test_optical_limit_is_photoionisation():
    """Against the tables of PENELOPE 2018: median within 2 %, 90 % of the major subshells within 10 %."""
    if not PHOTOIONISATION.exists():
        pytest.skip("../shared/reference/photoionisation_penelope2018.npz is not there")
    tables = np.load(PHOTOIONISATION)
    ratios = []
    with h5py.File(GOSH_PATH) as file:
        for edge in (edge for edge in EDGES if edge.major and edge.name in tables):
            gos = read_oscillator_strength(file, edge)
            photon, sigma = tables[edge.name]
            binding = float(tables[f"{edge.name}_binding"])
            row = []
            for above in (10, 50, 200):
                optical = np.interp(above, gos.free_energy, gos.strength[:, 0])
                # df/dE is proportional to the energy loss, which counts from another onset there
                optical *= (binding + above) / (edge.onset_energy + above)
                row.append(BARN_EV * optical / np.interp(binding + above, photon, sigma))
            ratios.append(row)
    ratios = np.array(ratios)
    assert len(ratios) > 190
    np.testing.assert_allclose(np.median(ratios, axis=0), 1, atol=0.02)
    assert (np.mean(np.abs(ratios - 1) < 0.1, axis=0) >= 0.9).all()


@pytest.mark.parametrize("name", ["O_K", "Fe_L3", "La_M5", "La_N5"])
def test_exspy_reads_the_table(name):
    component = EELSCLEdge(name, GOS="dft", gos_file_path=GOSH_PATH)
    component.set_microscope_parameters(E0=200, alpha=0, beta=20, energy_scale=1.0)
    gos = BundledGOS(name)
    onset = gos.onset_energy
    energy = onset + np.array([2.0, 20.0, 100.0, 500.0])
    (edge,) = (e for e in EDGES if e.name == name)
    with h5py.File(GOSH_PATH) as file:
        table = read_oscillator_strength(file, edge)
    direct = differential_cross_section(table, onset, 200.0, np.array([20.0]))[0]
    expected = np.interp(energy - onset, table.free_energy, direct)
    # exspy interpolates the table by a spline, here it is by straight lines
    np.testing.assert_allclose(component.function(energy), expected, rtol=0.03)


def test_hydrogenic_cross_section_of_a_k_shell_is_near():
    hydrogenic, ours = (
        EELSCLEdge("O_K", GOS="hydrogenic"),
        EELSCLEdge("O_K", GOS="dft", gos_file_path=GOSH_PATH),
    )
    energy = np.arange(540.0, 700.0)
    for component in (hydrogenic, ours):
        component.set_microscope_parameters(E0=200, alpha=0, beta=20, energy_scale=1.0)
    ratio = ours.function(energy).sum() / hydrogenic.function(energy).sum()
    assert ratio == pytest.approx(1, abs=0.2)
