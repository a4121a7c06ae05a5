"""Residual network (He et al., arXiv:1512.03385) along the energy axis."""

from __future__ import annotations

import keras
from keras import layers, ops

from training.networks.features import VIEWS, spectra_input
from training.networks.head import ALONG_ENERGY, dense_head, initializer, reduce


@keras.saving.register_keras_serializable("hyperspy_eelsid")
class PaddedShortcut(layers.Layer):
    """Every second position, with zeros for the features that are new (option A of He et al.).

    Parameters
    ----------
    width
        Number of features that come out.
    """

    def __init__(self, width: int, **kwargs):
        super().__init__(**kwargs)
        self.width = width

    def call(self, x):
        new = self.width - x.shape[-1]
        return ops.pad(x[:, ::2], ((0, 0), (0, 0), (new // 2, new - new // 2)))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def resnet(
    views: tuple[str, ...],
    stride: int,
    stages: tuple[tuple[int, int], ...],
    kernel: int,
    activation: str,
    reduction: str,
    reduced: int,
    head: tuple[int, ...],
    dropout: tuple[float, ...],
) -> keras.Model:
    """Build a residual network.

    Parameters
    ----------
    views
        What it sees, as in :func:`training.networks.features.spectra_input`.
    stride
        Distance of the first convolution's steps in channels.
    stages
        Number of features and of blocks of each stage; each but the first begins by halving the resolution.
    kernel
        Length of all convolutions.
    activation
        Activation of the whole network.
    reduction, reduced
        As in :func:`training.networks.head.reduce`.
    head, dropout
        As in :func:`training.networks.head.dense_head`.
    """

    def convolve(x: keras.KerasTensor, width: int, step: int, name: str) -> keras.KerasTensor:
        x = layers.Conv1D(
            width,
            kernel,
            strides=step,
            padding="same",
            kernel_initializer=initializer(activation),
            name=name,
        )(x)
        return layers.BatchNormalization(name=f"{name}_norm")(x)

    spectra, x = spectra_input(views)
    x = convolve(x, stages[0][0], stride, "stem")
    x = layers.Activation(activation, name=f"stem_{activation}")(x)
    for i, (width, blocks) in enumerate(stages):
        for j in range(blocks):
            name = f"stage{i}_block{j}"
            halve = i > 0 and j == 0
            y = convolve(x, width, 2 if halve else 1, f"{name}_conv0")
            y = layers.Activation(activation, name=f"{name}_{activation}0")(y)
            y = convolve(y, width, 1, f"{name}_conv1")
            if halve:
                x = PaddedShortcut(width, name=f"{name}_shortcut")(x)
            x = layers.Add(name=f"{name}_add")([x, y])
            x = layers.Activation(activation, name=f"{name}_{activation}1")(x)
    x = reduce(x, reduction, reduced, activation)
    return dense_head(spectra, x, head, dropout, "resnet", activation)


SIZES = {
    "published": (
        resnet,
        {
            "views": (),
            "stride": 1,
            "stages": ((16, 2), (32, 3), (64, 4), (128, 3), (256, 2), (512, 2)),
            "kernel": 32,
            "activation": "relu",
            "reduction": "global average",
            "reduced": 1,
            "head": (),
            "dropout": (0,),
        },
    ),
    "compact": (
        resnet,
        {
            "views": VIEWS,
            "stride": 4,
            "stages": ((24, 1), (40, 1), (64, 2), (96, 2), (128, 1), (192, 1)),
            "kernel": 7,
            "activation": "silu",
            "reduction": "global average",
            "reduced": 32,
            "head": (256,),
            "dropout": (0, 0.1),
        },
    ),
}
REDUCTIONS = ALONG_ENERGY
