"""Train a network on simulated or stored spectra, and go on where a killed run stopped."""

from __future__ import annotations

import csv
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import keras
import numpy as np
from tqdm.auto import tqdm

from training.core_loss.dataset import SETS, make_simulator
from training.learning import metrics
from training.learning.batches import Batch, batches, recipe_of, source_of
from training.learning.objectives import LOSSES
from training.learning.run import (
    Network,
    Run,
    checkpoint,
    epochs_done,
    load_run,
    load_weights,
    save_weights,
)

_logger = logging.getLogger(__name__)

SPECTRA_PER_EPOCH = 16384
VALIDATION_SPECTRA = 4096
WARM_UP_STEPS = 500
# Annys et al. (2023) halved the rate when three times 32,000 spectra had not raised F1 by 0.025
PLATEAU_PATIENCE = 3
PLATEAU_GAIN = 0.025
LEARNING_RATES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)


def _compile(
    model: keras.Model, rate: float | keras.optimizers.schedules.LearningRateSchedule, loss: str
):
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=1.0)
    model.compile(optimizer, LOSSES[loss])


def _step(model: keras.Model, batch: Batch) -> float:
    loss = float(model.train_on_batch(*batch))
    model.reset_metrics()  # else the returned loss is a mean over all batches so far
    return loss


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """Layers that are made inside compute in this precision; their weights are float32 in each."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _taught(batch: Batch, teachers: list[Network]) -> Batch:
    """The batch with the mean of its labels and of the teachers' probabilities in their place.

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, arXiv:1503.02531 (2015).
    """
    if not teachers:
        return batch
    spectra, labels = batch
    soft = np.mean([teacher.predict(spectra) for teacher in teachers], axis=0)
    return spectra, (labels + soft) / 2


def _resume(folder: Path, model: keras.Model) -> int:
    """Load the newest checkpoint into `model` and return the number of epochs it has seen."""
    if epoch := epochs_done(folder):
        with np.load(checkpoint(folder, epoch)) as values:
            for name, variable in _state(model).items():
                variable.assign(values[name])
    return epoch


def _state(model: keras.Model) -> dict[str, keras.Variable]:
    """Everything that the next step depends on: weights, moments of the optimizer, random states of dropout."""
    model.optimizer.build(model.trainable_variables)
    seeds = [v for v in model.non_trainable_variables if "seed_generator" in v.path]
    parts = {"w": model.weights, "o": model.optimizer.variables, "s": seeds}
    return {f"{part}{i}": v for part, variables in parts.items() for i, v in enumerate(variables)}


def _checkpoint(folder: Path, model: keras.Model, epoch: int) -> None:
    values = {k: keras.ops.convert_to_numpy(v) for k, v in _state(model).items()}
    path = checkpoint(folder, epoch)
    np.savez(path.with_suffix(".part.npz"), **values)
    path.with_suffix(".part.npz").replace(path)
    state = folder / "state.json.part"
    state.write_text(json.dumps({"epoch": epoch}))
    state.replace(folder / "state.json")
    checkpoint(folder, epoch - 1).unlink(missing_ok=True)


def plateau_rate(learning_rate: float, scores: list[float]) -> float:
    """Learning rate after some validations: halved each time that `PLATEAU_PATIENCE` of them brought no gain.

    Parameters
    ----------
    learning_rate
        Rate at the beginning.
    scores
        F1 scores of all validations so far.
    """
    best, waited = -np.inf, 0
    for score in scores:
        waited += 1
        if score > best + PLATEAU_GAIN:
            best, waited = score, 0
        elif waited == PLATEAU_PATIENCE:
            learning_rate, waited = learning_rate / 2, 0
    return learning_rate


def _begin(run: Run, folder: Path) -> None:
    """Describe the run in its folder; one that goes on must be the one that was begun."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.json"
    if epochs_done(folder):
        begun = Run.from_json(path.read_text(encoding="utf-8"))
        if different := run.differences(begun):
            raise ValueError(
                f"{folder} holds the beginning of another run: its {', '.join(different)} differ. "
                "Give the same arguments, or another folder."
            )
    path.write_text(run.to_json(), encoding="utf-8")


