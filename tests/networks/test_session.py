import hashlib
import json

import numpy as np
import onnx
from onnx import TensorProto, helper

from hyperspy_eelsid.networks.card import Card
from hyperspy_eelsid.networks.session import Networks


def test_another_task_runs(tmp_path):
    """Three states on a grid of 50 channels: the runtime knows neither elements nor energies."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [50, 3], np.eye(50, 3).ravel())
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "states",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 50])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [weight],
    )
    path = tmp_path / "states.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    card = {
        "name": "manganese",
        "labels": ["Mn2+", "Mn3+", "Mn4+"],
        "threshold": 0.5,
        "members": [{"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}],
    }
    (tmp_path / "card.json").write_text(json.dumps(card))
    networks = Networks(Card.read(tmp_path), tmp_path)
    spectra = np.random.default_rng(0).random((40, 50), np.float32)
    np.testing.assert_allclose(networks.predict(spectra), spectra[:, :3], rtol=1e-6)
