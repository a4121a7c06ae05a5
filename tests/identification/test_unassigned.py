import numpy as np
import pytest

from hyperspy_eelsid.edges import EDGES, ELEMENTS
from hyperspy_eelsid.identification.unassigned import unassigned_edges
from training.core_loss.dataset import make_simulator, simulate_block

ENERGY = np.arange(300.0, 1100.0)


def counts(*edges, total=1e8, seed=0):
    """A power law with edges of given onset [eV] and jump ratio, and counting noise."""
    expected = (ENERGY / 300) ** -3.0
    smooth = expected.copy()
    for onset, jump in edges:
        at_onset = smooth[ENERGY == onset]
        expected += jump * at_onset * np.where(ENERGY >= onset, (ENERGY / onset) ** -4.0, 0)
    return np.random.default_rng(seed).poisson(expected * total / expected.sum())


def test_an_edge_that_no_element_explains():
    spectrum = counts((532, 0.4), (779, 0.3))
    (seen,) = unassigned_edges(spectrum, ENERGY, ["O"])
    assert seen.energy == pytest.approx(779, abs=3)
    below = 1 + 0.4 * 532 / 779  # background and oxygen, in units of the background
    assert seen.step == pytest.approx(0.3 / below, rel=0.1)
    assert seen.elements[0] == "Co" and {"Ba", "U"} < set(seen.elements)
    assert unassigned_edges(spectrum, ENERGY, ["O", "Co"]) == []
    both = unassigned_edges(spectrum, ENERGY, [])
    assert {round(edge.energy, -1) for edge in both} == {530, 780}
    assert both[0].significance >= both[1].significance


def test_elements_outside_the_eighty_are_named():
    (seen,) = unassigned_edges(counts((736, 0.5)), ENERGY, [])
    assert "U" in seen.elements


def test_minor_edges_are_named_where_there_is_no_major():
    majors = np.array([e.onset_energy for e in EDGES if e.major] + [736.2, 778.3])
    energy = next(e for e in ENERGY[100:-100] if np.abs(majors - e).min() > 14)
    (seen,) = unassigned_edges(counts((energy, 0.5)), ENERGY, [])
    near = {e.element for e in EDGES if abs(e.onset_energy - seen.energy) <= 10}
    assert set(seen.elements) == near


@pytest.mark.parametrize("total", [1e2, 1e4, 1e6, 1e9])
def test_nothing_on_a_smooth_spectrum(total):
    assert unassigned_edges(counts(total=total), ENERGY, []) == []


def test_windows_and_counts_that_hold_nothing_to_see():
    assert unassigned_edges(counts()[:50], ENERGY[:50], []) == []
    assert unassigned_edges(-counts(), ENERGY, []) == []
    assert unassigned_edges(np.full(800, np.nan), ENERGY, []) == []


@pytest.mark.slow
def test_seldom_where_all_elements_are_found(tmp_path):
    formulas = tmp_path / "formulas.txt"
    formulas.write_text(
        "SrTiO3\nLaMnO3\nBN\nFe2O3\nGaAs\nSiO2\nCeO2\nGd3Ga5O12\nCu2S\nKCl\nMgF2\nTiN\n"
    )
    without = ("broken_channels", "other_signals", "unlabelled_edges")
    block = simulate_block(
        make_simulator("robust", without, formulas),
        "validation",
        0,
        0,
    )
    number = 200
    seen = 0
    for spectrum, fractions in zip(block.spectra[:number], block.fractions, strict=False):
        there = [ELEMENTS[i] for i in np.flatnonzero(fractions)]
        seen += len(unassigned_edges(spectrum, np.arange(3072.0), there)) > 0
    assert seen <= 0.05 * number


def test_an_identification_tells_them(make_eels, step_networks):
    found = make_eels(energy=np.arange(400.0, 700.0)).identify_elements()
    assert found.unassigned == []
    assert "no element found is at" not in repr(found)
    without = found.with_candidates(exclude=found.elements)
    assert without.elements == []
    assert without.unassigned and "no element found is at" in repr(without)
