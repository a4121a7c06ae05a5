"""Which channels made a network answer as it did: Grad-CAM along the energy axis.

References
----------
Selvaraju et al., Grad-CAM, ICCV 2017 (arXiv:1610.02391), equations 1 and 2. Annys, Jannis and Verbeeck, Sci. Rep. 13,
13724 (2023), averaged it over all attention layers of their vision transformer. Draelos and Carin, HiResCAM,
arXiv:2011.08891, leave out the mean of the gradients.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from hyperspy_eelsid.edges import ELEMENTS, element_index
from hyperspy_eelsid.identification.network_input import N_CHANNELS, normalise
from training.networks.head import ClassToken
from training.networks.resnet import PaddedShortcut

AT_ONSET_EV = -15, 60


def relevance(
    model: keras.Model,
    spectra: np.ndarray,
    elements: str | list[str],
    layer_names: tuple[str, ...] | None = None,
    local: bool = False,
) -> np.ndarray:
    """Relevance of every channel for an element, by Grad-CAM.

    The features of a layer are summed with their mean gradients as weights, and what is positive speaks for the
    element. Maps of several layers are scaled to maximum 1 each and averaged.

    Parameters
    ----------
    model
        Network of :func:`training.networks.build`.
    spectra
        Network input, shape (n, 3072).
    elements
        Symbol of the element that is explained, one for all spectra or one for each.
    layer_names
        Layers with features along the energy axis; by default those of :func:`default_layers`.
    local
        Weight each position by its own gradients (HiResCAM) instead of their mean. In a network whose dense layers tell
        the positions apart, the same feature speaks for an element at one energy and against it at another, and the
        mean is misleading.

    See Also
    --------
    share_at_onset : float
        How often the relevance sits where the edge does.

    Returns
    -------
    np.ndarray
        Relevance between 0 and 1, shape (n, 3072); zero where nothing speaks for the element.

    Raises
    ------
    UnknownElementError
        If an element is not one of the 80 elements.
    ValueError
        If the network has no features along the energy axis.
    """
    if isinstance(elements, str):
        elements = [elements] * len(spectra)
    wanted = np.array([element_index(element) for element in elements])
    chosen = [model.get_layer(name) for name in layer_names or default_layers(model, local)]
    maps = np.zeros((len(spectra), N_CHANNELS))
    for layer, (features, gradients) in zip(
        chosen, _features_and_gradients(model, chosen, spectra, wanted), strict=True
    ):
        weights = gradients if local else gradients.mean(axis=1, keepdims=True)
        cam = np.maximum((weights * features).sum(axis=-1), 0)
        energy = positions(model, layer.output)
        on_axis = np.isfinite(energy)  # a class token has no place
        channels = np.arange(N_CHANNELS)
        cam = np.stack([np.interp(channels, energy[on_axis], row[on_axis]) for row in cam])
        maps += normalise(cam)
    return normalise(maps)


def default_layers(model: keras.Model, local: bool = False) -> tuple[str, ...]:
    """Layers in which a network is explained.

    With mean gradients all attention layers, as published, or the last features along the energy axis where there is
    no attention; with local ones what the energy axis is reduced from, since behind it every position has its own
    weights.

    Raises
    ------
    ValueError
        If the network has no features along the energy axis.
    """
    attention = [x.name for x in model.layers if isinstance(x, layers.MultiHeadAttention)]
    if attention and not local:
        return tuple(attention)
    learned = [x for x in model.layers if isinstance(x, layers.Conv1D) and x.kernel_size != (1,)]
    if not learned:
        raise ValueError(f"The network {model.name} has no features along the energy axis.")
    after = model.layers[model.layers.index(learned[-1]) :]
    along = [x for x in after if len(x.output.shape) == 3]
    if not local:
        along = [x for x in along if isinstance(x, layers.Activation | layers.Add)]
    return ((along or learned)[-1].name,)


def share_at_onset(relevance: np.ndarray, onset: np.ndarray) -> float:
    """Share of spectra with one edge in which the most relevant channel is between 15 eV before the onset and 60 after.

    Parameters
    ----------
    relevance
        As :func:`relevance` returns it, shape (n, 3072).
    onset
        Where the edge begins [eV], shape (n,).
    """
    distance = relevance.argmax(axis=1) - onset
    before, after = AT_ONSET_EV
    return float(np.mean((distance >= before) & (distance <= after)))


def positions(model: keras.Model, tensor: keras.KerasTensor) -> np.ndarray:
    """Channel of the input on which each position of a tensor is centred, nan for a class token.

    Parameters
    ----------
    model
        Functional model.
    tensor
        Output of one of its layers, shape (batch, position, feature).
    """
    maker = next(x for x in model.layers if x.output is tensor)
    if isinstance(maker, layers.InputLayer):
        return np.arange(N_CHANNELS, dtype=float)
    source = maker.input[0] if isinstance(maker.input, list | tuple) else maker.input
    before = positions(model, source)
    n_before, n = len(before), tensor.shape[1]
    if isinstance(maker, ClassToken):
        return np.concatenate([[np.nan], before])
    if isinstance(maker, layers.UpSampling1D):
        # between the positions that were repeated, evenly
        place = (np.arange(n) + 0.5) / maker.size - 0.5
    elif isinstance(maker, layers.Conv1D | layers.MaxPooling1D | layers.AveragePooling1D):
        window = maker.kernel_size[0] if isinstance(maker, layers.Conv1D) else maker.pool_size[0]
        step = maker.strides[0]
        padded = max((n - 1) * step + window - n_before, 0) if maker.padding == "same" else 0
        place = np.arange(n) * step + (window - 1) / 2 - padded // 2
    elif isinstance(maker, PaddedShortcut):
        return before[::2]
    else:
        return before
    spacing = before[1] - before[0]  # beyond the ends the positions go on evenly
    return before[0] + place * spacing


def _features_and_gradients(
    model: keras.Model, chosen: list[layers.Layer], spectra: np.ndarray, wanted: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Features of some layers and the gradients of the wanted elements' scores with respect to them."""
    output = model.get_layer("probability")
    inner = keras.Model(model.input, [*(layer.output for layer in chosen), output.input])
    one_hot = np.eye(len(ELEMENTS), dtype=np.float32)[wanted]

    def score(vector):
        """Sum of what enters the sigmoid, which unlike the probability is never saturated."""
        return ops.sum((ops.matmul(vector, output.kernel) + output.bias) * one_hot)

    spectra = ops.convert_to_tensor(spectra, "float32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(spectra)
            *features, vector = inner(spectra, training=False)
            total = score(vector)
        gradients = tape.gradient(total, features)
    elif keras.backend.backend() == "torch":
        import torch

        *features, vector = inner(spectra, training=False)
        gradients = torch.autograd.grad(score(vector), features)
    else:
        raise NotImplementedError(
            "Grad-CAM needs Keras with TensorFlow or PyTorch; weights of a JAX run can be loaded there."
        )
    to_numpy = ops.convert_to_numpy
    return [(to_numpy(a), to_numpy(b)) for a, b in zip(features, gradients, strict=True)]
