"""Figures of merit of element identification, one definition for every table and figure.

Precision, recall and F1 are computed per element and averaged by support (scikit-learn's ``"weighted"``); the exact
match ratio is the share of spectra whose set of elements is exactly right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

SMALLEST = 1e-6
THRESHOLDS = np.round(np.arange(0.02, 0.99, 0.01), 2)


def scores(labels: np.ndarray, probability: np.ndarray, threshold: float) -> dict[str, float]:
    """Precision, recall, F1 and exact match ratio (``emr``) at one threshold.

    Parameters
    ----------
    labels, probability
        Shape (n_spectra, n_elements).
    threshold
        An element is found where its probability is above.
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


def intervals(
    labels: np.ndarray, found: np.ndarray, draws: int = 500, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % confidence intervals of F1 and exact match ratio, by resampling the spectra.

    Parameters
    ----------
    labels, found
        Shape (n_spectra, n_elements), 0 or 1.
    draws
        Number of resampled sets.

    References
    ----------
    B. Efron, Ann. Statist. 7, 1 (1979).
    """
    rng = np.random.default_rng(seed)
    results = []
    for _ in range(draws):
        rows = rng.integers(len(labels), size=len(labels))
        result = scores(labels[rows], found[rows], 0.5)
        results.append((result["f1"], result["emr"]))
    low, high = np.percentile(results, (2.5, 97.5), axis=0).round(4).tolist()
    return {name: (low[i], high[i]) for i, name in enumerate(("f1", "emr"))}


class Reliability(NamedTuple):
    """Bins of probability that are not empty, arrays of equal length.

    Attributes
    ----------
    probability
        Mean probability of each bin.
    frequency
        How often the element was there.
    number
        Elements of all spectra in the bin.
    """

    probability: np.ndarray
    frequency: np.ndarray
    number: np.ndarray


def reliability(labels: np.ndarray, probability: np.ndarray, bins: int = 15) -> Reliability:
    """How often elements are there, against the probability that they were given.

    Parameters
    ----------
    labels, probability
        Same shape.
    bins
        Number of bins of equal width.
    """
    place = np.minimum((probability.ravel() * bins).astype(int), bins - 1)
    number = np.bincount(place, minlength=bins)
    given, there = (
        np.bincount(place, of.ravel(), minlength=bins) / np.maximum(number, 1)
        for of in (probability, labels)
    )
    filled = number > 0
    return Reliability(given[filled], there[filled], number[filled])


def calibration_error(bins: Reliability) -> float:
    """Expected calibration error: mean difference of probability and frequency.

    References
    ----------
    M. P. Naeini, G. F. Cooper and M. Hauskrecht, Proc. AAAI 29, 2901 (2015).
    """
    return float(np.average(np.abs(bins.probability - bins.frequency), weights=bins.number))


def calibration(labels: np.ndarray, probability: np.ndarray) -> tuple[float, float]:
    """Slope a and intercept b for which the logistic function of a logit(p) + b is a calibrated probability.

    Parameters
    ----------
    labels, probability
        Shape (n,).

    References
    ----------
    J. Platt, in Advances in Large Margin Classifiers, MIT Press 2000, p. 61.
    """
    clipped = np.clip(probability, SMALLEST, 1 - SMALLEST)
    platt = LogisticRegression(C=np.inf).fit(logit(clipped)[:, None], labels)
    return float(platt.coef_[0, 0]), float(platt.intercept_[0])


def balanced_threshold(labels: np.ndarray, probability: np.ndarray) -> float:
    """The threshold at which weighted precision and recall meet.

    Thresholds with less than half of the best F1 are left out: where nothing is found, both are zero and meet too.
    """
    results = [scores(labels, probability, threshold) for threshold in THRESHOLDS]
    f1 = np.array([result["f1"] for result in results])
    gap = np.array([abs(result["precision"] - result["recall"]) for result in results])
    gap[f1 < f1.max() / 2] = np.inf
    return float(THRESHOLDS[int(np.argmin(gap))])
