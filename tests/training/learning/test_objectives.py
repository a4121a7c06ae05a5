import keras
import numpy as np
import pytest

from training.learning.objectives import LOSSES, crossentropy_and_f1, soft_f1_loss

LABELS = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 1], [0, 0, 0]], np.float32)
PROBABILITY = np.array(
    [[0.8, 0.1, 0.3], [0.4, 0.2, 0.9], [0.6, 0.05, 0.5], [0.1, 0.3, 0.2]], np.float32
)


def test_soft_f1_by_hand():
    # first element: TP 1.4, FP 0.5, FN 0.6; second: never there; third: TP 1.4, FP 0.5, FN 0.6
    f1 = 2 * 1.4 / (2 * 1.4 + 0.5 + 0.6)
    assert float(soft_f1_loss(LABELS, PROBABILITY)) == pytest.approx(1 - (f1 + 0 + f1) / 3)


def test_published_loss_is_the_sum_of_both():
    right = np.where(LABELS, PROBABILITY, 1 - PROBABILITY)
    positive = (LABELS * PROBABILITY).sum(0)
    wrong = ((1 - LABELS) * PROBABILITY).sum(0)
    missed = (LABELS * (1 - PROBABILITY)).sum(0)
    expected = -np.log(right).mean() + 1 - (2 * positive / (2 * positive + wrong + missed)).mean()
    assert float(crossentropy_and_f1(LABELS, PROBABILITY)) == pytest.approx(expected, rel=1e-5)


def test_decisions_have_the_f1_of_scikit_learn():
    from sklearn.metrics import f1_score

    found = (PROBABILITY > 0.35).astype(np.float32)
    expected = f1_score(LABELS, found, average="macro", zero_division=0)
    assert float(soft_f1_loss(LABELS, found)) == pytest.approx(1 - expected)


def test_nothing_there_and_nothing_found():
    nothing = np.zeros((4, 3), np.float32)
    assert float(soft_f1_loss(nothing, nothing)) == 1
    assert np.isfinite(float(crossentropy_and_f1(nothing, nothing)))


@pytest.mark.parametrize("name", LOSSES)
def test_training_lowers_the_loss(name):
    """Labels are integers in the data; two inputs decide two labels."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(256, 2)).astype(np.float32)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), LOSSES[name])
    labels = (x > 0).astype(np.uint8)
    history = model.fit(x, labels, batch_size=64, epochs=10, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
