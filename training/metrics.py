"""Figures of merit of element identification, one definition for every table and figure.

Precision, recall and F1 are computed per element and averaged by support (scikit-learn's ``"weighted"``); the exact
match ratio is the share of spectra whose set of elements is exactly right.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

THRESHOLDS = np.round(np.arange(0.02, 0.99, 0.01), 2)


def scores(labels: np.ndarray, probability: np.ndarray, threshold: float) -> dict[str, float]:
    """Precision, recall, F1 and exact match ratio (``emr``) at one threshold.

    Parameters
    ----------
    labels, probability : Shape (n_spectra, n_elements).
    threshold : An element is found where its probability is above.
    """
    found = probability > threshold
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, found, average="weighted", zero_division=0
    )
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "emr": float(accuracy_score(labels, found)),
    }


def balanced_threshold(labels: np.ndarray, probability: np.ndarray) -> float:
    """The threshold at which weighted precision and recall meet.

    Thresholds with less than half of the best F1 are left out: where nothing is found, both are zero and meet too.
    """
    results = [scores(labels, probability, threshold) for threshold in THRESHOLDS]
    f1 = np.array([result["f1"] for result in results])
    gap = np.array([abs(result["precision"] - result["recall"]) for result in results])
    gap[f1 < f1.max() / 2] = np.inf
    return float(THRESHOLDS[int(np.argmin(gap))])
