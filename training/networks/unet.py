"""U-Net for spectra (Ronneberger et al., arXiv:1505.04597): features of every channel from all scales."""

from __future__ import annotations

import keras
from keras import layers

from training.networks.features import VIEWS, spectra_input
from training.networks.head import ALONG_ENERGY, dense_head, initializer, reduce


def unet(
    views: tuple[str, ...],
    widths: tuple[int, ...],
    kernel: int,
    reduction: str,
    reduced: int,
    head: tuple[int, ...],
    dropout: tuple[float, ...],
) -> keras.Model:
    """Build the published U-Net: skip connections are appended.

    Parameters
    ----------
    views
        What it sees, as in :func:`training.networks.features.spectra_input`.
    widths
        Number of features on each level, from fine to coarse; each level halves the resolution.
    kernel
        Length of all convolutions.
    reduction, reduced
        As in :func:`training.networks.head.reduce`.
    head, dropout
        As in :func:`training.networks.head.dense_head`.
    """

    def convolve(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
        x = layers.Conv1D(
            width, kernel, padding="same", kernel_initializer=initializer("relu"), name=name
        )(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        return layers.Activation("relu", name=f"{name}_relu")(x)

    spectra, x = spectra_input(views)
    skips = []
    for level, width in enumerate(widths[:-1]):
        x = convolve(x, width, f"down{level}_conv")
        skips.append(x)
        x = layers.MaxPooling1D(2, name=f"down{level}_pool")(x)
    x = convolve(x, widths[-1], "bottom_conv")
    for level, width in reversed(list(enumerate(widths[:-1]))):
        x = layers.UpSampling1D(2, name=f"up{level}_sample")(x)
        x = convolve(x, width, f"up{level}_conv0")
        x = layers.Concatenate(name=f"up{level}_skip")([x, skips[level]])
        if level:
            x = convolve(x, width, f"up{level}_conv1")
    x = reduce(x, reduction, reduced, "relu")
    return dense_head(spectra, x, head, dropout, "unet", "relu", batch_norm=True)


def lean_unet(
    views: tuple[str, ...],
    stride: int,
    widths: tuple[int, ...],
    kernel: int,
    reduction: str,
    reduced: int,
    head: tuple[int, ...],
    dropout: tuple[float, ...],
) -> keras.Model:
    """Build a U-Net that trains fast on a CPU: it sees every `stride`-th channel, and skip connections are added.

    Parameters
    ----------
    views
        What it sees, as in :func:`training.networks.features.spectra_input`.
    stride
        Distance of the first convolution's steps in channels.
    widths
        Number of features on each level, from fine to coarse; each level halves the resolution.
    kernel
        Length of all convolutions.
    reduction, reduced
        As in :func:`training.networks.head.reduce`.
    head, dropout
        As in :func:`training.networks.head.dense_head`.
    """

    def block(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
        """Two convolutions with a residual around the second."""
        x = layers.Conv1D(width, kernel, padding="same", use_bias=False, name=f"{name}_conv0")(x)
        x = layers.BatchNormalization(name=f"{name}_norm0")(x)
        x = layers.Activation("silu", name=f"{name}_silu0")(x)
        y = layers.Conv1D(width, kernel, padding="same", use_bias=False, name=f"{name}_conv1")(x)
        y = layers.BatchNormalization(name=f"{name}_norm1")(y)
        y = layers.Activation("silu", name=f"{name}_silu1")(y)
        return layers.Add(name=f"{name}_add")([x, y])

    spectra, x = spectra_input(views)
    x = layers.Conv1D(
        widths[0], 2 * stride, strides=stride, padding="same", activation="silu", name="stem"
    )(x)
    skips = []
    for level, width in enumerate(widths[:-1]):
        x = block(x, width, f"down{level}")
        skips.append(x)
        x = layers.MaxPooling1D(2, name=f"down{level}_pool")(x)
    x = block(x, widths[-1], "bottom")
    for level, width in reversed(list(enumerate(widths[:-1]))):
        x = layers.Conv1D(width, 1, name=f"up{level}_narrow")(x)
        x = layers.UpSampling1D(2, name=f"up{level}_sample")(x)
        x = layers.Add(name=f"up{level}_skip")([x, skips[level]])
        x = layers.Conv1D(width, kernel, padding="same", use_bias=False, name=f"up{level}_conv")(x)
        x = layers.BatchNormalization(name=f"up{level}_norm")(x)
        x = layers.Activation("silu", name=f"up{level}_silu")(x)
    x = reduce(x, reduction, reduced, "silu")
    return dense_head(spectra, x, head, dropout, "unet")


SIZES = {
    "published": (
        unet,
        {
            "views": (),
            "widths": (16, 32, 64, 128, 256),
            "kernel": 32,
            "reduction": "feature weighting",
            "reduced": 1,
            "head": (3072, 1536, 768, 384),
            "dropout": (0, 0.3, 0.3, 0.3, 0),
        },
    ),
    "compact": (
        lean_unet,
        {
            "views": VIEWS,
            "stride": 4,
            "widths": (24, 40, 64, 96, 128, 160),
            "kernel": 5,
            "reduction": "feature weighting",
            "reduced": 8,
            "head": (256,),
            "dropout": (0, 0.1),
        },
    ),
}
REDUCTIONS = ALONG_ENERGY
