"""Memory of identification and of the model fit against the size of a lazy image: ``python benchmarks/memory.py``.

Each size runs in a process of its own, so that its peak is its own. A block of the image is made when it is needed.
"""

from __future__ import annotations

import resource
import subprocess
import sys

import dask.array as da
import numpy as np
from exspy.signals import LazyEELSSpectrum

COLUMNS = 64
CHANNELS = 2048
ROWS = (8, 32, 128)


def peak(task: str, rows: int) -> float:
    """Highest memory [GB] of this process after a task on an image of so many rows."""

    def make(block_info: dict) -> np.ndarray:
        shape = block_info[None]["chunk-shape"]
        energy = np.arange(400.0, 400 + CHANNELS / 2, 0.5)
        expected = 1e3 * ((energy / 400) ** -3 + 0.2 * (energy > 532))
        rng = np.random.default_rng(block_info[None]["chunk-location"])
        return rng.poisson(expected, shape).astype(np.float32)

    data = da.map_blocks(
        make,
        chunks=((8,) * (rows // 8), (COLUMNS,), (CHANNELS,)),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )
    signal = LazyEELSSpectrum(data)
    axis = signal.axes_manager[-1]
    axis.offset, axis.scale, axis.units = 400, 0.5, "eV"
    if task == "identification":
        found = signal.identify_elements(show_progressbar=False)
        found.compute(show_progressbar=False)
    else:
        signal.set_microscope_parameters(beam_energy=200, convergence_angle=10, collection_angle=30)
        signal.auto_model(elements=["O"], show_progressbar=False)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux


def main() -> None:
    """Print the peaks for every size, and the last over the first."""
    for task in ("identification", "model fit"):
        peaks = []
        for rows in ROWS:
            command = [sys.executable, "-W", "ignore", __file__, task, str(rows)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            peaks.append(float(output.split()[-1]))
            size = rows * COLUMNS * CHANNELS * 4 / 1e9
            print(f"{task:15s} image of {size:6.3f} GB     {peaks[-1]:8.2f} GB at most")
        growth = peaks[-1] / peaks[0]
        print(f"{task:15s} ratio of sizes {ROWS[-1] / ROWS[0]:.0f}, of memory {growth:.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(peak(sys.argv[1], int(sys.argv[2])))
    else:
        main()
