"""Train a network on spectra that are simulated while it trains, and go on where a killed run stopped."""

from __future__ import annotations

import csv
import json
import logging
import multiprocessing
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from multiprocessing.pool import AsyncResult
from pathlib import Path

import keras
import numpy as np
from tqdm.auto import tqdm

from training import metrics
from training.dataset import SETS, make_simulator
from training.networks import build
from training.simulation import Block

_logger = logging.getLogger(__name__)

SPECTRA_PER_EPOCH = 16384
VALIDATION_SPECTRA = 4096
WARM_UP_STEPS = 500
AHEAD = 16
_simulator = None


def _start_worker(recipe: str, without: tuple[str, ...], formulas: Path | None) -> None:
    global _simulator
    _simulator = make_simulator(recipe, without, formulas)


def _simulate(task: tuple[tuple[int, ...], int]) -> Block:
    seed, n_samples = task
    return _simulator.block(seed, n_samples)


def _batches(pool, seed: int, first: int, last: int, batch_size: int) -> Iterator[Block]:
    """Blocks in order, simulated at most `AHEAD` blocks before they are needed."""
    steps = iter(range(first, last))

    def submit(step: int) -> AsyncResult:
        return pool.apply_async(_simulate, (((seed, SETS["train"].seed, step), batch_size),))

    waiting = deque(submit(step) for step in islice(steps, AHEAD))
    while waiting:
        block = waiting.popleft().get()
        if (step := next(steps, None)) is not None:
            waiting.append(submit(step))
        yield block


def _resume(folder: Path, model: keras.Model) -> int:
    """Load the newest checkpoint into `model` and return the number of epochs it has seen."""
    state = folder / "state.json"
    if not state.exists():
        return 0
    epoch = json.loads(state.read_text())["epoch"]
    values = np.load(folder / f"epoch{epoch}.npz")
    model.set_weights([values[f"w{i}"] for i in range(len(model.weights))])
    model.optimizer.build(model.trainable_variables)
    for i, variable in enumerate(model.optimizer.variables):
        variable.assign(values[f"o{i}"])
    return epoch


def _checkpoint(folder: Path, model: keras.Model, epoch: int) -> None:
    values = {f"w{i}": np.asarray(w) for i, w in enumerate(model.get_weights())}
    for i, variable in enumerate(model.optimizer.variables):
        values[f"o{i}"] = keras.ops.convert_to_numpy(variable)
    path = folder / f"epoch{epoch}.npz"
    np.savez(path.with_suffix(".part.npz"), **values)
    path.with_suffix(".part.npz").replace(path)
    state = folder / "state.json.part"
    state.write_text(json.dumps({"epoch": epoch}))
    state.replace(folder / "state.json")
    (folder / f"epoch{epoch - 1}.npz").unlink(missing_ok=True)


def train(
    name: str,
    folder: Path,
    recipe: str = "robust",
    without: tuple[str, ...] = (),
    size: str = "compact",
    spectra: int = 1_000_000,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    workers: int = 1,
    validate_every: int = 4,
    formulas: Path | None = None,
    start: Path | None = None,
) -> keras.Model:
    """Train a network and keep its checkpoints, its log and its final weights in `folder`.

    The learning rate falls by a cosine from `learning_rate` to zero over the whole run, after a short
    warm-up. A run that was stopped goes on from its last epoch of 16,384 spectra when it is started again
    with the same arguments.

    Parameters
    ----------
    name, size : The network, as in :func:`training.networks.build`.
    folder : Folder of the run; made if it does not exist.
    recipe, without : Recipe of the spectra and the effects of it that are left out.
    spectra : Number of spectra of the whole run.
    workers : Processes that simulate.
    validate_every : Epochs between two validations.
    formulas : Text file of chemical formulas, as in :func:`training.dataset.make_simulator`.
    start : Folder of a finished run of the same network whose weights this one begins with.

    Returns
    -------
    The trained network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    steps = SPECTRA_PER_EPOCH // batch_size
    epochs = max(1, round(spectra / SPECTRA_PER_EPOCH))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(epochs * steps - WARM_UP_STEPS, 1),
        warmup_target=learning_rate,
        warmup_steps=WARM_UP_STEPS,
    )
    model = build(name, size)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-4, global_clipnorm=1.0)
    model.compile(optimizer, "binary_crossentropy")
    if start is not None:
        model.load_weights(start / "final.weights.h5")
    done = _resume(folder, model)
    _logger.info(
        "%s: %d parameters, %d of %d epochs done", name, model.count_params(), done, epochs
    )
    validation = make_simulator(recipe, without, formulas).block(
        (seed, SETS["validation"].seed), VALIDATION_SPECTRA
    )
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _start_worker, (recipe, without, formulas)) as pool:
        batches = _batches(pool, seed, done * steps, epochs * steps, batch_size)
        for epoch in range(done + 1, epochs + 1):
            start, losses = time.perf_counter(), []
            for _ in tqdm(range(steps), desc=f"{name} {epoch}/{epochs}", mininterval=10):
                block = next(batches)
                losses.append(float(model.train_on_batch(block.spectra, block.labels)))
                model.reset_metrics()  # else the returned loss is a mean over all batches so far
            rate = steps * batch_size / (time.perf_counter() - start)
            row = {
                "epoch": epoch,
                "spectra": epoch * steps * batch_size,
                "spectra_per_s": round(rate),
            }
            row["loss"] = round(float(np.mean(losses)), 5)
            if epoch % validate_every == 0 or epoch == epochs:
                probability = model.predict(validation.spectra, batch_size=256, verbose=0)
                threshold = metrics.balanced_threshold(validation.labels, probability)
                result = metrics.scores(validation.labels, probability, threshold)
                row |= {"threshold": threshold} | {k: round(v, 4) for k, v in result.items()}
            _append(folder / "log.csv", row)
            _checkpoint(folder, model, epoch)
    model.save_weights(folder / "final.weights.h5")
    return model


def _append(path: Path, row: dict[str, float]) -> None:
    columns = ["epoch", "spectra", "spectra_per_s", "loss", "threshold"]
    columns += ["precision", "recall", "f1", "emr"]
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns)
        if new:
            writer.writeheader()
        writer.writerow(row)
