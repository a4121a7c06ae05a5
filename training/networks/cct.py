"""Compact convolutional transformer (Hassani et al., arXiv:2104.05704): convolutions and poolings make the tokens."""

from __future__ import annotations

import keras
from keras import layers

from training.networks.features import spectra_input
from training.networks.head import ClassToken, dense_head, initializer, reduce
from training.networks.vit import EnergyEmbedding, encoder


def cct(
    views: tuple[str, ...],
    tokenizer: tuple[tuple[int, int, int], ...],
    padding: str,
    blocks: int,
    heads: int,
    key_size: int,
    mlp: int,
    block_dropout: float,
    reduction: str,
    reduced: int,
    head: tuple[int, ...],
    dropout: tuple[float, ...],
) -> keras.Model:
    """Build a compact convolutional transformer.

    Parameters
    ----------
    views
        What it sees, as in :func:`training.networks.features.spectra_input`.
    tokenizer
        Features and kernel of each convolution, and the pooling that follows it. The last number of features is the
        width of a token.
    padding
        Padding of the convolutions.
    blocks, heads, key_size, mlp, block_dropout
        As in :func:`training.networks.vit.encoder`.
    reduction, reduced
        As in :func:`training.networks.head.reduce`.
    head, dropout
        As in :func:`training.networks.head.dense_head`.
    """
    spectra, x = spectra_input(views)
    for i, (width, kernel, pool) in enumerate(tokenizer):
        x = layers.Conv1D(
            width,
            kernel,
            padding=padding,
            use_bias=False,
            activation="relu",
            kernel_initializer=initializer("relu"),
            name=f"tokens{i}",
        )(x)
        x = layers.MaxPooling1D(pool, name=f"tokens{i}_pool")(x)
    if reduction == "token":
        x = ClassToken(name="class_token")(x)
    x = EnergyEmbedding(name="energy_embedding")(x)
    x = encoder(x, blocks, heads, key_size, mlp, "gelu", block_dropout)
    x = reduce(x, reduction, reduced, activation=None)
    return dense_head(spectra, x, head, dropout, "cct")
