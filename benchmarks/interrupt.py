"""How soon a run is back when it is stopped by Ctrl+C: ``python benchmarks/interrupt.py [TIMES]``.

Each task runs in a process of its own, which gets the signal SIGINT in the middle of the work. Seconds until the
KeyboardInterrupt is there in Python, after which the process goes on, and the same call gives the right result again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 1.0
TASKS = ("identification", "lazy identification", "fit", "lazy fit", "simulation", "training")
LONGEST_S = 300


def large_image():  # noqa: ANN201 (exspy is imported by the tasks that need it)
    """An image whose identification and fit take minutes."""
    import numpy as np

    from hyperspy_eelsid.data import superlattice

    signal = superlattice((4, 65))
    signal.data = np.tile(signal.data, (400, 1, 1))
    signal.axes_manager[1].size = len(signal.data)
    return signal


def work(task: str, folder: Path) -> Callable[[int], object]:
    """A function that does a task on so many rows of pixels, or on all with 0."""
    if task == "simulation":
        from training.core_loss import dataset

        def simulate(rows: int) -> object:
            spectra = 320 if rows else 320 * 400
            dataset.write(folder / f"{rows}.h5", "robust", "validation", spectra=spectra)
            return (folder / f"{rows}.h5").stat().st_size > 0

        return simulate
    if task == "training":
        import json

        from training.learning.train import train

        run = folder / "run"
        return lambda rows: train(**json.loads((folder / "arguments.json").read_text())) or run
    signal = large_image()

    def call(rows: int) -> object:
        part = signal.inav[:, :rows] if rows else signal
        part = part.as_lazy() if task.startswith("lazy") else part
        if task.endswith("identification"):
            return part.identify_elements(show_progressbar=False).elements
        return part.auto_model(elements=["O", "Ti"], show_progressbar=False).elements

    return call


def child(task: str, folder: Path) -> None:
    """Do a task until it is stopped, and print for how long it went on after the signal, and what comes next."""
    call = work(task, folder)
    expected = call(4)
    sent: list[float] = []

    def stop(*_: object) -> None:
        sent.append(time.monotonic())
        signal.default_int_handler(signal.SIGINT, None)

    del stop
    print("ready", flush=True)
    try:
        call(0)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    again = call(4) == expected
    print("right" if again else "wrong", flush=True)


def seconds(task: str, wait: float) -> tuple[float, str]:
    """Seconds until a task is stopped, and whether the next call is right."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", __file__, task, folder]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in process.stdout:
            if line.strip() == "ready":
                break
        time.sleep(wait)
        start = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        told = process.stdout.readline().strip()
        taken = time.monotonic() - start
        again = process.stdout.readline().strip()
        process.wait(LONGEST_S)
    return taken if told == "stopped" else float("inf"), again
