"""The library of near edges: written, gone on with and read again."""

from dataclasses import dataclass
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from training.physics import ions, near_edge, near_edge_library


@dataclass(frozen=True)
class Made:
    """An entry that is computed at once."""

    name: str
    height: float

    @property
    def parameters(self):
        return {"name": self.name, "height": self.height}

    description = parameters


def kind(*made):
    """A kind of entries whose spectra are flat, and the names of those that were computed."""
    computed = []

    def compute(entry):
        computed.append(entry.name)
        if entry.height < 0:
            raise RuntimeError("no such height")
        return np.full(5, entry.height), {"place": 2.5}

    return SimpleNamespace(
        KIND="made",
        AXIS="energy",
        VERSION=1,
        PROGRAM="numpy",
        UNITS="1/eV",
        ENERGY_EV=np.arange(5.0),
        entries=lambda: list(made),
        compute=compute,
        computed=computed,
    )


def built(monkeypatch, path, folder, of_kind):
    monkeypatch.setattr(near_edge_library, "KINDS", (of_kind,))
    near_edge_library.build(path, folder, show_progressbar=False)
    return of_kind.computed


def test_only_what_is_missing_is_computed(monkeypatch, tmp_path):
    path = tmp_path / "near_edges.h5"
    first, second = Made("O/K/MgO", 0.25), Made("O/K/CaO", 0.5)
    assert built(monkeypatch, path, tmp_path / "a", kind(first)) == ["O/K/MgO"]
    # from the folder, and from the library where there is no folder
    assert built(monkeypatch, path, tmp_path / "a", kind(first, second)) == ["O/K/CaO"]
    assert built(monkeypatch, path, tmp_path / "b", kind(first, second)) == []
    with h5py.File(path) as file:
        assert file["O/K/MgO"][:] == pytest.approx(0.25)
        assert file["O/K/CaO"].attrs["place"] == 2.5
        assert file[file["O/K/CaO"].attrs["axis"]][:] == pytest.approx(np.arange(5))
    # other parameters are another computation
    changed = Made("O/K/MgO", 0.75)
    assert built(monkeypatch, path, tmp_path / "b", kind(changed, second)) == ["O/K/MgO"]
    with h5py.File(path) as file:
        assert file["O/K/MgO"][:] == pytest.approx(0.75)


def test_what_cannot_be_computed_is_left_out(monkeypatch, tmp_path, caplog):
    path = tmp_path / "near_edges.h5"
    built(monkeypatch, path, tmp_path / "a", kind(Made("O/K/MgO", -1.0), Made("O/K/CaO", 0.5)))
    assert "O/K/MgO is left out: no such height" in caplog.text
    with h5py.File(path) as file:
        assert list(file["O/K"]) == ["CaO"]


@pytest.mark.parametrize("of_kind", [ions, near_edge])
def test_entries_have_names_and_keys_of_their_own(of_kind):
    entries = of_kind.entries()
    assert len({entry.name for entry in entries}) == len(entries)
    assert len({near_edge_library.key(of_kind, entry) for entry in entries}) == len(entries)
    for entry in entries:
        assert {"element", "edge"} <= set(entry.description)
