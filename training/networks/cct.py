"""Compact convolutional transformer (Hassani et al., arXiv:2104.05704): convolutions and poolings make the tokens."""

from __future__ import annotations

import keras
from keras import layers

from training.networks.features import VIEWS, spectra_input
from training.networks.head import ALONG_ENERGY, ClassToken, dense_head, initializer, reduce
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


SIZES = {
    "published": (
        cct,
        {
            "views": (),
            "tokenizer": ((32, 32, 2), (64, 32, 2), (128, 32, 2)),
            "padding": "valid",
            "blocks": 8,
            "heads": 8,
            "key_size": 128,
            "mlp": 256,
            "block_dropout": 0.1,
            "reduction": "feature weighting",
            "reduced": 1,
            "head": (),
            "dropout": (0,),
        },
    ),
    "compact": (
        cct,
        {
            "views": VIEWS,
            "tokenizer": ((32, 8, 4), (64, 8, 4), (96, 4, 2)),
            "padding": "same",
            "blocks": 4,
            "heads": 6,
            "key_size": 16,
            "mlp": 192,
            "block_dropout": 0,
            "reduction": "feature weighting",
            "reduced": 32,
            "head": (256,),
            "dropout": (0, 0.1),
        },
    ),
}
REDUCTIONS = (*ALONG_ENERGY, "token")
