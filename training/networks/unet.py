"""U-Net for spectra (Ronneberger et al., arXiv:1505.04597): features of every channel from all scales."""

from __future__ import annotations

import keras
from keras import layers

from hyperspy_eelsid.preprocessing import N_CHANNELS
from training.networks.features import SpectralFeatures
from training.networks.vit import dense_head


def unet(
    stride: int,
    widths: tuple[int, ...],
    kernel: int,
    reduced: int,
    head: tuple[int, ...],
    dropout: float = 0.1,
) -> keras.Model:
    """Build a U-Net.

    Parameters
    ----------
    stride : Distance of the first convolution's steps in channels.
    widths : Number of features on each level, from fine to coarse; each level halves the resolution.
    kernel : Length of all convolutions.
    reduced : Features of a position after the 1x1 convolution that ends the decoder.
    head : Widths of the dense layers before the output.
    dropout : Dropout rate before the output.
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

    spectra = keras.Input((N_CHANNELS,), name="spectra")
    x = SpectralFeatures(name="features")(spectra)
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
    x = layers.Conv1D(reduced, 1, activation="silu", name="feature_weighting")(x)
    x = layers.Flatten(name="flatten")(x)
    return dense_head(spectra, x, head, dropout, "unet")
