"""Scores of an ensemble on simulated and on measured spectra."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hyperspy_eelsid import decision
from hyperspy_eelsid.decision import decide
from hyperspy_eelsid.edges import ELEMENT_INDEX
from hyperspy_eelsid.prediction import ONSET_TOLERANCE_EV
from training import metrics
from training.dataset import make_simulator, simulate_block

_logger = logging.getLogger(__name__)

Predict = Callable[[np.ndarray], np.ndarray]
THRESHOLDS = np.round(np.arange(0.2, 0.81, 0.05), 2)
UNSCORED = "C"  # support films


def simulated(
    predict: Predict, recipe: str, set_name: str, spectra: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities and windows of freshly simulated spectra.

    Parameters
    ----------
    predict : From network input (n, 3072) to probabilities (n, 80).
    recipe, set_name, seed : Which spectra, as in :func:`training.dataset.write`; sets never share a sample.
    spectra : Number of spectra.

    Returns
    -------
    labels, probability : Shape (n_spectra, 80) each.
    windows : First and last energy [eV], shape (n_spectra, 2).
    """
    simulator = make_simulator(recipe)
    labels, probability, windows = [], [], []
    number = seen = 0
    while seen < spectra:
        block = simulate_block(simulator, set_name, seed, number)
        labels.append(block.labels)
        window = np.stack(
            [block.parameters["window_start"], block.parameters["window_end"]], axis=1
        )
        windows.append(window + (-ONSET_TOLERANCE_EV, ONSET_TOLERANCE_EV))
        seen_there = [decision.visible(*row) for row in windows[-1]]
        probability.append(predict(block.spectra) * seen_there)
        number += 1
        seen += len(block.labels)
    return tuple(np.concatenate(x)[:spectra] for x in (labels, probability, windows))


def possible(windows: np.ndarray) -> np.ndarray:
    """Elements with a major edge in the window of each spectrum, bool, shape (n_spectra, 80)."""
    return np.array([decision.visible(*window) for window in windows])


def decisions(probability: np.ndarray, windows: np.ndarray, threshold: float) -> np.ndarray:
    """Elements found in each spectrum by the rules of the package, uint8, shape (n_spectra, 80)."""
    rows = zip(probability, windows, strict=True)
    return np.array([decide(p[None], threshold, *window)[0] for p, window in rows], np.uint8)


def best_threshold(labels: np.ndarray, probability: np.ndarray, windows: np.ndarray) -> float:
    """The threshold with the most exactly right spectra."""
    exact = [
        metrics.scores(labels, decisions(probability, windows, threshold), 0.5)["emr"]
        for threshold in THRESHOLDS
    ]
    return float(THRESHOLDS[int(np.argmax(exact))])


def measured(
    catalog: Path, find: Callable, total_counts: int | None = None, offset: float = 0.0
) -> tuple[list[dict], list]:
    """What is found in the measured spectra of a catalog; images and line scans are summed.

    Parameters
    ----------
    catalog : JSON list of entries with ``id``, ``file``, ``elements``, ``dont_care`` and ``has_N_edge``.
    find : Called with each HyperSpy signal.
    total_counts : Draw each spectrum anew by Poisson's law, with so many counts in total.
    offset : Added to the energy axis of every spectrum [eV].

    Returns
    -------
    entries, found : The catalog and what `find` returned for each entry.
    """
    import hyperspy.api as hs

    entries = json.loads(catalog.read_text())
    rng = np.random.default_rng(0)
    found = []
    for entry in entries:
        signal = hs.load(catalog.parent / entry["file"])
        if signal.axes_manager.navigation_dimension:
            signal = signal.sum()
        if total_counts is not None:
            expected = np.maximum(signal.data, 0)
            signal.data = rng.poisson(expected * (total_counts / expected.sum()))
        signal.axes_manager[-1].offset += offset
        found.append(find(signal))
    return entries, found


def measured_scores(entries: list[dict], found: list[set[str]]) -> dict[str, object]:
    """Scores of measured spectra, with intervals; carbon and the elements of ``dont_care`` are not scored."""
    labels, answers = np.zeros((2, len(entries), len(ELEMENT_INDEX)), np.uint8)
    for label, answer, entry, elements in zip(labels, answers, entries, found, strict=True):
        ignored = {*entry["dont_care"], UNSCORED}
        label[[ELEMENT_INDEX[element] for element in set(entry["elements"]) - ignored]] = 1
        answer[[ELEMENT_INDEX[element] for element in elements - ignored]] = 1
    return metrics.scores(labels, answers, 0.5) | {"intervals": metrics.intervals(labels, answers)}
