"""How soon a run is back when it is stopped by Ctrl+C: ``python benchmarks/interrupt.py [TIMES]``.

Each task runs in a process of its own, which gets the signal SIGINT at a random moment of its work. Seconds are
counted until Python has the KeyboardInterrupt; then the same work is done on a few spectra, and has to give what it
gave before. Training and simulation need what ``pip install .[training]`` installs.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 1.0
TASKS = ("identification", "lazy identification", "fit", "lazy fit", "simulation", "training")
MOMENTS_S = 0.5, 5.0
ROWS = 400


def on_an_image(task: str) -> Callable[[bool], object]:
    """Identify or fit an image, or a few rows of it."""
    import hyperspy.api as hs
    import numpy as np
    from exspy.signals import EELSSpectrum

    from hyperspy_eelsid.data import superlattice

    hs.preferences.General.show_progressbar = False
    few = superlattice((4, 65))
    axis = few.axes_manager[-1].get_axis_dictionary()
    many = EELSSpectrum(
        np.tile(few.data, (ROWS, 1, 1)), axes=[{"size": 4 * ROWS}, {"size": 65}, axis]
    )
    many.set_microscope_parameters(beam_energy=300, convergence_angle=20, collection_angle=50)
    if task.startswith(
        "lazy"
    ):  # here, for dask looks at all values of an array, which nothing interrupts
        few, many = few.as_lazy(), many.as_lazy()

    def call(whole: bool) -> object:
        image = many if whole else few
        if task.endswith("identification"):
            return image.identify_elements(show_progressbar=False).elements
        shift = "pixel" if whole else "image"  # takes longer
        model = image.auto_model(elements=["O", "Ti"], onset_shift=shift, show_progressbar=False)
        return [float(m.data.sum()) for m in model.elemental_maps().values()]

    return call


def simulation(folder: Path) -> Callable[[bool], object]:
    """Write a data set."""
    import h5py

    from training.core_loss import dataset

    def call(whole: bool) -> object:
        path = folder / f"{whole}.h5"
        path.unlink(missing_ok=True)
        spectra = 320 * (ROWS if whole else 1)
        dataset.write(path, "robust", "validation", spectra=spectra, show_progressbar=False)
        with h5py.File(path) as file:
            return file["labels"][:].sum()

    return call


def training(folder: Path) -> Callable[[bool], object]:
    """Train a network; a run that was stopped goes on."""
    from training.learning import train
    from training.learning.run import Run

    train.SPECTRA_PER_EPOCH, train.VALIDATION_SPECTRA = 640, 320

    def call(whole: bool) -> object:
        run = Run("vit", spectra=640 * ROWS if whole else 640, batch_size=64)
        return train.train(run, folder / str(whole)).count_params()

    return call


def child(task: str, folder: Path) -> None:
    """Do a task until it is stopped, and say so; then a small one."""
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # shells make jobs in the background deaf
    makers = {"simulation": simulation, "training": training}
    call = makers[task](folder) if task in makers else on_an_image(task)
    before = call(False)
    print("ready", flush=True)
    try:
        call(True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    print("right" if call(False) == before else "wrong", flush=True)


def seconds(task: str, moment: float) -> tuple[float, bool]:
    """Seconds until a task is stopped, infinite if it is not, and whether the next call is right."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, task, folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        lines = (line.strip() for line in process.stdout)
        if "ready" not in lines:  # goes on to the line
            return float("inf"), False
        time.sleep(moment)
        start = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        stopped = next(lines, "") == "stopped"
        taken = time.monotonic() - start
        right = next(lines, "") == "right"
        process.wait()
    return taken if stopped else float("inf"), right


def main(times: int) -> int:
    """Print the longest time for each task; the exit code tells whether one is too long or a next call wrong."""
    draw = random.Random(0)
    bad = 0
    for task in TASKS:
        runs = [seconds(task, draw.uniform(*MOMENTS_S)) for _ in range(times)]
        longest, right = max(s for s, _ in runs), sum(r for _, r in runs)
        bad += longest > LIMIT_S or right < times
        print(
            f"{task:20} {longest:5.2f} s at most in {times} runs, next call right in {right}",
            flush=True,
        )
    return int(bad > 0)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        child(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
