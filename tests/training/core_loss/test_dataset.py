import errno
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.kills import quick_block
from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS
from training.__main__ import main
from training.core_loss import dataset
from training.physics.ionisation import EDGE_GROUPS

KILLS = Path(__file__).parents[3] / "benchmarks" / "kills.py"


@pytest.fixture(scope="module")
def formulas(tmp_path_factory):
    path = tmp_path_factory.mktemp("compositions") / "formulas.txt"
    path.write_text("SrTiO3\nLaMnO3\nBN\nFe2O3\nGaAs\nSiO2\n")
    return path


@pytest.fixture(scope="module")
def test_file(formulas, tmp_path_factory):
    path = tmp_path_factory.mktemp("sets") / "set.h5"
    options = {"spectra": 900, "seed": 1, "formulas": formulas, "show_progressbar": False}
    dataset.write(path, **options)
    return path, options


def test_sizes_are_the_published_ones():
    sizes = {name: chosen.spectra for name, chosen in dataset.SETS.items()}
    assert sizes == {
        "train": 560_000,
        "validation": 48_000,
        "test": 120_000,
        "single-element": 8_000,
        "empty": 1_000,
    }


@pytest.mark.slow
def test_file_holds_spectra_labels_and_parameters(test_file):
    with h5py.File(test_file[0]) as file:
        assert file["spectra"].shape == (900, 3072)
        assert file["spectra"].dtype == np.float32
        assert list(file.attrs["elements"]) == list(ELEMENTS)
        assert list(file.attrs["edge_groups"]) == list(EDGE_GROUPS) and len(EDGE_GROUPS) == 107
        np.testing.assert_allclose(file["spectra"][:].max(axis=1), 1, rtol=1e-6)
        assert set(file["parameters"]) >= {"query", "jump_ratio", "background_exponent"}
        # an element is labelled when one of its edge groups is
        labels = np.zeros((900, 80), np.uint8)
        for name, column in zip(EDGE_GROUPS, file["edges"][:].T, strict=True):
            labels[:, ELEMENT_INDEX[name.split("_")[0]]] |= column
        np.testing.assert_array_equal(labels, file["labels"][:])
        counts = dataset.abundances(file)
        assert counts["O"][1] == file["labels"][:, ELEMENT_INDEX["O"]].sum()
        assert counts["O"][0] >= counts["O"][1] > 0


@pytest.mark.slow
def test_number_of_processes_does_not_matter(test_file, tmp_path):
    path, options = test_file
    dataset.write(tmp_path / "two.h5", processes=2, **options)
    with h5py.File(path) as one, h5py.File(tmp_path / "two.h5") as two:
        np.testing.assert_array_equal(one["edges"][:], two["edges"][:])
        # sums are made in any order, and a last digit can turn into one count more or less
        np.testing.assert_allclose(one["spectra"][:], two["spectra"][:], rtol=0, atol=1e-3)


