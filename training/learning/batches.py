"""Batches of spectra and labels for training, simulated or read from a file in other processes."""

from __future__ import annotations

import json
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from training.core_loss.dataset import SETS, make_simulator
from training.core_loss.recipes import RECIPES

if TYPE_CHECKING:  # the processes that make batches need no Keras
    from training.learning.run import Run

AHEAD = 16

Batch = tuple[np.ndarray, np.ndarray]  # spectra and labels
Source = tuple[Callable[..., Callable[[int], Batch]], tuple]
_source: Callable[[int], Batch] | None = None


def simulated(
    recipe: str,
    without: tuple[str, ...],
    published_share: float,
    formulas: str | None,
    seed: int,
    batch_size: int,
) -> Callable[[int], Batch]:
    """A function that simulates the batch of a step."""
    n_published = round(published_share * batch_size)
    # simulator, what its seed has besides that of the step, number of spectra
    parts = [(make_simulator(recipe, tuple(without), formulas), (), batch_size - n_published)]
    if n_published:
        parts.append((make_simulator("visible_pub", formulas=formulas), (1,), n_published))

    def batch(step: int) -> Batch:
        blocks = [
            simulator.block((seed, SETS["train"].seed, step, *more), number)
            for simulator, more, number in parts
        ]
        spectra = np.concatenate([block.spectra for block in blocks])
        return spectra, np.concatenate([block.labels for block in blocks])

    return batch


def stored(data: str | Path, seed: int, batch_size: int) -> Callable[[int], Batch]:
    """A function that reads the batch of a step; every spectrum comes once before one comes again."""
    file = h5py.File(data)
    per_pass = len(file["labels"]) // batch_size
    if not per_pass:
        raise ValueError(f"{data} holds {len(file['labels'])} spectra, a batch is {batch_size}.")

    def batch(step: int) -> Batch:
        number, place = divmod(step, per_pass)
        order = np.random.default_rng((seed, number)).permutation(len(file["labels"]))
        rows = np.sort(order[place * batch_size : (place + 1) * batch_size])
        return file["spectra"][rows], file["labels"][rows]

    return batch


def recipe_of(data: str | Path) -> tuple[str, tuple[str, ...]]:
    """Recipe of a data set file and the effects it leaves out."""
    with h5py.File(data) as file:
        described = json.loads(file.attrs["recipe"])
    name = described["name"].split("-")[0]
    return name, tuple(effect for effect in RECIPES[name].effects if described[effect] is None)


def source_of(run: Run) -> Source:
    """Where the batches of a run come from.

    Returns
    -------
    Source
        A function and its arguments; called with them it gives a function from the number of a step to its batch.
    """
    if run.data is not None:
        return stored, (run.data, run.seed, run.batch_size)
    return simulated, (
        run.recipe,
        run.without,
        run.published_share,
        run.formulas,
        run.seed,
        run.batch_size,
    )


def _start_worker(make_source: Callable, arguments: tuple) -> None:
    global _source
    _source = make_source(*arguments)


def _make(step: int) -> Batch:
    return _source(step)


@contextmanager
def batches(workers: int, source: Source, first: int, last: int) -> Iterator[Iterator[Batch]]:
    """Batches in order, made in other processes at most `AHEAD` batches before they are needed."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _start_worker, source) as pool:

        def in_order() -> Iterator[Batch]:
            steps = iter(range(first, last))
            waiting = deque(pool.apply_async(_make, (step,)) for step in islice(steps, AHEAD))
            while waiting:
                batch = waiting.popleft().get()
                if (step := next(steps, None)) is not None:
                    waiting.append(pool.apply_async(_make, (step,)))
                yield batch

        yield in_order()
