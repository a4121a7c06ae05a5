import numpy as np
import pytest

from hyperspy_eelsid.edges import EDGES
from training.physics.computed_edges import (
    BROADENINGS_EV,
    LEAD_EV,
    MAIN,
    PARTNER,
    PROFILE_EV,
    SUM_RULE_EV,
    ComputedEdges,
    add_lines,
    bound_strength,
    computed_profile,
    library,
    modulate,
)
from training.physics.ionisation import SUBSHELL

FIRST_50_EV = slice(0, LEAD_EV + SUM_RULE_EV)


@pytest.fixture(scope="module")
def entries():
    return library()


@pytest.fixture
def continuum():
    """Falls as a power law from the onset."""
    edge = np.zeros(LEAD_EV + 600, np.float32)
    edge[LEAD_EV:] = (1 + np.arange(600) / 400) ** -3.5
    return edge


def profile(entries, name, **drawn):
    row = np.zeros(1, SUBSHELL)
    row["computed"], row["second_computed"] = entries.names.index(name), -1
    row["stretch"] = 1
    for column, value in drawn.items():
        row[column] = value
    result, other = np.empty((2, PROFILE_EV), np.float32)
    computed_profile(row[0], entries.cumulative, entries.place, result, other)
    return result


def index(name):
    return next(i for i, edge in enumerate(EDGES) if edge.name == name)


def test_every_entry_belongs_to_an_edge(entries):
    assert entries.role[index("Fe_L3")] == MAIN
    assert entries.role[index("Fe_L2")] == PARTNER
    assert entries.number[index("Fe_L1")] == 0
    main = entries.role == MAIN
    assert entries.number[main].sum() == len(entries.names)
    for first, number, edge in zip(entries.first, entries.number, EDGES, strict=True):
        for name in entries.names[first : first + number]:
            assert name.startswith(f"{edge.element}/{edge.group}")


def test_lines_stand_where_the_library_has_them(entries):
    plain = profile(entries, "Mn/L/Mn2+ 10Dq=1.0")
    moved = profile(entries, "Mn/L/Mn2+ 10Dq=1.0", move=3)
    assert 0 <= plain.argmax() - LEAD_EV <= 3
    np.testing.assert_allclose(moved[3:], plain[:-3], atol=1e-5)


@pytest.mark.parametrize("broadening", range(len(BROADENINGS_EV)))
def test_broadening_and_stretching_keep_the_area(entries, broadening):
    lines = profile(entries, "Mn/L/Mn2+ 10Dq=1.0", broadening=broadening, stretch=1.05)
    assert lines.sum() == pytest.approx(1.05 * 1.0, rel=0.05)
    sharp = profile(entries, "Mn/L/Mn2+ 10Dq=1.0")
    assert broadening == 0 or lines.max() < sharp.max()


def test_a_second_entry_is_mixed_in(entries):
    names = "Fe/L/Fe2+ 10Dq=1.0", "Fe/L/Fe3+ 10Dq=1.0"
    first, second = (profile(entries, name) for name in names)
    both = profile(
        entries, names[0], second_computed=entries.names.index(names[1]), second_share=0.4
    )
    np.testing.assert_allclose(both, 0.6 * first + 0.4 * second, atol=1e-6)


@pytest.mark.parametrize("name", ["Mn/L/Mn2+ 10Dq=1.0", "Er/N/Er3+", "Gd/M/Gd3+"])
def test_lines_add_their_strength_to_the_first_50_ev(entries, continuum, name):
    edge = continuum.copy()
    add_lines(edge, profile(entries, name), 1.7)
    assert edge[FIRST_50_EV].sum() == pytest.approx(2.7 * continuum[FIRST_50_EV].sum(), rel=1e-5)


