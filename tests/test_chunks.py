"""Chunks of lazy images."""

import threading

import dask
import dask.array as da
import numpy as np
import pytest

from hyperspy_eelsid import chunks
from hyperspy_eelsid.chunks import whole_spectra
from hyperspy_eelsid.exceptions import EelsidError


class Held:
    """An image that counts how many of its chunks are in memory, and how often they are read."""

    def __init__(self, shape):
        self.values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        self.read, self.held, self.most = 0, 0, 0
        self._lock = threading.Lock()

    def chunk(self, block_info=None):
        held = self

        class Chunk(np.ndarray):
            def __del__(self):
                if self.base is None:
                    with held._lock:
                        held.held -= 1

        place = block_info[None]["array-location"]
        part = self.values[tuple(slice(*ends) for ends in place)]
        chunk = np.ndarray.__new__(Chunk, part.shape, part.dtype)
        chunk[...] = part
        with self._lock:
            self.read, self.held = self.read + 1, self.held + 1
            self.most = max(self.most, self.held)
        return chunk

    def lazy(self, sizes):
        normal = da.core.normalize_chunks(sizes, self.values.shape, dtype=np.float32)
        meta = np.empty((0,) * self.values.ndim, np.float32)
        return da.map_blocks(self.chunk, chunks=normal, dtype=np.float32, meta=meta)


@pytest.mark.parametrize("sizes", [(4, 5, -1), (10, 20, 4), (-1, 3, 4), (7, -1, 4)])
def test_values_are_the_same(sizes, monkeypatch):
    monkeypatch.setattr(chunks, "BLOCK_BYTES", 10e3)
    image = Held((20, 30, 16))
    whole = whole_spectra(image.lazy(sizes))
    assert whole.numblocks[-1] == 1
    np.testing.assert_array_equal(whole.compute(), image.values)


def test_few_chunks_are_in_memory(monkeypatch):
    """Of the 16 chunks that hold the energies of a pixel, no more than those that are being read."""
    image = Held((16, 16, 64))
    lazy = image.lazy((16, 16, 4))
    with dask.config.set(scheduler="synchronous"):
        whole_spectra(lazy).sum(axis=-1).compute()
        assert (image.read, image.most) == (16, 16)
        monkeypatch.setattr(chunks, "BLOCK_BYTES", image.values.nbytes / 4)
        image.read, image.most = 0, image.held
        whole_spectra(lazy).sum(axis=-1).compute()
    assert image.read == 4 * 16
    assert image.most <= 2


def test_energy_planes_of_large_images_are_refused_with_the_memory_that_they_need():
    planes = da.zeros((2000, 2000, 1000), chunks=(-1, -1, 10), dtype=np.float32)
    with pytest.raises(EelsidError, match=r"16.0 GB would have to be in memory .* 2000 x 2000"):
        whole_spectra(planes)
    few = planes.rechunk((50, 50, -1))
    assert whole_spectra(few) is few
