"""Data sets whose writing is killed at random instants: ``python benchmarks/kills.py [KILLS]``.

The writer is the real one; in the place of the simulator stands one that is fast, so that nearly all the time is
writing. Each data set is killed up to five times and then finished; it has to be the one that nothing interrupted.
"""

from __future__ import annotations

import collections
import hashlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from training.core_loss import dataset
from training.core_loss.simulation import Block
from training.physics.ionisation import SUBSHELL

BLOCKS = 8
KILLS_PER_SET = 5
SPECTRA = 320 * BLOCKS - 7  # the last block is not used whole


def quick_block(simulator: None, set_name: str, seed: int, number: int) -> Block:
    """A block of random numbers."""
    rng = np.random.default_rng((seed, number))
    spectra = rng.random((320, 3072), np.float32)
    spectra[:, 300:] = 0  # as outside of most windows
    subshells = np.zeros(700, SUBSHELL)
    subshells["spectrum"] = np.sort(rng.integers(320, size=700))
    return Block(
        spectra=spectra,
        labels=(rng.random((320, 80)) > 0.9).astype(np.uint8),
        groups=(rng.random((320, 107)) > 0.9).astype(np.uint8),
        fractions=rng.random((320, 80), np.float32),
        parameters={name: rng.random(320) for name in ("jump_ratio", "thickness")},
        subshells=subshells,
    )


def write(path: Path) -> None:
    dataset.write(path, "robust", "validation", seed=3, spectra=SPECTRA, show_progressbar=False)


def digest(path: Path) -> str:
    """Checksum of all arrays and attributes."""
    hashed = hashlib.sha256()
    with h5py.File(path) as file:
        hashed.update(repr(sorted((k, str(v)) for k, v in file.attrs.items())).encode())
        file.visititems(
            lambda name, item: (
                hashed.update(name.encode() + item[()].tobytes())
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return hashed.hexdigest()


def killed(path: Path, after: float) -> bool:
    """Write in a process of its own, which is killed after some seconds; whether it was not finished by then."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            write(path)
            code = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    end = time.monotonic() + after
    while time.monotonic() < end:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            if status:
                raise RuntimeError(f"{path} could not be gone on with")
            return False
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def main(kills: int) -> int:
    """Print how many data sets are what they have to be; the exit code is 1 if there are others."""
    dataset.simulate_block = quick_block
    dataset.make_simulator = lambda *_: None
    rng = np.random.default_rng(0)
    outcomes: collections.Counter[str] = collections.Counter()
    made = 0
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference.h5"
        start = time.monotonic()
        write(reference)
        seconds = time.monotonic() - start
        expected = digest(reference)
        while made < kills:
            path = Path(folder) / "killed.h5"
            for _ in range(KILLS_PER_SET):
                made += killed(path, rng.uniform(0, seconds))
            write(path)
            left = len(list(Path(folder).iterdir())) - 2
            same = digest(path) == expected and not left
            outcomes["identical" if same else "different"] += 1
            path.unlink()
    print(f"{made} kills in {outcomes.total()} data sets: {dict(outcomes)}")
    return int(outcomes["different"] > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