@pytest.mark.parametrize("amplitude, disorder", [(1, 0), (0.7, 1e-4), (1.2, 0)])
def test_a_modulation_keeps_the_strength_of_the_first_50_ev(continuum, amplitude, disorder):
    energy = np.arange(PROFILE_EV) - LEAD_EV
    absorption = np.where(
        energy < -2, 0, 1 + np.exp(-np.maximum(energy, 0) / 40) * np.sin(energy / 5)
    )
    edge = continuum.copy()
    modulate(edge, absorption.astype(np.float32), amplitude, disorder)
    assert edge[FIRST_50_EV].sum() == pytest.approx(continuum[FIRST_50_EV].sum(), rel=1e-5)
    assert not edge[: LEAD_EV - 2].any()
    assert edge[LEAD_EV - 2 : LEAD_EV].all()
    assert (edge >= 0).all()


def test_strength_of_the_lines_falls_with_the_number_of_electrons():
    assert bound_strength("L", 22, 0) > bound_strength("L", 26, 6) > bound_strength("L", 29, 9) > 0
    assert bound_strength("N", 70, 14) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Ti_L3", "Ni_L3", "Ce_M5", "Er_M5", "Nd_N5"])
def test_strength_of_the_lines_is_that_of_our_atoms(name):
    """f = 4/3 E (l + 1) R^2 / (4 l + 6) a hole, over the optical oscillator strength of the continuum."""
    h5py = pytest.importorskip("h5py")
    from importlib.resources import files

    from training.physics.cross_section_table import read_oscillator_strength
    from training.physics.gos.atom import solve
    from training.physics.gos.dirac import HARTREE_EV
    from training.physics.multiplets import TRANSITIONS, _radial

    edge = EDGES[index(name)]
    transition = TRANSITIONS[edge.group]
    atom = solve(edge.atomic_number)
    valence, core = (_radial(atom, *s) for s in (transition.valence_shell, transition.core_shell))
    radial = np.sum(valence * core * atom.grid.r * atom.grid.weight)
    angular = transition.core_shell[1]
    bound = 4 / 3 * edge.onset_energy / HARTREE_EV * (angular + 1) * radial**2 / (4 * angular + 6)
    with h5py.File(files("hyperspy_eelsid.edges") / "dhfs.gosh") as file:
        gos = read_oscillator_strength(file, edge)
    continuum = np.interp(np.arange(0.5, 50), gos.free_energy, gos.strength[:, 0]).sum()
    holes = {"L": 10, "M": 14, "N": 14}[edge.group]
    empty = bound_strength(edge.group, edge.atomic_number, 0) / holes
    assert empty == pytest.approx(bound / continuum, rel=0.15)


def test_lines_and_their_partner(entries):
    rows = np.zeros(4000, SUBSHELL)
    rows["edge"] = np.tile([index("Fe_L2"), index("Fe_L3"), index("Ti_L3"), index("Rb_L3")], 1000)
    rows["continuum"] = 1
    rows["line_height"], rows["fine_structure_ratio"] = 2, 1
    rng = np.random.default_rng(0)
    ComputedEdges(share=0.75).draw(rows, entries, lambda: rng.random(len(rows)))
    fe_l2, fe_l3, _, rb_l3 = (rows[i::4] for i in range(4))
    assert np.mean(fe_l3["computed"] >= 0) == pytest.approx(0.75, abs=0.05)
    # multiplets are lines of their own, absorption of crystals changes that of the atom
    is_lines = entries.lines[fe_l3["computed"]] & (fe_l3["computed"] >= 0)
    assert is_lines.any() and ((fe_l3["strength"] > 0) == is_lines).all()
    of_crystals = fe_l2["computed"] >= 0
    assert not entries.lines[fe_l2["computed"][of_crystals]].any()
    assert set(np.unique(fe_l2["computed"][~of_crystals])) == {-2, -1}
    assert not fe_l2["strength"].any()
    assert (rb_l3["computed"] == -1).all() and (rb_l3["line_height"] == 2).all()
    assert ((rows["computed"] == -1) == (rows["line_height"] == 2)).all()
