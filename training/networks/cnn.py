"""Convolutional network after VGG-11 (Simonyan and Zisserman, arXiv:1409.1556, column A), in one dimension."""

from __future__ import annotations

import keras
from keras import layers

from training.networks.features import VIEWS, spectra_input
from training.networks.head import ALONG_ENERGY, dense_head, initializer, reduce


def cnn(
    views: tuple[str, ...],
    stride: int,
    stages: tuple[tuple[int, ...], ...],
    kernel: int,
    batch_norm: bool,
    activation: str,
    reduction: str,
    reduced: int,
    head: tuple[int, ...],
    dropout: tuple[float, ...],
) -> keras.Model:
    """Build a convolutional network.

    Parameters
    ----------
    views
        What it sees, as in :func:`training.networks.features.spectra_input`.
    stride
        Distance of the first convolution's steps in channels.
    stages
        Number of features of the convolutions between two poolings; a pooling halves the resolution.
    kernel
        Length of all convolutions.
    batch_norm
        Whether a batch normalisation follows each convolution.
    activation
        Activation of the convolutions and of the dense layers.
    reduction, reduced
        As in :func:`training.networks.head.reduce`.
    head, dropout
        As in :func:`training.networks.head.dense_head`.
    """
    spectra, x = spectra_input(views)
    for i, widths in enumerate(stages):
        for j, width in enumerate(widths):
            name = f"stage{i}_conv{j}"
            x = layers.Conv1D(
                width,
                kernel,
                strides=stride if i == j == 0 else 1,
                padding="same",
                kernel_initializer=initializer(activation),
                name=name,
            )(x)
            if batch_norm:
                x = layers.BatchNormalization(name=f"{name}_norm")(x)
            x = layers.Activation(activation, name=f"{name}_{activation}")(x)
        x = layers.MaxPooling1D(2, name=f"stage{i}_pool")(x)
    x = reduce(x, reduction, reduced, activation)
    return dense_head(spectra, x, head, dropout, "cnn", activation)


SIZES = {
    "published": (
        cnn,
        {
            "views": (),
            "stride": 1,
            "stages": ((64,), (128,), (256, 256), (512, 512), (512, 512)),
            "kernel": 32,
            "batch_norm": False,
            "activation": "relu",
            "reduction": "flatten",
            "reduced": 1,
            "head": (256, 256),
            "dropout": (0.5, 0.5, 0),
        },
    ),
    "compact": (
        cnn,
        {
            "views": VIEWS,
            "stride": 4,
            "stages": ((32,), (64,), (96, 96), (128, 128), (160, 160)),
            "kernel": 8,
            "batch_norm": True,
            "activation": "silu",
            "reduction": "flatten",
            "reduced": 32,
            "head": (256,),
            "dropout": (0, 0.1),
        },
    ),
}
REDUCTIONS = ALONG_ENERGY
