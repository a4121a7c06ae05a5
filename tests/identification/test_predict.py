"""Images larger than memory: in threads, on a cluster, interrupted."""

import threading
import time

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from exspy.signals import LazyEELSSpectrum

from hyperspy_eelsid.networks.blocks import PIXELS_PER_BLOCK


def lazy_steps(rows, on_block=lambda: None):
    """Lazy image, 64 pixels wide, of a step at 532 eV that grows from row to row, made block by block."""

    def make(block_info=None):
        on_block()
        (first, last), columns, _ = block_info[None]["array-location"]
        height = np.arange(first, last)[:, None, None] / rows
        energy = np.arange(400.0, 700.0)
        spectra = 1e3 * ((energy / 400) ** -2 + height * (energy > 532))
        return np.broadcast_to(spectra, (last - first, columns[1] - columns[0], 300)).copy()

    chunks = ((16,) * (rows // 16), (64,), (300,))
    data = da.map_blocks(make, chunks=chunks, dtype=float, meta=np.empty((0, 0, 0)))
    signal = LazyEELSSpectrum(data)
    signal.axes_manager[-1].offset, signal.axes_manager[-1].units = 400, "eV"
    return signal


def test_few_blocks_are_in_memory_at_once(step_networks):
    """However large the image, no more blocks are made than are being worked on."""
    alive, most = [], []

    class Count(Callback):
        def _pretask(self, key, dsk, state):
            most.append(
                sum(np.ndim(v) == 3 and v.shape[-1] == 300 for v in state["cache"].values())
            )

    signal = lazy_steps(256, lambda: alive.append(1))
    with dask.config.set(scheduler="threads", num_workers=2), Count():
        found = signal.identify_elements()
        found.compute()
    assert len(alive) == 16 and found.elements == ["O"]
    blocks = 256 * 64 / PIXELS_PER_BLOCK
    assert max(most) < blocks / 4


def test_a_cluster_gives_the_same_numbers(steps_folder):
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed")
    signal = lazy_steps(32)
    eager = signal.deepcopy()
    eager.compute(show_progressbar=False)
    expected = eager.identify_elements(networks=steps_folder)
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    with distributed.LocalCluster(processes=False, **options) as cluster, cluster.get_client():
        found = signal.identify_elements(networks=steps_folder)
        found.compute()
        inside = eager.identify_elements(networks=steps_folder)
    for result in (found, inside):
        np.testing.assert_array_equal(result.probability.data, expected.probability.data)
        np.testing.assert_allclose(result.spectrum.data, expected.spectrum.data)


@pytest.mark.slow
def test_an_interrupted_run_leaves_nothing_broken(step_networks):
    made = []

    def interrupt():
        made.append(time.perf_counter())
        if len(made) == 3 and threading.main_thread().is_alive():
            raise KeyboardInterrupt

    signal = lazy_steps(1024, interrupt)
    found = signal.identify_elements()
    with pytest.raises(KeyboardInterrupt):
        found.compute()
    assert len(made) < 32, "it went on"
    assert found.probability._lazy
    found.compute()
    assert found.elements == ["O"] and not found.probability._lazy
