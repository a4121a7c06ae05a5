"""The networks, one file each with the numbers of its sizes: from spectra (batch, 3072) to probabilities (batch, 80).

The published sizes are those of A. Annys (master thesis, University of Antwerp, 2023) and of Annys, Jannis and
Verbeeck, Sci. Rep. 13, 13724 (2023); they see the spectrum alone. The compact ones train on a CPU and see the views
of :class:`training.networks.features.SpectralFeatures`.

Everything is written with Keras layers and ``keras.ops``, so that the same file trains under TensorFlow, JAX and
PyTorch and can be exported to ONNX.
"""

from __future__ import annotations

from typing import Any

import keras

from training.networks import cct, cnn, mlp, resnet, unet, vit

_MODULES = {"mlp": mlp, "cnn": cnn, "unet": unet, "resnet": resnet, "vit": vit, "cct": cct}
SIZES = {
    (name, size): numbers
    for name, module in _MODULES.items()
    for size, numbers in module.SIZES.items()
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
        How features along the energy axis become one vector, one of the `REDUCTIONS` of the network's file; by
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
        reductions = _MODULES[name].REDUCTIONS
        if reduction not in reductions:
            options = ", ".join(reductions) or "none"
            raise ValueError(f"Unknown reduction {reduction!r} of {name}, options are {options}.")
        numbers["reduction"] = reduction
    return network(**numbers)
