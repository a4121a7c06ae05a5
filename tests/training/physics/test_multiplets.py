"""Multiplets against Hund's rules, sum rules and published Hartree-Fock integrals."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_eelsid.edges import computed_near_edges
from training.physics.multiplets import (
    CrystalField,
    Lines,
    broadened,
    core_hole_widths,
    ground_levels,
    integrals,
    lines,
    mean_excitation,
    onset,
)

NEEDS_EDRIXS = "the multiplets are diagonalised with edrixs"


@pytest.fixture
def edrixs():
    return pytest.importorskip("edrixs", reason=NEEDS_EDRIXS)


@pytest.mark.parametrize(
    ("atomic_number", "electrons", "published"),
    [
        # F2dd, F4dd of 3d^n and F2pd, G1pd, G3pd, zeta_2p of 2p5 3d^(n+1), from R. D. Cowan's Hartree-Fock program
        # with relativistic corrections: F. M. F. de Groot, thesis, University of Nijmegen (1991); those of CTM4XAS
        # and Crispy. Of the last ones G1 and G3 are 8.2 % higher here.
        (25, 5, (10.316, 6.414, 6.321, 4.606, 2.618, 6.846)),
        (26, 6, (10.966, 6.815, 6.793, 5.004, 2.844, 8.200)),
        (27, 7, (11.605, 7.209, 7.259, 5.394, 3.068, 9.748)),
        (28, 8, (12.234, 7.598, 7.721, 5.783, 3.290, 11.507)),
        (25, 4, (11.415, 7.148, 6.988, 5.179, 2.945)),
        (26, 5, (12.043, 7.535, 7.446, 5.566, 3.166)),
        (23, 2, (10.127, 6.354, 6.057)),
    ],
)
def test_integrals_are_those_of_hartree_fock(atomic_number, electrons, published):
    values = integrals(atomic_number, "L", electrons)
    ours = (*values.direct, *values.core_direct, *values.exchange, values.core_spin_orbit)
    assert ours[: len(published)] == pytest.approx(published, rel=0.08)


def test_a_higher_charge_contracts_the_shell():
    for atomic_number, edge, electrons in ((26, "L", 5), (58, "N", 0), (92, "N", 0)):
        charged = integrals(atomic_number, edge, electrons).core_direct
        assert charged > integrals(atomic_number, edge, electrons + 1).core_direct


@pytest.mark.parametrize(
    ("atomic_number", "edge", "electrons", "degeneracy"),
    [
        (58, "N", 1, 6),  # 2F5/2
        (59, "N", 2, 9),  # 3H4
        (68, "N", 11, 16),  # 4I15/2
        (69, "N", 12, 13),  # 3H6
        (70, "N", 13, 8),  # 2F7/2
        (92, "N", 2, 9),  # 3H4
        (22, "L", 2, 5),  # 3F2
        (25, "L", 5, 6),  # 6S5/2
        (26, "L", 6, 9),  # 5D4
        (28, "L", 8, 9),  # 3F4
    ],
)
def test_ground_level_follows_hund(edrixs, atomic_number, edge, electrons, degeneracy):
    (energy, states), *_ = ground_levels(integrals(atomic_number, edge, electrons), edge, electrons)
    assert energy == 0.0
    assert states == degeneracy


def test_crystal_field_splits_one_electron_by_ten_dq(edrixs):
    values = replace(integrals(22, "L", 1), spin_orbit=0.0)
    levels = ground_levels(values, "L", 1, field=CrystalField(1.5))
    assert levels == [(0.0, 6), (pytest.approx(1.5, abs=1e-9), 4)]


@pytest.mark.parametrize(
    ("atomic_number", "edge", "electrons", "ten_dq", "holes"),
    [
        (22, "L", 0, 1.8, 10),
        (28, "L", 8, 1.0, 2),
        (29, "L", 9, 1.0, 1),
        (58, "M", 1, 0.0, 13),
        (68, "N", 11, 0.0, 3),
        (69, "N", 12, 0.0, 2),
        (57, "M", 0, 0.0, 14),
        (92, "N", 2, 0.0, 12),
    ],
)
def test_strength_is_the_number_of_holes(edrixs, atomic_number, edge, electrons, ten_dq, holes):
    spectrum = lines(
        integrals(atomic_number, edge, electrons), edge, electrons, field=CrystalField(ten_dq)
    )
    assert spectrum.strength.sum() == pytest.approx(holes, rel=1e-5)


def test_white_lines_are_statistical_without_repulsion(edrixs):
    values = integrals(22, "L", 0)
    zeta = values.core_spin_orbit
    spectrum = lines(replace(values, spin_orbit=0.0), "L", 0, scales=(0.0, 0.0, 0.0))
    third = spectrum.energy < spectrum.boundary
    assert spectrum.strength[third].sum() / spectrum.strength[~third].sum() == pytest.approx(2)
    strong = spectrum.strength > 1e-6
    assert spectrum.energy[third & strong] == pytest.approx(-zeta / 2, abs=1e-6)
    assert spectrum.energy[~third & strong] == pytest.approx(zeta, abs=1e-6)


def test_one_hole_in_4f_gives_one_line_of_m5(edrixs):
    """2F7/2 cannot reach the hole of j = 3/2 when 4f becomes full."""
    spectrum = lines(integrals(70, "M", 13), "M", 13)
    m4 = spectrum.energy > spectrum.boundary
    assert spectrum.strength[m4].sum() < 1e-9 * spectrum.strength.sum()


def test_broadening_keeps_the_strength():
    spectrum = Lines(np.array([0.0, 4.0]), np.array([1.0, 3.0]), 2.0)
    energy = np.arange(-2000, 2000, 0.05)
    absorption = broadened(spectrum, energy, 0.5)
    assert np.trapezoid(absorption, energy) == pytest.approx(4.0, rel=1e-3)
    at_line = absorption[np.abs(energy - 4).argmin()]
    half = absorption[np.abs(energy - 4.25).argmin()]
    assert half / at_line == pytest.approx(0.5, abs=0.01)


def test_fano_profile_has_a_tail_to_higher_energies():
    spectrum = Lines(np.array([0.0]), np.array([1.0]), 1.0)
    low, high = broadened(spectrum, np.array([-2.0, 2.0]), 1.0, fano=4.0)
    assert high > 3 * low
    # the zero of Fano's profile, at -q half widths, is the continuum's and not negative here
    assert broadened(spectrum, np.array([-4.0]), 1.0, fano=4.0) == 0


def test_widths_of_4d_grow_with_energy():
    spectrum = Lines(np.array([-8.0, 2.5, 40.0]), np.array([1.0, 5.0, 5.0]), 2.0)
    assert onset(spectrum) == -8.0
    assert core_hole_widths(spectrum, "N", 60) == pytest.approx([0.5, 2.75, 5.0])
    assert core_hole_widths(spectrum, "L", 21) == pytest.approx([0.2, 0.6, 0.6])


def test_lines_lie_where_gadolinium_has_its_resonance():
    # resonant photoemission of the metal: F. Gerken, J. Barth, C. Kunz, Phys. Rev. Lett. 47, 993 (1981)
    (gadolinium,) = computed_near_edges("Gd", "N")
    of_entry = gadolinium.attributes
    first = mean_excitation(64, "N", 7) + of_entry["onset"]
    assert of_entry["mean_excitation"] == pytest.approx(mean_excitation(64, "N", 7), abs=0.01)
    strongest = gadolinium.energy[gadolinium.values.argmax()]
    assert first + strongest == pytest.approx(149, abs=2)
