"""The examples run from beginning to end."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_script(path, tmp_path):
    if path.stem == "train_a_network" and not all(map(find_spec, ("keras", "tf2onnx"))):
        pytest.skip("needs the extra networks")
    if path.stem == "oxidation_states" and find_spec("skl2onnx") is None:
        pytest.skip("needs the extra oxidation")
    environment = os.environ | {"MPLBACKEND": "agg"}
    subprocess.run([sys.executable, path], cwd=tmp_path, env=environment, check=True, timeout=600)


def executed(name, folder):
    """What the cells of a notebook give, by their types."""
    nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3")
    client.execute(cwd=folder)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"] for output in outputs if "data" in output]


@pytest.mark.slow
def test_walk_through(tmp_path):
    data = executed("walk_through.ipynb", tmp_path)
    assert sum("image/png" in part for part in data) >= 4
    assert any("<td>Ti-L 456</td>" in part.get("text/html", "") for part in data)
    assert any("application/vnd.jupyter.widget-view+json" in part for part in data)


@pytest.mark.slow
def test_own_references(tmp_path):
    pytest.importorskip("skl2onnx", reason="needs the extra oxidation")
    data = executed("oxidation_references.ipynb", tmp_path)
    assert sum("image/png" in part for part in data) == 3
    assert any("June" in part.get("text/html", "") for part in data)
    assert (tmp_path / "manganese" / "card.json").exists()
