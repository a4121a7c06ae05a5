import h5py
import numpy as np
import pytest

from hyperspy_eelsid.edges import ELEMENTS
from training import dataset


def test_file_holds_spectra_labels_and_parameters(pub_simulator, tmp_path):
    path = tmp_path / "set.h5"
    dataset.write(pub_simulator, path, 200, seed=1, show_progressbar=False)
    with h5py.File(path) as file:
        assert file["spectra"].shape == (200, 3072)
        assert file["labels"].shape == file["fractions"].shape == (200, 80)
        assert list(file.attrs["elements"]) == list(ELEMENTS)
        np.testing.assert_allclose(file["spectra"][:].max(axis=1), 1, rtol=1e-6)
        assert set(file["parameters"]) >= {"query", "jump_ratio", "thickness", "window_start"}
        first = file["spectra"][:160]
    block = pub_simulator.block((1, dataset.SETS["test"], 0), 160)
    np.testing.assert_array_equal(first, block.spectra)


def test_sets_do_not_share_spectra(pub_simulator, tmp_path):
    contents = []
    for name in dataset.SETS:
        dataset.write(pub_simulator, tmp_path / name, 40, 1, name, show_progressbar=False)
        with h5py.File(tmp_path / name) as file:
            contents.append(file["spectra"][:])
    for a in range(len(contents)):
        for b in range(a):
            assert not np.array_equal(contents[a], contents[b])


def test_unknown_names(pub_simulator, tmp_path):
    with pytest.raises(ValueError, match="Unknown recipe"):
        dataset.make_simulator("best")
    with pytest.raises(ValueError, match="Unknown set"):
        dataset.write(pub_simulator, tmp_path / "x.h5", 10, 0, "exam")
