import sys
from types import SimpleNamespace

import numpy as np
import pytest

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS
from training.core_loss.compositions import (
    Compositions,
    materials_project_formulas,
    parse_formula,
    read_formulas,
)


@pytest.mark.parametrize(
    ("formula", "atoms"),
    [
        ("O", {"O": 1}),
        ("SrTiO3", {"Sr": 1, "Ti": 1, "O": 3}),
        ("Ca3(PO4)2", {"Ca": 3, "P": 2, "O": 8}),
        ("K2(Fe(CN)6)0.5", {"K": 2, "Fe": 0.5, "C": 3, "N": 3}),
    ],
)
def test_parse_formula(formula, atoms):
    assert parse_formula(formula) == atoms


@pytest.mark.parametrize("formula", ["", "sr", "Ca(O", "Ca)O", "Fe-O", "3"])
def test_unreadable_formula_is_refused(formula):
    with pytest.raises(ValueError, match="Cannot read"):
        parse_formula(formula)


def test_fractions_sum_to_one_and_light_atoms_are_dropped():
    compositions = Compositions(["LiFePO4", "H2"])
    np.testing.assert_allclose(compositions.fractions.sum(axis=1), 1, rtol=1e-6)
    # LiFePO4 without Li, and the 80 elements themselves; H2 has no edge at all
    assert len(compositions.fractions) == 81
    row = compositions.fractions[-1]
    assert row[ELEMENT_INDEX["O"]] == pytest.approx(4 / 6)


def test_every_element_can_be_drawn():
    compositions = Compositions(["SrTiO3", "LaMnO3"])
    query = np.arange(80)
    drawn = compositions.draw(np.random.default_rng(0), query)
    assert (drawn[query, query] > 0).all()
    assert len(ELEMENTS) == drawn.shape[1]


def test_read_formulas(tmp_path):
    path = tmp_path / "formulas.txt"
    path.write_text("# oxides\nMgO\n\n Al2O3 \n")
    assert read_formulas(path) == ["MgO", "Al2O3"]


def test_with_a_key_the_interface_is_asked(monkeypatch):
    """A stand-in for the client of mp-api, which needs a network."""

    class Summary:
        def search(self, fields, deprecated):
            assert fields == ["formula_pretty"] and not deprecated
            return [SimpleNamespace(formula_pretty=name) for name in ("TiO2", "BN", "TiO2")]

    class MPRester:
        def __init__(self, key):
            assert key == "secret"
            self.materials = SimpleNamespace(summary=Summary())

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    monkeypatch.setenv("MP_API_KEY", "secret")
    monkeypatch.setitem(sys.modules, "mp_api", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "mp_api.client", SimpleNamespace(MPRester=MPRester))
    assert materials_project_formulas() == ["BN", "TiO2"]
