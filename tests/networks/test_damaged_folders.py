"""Folders of networks that are damaged or malicious: each one a clear WeightsError, quickly, and nothing is run."""

import hashlib
import json
import os
import pickle
import shutil
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from hyperspy_eelsid import cli
from hyperspy_eelsid.exceptions import WeightsError
from hyperspy_eelsid.identification import ensemble

SECONDS = 1.0  # of the process, so that a busy machine does not matter


@pytest.fixture
def folder(steps_folder, tmp_path):
    path = tmp_path / "networks"
    shutil.copytree(steps_folder, path)
    change(path, test_output=ensemble.Ensemble(path).test_output())
    return path


def card_of(folder):
    return json.loads((folder / "card.json").read_text())


def change(folder, **entries):
    (folder / "card.json").write_text(json.dumps(card_of(folder) | entries))


def member(**entries):
    """Change entries of the first member; an entry that is ... is left out."""

    def apply(folder):
        changed = card_of(folder)["members"][0] | entries
        change(folder, members=[{k: v for k, v in changed.items() if v is not ...}])

    return apply


def entries(**new):
    return lambda folder: change(folder, **new)


def text(content):
    return lambda folder: (folder / "card.json").write_bytes(content)


def content(make):
    """Another content of the network's file, with the right checksum."""

    def apply(folder):
        path = folder / "steps0.onnx"
        new = make(path.read_bytes())
        path.unlink()
        path.write_bytes(new)
        member(sha256=hashlib.sha256(new).hexdigest())(folder)

    return apply


def network(*nodes, initializers=(), outputs=("y",)):
    """A network of other nodes, from ``x`` to ``y``."""

    def make(_):
        graph = helper.make_graph(
            list(nodes),
            "other",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3072])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(np.asarray(a), name) for name, a in initializers],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("other.domain", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()

    return content(make)


def dense(columns, value, **options):
    weight = np.zeros((3072, columns), np.float32)
    bias = np.full(columns, value, np.float32)
    return network(
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Add", ["z", "b"], ["y"]),
        initializers=[("w", weight), ("b", bias)],
        **options,
    )


def external(location):
    """The weights of the network in another file."""

    def make(old):
        model = onnx.load_from_string(old)
        tensor = model.graph.initializer[0]
        size = len(tensor.raw_data)
        set_external_data(tensor, location, 0, size)
        tensor.ClearField("raw_data")
        return model.SerializeToString()

    return content(make)


def external_constant(old):
    """The same of a tensor that is an attribute."""
    tensor = numpy_helper.from_array(np.zeros(80, np.float32), "c")
    set_external_data(tensor, "weights.bin", 0, 320)
    tensor.ClearField("raw_data")
    model = onnx.load_from_string(old)
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))
    return model.SerializeToString()


def with_function(old):
    model = onnx.load_from_string(old)
    node = helper.make_node("Identity", ["a"], ["b"])
    model.functions.append(
        helper.make_function("own", "F", ["a"], ["b"], [node], model.opset_import)
    )
    return model.SerializeToString()


def loop():
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Add", ["a", "a"], ["b"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, None),
        ],
    )
    return network(
        helper.make_node("Loop", ["n", "t", "x"], ["y"], body=body),
        initializers=[("n", np.int64(2**62)), ("t", np.bool_(True))],
    )


def huge():
    return network(
        helper.make_node("ConstantOfShape", ["s"], ["z"]),
        helper.make_node("ReduceMax", ["z"], ["y"]),
        initializers=[("s", np.array([2_000_000, 2_000_000]))],
    )


def flipped(old):
    new = bytearray(old)
    for place in np.random.default_rng(1).integers(len(new), size=4000):
        new[place] ^= 0x40
    return bytes(new)


class Malicious:
    def __reduce__(self):
        return (os.mkdir, ("code_was_run",))


def special(make):
    """The network's file is something else than a file."""

    def apply(folder):
        path = folder / "steps0.onnx"
        path.unlink()
        make(path)

    return apply


def special_card(make):
    def apply(folder):
        path = folder / "card.json"
        path.rename(folder / "real")
        make(path)

    return apply


