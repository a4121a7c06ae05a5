"""The networks, one file each: from spectra (batch, 3072) to element probabilities (batch, 80).

The published sizes are those of A. Annys (master thesis, University of Antwerp, 2023) and of Annys, Jannis and
Verbeeck, Sci. Rep. 13, 13724 (2023); they see the spectrum alone. The compact ones train on a CPU and see the views
of :class:`training.networks.features.SpectralFeatures`.

Everything is written with Keras layers and ``keras.ops``, so that the same file trains under TensorFlow, JAX and
PyTorch and can be exported to ONNX.
"""

from __future__ import annotations

from typing import Any

import keras

from training.networks.cct import cct
from training.networks.cnn import cnn
from training.networks.features import VIEWS
from training.networks.mlp import mlp
from training.networks.resnet import resnet
from training.networks.unet import lean_unet, unet
from training.networks.vit import vit

_ALONG_ENERGY = ("global average", "feature weighting", "flatten", "sequence pooling")
REDUCTIONS = {  # a class token needs attention, a perceptron has nothing to reduce
    "mlp": (),
    "cnn": _ALONG_ENERGY,
    "unet": _ALONG_ENERGY,
    "resnet": _ALONG_ENERGY,
    "vit": (*_ALONG_ENERGY, "token"),
    "cct": (*_ALONG_ENERGY, "token"),
}

SIZES = {
    ("mlp", "published"): (
        mlp,
        {
            "views": (),
            "pool": 1,
            "widths": (6144, 3072, 3072, 1536, 1536, 768, 384),
            "dropout": 0.3,
            "activation": "relu",
        },
    ),
    ("mlp", "compact"): (
        mlp,
        {
            "views": VIEWS,
            "pool": 8,
            "widths": (512, 512, 256),
            "dropout": 0.1,
            "activation": "silu",
        },
    ),
    ("cnn", "published"): (
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
    ("cnn", "compact"): (
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
    ("unet", "published"): (
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
    ("unet", "compact"): (
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
    ("resnet", "published"): (
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
    ("resnet", "compact"): (
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
    ("vit", "published"): (
        vit,
        {
            "views": (),
            "stem": ((128, 16, 8),),
            "padding": "valid",
            "blocks": 8,
            "heads": 16,
            "key_size": 16,
            "mlp": 256,
            "activation": "gelu",
            "block_dropout": 0.1,
            "reduction": "feature weighting",
            "reduced": 1,
            "reduced_activation": None,
            "head": (512, 256, 128),
            "dropout": (0.1, 0.1, 0.1, 0),
        },
    ),
    ("vit", "compact"): (
        vit,
        {
            "views": VIEWS,
            "stem": ((32, 8, 4), (64, 8, 4), (96, 4, 2)),
            "padding": "same",
            "blocks": 4,
            "heads": 6,
            "key_size": 16,
            "mlp": 192,
            "activation": "silu",
            "block_dropout": 0,
            "reduction": "feature weighting",
            "reduced": 32,
            "reduced_activation": "silu",
            "head": (256,),
            "dropout": (0, 0.1),
        },
    ),
    ("cct", "published"): (
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
    ("cct", "compact"): (
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


def build(
    name: str,
    reduction: str | None = None,
    size: str = "compact",
    views: tuple[str, ...] | None = None,
    changes: dict[str, Any] | None = None,
) -> keras.Model:
    """Build a network by its name.

    Parameters
    ----------
    name
        ``"mlp"``, ``"cnn"``, ``"unet"``, ``"resnet"``, ``"vit"`` or ``"cct"``.
    reduction
        How features along the energy axis become one vector, one of those that `REDUCTIONS` has for the network; by
        default that of the published network.
    size
        ``"published"``, or ``"compact"``, the size that trains on a CPU.
    views
        What the network sees of a spectrum, some of :data:`training.networks.features.VIEWS`; by default all in the
        compact size, and none, the plain spectrum, in the published one.
    changes
        Numbers of the network that differ from those of its size, as ``{"widths": (12, 20, 32, 48, 64, 80)}``.

    Raises
    ------
    ValueError
        If there is no such network, view or number, or the network cannot have the reduction.
    """
    if (name, size) not in SIZES:
        options = ", ".join("/".join(key) for key in SIZES)
        raise ValueError(f"Unknown network {name}/{size}, options are {options}.")
    network, numbers = SIZES[name, size]
    numbers = dict(numbers)
    if unknown := set(changes or ()) - set(numbers):
        raise ValueError(
            f"Unknown numbers {sorted(unknown)} of {name}, options are {', '.join(numbers)}."
        )
    numbers |= changes or {}
    if views is not None:
        numbers["views"] = views
    if reduction is not None:
        if reduction not in REDUCTIONS[name]:
            options = ", ".join(REDUCTIONS[name]) or "none"
            raise ValueError(f"Unknown reduction {reduction!r} of {name}, options are {options}.")
        numbers["reduction"] = reduction
    return network(**numbers)
