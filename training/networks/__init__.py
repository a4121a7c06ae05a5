"""The networks, one file each: from spectra (batch, 3072) to element probabilities (batch, 80).

Everything is written with Keras layers and ``keras.ops``, so that the same file trains under TensorFlow, JAX and
PyTorch and can be exported to ONNX.
"""

from __future__ import annotations

import keras

from training.networks.unet import unet
from training.networks.vit import vit

_SIZES = {
    ("vit", "compact"): lambda: vit(
        stem=((32, 8, 4), (64, 8, 4), (96, 4, 2)),
        blocks=4,
        heads=6,
        mlp=192,
        reduced=32,
        head=(256,),
    ),
    ("unet", "compact"): lambda: unet(
        stride=4, widths=(24, 40, 64, 96, 128, 160), kernel=5, reduced=8, head=(256,)
    ),
}


def build(name: str, size: str = "compact") -> keras.Model:
    """Build a network by its name.

    Parameters
    ----------
    name : ``"vit"`` or ``"unet"``.
    size : ``"compact"``, the size that trains on a CPU.

    Raises
    ------
    ValueError
        If there is no such network.
    """
    if (name, size) not in _SIZES:
        options = ", ".join("/".join(key) for key in _SIZES)
        raise ValueError(f"Unknown network {name}/{size}, options are {options}.")
    return _SIZES[name, size]()
