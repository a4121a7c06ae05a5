"""How often a lazy image is read, and in what blocks."""

import threading

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from known_images import AMOUNTS, make_image, with_parameters

from hyperspy_eelsid.quantification.linear_model import _sums

SHAPE = (16, 16)


class Counted:
    """An image on a disk that counts how often its values are read."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.values, self.lock = 0, threading.Lock()

    def __getitem__(self, index):
        part = self.data[index]
        with self.lock:
            self.values += part.size
        return part

    @property
    def times(self):
        return self.values / self.data.size


def counted(signal, chunks):
    """A lazy signal of the same data, and what counts how often they are read."""
    source = Counted(signal.data)
    lazy = signal.as_lazy()
    lazy.data = da.from_array(source, chunks=chunks, asarray=False, meta=np.empty(0), name=False)
    return lazy, source


CHUNKS = pytest.mark.parametrize("chunks", [(4, 4, -1), (8, 8, -1), (2, 16, -1), (-1, -1, 50)])


@CHUNKS
def test_the_data_are_read_twice(chunks):
    signal, _ = make_image(AMOUNTS, SHAPE, counts=5000)
    expected = with_parameters(signal).auto_model(elements=AMOUNTS)
    lazy, source = counted(signal, chunks)
    model = lazy.auto_model(elements=AMOUNTS)
    assert source.times <= 2
    found = model.elemental_maps()
    model.composition(), model.significance(), model.doubtful
    assert source.times <= 2
    for element, amount in expected.elemental_maps().items():
        np.testing.assert_allclose(found[element].data, amount.data, rtol=1e-6)
    residual = model.residual()
    assert source.times <= 2
    np.testing.assert_allclose(residual.data.compute(), expected.residual().data, atol=1e-6)
    assert source.times <= 3


@pytest.mark.slow
@CHUNKS
def test_the_data_are_read_three_times_for_a_shift_of_each_pixel(chunks):
    """Once for the mean, once for what the edges of the image look like, once for shifts and amounts."""
    signal, _ = make_image(AMOUNTS, SHAPE, counts=5000)
    signal.data[8:] = np.roll(signal.data[8:], 2, axis=-1)
    expected = with_parameters(signal).isig[5:].auto_model(elements=AMOUNTS, fit=False)
    shifts = expected.estimate_onset_shifts().data
    expected.fit_linear()
    assert np.ptp(shifts) > 1
    lazy, source = counted(signal.isig[5:], chunks)
    model = lazy.auto_model(elements=AMOUNTS, onset_shift="pixel")
    assert source.times <= 3
    for element, amount in model.elemental_maps().items():
        np.testing.assert_allclose(amount.data, expected.elemental_maps()[element].data, rtol=1e-6)
    model.composition(), model.significance()
    assert source.times <= 3


@pytest.mark.slow
def test_a_cluster_gives_the_same_amounts():
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed")
    signal, _ = make_image(AMOUNTS, SHAPE, counts=5000)
    signal = with_parameters(signal)
    expected = signal.auto_model(elements=AMOUNTS).elemental_maps()
    lazy = signal.as_lazy()
    lazy.data = lazy.data.rechunk((8, 8, -1))
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    with distributed.LocalCluster(processes=False, **options) as cluster, cluster.get_client():
        found = lazy.auto_model(elements=AMOUNTS).elemental_maps()
    for element, amount in expected.items():
        np.testing.assert_allclose(found[element].data, amount.data, rtol=1e-6)


def test_a_sample_of_the_spectra_keeps_no_chunk_in_memory():
    chunk = np.ones((4, 40, 100), np.float32)
    sample = _sums(chunk, (slice(0, 4), slice(0, 40), slice(0, 100)), 10)[-1]
    assert sample.shape == (4, 100) and not np.shares_memory(sample, chunk)


@pytest.mark.slow
def test_residuals_of_a_file_come_from_a_cluster(tmp_path):
    """Workers are other processes, and open the file for themselves."""
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed")
    signal, _ = make_image(AMOUNTS, (4, 4), counts=5000)
    with_parameters(signal).save(tmp_path / "image.hspy", chunks=(2, 2, len(signal.data[0, 0])))
    lazy = hs.load(tmp_path / "image.hspy", lazy=True)
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, cluster.get_client():
        model = lazy.auto_model(elements=AMOUNTS)
        residual = model.residual().data.compute()
    np.testing.assert_allclose(residual, model.residual().data.compute(), atol=1e-6)
