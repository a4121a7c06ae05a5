"""From trained weights to the ONNX files that hyperspy_eelsid ships, with their card."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import date
from pathlib import Path

import keras
import numpy as np
import onnxruntime

from hyperspy_eelsid.edges import ELEMENTS, ENERGY_MAX_EV, ENERGY_MIN_EV
from training.networks.features import FEATURES

_logger = logging.getLogger(__name__)

PARITY = 1e-5
OPSET = 17


def export_member(model: keras.Model, path: Path, check: np.ndarray) -> dict[str, object]:
    """Write one network to an ONNX file and compare the two on some spectra.

    What a network computes of the spectra before its first weight is written to ``features.onnx`` beside it, so that
    an ensemble computes it once.

    Parameters
    ----------
    model
        Trained network.
    path
        File to write.
    check
        Spectra for the comparison, shape (n, 3072).

    Returns
    -------
    dict[str, object]
        What the card says of this member: name, architecture, file, sha256, what it sees, parameters, parity.

    Raises
    ------
    RuntimeError
        If the probabilities of the ONNX file differ from the network's by more than 1e-5.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    member: dict[str, object] = {"name": path.stem, "architecture": model.name}
    seen = check = check.astype(np.float32)
    names = [layer.name for layer in model.layers]
    if FEATURES in names:
        features = keras.Model(model.input, model.get_layer(FEATURES).output)
        behind = keras.Model(model.get_layer(FEATURES).output, model.output)
        file = path.with_name(f"{FEATURES}.onnx")
        if not file.exists():  # another member's are the same
            _convert(features, file)
        seen = run_file(file, check)
        member["features"] = _described(file)
    else:
        behind = model
    _convert(behind, path)
    expected = keras.ops.convert_to_numpy(model(check, training=False))
    difference = float(np.abs(run_file(path, seen) - expected).max())
    if difference > PARITY:
        raise RuntimeError(
            f"{path.name} differs from the Keras network by {difference:.1e}, more than {PARITY:.0e}."
        )
    return {
        **member,
        **_described(path),
        "parameters": model.count_params(),
        "largest_difference_from_keras": difference,
    }


def _convert(model: keras.Model, path: Path) -> None:
    """Write a network to an ONNX file."""
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec(model.input.shape, tf.float32, name="seen")]

    @tf.function(input_signature=signature)
    def call(seen):
        return model(seen, training=False)

    tf2onnx.convert.from_function(
        call, input_signature=signature, opset=OPSET, output_path=str(path)
    )


def run_file(path: Path, seen: np.ndarray) -> np.ndarray:
    """What an ONNX file computes."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {session.get_inputs()[0].name: seen})
    return result


def _described(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def write_card(
    folder: Path,
    name: str,
    members: list[dict[str, object]],
    threshold: float,
    training: dict[str, object],
    scores: dict[str, object],
    calibration: tuple[float, float] = (1.0, 0.0),
) -> Path:
    """Describe the ensemble in ``card.json`` beside its files."""
    card = {
        "name": name,
        "date": date.today().isoformat(),
        "elements": list(ELEMENTS),
        "energy_range": [ENERGY_MIN_EV, ENERGY_MAX_EV],
        "dispersion": 1.0,
        "normalisation": "maximum 1 in the measured window, zero outside",
        "threshold": threshold,
        "calibration": calibration,
        "members": members,
        "training": training,
        "scores": scores,
        "licence": "GPL-3.0-or-later",
    }
    return save_card(folder, card)


def save_card(folder: Path, card: dict[str, object]) -> Path:
    """Write ``card.json``."""
    path = folder / "card.json"
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return path
