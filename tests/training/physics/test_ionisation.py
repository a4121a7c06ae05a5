import numpy as np
import pytest

from hyperspy_eelsid.edges import ELEMENT_INDEX, element_edges
from training.physics.ionisation import EdgeRecipe, ionisation_edges
from training.physics.white_lines import WhiteLines

SPECTRA = 200


def mean_edge(table, element, **effects):
    """Mean of simulated edges of an element from the onset of its first major edge on."""
    recipe = EdgeRecipe(chemical_shift=0, **effects)
    fractions = np.zeros((SPECTRA, 80), np.float32)
    fractions[:, ELEMENT_INDEX[element]] = 1
    constant = {
        "beam": 0,
        "convergence_angle": 10.0,
        "collection_angle": 50.0,
        "atomic_diameter": 0.1,
        "energy_offset": 0,
        "dispersion_error": 0.0,
        "window_start": 75,
        "window_end": 3000,
    }
    p = {name: np.full(SPECTRA, value) for name, value in constant.items()}
    edges = ionisation_edges(np.random.default_rng(0), recipe, table, fractions, p)
    onset = min(edge.onset_energy for edge in element_edges(element) if edge.major)
    return edges.spectra.mean(axis=0)[int(onset) :]


@pytest.mark.parametrize(
    "element, above_onset", [("La", (12, 24)), ("Tb", (2, 12)), ("Tm", (0, 6))]
)
def test_giant_resonance_of_lanthanides_comes_down_to_the_onset(
    saw_tooth_table, element, above_onset
):
    edge = mean_edge(saw_tooth_table, element, white_lines=WhiteLines())[:80]
    assert above_onset[0] <= np.argmax(edge) <= above_onset[1]


def test_giant_resonance_becomes_narrow_with_a_full_4f_shell(saw_tooth_table):
    width = {}
    for element in ("La", "Tm"):
        edge = mean_edge(saw_tooth_table, element, white_lines=WhiteLines())[:80]
        width[element] = np.sum(edge > edge.max() / 2)
    assert width["Tm"] < width["La"] / 2


def test_lutetium_has_no_resonance(saw_tooth_table):
    plain, lines = (
        mean_edge(saw_tooth_table, "Lu", **effects)
        for effects in ({}, {"white_lines": WhiteLines()})
    )
    assert lines[:40].max() == pytest.approx(plain[:40].max(), rel=0.3)
