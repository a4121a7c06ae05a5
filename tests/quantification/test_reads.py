"""How often a lazy image is read: each spectrum once for the mean and once for the fit."""

import threading

import dask.array as da
import numpy as np
import pytest
from known_images import AMOUNTS, make_image, with_parameters

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


@pytest.mark.parametrize("chunks", [(4, 4, -1), (8, 8, -1), (2, 16, -1), (-1, -1, 50)])
def test_the_data_are_read_twice(chunks):
    signal, _ = make_image(AMOUNTS, SHAPE, counts=5000)
    expected = with_parameters(signal).auto_model(elements=AMOUNTS).elemental_maps()
    source = Counted(signal.data)
    lazy = signal.as_lazy()
    lazy.data = da.from_array(source, chunks=chunks, asarray=False, meta=np.empty(0), name=False)
    model = lazy.auto_model(elements=AMOUNTS)
    assert source.times <= 2
    found = model.elemental_maps()
    model.composition(), model.significance(), model.doubtful
    assert source.times <= 2
    for element, amount in found.items():
        np.testing.assert_allclose(amount.data, expected[element].data, rtol=1e-6)
    model.estimate_onset_shifts()  # the image with its mean onsets, then the shifts
    assert source.times <= 4