DAMAGES = {
    "no card": lambda folder: (folder / "card.json").unlink(),
    "card is a folder": special_card(os.mkdir),
    "card is a pipe": special_card(os.mkfifo),
    "card is a device": special_card(lambda path: path.symlink_to("/dev/zero")),
    "card is a link": special_card(lambda path: path.symlink_to("real")),
    "card is huge": special_card(lambda path: path.write_bytes(b" " * 5_000_000)),
    "card is empty": text(b""),
    "card is cut": text(b'{"name": "x", "elem'),
    "card is a list": text(b"[1, 2]"),
    "card is a number": text(b"5"),
    "card is deep": text(b"[" * 200_000),
    "card is not UTF-8": text(b"\xff\xfe\x00{"),
    "network missing": lambda folder: (folder / "steps0.onnx").unlink(),
    "network is a folder": special(os.mkdir),
    "network is a pipe": special(os.mkfifo),
    "network is a device": special(lambda path: path.symlink_to("/dev/zero")),
    "sha256 of another file": member(sha256="0" * 64),
    "sha256 missing": member(sha256=...),
    "sha256 no digits": member(sha256="x" * 64),
    "sha256 of too many digits": member(sha256="0" * 65),
    "file missing": member(file=...),
    "file a number": member(file=5),
    "file empty": member(file=""),
    "file the folder itself": member(file="."),
    "file above": member(file="../x.onnx"),
    "file absolute": member(file="/etc/hostname"),
    "file a device": member(file="/dev/zero"),
    "file of Windows": member(file="C:x.onnx"),
    "file with a null": member(file="x\0.onnx"),
    "weight zero": member(weight=0),
    "weight negative": member(weight=-3),
    "weight NaN": member(weight=float("nan")),
    "weight text": member(weight="1"),
    "weight too large": member(weight=1e308),
    "weight too small": member(weight=1e-50),
    "weight an integer beyond floats": member(weight=10**400),
    "weight true": member(weight=True),
    "features a number": member(features=5),
    "members empty": entries(members=[]),
    "members an object": entries(members={"a": 1}),
    "members texts": entries(members=["x"]),
    "members null": entries(members=None),
    "member twice": lambda folder: change(folder, members=2 * card_of(folder)["members"]),
    "threshold text": entries(threshold="0.5"),
    "threshold 5": entries(threshold=5),
    "threshold NaN": entries(threshold=float("nan")),
    "threshold infinite": entries(threshold=float("inf")),
    "threshold null": entries(threshold=None),
    "calibration of one": entries(calibration=[1]),
    "calibration NaN": entries(calibration=[float("nan"), 0]),
    "calibration falling": entries(calibration=[-1, 0]),
    "calibration flat": entries(calibration=[1e-300, 0]),
    "calibration beyond": entries(calibration=[1, 1e300]),
    "elements null": entries(elements=None),
    "elements numbers": entries(elements=[1, 2]),
    "elements of others": entries(elements=["A", "B"]),
    "elements in another order": lambda folder: change(
        folder, elements=card_of(folder)["elements"][::-1]
    ),
    "name a number": entries(name=5),
    "name empty": entries(name=""),
    "name a script": entries(name="<script>alert(1)</script>"),
    "another energy range": entries(energy_range=[0, 2000]),
    "another dispersion": entries(dispersion=0.5),
    "test output short": entries(test_output=[0.5]),
    "test output text": entries(test_output=["a"] * 80),
    "test output of other networks": entries(test_output=[0.5] * 80),
    "network cut": content(lambda old: old[: len(old) // 2]),
    "network empty": content(lambda old: b""),
    "network text": content(lambda old: b"no network " * 100),
    "network flipped": content(flipped),
    "network a pickle": content(lambda old: pickle.dumps(Malicious())),
    "79 outputs": dense(79, 0.9),
    "1 output": dense(1, 0.9),
    "output NaN": dense(80, np.nan),
    "output above 1": dense(80, 7.0),
    "output below 0": dense(80, -0.1),
    "two outputs": dense(80, 0.1, outputs=("y", "z")),
    "output of one row": network(
        helper.make_node("ReduceMax", ["x"], ["r"], keepdims=0),
        helper.make_node("Expand", ["r", "s"], ["y"]),
        initializers=[("s", np.array([1, 80]))],
    ),
    "unknown operator": network(helper.make_node("Own", ["x"], ["y"], domain="other.domain")),
    "huge": huge(),
    "endless loop": loop(),
    "function of its own": content(with_function),
    "data beside": external("weights.bin"),
    "data above": external("../weights.bin"),
    "data absolute": external("/etc/hostname"),
    "data of a device": external("/dev/zero"),
    "data of a constant": content(external_constant),
}


def test_the_folder_itself_is_right(folder):
    assert ensemble.load(folder).test_difference() < 1e-4


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_folder(damage, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    damage(folder)
    start = time.process_time()
    with pytest.raises(WeightsError) as told:
        ensemble.load(folder)
    assert time.process_time() - start < SECONDS
    assert 30 < len(str(told.value)) < 600
    assert not (tmp_path / "code_was_run").exists()


@pytest.mark.parametrize("name", ["", "no such", "/etc/hostname", "x" * 5000, "a\0b"])
def test_no_folder(name):
    with pytest.raises(WeightsError, match="There is no ensemble"):
        ensemble.load(name)


def test_the_command_line_verifies(folder, capfd):
    assert cli.main(["models", str(folder), "--verify"]) == 0
    output = capfd.readouterr().out
    assert "steps0.onnx: sha256" in output and "test spectrum: as the card says" in output
    (folder / "steps0.onnx").unlink()
    assert cli.main(["models", "compact", str(folder), "--verify"]) == 1
    output = capfd.readouterr()
    assert "compact" in output.out and len(output.err.splitlines()) == 1