@pytest.mark.slow
def test_an_interrupted_file_is_finished(test_file, tmp_path, monkeypatch):
    path, options = test_file
    simulate = dataset.simulate_block

    def interrupted(simulator, set_name, seed, number):
        if number == 1:
            raise KeyboardInterrupt
        return simulate(simulator, set_name, seed, number)

    monkeypatch.setattr(dataset, "simulate_block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dataset.write(tmp_path / "set.h5", **options)
    made = []
    monkeypatch.setattr(
        dataset, "simulate_block", lambda *args: made.append(args[-1]) or simulate(*args)
    )
    dataset.write(tmp_path / "set.h5", **options)
    assert made == [1]
    with h5py.File(path) as whole, h5py.File(tmp_path / "set.h5") as resumed:
        np.testing.assert_allclose(whole["spectra"][:], resumed["spectra"][:], rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="another data set"):
        dataset.write(tmp_path / "set.h5", **(options | {"seed": 2}))


@pytest.mark.slow
def test_contents_of_the_sets(pub_simulator):
    blocks = {name: dataset.simulate_block(pub_simulator, name, 0, 0) for name in dataset.SETS}
    assert len(blocks["train"].labels) == 5 * dataset.SAMPLES_PER_BLOCK
    assert ((blocks["single-element"].fractions > 0).sum(axis=1) == 1).all()
    np.testing.assert_array_equal(
        blocks["single-element"].labels, blocks["single-element"].fractions > 0
    )
    assert not blocks["empty"].labels.any() and not blocks["empty"].fractions.any()
    # spectra of one sample share their composition, not their parameters
    fractions = blocks["train"].fractions.reshape(-1, 5, 80)
    assert (fractions == fractions[:, :1]).all()
    assert len(np.unique(blocks["train"].parameters["thickness"])) == len(blocks["train"].labels)


@pytest.mark.slow
def test_sets_do_not_share_spectra(pub_simulator):
    firsts = [
        dataset.simulate_block(pub_simulator, name, 0, 0).spectra[:20].tobytes()
        for name in dataset.SETS
    ]
    assert len(set(firsts)) == len(firsts)


def test_unknown_names(tmp_path):
    with pytest.raises(ValueError, match="Unknown recipe"):
        dataset.make_simulator("best")
    with pytest.raises(ValueError, match="Unknown set"):
        dataset.write(tmp_path / "x.h5", set_name="exam")


def _write(path, **options):
    dataset.write(path, "robust", "validation", spectra=700, show_progressbar=False, **options)


@pytest.fixture
def quick(monkeypatch):
    """Blocks that take no time, and the numbers of those that are made."""
    made = []

    def make(simulator, set_name, seed, number):
        made.append(number)
        return quick_block(simulator, set_name, seed, number)

    monkeypatch.setattr(dataset, "simulate_block", make)
    monkeypatch.setattr(dataset, "make_simulator", lambda *_: None)
    return made


def test_a_damaged_block_is_named_and_made_anew(quick, tmp_path, monkeypatch, caplog):
    path = tmp_path / "set.h5"
    with monkeypatch.context() as patch:
        patch.setattr(dataset, "_assemble", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _write(path)
    assert quick == [0, 1, 2]
    blocks = tmp_path / "set.h5.blocks"
    block = blocks / "000001.npz"
    content = bytearray(block.read_bytes())
    content[len(content) // 2] ^= 1
    block.write_bytes(content)
    shutil.copy(blocks / "000000.npz", blocks / "000002.npz")  # a block in another place
    _write(path)
    assert quick == [0, 1, 2, 1, 2]
    assert "000001.npz is damaged" in caplog.text
    assert "000002.npz belongs to another data set or place" in caplog.text
    _write(tmp_path / "whole.h5")
    with h5py.File(path) as file, h5py.File(tmp_path / "whole.h5") as whole:
        for name in ("spectra", "labels", "subshells", "parameters/thickness"):
            assert file[name][:].tobytes() == whole[name][:].tobytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.h5", "whole.h5"]


def test_damage_of_a_finished_set_is_found(quick, tmp_path):
    path = tmp_path / "set.h5"
    _write(path)
    assert dataset.damaged(path) == []
    with h5py.File(path) as file:
        place = file["labels"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 100] ^= 1
    path.write_bytes(content)
    assert dataset.damaged(path) == ["labels, rows 0 to 699"]
    path.write_bytes(content[:1000])
    with pytest.raises(dataset.DataSetError, match="cannot be read|not a data set"):
        dataset.damaged(path)


def test_files_of_others_are_left_alone(quick, tmp_path):
    precious = tmp_path / "precious.hspy"
    with h5py.File(precious, "w") as file:
        file["spectra"] = np.ones(3)
    text = tmp_path / "notes.txt"
    text.write_text("precious")
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "new.h5.blocks").mkdir()
    (tmp_path / "new.h5.blocks" / "mine").write_text("precious")
    for path in (precious, text, tmp_path / "folder.h5", tmp_path / "new.h5"):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(dataset.DataSetError, match="not a data set|not empty"):
            _write(path)
        assert (path.read_bytes() if path.is_file() else None) == before
    with pytest.raises(dataset.DataSetError, match="was not written"):
        _write(tmp_path / "no folder" / "x.h5")
    assert not quick


@pytest.mark.parametrize("spectra", [0, -5, 1.5])
def test_impossible_numbers(spectra, tmp_path):
    with pytest.raises(dataset.DataSetError, match="spectra must be a whole number of at least 1"):
        dataset.write(tmp_path / "x.h5", spectra=spectra)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["fsync", "append"])
def test_a_full_disk_is_told_and_gone_on_from(step, quick, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(*((dataset.os, "fsync") if step == "fsync" else (dataset, "_append")), full)
        with pytest.raises(dataset.DataSetError, match="is full. What is made is kept"):
            _write(tmp_path / "set.h5")
    assert not (tmp_path / "set.h5").exists() and not list(tmp_path.glob("*/*.tmp"))
    _write(tmp_path / "set.h5")
    assert dataset.damaged(tmp_path / "set.h5") == []


def test_the_command_ends_in_one_line(tmp_path, capfd):
    path = tmp_path / "notes.txt"
    path.write_text("precious")
    for command in (["simulate", "--out", str(path)], ["check", str(path)]):
        with pytest.raises(SystemExit) as stopped:
            main(command)
        assert "notes.txt is not a data set" in str(stopped.value)


@pytest.mark.slow
def test_twenty_kills():
    output = subprocess.run(
        [sys.executable, "-W", "ignore", str(KILLS), "20"], capture_output=True, text=True
    )
    assert output.returncode == 0, output.stdout + output.stderr
    assert "different" not in output.stdout
