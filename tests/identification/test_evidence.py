from importlib.metadata import version

import numpy as np
import pytest
from known_edges import as_eels

from hyperspy_eelsid.identification.evidence import jumps, reason

ENERGY = np.arange(380.0, 900.0)


def spectrum(onset, height=0.4, counts=1e5, seed=0):
    clean = counts * (ENERGY / 380) ** -3 * (1 + height * (ENERGY >= onset))
    return np.random.default_rng(seed).poisson(clean).astype(float)


def test_a_rise_is_told_in_standard_errors_of_the_noise():
    edges = {"O": {"K": 532.0}, "Mn": {"L": 640.0}}
    many = jumps(spectrum(533), ENERGY, edges)
    few = jumps(spectrum(533, counts=1e3), ENERGY, edges)
    assert many["O"]["K"].energy == pytest.approx(533, abs=2)
    assert many["O"]["K"].step == pytest.approx(0.4, abs=0.02)
    assert many["O"]["K"].is_seen and not many["Mn"]["L"].is_seen
    # ten times the noise, a tenth of the standard errors
    ratio = many["O"]["K"].significance / few["O"]["K"].significance
    assert 5 < ratio < 20


def test_noise_is_no_rise():
    edges = {"O": {"K": 532.0}}
    seen = [
        jumps(spectrum(2000, seed=seed), ENERGY, edges)["O"]["K"].is_seen for seed in range(200)
    ]
    assert np.mean(seen) < 0.02


def test_a_shifted_axis_is_allowed_for():
    edges = {"O": {"K": 532.0}}
    assert not jumps(spectrum(560), ENERGY, edges)["O"]["K"].is_seen
    assert jumps(spectrum(560), ENERGY, edges, offset=27.0)["O"]["K"].is_seen


def test_there_is_no_room_at_the_border():
    for onset in (390.0, 403.0, 895.0):
        jump = jumps(spectrum(532), ENERGY, {"N": {"K": onset}})["N"]["K"]
        assert np.isnan(jump.significance) and not jump.is_seen


def test_why_a_rival_is_not_found():
    probability = {"Co": 0.95, "Ba": 0.2, "La": 0.9, "Ni": 0.3, "Sm": 0.1, "F": 0.9}
    data = spectrum(779), ENERGY
    said = reason("Co", "Ba", probability, (380, 900), data)
    assert "Ba-M at 781 eV is 2 eV from Co-L" in said and "probability 0.20" in said
    said = reason("La", "Ni", probability, (380, 900), data)
    assert "among the white lines of La-M" in said and "no clear rise" not in said
    assert "found in fewer pixels" in reason("Ni", "La", probability, (380, 900), data)


def test_a_further_edge_of_a_rival_has_to_be_there():
    """Where both of its groups are in the window, the one that nothing else explains speaks against it."""
    energy = np.arange(80.0, 900.0)
    counts = 1e5 * (energy / 80) ** -3 * (1 + 0.4 * (energy >= 781))
    counts = np.random.default_rng(0).poisson(counts).astype(float)
    probability = {"Ba": 0.9, "Ce": 0.2}
    said = reason("Ba", "Ce", probability, (95, 900), (counts, energy))
    assert "no clear rise at Ce-N" in said


def test_the_table_of_an_image(make_eels, step_networks):
    found = make_eels((4, 6)).identify_elements()
    assert found.jumps["Ti"]["L"].is_seen and found.jumps["O"]["K"].is_seen
    table = found.to_dataframe()
    assert table.loc["Ti", "rise"]["L"] == found.jumps["Ti"]["L"].significance
    assert table.loc["Ti", "reasons"] == {} == found.reasons["Ti"]
    assert "rise [standard errors]" in repr(found)


def test_what_to_cite(make_eels, step_networks):
    text = make_eels().identify_elements().cite()
    assert "10.1038/s41598-023-40943-7" in text and "networks steps" in text
    assert version("hyperspy-eelsid") in text
    assert text.count("{") == text.count("}")


def test_signals_that_are_not_there(make_eels, step_networks):
    lazy = as_eels(make_eels((4, 6)).data, np.arange(400.0, 700.0), lazy=True).identify_elements()
    assert set(lazy.jumps) == {"O", "Ti"}
