"""What follows the features of a network: their reduction to one vector, dense layers, 80 probabilities."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers, ops

from hyperspy_eelsid.edges import ELEMENTS

# reductions of any features along the energy axis; a class token needs attention besides
ALONG_ENERGY = ("global average", "feature weighting", "flatten", "sequence pooling")


@keras.saving.register_keras_serializable("hyperspy_eelsid")
class ClassToken(layers.Layer):
    """Put a learned token before the others (Dosovitskiy et al., arXiv:2010.11929)."""

    def build(self, input_shape):
        self.token = self.add_weight(
            name="token",
            shape=(1, 1, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, tokens):
        return ops.concatenate([ops.zeros_like(tokens[:, :1]) + self.token, tokens], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1] + 1, input_shape[2])


@keras.saving.register_keras_serializable("hyperspy_eelsid")
class TakeToken(layers.Layer):
    """The first token, all others are left out."""

    def call(self, tokens):
        return tokens[:, 0]


@keras.saving.register_keras_serializable("hyperspy_eelsid")
class SequencePooling(layers.Layer):
    """Mean over the positions with learned weights (Hassani et al., arXiv:2104.05704, section 3.2)."""

    def build(self, input_shape):
        self.importance = self.add_weight(
            name="importance", shape=(input_shape[-1], 1), initializer="glorot_uniform"
        )

    def call(self, x):
        weights = ops.softmax(ops.matmul(x, self.importance), axis=1)
        return ops.sum(weights * x, axis=1)


def reduce(
    x: keras.KerasTensor, reduction: str, features: int, activation: str | None
) -> keras.KerasTensor:
    """One vector from features along the energy axis, (batch, position, feature) to (batch, n).

    Parameters
    ----------
    reduction
        ``"global average"``, ``"feature weighting"``, ``"flatten"``, ``"token"`` or ``"sequence pooling"``.
    features, activation
        For the feature weighting, a 1x1 convolution: how many features a position keeps, and the activation that
        follows.
    """
    if reduction == "global average":
        return layers.GlobalAveragePooling1D(name="global_average")(x)
    if reduction == "token":
        return TakeToken(name="take_token")(x)
    if reduction == "sequence pooling":
        return SequencePooling(name="sequence_pooling")(x)
    if reduction == "feature weighting":
        x = layers.Conv1D(features, 1, activation=activation, name="feature_weighting")(x)
    return layers.Flatten(name="flatten")(x)


def initializer(activation: str | Callable) -> str:
    """He's initialiser before rectified units (He et al., arXiv:1502.01852), else that of Glorot and Bengio (2010)."""
    return "he_normal" if activation == "relu" else "glorot_uniform"


def dense_head(
    spectra: keras.KerasTensor,
    x: keras.KerasTensor,
    widths: tuple[int, ...],
    dropout: tuple[float, ...],
    name: str,
    activation: str | Callable = "silu",
    batch_norm: bool = False,
) -> keras.Model:
    """Dense layers and the sigmoid output of 80 elements.

    Parameters
    ----------
    spectra, x
        Input of the network and what has become of it, shape (batch, n).
    widths
        Widths of the dense layers.
    dropout
        Dropout rates before each of them and, last, before the output.
    name
        Name of the network.
    activation, batch_norm
        Activation of the dense layers, and whether a batch normalisation stands before it.
    """
    for i, (width, rate) in enumerate(zip(widths, dropout[:-1], strict=True)):
        if rate:
            x = layers.Dropout(rate, name=f"head{i}_dropout")(x)
        x = layers.Dense(
            width,
            activation=None if batch_norm else activation,
            kernel_initializer=initializer(activation),
            name=f"head{i}",
        )(x)
        if batch_norm:
            x = layers.BatchNormalization(name=f"head{i}_norm")(x)
            x = layers.Activation(activation, name=f"head{i}_{activation}")(x)
    if dropout[-1]:
        x = layers.Dropout(dropout[-1], name="dropout")(x)
    x = layers.Dense(len(ELEMENTS), activation="sigmoid", dtype="float32", name="probability")(x)
    return keras.Model(spectra, x, name=name)
