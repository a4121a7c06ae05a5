"""A lazy image in threads and in a cluster of two processes: ``python benchmarks/cluster.py``.

Both compute the same image; in a third run one of the two workers is killed as soon as the first block is done.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import dask
import hyperspy.api as hs
import numpy as np
from dask.distributed import Client, LocalCluster

from hyperspy_eelsid.data import superlattice

SHAPE, CHUNKS = (24, 32), (4, 16, 1240)
WORKERS = 2


def identified(path: Path) -> tuple[float, np.ndarray]:
    """Seconds, and probabilities of all pixels."""
    s = hs.load(path, lazy=True)
    start = time.perf_counter()
    found = s.identify_elements(show_progressbar=False)
    found.compute(show_progressbar=False)
    return time.perf_counter() - start, found.probability.data


def fitted(path: Path) -> tuple[float, np.ndarray]:
    """Seconds, and areal densities of all pixels."""
    s = hs.load(path, lazy=True)
    start = time.perf_counter()
    model = s.auto_model(elements=["O", "Ti", "La", "Mn", "Ba"], show_progressbar=False)
    maps = model.elemental_maps()
    return time.perf_counter() - start, np.stack([m.data for m in maps.values()])


def kill_one(client: Client) -> None:
    """Kill a worker as soon as there is a result of any."""

    def watch() -> None:
        while not any(client.run(lambda dask_worker: len(dask_worker.data)).values()):
            time.sleep(0.05)
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Print spectra per second of threads and cluster, and by how much the results differ."""
    spectra = int(np.prod(SHAPE))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.hspy"
        superlattice(shape=SHAPE).save(path, chunks=CHUNKS)
        expected = {}
        with dask.config.set(num_workers=WORKERS):
            for task in (identified, fitted):
                task(path)  # loads and compiles
                seconds, expected[task] = task(path)
                print(
                    f"{task.__name__:10} {WORKERS} threads      {spectra / seconds:8.0f} spectra/s"
                )
        options = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": ":0"}
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            for task in (identified, fitted):
                task(path)
                seconds, result = task(path)
                difference = np.nanmax(np.abs(result - expected[task])) / np.nanmax(expected[task])
                print(
                    f"{task.__name__:10} {WORKERS} processes    {spectra / seconds:8.0f} spectra/s, "
                    f"differs by {difference:.0e} of the largest value"
                )
            kill_one(client)
            seconds, result = identified(path)
            difference = np.nanmax(np.abs(result - expected[identified]))
            print(
                f"identified one worker killed {spectra / seconds:6.0f} spectra/s, differs by {difference:.0e}"
            )


if __name__ == "__main__":
    main()