def train(run: Run, folder: Path, workers: int = 1) -> keras.Model:
    """Train a network and keep its checkpoints, its log and its final weights in `folder`.

    A run that was stopped goes on from its last epoch of 16,384 spectra when it is started again.

    Parameters
    ----------
    run
        The network, its spectra and how it learns.
    folder
        Folder of the run; made if it does not exist.
    workers
        Processes that simulate or read.

    Returns
    -------
    keras.Model
        The trained network.

    Raises
    ------
    ValueError
        If the network or the recipe is unknown, or the folder holds the beginning of another run.
    """
    if run.data is not None:
        recipe, without = recipe_of(run.data)
        run = replace(run, recipe=recipe, without=without)
    _begin(run, folder)
    keras.utils.set_random_seed(run.seed)
    batch_size = run.batch_size
    steps = SPECTRA_PER_EPOCH // batch_size
    epochs = max(1, round(run.spectra / SPECTRA_PER_EPOCH))
    rate = run.learning_rate
    if run.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(epochs * steps - WARM_UP_STEPS, 1),
            warmup_target=run.learning_rate,
            warmup_steps=WARM_UP_STEPS,
        )
    with _precision(run.precision):
        model = run.build()
        if (
            run.start is not None
        ):  # before there is an optimizer, of which the other run may have no state
            load_weights(Path(run.start), model)
        _compile(model, rate, run.loss)
    done = _resume(folder, model)
    log = _Log(folder / "log.csv", done)
    _logger.info(
        "%s: %d parameters, %d of %d epochs done", run.network, model.count_params(), done, epochs
    )
    taught_by = [load_run(teacher) for teacher in run.teachers]
    validation = make_simulator(run.recipe, run.without, run.formulas).block(
        (run.seed, SETS["validation"].seed), VALIDATION_SPECTRA
    )
    progress = tqdm(
        total=epochs * steps * batch_size,
        initial=done * steps * batch_size,
        desc=run.network,
        unit="spectra",
        unit_scale=True,
        mininterval=10,
    )
    with (
        progress,
        batches(workers, source_of(run), done * steps, epochs * steps) as all_batches,
    ):
        for epoch in range(done + 1, epochs + 1):
            if run.schedule == "plateau":
                model.optimizer.learning_rate = plateau_rate(run.learning_rate, log.scores)
            begin, losses = time.perf_counter(), []
            for batch in islice(all_batches, steps):
                losses.append(_step(model, _taught(batch, taught_by)))
                progress.update(batch_size)
            row = {
                "epoch": epoch,
                "spectra": epoch * steps * batch_size,
                "spectra_per_s": round(steps * batch_size / (time.perf_counter() - begin)),
                "loss": round(float(np.mean(losses)), 5),
            }
            if epoch % run.validate_every == 0 or epoch == epochs:
                probability = model.predict(validation.spectra, batch_size=256, verbose=0)
                threshold = metrics.balanced_threshold(validation.labels, probability)
                result = metrics.scores(validation.labels, probability, threshold)
                row |= {"threshold": threshold} | {k: round(v, 4) for k, v in result.items()}
                progress.set_postfix_str(f"F1 {result['f1']:.3f}", refresh=False)
            log.append(row)
            _checkpoint(folder, model, epoch)
    save_weights(folder, model)
    return model


class _Log:
    """Table of a run, a row an epoch.

    Parameters
    ----------
    path
        CSV file; rows after epoch `done`, which a killed run has left without a checkpoint, are dropped.
    """

    COLUMNS = ("epoch", "spectra", "spectra_per_s", "loss", "threshold") + (
        "precision",
        "recall",
        "f1",
        "emr",
    )

    def __init__(self, path: Path, done: int):
        self.path = path
        self.rows = []
        if path.exists():
            with path.open(newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= done]

    @property
    def scores(self) -> list[float]:
        """F1 scores of all validations."""
        return [float(row["f1"]) for row in self.rows if row.get("f1")]

    def append(self, row: dict[str, float]) -> None:
        self.rows.append(row)
        part = self.path.with_suffix(".part")
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
        part.replace(self.path)


def search_learning_rate(
    run: Run, rates: tuple[float, ...] = LEARNING_RATES, workers: int = 1
) -> dict[float, float]:
    """Loss after a short training with each of some learning rates, from the same weights on the same spectra.

    Parameters
    ----------
    run
        The network, its spectra, whose number is that of each training, and its loss.
    rates
        Learning rates; the published search went from 1e-2 to 1e-5.
    workers
        Processes that simulate or read.

    Returns
    -------
    dict[float, float]
        Mean loss of the last fifth of the steps for each learning rate.
    """
    steps = max(1, run.spectra // run.batch_size)
    keras.utils.set_random_seed(run.seed)
    model = run.build()
    weights = model.get_weights()
    with batches(workers, source_of(run), 0, steps) as made:
        kept = list(made)
    results = {}
    for rate in rates:
        model.set_weights(weights)
        _compile(model, rate, run.loss)
        losses = [_step(model, batch) for batch in tqdm(kept, desc=f"{run.network} {rate:.0e}")]
        results[rate] = float(np.mean(losses[-max(1, steps // 5) :]))
        _logger.info("%s, learning rate %.0e: loss %.5f", run.network, rate, results[rate])
    return results
