"""From the ONNX files of an ensemble back to networks that can be trained: :mod:`export` the other way."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import numpy_helper

from training.learning.export import PARITY, run_file
from training.networks.features import FEATURES

BATCH_SIZE = 64
# operations that use a weight, by the weight's name
OPERATIONS = {
    "kernel": ("Conv", "MatMul"),
    "gamma": ("Mul",),
    "bias": ("Add",),
    "beta": ("Add",),
    "embedding": ("Add",),
    "importance": ("MatMul",),
}
UNTRAINED = {"moving_mean": 0.0, "moving_variance": 1.0}


def restore_member(model: keras.Model, path: Path, spectra: np.ndarray) -> None:
    """Give a network the weights that an ONNX file of it holds.

    The file holds a batch normalisation as one factor and one addend. Mean and variance of what it normalises are
    taken of `spectra`, and its scale and offset such that the network computes the same as before.

    Parameters
    ----------
    model
        The network as it is built, whose weights are replaced.
    path
        File written by :func:`training.learning.export.export_member`; ``features.onnx`` lies beside it.
    spectra
        Network input as in training, shape (n, 3072).

    Raises
    ------
    ValueError
        If the file is that of another network, or what it computes differs from it by more than 1e-5.
    """
    graph = _Graph(path)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in model.layers:
        layer.set_weights([graph.value(weight) for weight in layer.weights])
    for norm in norms:  # so that the factor of the file is gamma itself
        norm.moving_variance.assign(norm.moving_variance - norm.epsilon)
    if norms:
        _estimate_statistics(model, norms, spectra)
    seen = check = spectra[:BATCH_SIZE].astype(np.float32)
    if FEATURES in [layer.name for layer in model.layers]:
        seen = run_file(path.with_name(f"{FEATURES}.onnx"), check)
    difference = np.abs(run_file(path, seen) - model.predict(check, verbose=0)).max()
    if not difference <= PARITY:
        raise ValueError(f"What is restored differs from {path.name} by {difference:.1e}.")


class _Graph:
    """The constants of an ONNX file, by the layer in whose name scope they are used."""

    def __init__(self, path: Path) -> None:
        graph = onnx.load(path).graph
        self.file = path.name
        self.constants = {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in graph.initializer
            if tensor.data_type == onnx.TensorProto.FLOAT
        }
        self.maker = {name: node for node in graph.node for name in node.output}
        self.nodes = {}
        for node in graph.node:
            # functional_1/block0_attention_1/query_1/MatMul: a layer that is called again gets a number
            scope = re.sub(r"_\d+(?=/)", "", node.name).split("/")
            for depth in range(2, len(scope)):
                self.nodes.setdefault("/".join(scope[1:depth]), []).append(node)

    def value(self, weight: keras.Variable) -> np.ndarray:
        """Value of a weight, by its path such as ``block0_attention/query/kernel``."""
        scope, kind = weight.path.rsplit("/", 1)
        if kind in UNTRAINED:
            return np.full(weight.shape, UNTRAINED[kind], np.float32)
        for node in self.nodes.get(scope, ()):
            constants = [self.constants[name] for name in node.input if name in self.constants]
            if node.op_type in OPERATIONS.get(kind, ()) and constants and constants[0].size > 1:
                value = constants[0]
                if node.op_type == "Conv":  # features out, features in, 1, channel
                    value = value.squeeze(2).transpose(2, 1, 0)
                elif kind == "embedding" and self._follows_convolution(node):
                    value = value.swapaxes(1, 2)
                if value.size == np.prod(weight.shape):
                    return value.reshape(weight.shape)
        if kind == "bias":  # one that was added to the constant of the next layer
            return np.zeros(weight.shape, np.float32)
        raise ValueError(f"{self.file} has no {weight.path} of shape {tuple(weight.shape)}.")

    def _follows_convolution(self, node: onnx.NodeProto) -> bool:
        """Whether the features stand before the channels, as they do until a convolution's result is transposed."""
        maker = next(self.maker[name] for name in node.input if name in self.maker)
        while maker.op_type == "Squeeze":
            maker = self.maker[maker.input[0]]
        return maker.op_type == "Conv"


def _estimate_statistics(
    model: keras.Model, norms: list[keras.layers.BatchNormalization], spectra: np.ndarray
) -> None:
    """Moving means and variances of batch normalisations, without a change of what the network computes."""
    before = keras.Model(model.input, [layer.input for layer in norms])
    first, second, number = [0.0] * len(norms), [0.0] * len(norms), 0
    for start in range(0, len(spectra), BATCH_SIZE):
        batch = spectra[start : start + BATCH_SIZE]
        number += len(batch)
        for i, output in enumerate(before.predict_on_batch(batch)):
            values = np.asarray(output, np.float64)
            axes = tuple(range(values.ndim - 1))
            first[i] += len(batch) * values.mean(axes)
            second[i] += len(batch) * np.square(values).mean(axes)
    for layer, total, square in zip(norms, first, second, strict=True):
        mean = total / number
        variance = square / number - mean**2
        gamma, beta, old_mean, old_variance = layer.get_weights()
        factor = gamma / np.sqrt(old_variance + layer.epsilon)
        addend = beta - factor * old_mean
        scale = factor * np.sqrt(variance + layer.epsilon)
        layer.set_weights([scale, addend + factor * mean, mean, variance])
