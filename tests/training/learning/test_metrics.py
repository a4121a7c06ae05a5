import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from training.core_loss import evaluate
from training.learning import metrics

SCORE = Path(__file__).parents[4] / "shared" / "experimental" / "score.py"


def test_perfect_and_empty_answers():
    labels = np.eye(5, dtype=int)
    assert metrics.scores(labels, labels.astype(float), 0.5) == {
        "precision": 1,
        "recall": 1,
        "f1": 1,
        "emr": 1,
    }
    assert metrics.scores(labels, np.zeros((5, 5)), 0.5)["f1"] == 0


def test_figures_by_hand():
    # element 0: two of three found; element 1: found once rightly and once wrongly
    labels = np.array([[1, 0], [1, 0], [1, 1]])
    found = np.array([[0.9, 0.0], [0.9, 0.9], [0.1, 0.9]])
    result = metrics.scores(labels, found, 0.5)
    assert result["precision"] == pytest.approx((3 * 1 + 1 * 0.5) / 4)
    assert result["recall"] == pytest.approx((3 * 2 / 3 + 1 * 1) / 4)
    assert result["f1"] == pytest.approx((3 * 0.8 + 1 * 2 / 3) / 4)
    assert result["emr"] == pytest.approx(1 / 3)


def test_threshold_where_precision_meets_recall():
    rng = np.random.default_rng(0)
    labels = rng.random((2000, 4)) < 0.3
    probability = np.clip(labels * 0.4 + rng.normal(0.3, 0.15, labels.shape), 0, 1)
    threshold = metrics.balanced_threshold(labels, probability)
    result = metrics.scores(labels, probability, threshold)
    assert result["precision"] == pytest.approx(result["recall"], abs=0.02)
    assert result["f1"] > 0.8


def test_intervals_shrink_with_the_number_of_spectra():
    rng = np.random.default_rng(0)
    labels = (rng.random((2000, 3)) < 0.5).astype(int)
    found = np.where(rng.random((2000, 3)) < 0.9, labels, 1 - labels)
    few, many = (metrics.intervals(labels[:n], found[:n], draws=100) for n in (80, 2000))
    emr = metrics.scores(labels, found, 0.5)["emr"]
    assert many["emr"][0] < emr < many["emr"][1]
    ratio = np.diff(few["emr"]) / np.diff(many["emr"])
    assert ratio == pytest.approx(5, rel=0.4)  # as the root of the number


def test_calibration():
    """Odds that are cubed and tripled are overconfident; the calibration finds it out."""
    rng = np.random.default_rng(0)
    honest = rng.beta(0.5, 0.5, 100_000).clip(1e-3, 1 - 1e-3)
    labels = rng.random(honest.shape) < honest
    assert metrics.calibration_error(metrics.reliability(labels, honest)) < 0.01
    told = expit(3 * logit(honest) + np.log(3))
    assert metrics.calibration_error(metrics.reliability(labels, told)) > 0.05
    slope, intercept = metrics.calibration(labels, told)
    assert slope == pytest.approx(1 / 3, rel=0.05)
    assert intercept == pytest.approx(-np.log(3) / 3, abs=0.05)


def test_same_figures_as_the_shared_scoring_rule():
    if not SCORE.exists():
        pytest.skip("../shared/experimental/score.py is not there")
    specification = importlib.util.spec_from_file_location("score", SCORE)
    score = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(score)
    entries = [
        {"elements": ["O", "Fe"], "dont_care": []},
        {"elements": ["C", "N", "B"], "dont_care": ["O"]},
        {"elements": ["La"], "dont_care": []},
    ]
    found = [{"O", "Fe"}, {"O", "B", "C", "Sc"}, {"Ce"}]
    rows = [({"O", "Fe"}, {"O", "Fe"}), ({"N", "B"}, {"B", "Sc"}), ({"La"}, {"Ce"})]
    expected = score.figures(rows)
    result = evaluate.measured_scores(entries, found)
    for name in ("precision", "recall", "f1", "emr"):
        assert result[name] == pytest.approx(expected[name])


def test_reliability_of_three_bins():
    labels = np.array([0, 1, 1, 1, 0])
    probability = np.array([0.1, 0.9, 0.8, 0.7, 0.75])
    bins = metrics.reliability(labels, probability, bins=3)
    np.testing.assert_allclose(bins.probability, [0.1, 0.7875])
    np.testing.assert_allclose(bins.frequency, [0, 0.75])
    assert bins.number.tolist() == [1, 4]
    assert metrics.calibration_error(bins) == pytest.approx((0.1 + 4 * 0.0375) / 5)
