"""Memory of identification and of the model fit on lazy images: ``python benchmarks/memory.py [GB] [SECONDS]``.

The image is virtual: a block is made when it is needed, so that it can be larger than any disk. It comes in each of
the chunkings that HyperSpy makes: rows of pixels, as ``as_lazy`` makes them; squares of few pixels, as in its own
files; cubes that cut the energies too, as of a file of DigitalMicrograph; and planes of energies, as of a stack of
images. Each task runs in a process of its own, whose resident memory is read four times a second, and which is stopped
after so many seconds where the whole image takes too long. What the task returns is part of the memory: 320 bytes for
each pixel of an identification, and some 800 of a fit, most of which are HyperSpy's maps of the parameters.
"""

from __future__ import annotations

import _thread
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask.array as da
import numpy as np
from exspy.signals import LazyEELSSpectrum

from hyperspy_eelsid.exceptions import EelsidError

CHANNELS = 2048
ENERGY = np.arange(400.0, 400 + CHANNELS / 2, 0.5)
ROW = 1000  # pixels
# pixels along both navigation axes and channels of a chunk
CHUNKS = {
    "rows": (12, ROW, CHANNELS),
    "squares": (11, 11, CHANNELS),
    "small cubes": (250, 250, 64),
    "cubes": (322, 322, 322),
    "energy planes": (None, ROW, 8),
}
TASKS = {"identification": 0.7, "fit": 1.2}  # GB that they may take
EVERY_S = 0.25


def block(block_info: dict) -> np.ndarray:
    """Counts of a chunk: oxygen on a power law."""
    place = block_info[None]["array-location"]
    energy = ENERGY[slice(*place[-1])]
    expected = (1e3 * ((energy / 400) ** -3 + 0.2 * (energy > 532))).astype(np.float32)
    pixels = np.arange(place[1][0], place[1][1], dtype=np.float32) / ROW
    spectra = expected * (1 + pixels[:, np.newaxis])
    return np.broadcast_to(spectra, block_info[None]["chunk-shape"]).copy()


def image(rows: int, chunks: tuple[int | None, int, int]) -> LazyEELSSpectrum:
    """A virtual image of so many rows."""
    data = da.map_blocks(
        block,
        chunks=da.core.normalize_chunks(
            tuple(n or rows for n in chunks), (rows, ROW, CHANNELS), dtype=np.float32
        ),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )
    signal = LazyEELSSpectrum(data)
    axis = signal.axes_manager[-1]
    axis.offset, axis.scale, axis.units = ENERGY[0], ENERGY[1] - ENERGY[0], "eV"
    signal.set_microscope_parameters(beam_energy=200, convergence_angle=10, collection_angle=30)
    return signal


def resident() -> float:
    """Resident memory of this process [GB]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def watch(done: threading.Event, most: list[float]) -> None:
    """Keep the largest resident memory."""
    while not done.wait(EVERY_S):
        most[0] = max(most[0], resident())


def measure(task: str, rows: int, chunks: str, seconds: float) -> None:
    """Print the largest memory [GB] of a task, and how it ended."""
    signal = image(rows, CHUNKS[chunks])
    done, most = threading.Event(), [resident()]
    threading.Thread(target=watch, args=(done, most), daemon=True).start()
    timer = threading.Timer(seconds, _thread.interrupt_main)
    timer.daemon = True
    timer.start()
    start = time.monotonic()
    try:
        if task == "identification":
            signal.identify_elements(show_progressbar=False).compute(show_progressbar=False)
        else:
            signal.auto_model(elements=["O"], show_progressbar=False).elemental_maps()
        end = "whole"
    except KeyboardInterrupt:
        end = "stopped"
    except EelsidError as error:
        end = f"refused: {error}"
    timer.cancel()
    done.set()
    print(f"{max(most[0], resident()):.2f} {time.monotonic() - start:.0f} {end}")


def main(gigabytes: float, seconds: float) -> int:
    """Print the memory of every task for each chunking; the exit code is 1 if one takes too much."""
    rows = max(250, math.ceil(gigabytes * 1e9 / (ROW * CHANNELS * 4)))
    size = rows * ROW * CHANNELS * 4 / 1e9
    print(f"virtual image of {size:.1f} GB, {rows} x {ROW} spectra of {CHANNELS} channels")
    too_much = 0
    for task, limit in TASKS.items():
        for chunks in CHUNKS:
            command = [sys.executable, "-W", "ignore", __file__, task, str(rows), chunks]
            output = subprocess.run(
                [*command, str(seconds)], check=True, stdout=subprocess.PIPE, text=True
            ).stdout
            memory, taken, end = output.split(maxsplit=2)
            too_much += float(memory) > limit and not end.startswith("refused")
            print(
                f"{task:14} {chunks:14} {float(memory):5.2f} GB at most, {end.strip()} after {taken} s"
            )
    return int(too_much > 0)


if __name__ == "__main__":
    if len(sys.argv) == 5:
        measure(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
    else:
        numbers = [float(text) for text in sys.argv[1:]]
        sys.exit(main(*numbers, *(20.0, 60.0)[len(numbers) :]))
