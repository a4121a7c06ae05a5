"""Scores of an ensemble on simulated and on measured spectra."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hyperspy_eelsid.edges import ELEMENT_INDEX
from training import metrics
from training.dataset import make_simulator, simulate_block

_logger = logging.getLogger(__name__)

Predict = Callable[[np.ndarray], np.ndarray]
UNSCORED = "C"  # support films


def simulated(
    predict: Predict, recipe: str, set_name: str, spectra: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of freshly simulated spectra.

    Parameters
    ----------
    predict : From network input (n, 3072) to probabilities (n, 80).
    recipe, set_name, seed : Which spectra, as in :func:`training.dataset.write`; sets never share a sample.
    spectra : Number of spectra.

    Returns
    -------
    labels, probability : Shape (n_spectra, 80) each.
    """
    simulator = make_simulator(recipe)
    labels, probability = [], []
    number = seen = 0
    while seen < spectra:
        block = simulate_block(simulator, set_name, seed, number)
        labels.append(block.labels)
        probability.append(predict(block.spectra))
        number += 1
        seen += len(block.labels)
    return np.concatenate(labels)[:spectra], np.concatenate(probability)[:spectra]


def measured(catalog: Path, probability_of: Callable) -> tuple[list[dict], np.ndarray]:
    """Probabilities of the measured spectra of a catalog; images and line scans are summed.

    Parameters
    ----------
    catalog : JSON list of entries with ``id``, ``file``, ``elements``, ``dont_care`` and ``has_N_edge``.
    probability_of : From a HyperSpy signal to probabilities, shape (80,).

    Returns
    -------
    entries, probability : The catalog, and shape (n_entries, 80).
    """
    import hyperspy.api as hs

    entries = json.loads(catalog.read_text())
    rows = []
    for entry in entries:
        signal = hs.load(catalog.parent / entry["file"])
        if signal.axes_manager.navigation_dimension:
            signal = signal.sum()
        rows.append(probability_of(signal))
    return entries, np.array(rows)


def measured_scores(entries: list[dict], probability: np.ndarray, threshold: float) -> dict:
    """Scores of measured spectra; carbon and the elements of ``dont_care`` are not scored."""
    labels = np.zeros_like(probability, np.uint8)
    scored = probability.copy()
    for row, label, entry in zip(scored, labels, entries, strict=True):
        ignored = {*entry["dont_care"], UNSCORED}
        for element in set(entry["elements"]) - ignored:
            label[ELEMENT_INDEX[element]] = 1
        row[[ELEMENT_INDEX[e] for e in ignored if e in ELEMENT_INDEX]] = 0
    return metrics.scores(labels, scored, threshold)
