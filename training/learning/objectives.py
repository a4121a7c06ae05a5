"""Losses by their name: binary cross-entropy, and its sum with a soft F1 score."""

from __future__ import annotations

import keras
from keras import ops

SMALLEST = 1e-7  # an element that is neither there nor found would divide zero by zero


def soft_f1_loss(labels, probability):
    """One less the mean F1 score of the elements, with probabilities instead of decisions.

    True positives, false positives and false negatives of each element are sums of probabilities over the batch;
    the score 2 TP / (2 TP + FP + FN) then has a gradient. An element that no spectrum of the batch holds counts as
    missed, whatever the network says of it.

    Parameters
    ----------
    labels, probability
        Shape (n_spectra, n_elements).

    References
    ----------
    Annys, Jannis and Verbeeck, Sci. Rep. 13, 13724 (2023), with the published macro average.
    """
    labels = ops.cast(labels, probability.dtype)
    true_positives = ops.sum(probability * labels, axis=0)
    # 2 TP + FP + FN: each probability and each label once
    total = ops.sum(probability + labels, axis=0)
    return 1 - ops.mean(2 * true_positives / ops.maximum(total, SMALLEST))


@keras.saving.register_keras_serializable("hyperspy_eelsid")
def crossentropy_and_f1(labels, probability):
    """Sum of binary cross-entropy and :func:`soft_f1_loss`, the published loss (Annys et al., 2023).

    Parameters
    ----------
    labels, probability
        Shape (n_spectra, n_elements).
    """
    labels = ops.cast(labels, probability.dtype)
    crossentropy = ops.mean(keras.losses.binary_crossentropy(labels, probability))
    return crossentropy + soft_f1_loss(labels, probability)


LOSSES = {
    "crossentropy": "binary_crossentropy",
    "crossentropy+f1": crossentropy_and_f1,
}
