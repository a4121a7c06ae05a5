"""Turn trained runs into the ensemble that is shipped: export, choose the threshold, score, write the card."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import numpy as np

from hyperspy_eelsid import ensemble
from hyperspy_eelsid.identification import identify_elements
from training import evaluate, metrics
from training.dataset import make_simulator
from training.export import export_member, write_card
from training.networks import build

_logger = logging.getLogger(__name__)

EMPTY_SPECTRA = 1000
CHECKED_SPECTRA = 64


def _load(run: Path):
    name, size = run.name.split(".")[:2]
    model = build(name, size)
    model.load_weights(run / "final.weights.h5")
    return model, size


def _history(run: Path) -> dict[str, object]:
    rows = list(csv.DictReader((run / "log.csv").open()))
    return {
        "run": run.name,
        "spectra_seen": int(rows[-1]["spectra"]),
        "loss": float(rows[-1]["loss"]),
    }


def release(runs: list[Path], out: Path, name: str, spectra: int, seed: int) -> None:
    """Export `runs` as one ensemble into the folder `out`.

    The threshold is the one at which precision and recall meet on simulated validation spectra; the scores of the
    card are those of test spectra, whose seeds no network was trained or validated on.
    """
    check = make_simulator("robust").block((seed, 99), CHECKED_SPECTRA).spectra
    members = []
    for run in runs:
        model, size = _load(run)
        members.append(export_member(model, out / f"{model.name}.{size}.onnx", check))
        _logger.info("%s", members[-1])
    training = {"recipe": "robust", "runs": [_history(run) for run in runs]}
    write_card(out, name, members, 0.5, training, {})
    predict = ensemble.load(out).predict
    labels, probability = evaluate.simulated(predict, "robust", "validation", spectra, seed)
    threshold = metrics.balanced_threshold(labels, probability)
    scores: dict[str, object] = {
        "validation robust": metrics.scores(labels, probability, threshold)
    }
    for recipe in ("robust", "pub"):
        labels, probability = evaluate.simulated(predict, recipe, "test", spectra, seed)
        scores[f"test {recipe}"] = metrics.scores(labels, probability, threshold)
    _, probability = evaluate.simulated(predict, "pub", "empty", EMPTY_SPECTRA, seed)
    largest = probability.max(axis=1)
    scores["empty"] = {"spectra": EMPTY_SPECTRA, "right": int(np.sum(largest <= threshold))}
    write_card(out, name, members, threshold, training, scores)
    _logger.info("threshold %.2f, %s", threshold, scores)


def score_measured(catalog: Path) -> None:
    """Print the scores of the shipped ensemble on measured spectra at a range of thresholds."""
    entries, probability = evaluate.measured(
        catalog, lambda signal: identify_elements(signal).probability.data
    )
    without_n = np.array([not entry["has_N_edge"] for entry in entries])
    chosen = [entry for entry in entries if not entry["has_N_edge"]]
    for threshold in (*np.round(np.arange(0.2, 0.95, 0.05), 2),):
        every = evaluate.measured_scores(entries, probability, threshold)
        some = evaluate.measured_scores(chosen, probability[without_n], threshold)
        _logger.info("%.2f  all %s  without N edges %s", threshold, _line(every), _line(some))


def _line(scores: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in scores.items())
