"""The examples run from beginning to end."""

import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_script(path, tmp_path, monkeypatch):
    if path.stem == "train_a_network" and not all(map(find_spec, ("keras", "tf2onnx"))):
        pytest.skip("needs the extra networks")
    if path.stem == "oxidation_states" and find_spec("skl2onnx") is None:
        pytest.skip("needs the extra oxidation")
    monkeypatch.chdir(tmp_path)
    if "__main__" in path.read_text(encoding="utf-8"):  # it starts processes that begin with it
        environment = os.environ | {"MPLBACKEND": "agg"}
        subprocess.run([sys.executable, path], env=environment, check=True, timeout=600)
    else:
        runpy.run_path(str(path))


def outputs_of(name, folder):
    """What the cells of a notebook put out."""
    nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3")
    client.execute(cwd=folder)
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


@pytest.mark.slow
def test_low_loss_notebook(tmp_path):
    outputs = outputs_of("low_loss", tmp_path)
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    assert pictures >= 6
    said = "".join(output.get("text", "") for output in outputs)
    assert "median error" in said and "nm from the zero loss" in said


@pytest.mark.slow
def test_notebook(tmp_path):
    outputs = outputs_of("walk_through", tmp_path)
    data = [output["data"] for output in outputs if "data" in output]
    pictures = sum("image/png" in part for part in data)
    assert pictures >= 4
    assert any("<td>Ti-L 456</td>" in part.get("text/html", "") for part in data)
    assert any("application/vnd.jupyter.widget-view+json" in part for part in data)


@pytest.mark.slow
def test_own_references(tmp_path):
    pytest.importorskip("skl2onnx", reason="needs the extra oxidation")
    outputs = outputs_of("oxidation_references", tmp_path)
    data = [output["data"] for output in outputs if "data" in output]
    assert sum("image/png" in part for part in data) == 3
    assert any("June" in part.get("text/html", "") for part in data)
    assert (tmp_path / "manganese" / "card.json").exists()
