"""A tiny ensemble for tests: an element is found where the spectrum rises at its onset."""

import hashlib
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hyperspy_eelsid.edges import ELEMENTS, edge_groups

WIDTH_EV = 20
WATCHED = ("O", "Ti", "Fe")  # every other element has probability 0


def write_ensemble(folder, sharpness=(60.0,)):
    """Write networks whose probability is sigmoid(sharpness * (step at the lowest onset - 5 %))."""
    weight = np.zeros((3072, 80), np.float32)
    for column, element in zip(weight.T, ELEMENTS, strict=True):
        onset = round(min(edge_groups(element).values()))
        column[onset : onset + WIDTH_EV] += 1 / WIDTH_EV
        column[max(onset - WIDTH_EV, 0) : onset] -= 1 / WIDTH_EV
    members = []
    for number, factor in enumerate(sharpness):
        bias = np.full(80, -1e3, np.float32)
        bias[[ELEMENTS.index(element) for element in WATCHED]] = -0.05 * factor
        graph = helper.make_graph(
            [
                helper.make_node("MatMul", ["spectra", "weight"], ["step"]),
                helper.make_node("Add", ["step", "bias"], ["logit"]),
                helper.make_node("Sigmoid", ["logit"], ["probability"]),
            ],
            "steps",
            [helper.make_tensor_value_info("spectra", TensorProto.FLOAT, ["n", 3072])],
            [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", 80])],
            [
                numpy_helper.from_array(factor * weight, "weight"),
                numpy_helper.from_array(bias, "bias"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = folder / f"steps{number}.onnx"
        onnx.save(model, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        members.append({"name": path.stem, "file": path.name, "sha256": digest})
    card = {"name": "steps", "elements": list(ELEMENTS), "threshold": 0.5, "members": members}
    (folder / "card.json").write_text(json.dumps(card))
    return folder
