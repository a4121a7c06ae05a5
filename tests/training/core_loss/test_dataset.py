import h5py
import numpy as np
import pytest

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS
from training.core_loss import dataset
from training.physics.ionisation import EDGE_GROUPS


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


def test_number_of_processes_does_not_matter(test_file, tmp_path):
    path, options = test_file
    dataset.write(tmp_path / "two.h5", processes=2, **options)
    with h5py.File(path) as one, h5py.File(tmp_path / "two.h5") as two:
        np.testing.assert_array_equal(one["spectra"][:], two["spectra"][:])
        np.testing.assert_array_equal(one["edges"][:], two["edges"][:])


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
        np.testing.assert_array_equal(whole["spectra"][:], resumed["spectra"][:])
    with pytest.raises(ValueError, match="another data set"):
        dataset.write(tmp_path / "set.h5", **(options | {"seed": 2}))


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
