import json
import subprocess
import sys
from importlib.metadata import version

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
import pytest

from hyperspy_eelsid import cli


@pytest.fixture
def image_file(superlattice, tmp_path):
    path = tmp_path / "image.hspy"
    superlattice.save(path)
    return path


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == version("hyperspy-eelsid")


def test_help_is_instant():
    """Asking for help imports neither HyperSpy nor ONNX Runtime."""
    code = (
        "import sys; from hyperspy_eelsid import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'hyperspy.api', 'exspy', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("suffix", [".hspy", ".dm4", ".msa", ".unknown"])
def test_broken_file_ends_in_one_line(suffix, tmp_path, capfd):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"no spectrum here " * 50)
    assert cli.main(["identify", str(path)]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"eelsid: {path}: ")


def test_missing_file_is_told(tmp_path, capfd):
    assert cli.main(["identify", str(tmp_path / "absent.dm4")]) == 1
    assert capfd.readouterr().err.endswith("absent.dm4: no such file.\n")


def test_image_is_not_eels(tmp_path, capfd):
    path = tmp_path / "picture.hspy"
    hs.signals.Signal2D(np.ones((4, 4))).save(path)
    assert cli.main(["identify", str(path)]) == 1
    error = capfd.readouterr().err
    assert "holds no EELS signal but <Signal2D" in error
    assert "set_signal_type" not in error


def test_untyped_spectrum_says_how_to_become_eels(tmp_path, capfd):
    path = tmp_path / "untyped.hspy"
    signal = hs.signals.Signal1D(np.ones(100), axes=[{"size": 100, "units": "eV", "offset": 400}])
    signal.save(path)
    assert cli.main(["identify", str(path)]) == 1
    assert "set_signal_type('EELS')" in capfd.readouterr().err


def test_square_brackets_in_a_file_name(superlattice, tmp_path):
    path = tmp_path / "scan[1].hspy"
    superlattice.save(path)
    (loaded,) = cli.load_eels(path)
    np.testing.assert_array_equal(loaded.data, superlattice.data)


def test_msa_file_is_opened(superlattice, tmp_path):
    path = tmp_path / "spectrum.msa"
    summed = superlattice.sum()
    summed.save(path, encoding="utf8")
    (loaded,) = cli.load_eels(path)
    np.testing.assert_allclose(loaded.data, summed.data)


@pytest.mark.slow
def test_one_page_and_json(superlattice, tmp_path, capfd):
    path, page = tmp_path / "a <b>.hspy", tmp_path / "report.html"
    superlattice.inav[:20, :4].save(path)
    code = cli.main(["identify", str(path), "--json", "--report", str(page), "--exclude", "Ba"])
    assert code == 0
    (entry,) = json.loads(capfd.readouterr().out)
    elements = {row["element"]: row for row in entry["elements"]}
    assert "Ti" in elements and "Ba" not in elements
    assert elements["Ti"]["edges"] == {"L": 456} and elements["Ti"]["mean fitted amount"] > 0
    text = page.read_text(encoding="utf-8")
    assert "<h1>a &lt;b&gt;</h1>" in text and "<td>Ti-L 456</td>" in text
    assert text.count('src="data:image/png;base64,') == 2
    assert "http" not in text


def test_parameters_that_the_file_lacks(superlattice, tmp_path, capfd):
    signal = superlattice.sum()
    del signal.metadata.Acquisition_instrument
    signal.save(tmp_path / "bare.hspy")
    command = ["identify", str(tmp_path / "bare.hspy"), "--json", "--out", str(tmp_path)]

    def amounts(output):
        (entry,) = json.loads(output)
        return [row.get("mean fitted amount") for row in entry["elements"]]

    assert cli.main(command) == 0
    output = capfd.readouterr()
    assert "--collection-angle" in output.err
    assert not any(amounts(output.out))
    given = ["--beam-energy", "200", "--convergence-angle", "20", "--collection-angle", "40"]
    assert cli.main(command + given) == 0
    assert all(amounts(capfd.readouterr().out))


def test_a_broken_file_does_not_stop_the_others(superlattice, tmp_path, capfd):
    superlattice.sum().save(tmp_path / "good.hspy")
    names = [str(tmp_path / name) for name in ("absent.dm4", "good.hspy")]
    assert cli.main(["identify", *names, "--json"]) == 1
    output = capfd.readouterr()
    assert [entry["name"] for entry in json.loads(output.out)] == ["good"]
    assert "no such file" in output.err


def test_results_of_the_same_name_and_low_losses(make_eels, tmp_path, capfd, step_networks):
    """Two files of one name, of which one holds a dual acquisition, whose low loss comes first."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        make_eels((4,)).save(tmp_path / folder / "scan.hspy")
    dual = [make_eels(energy=np.arange(-9.5, 60.0)), make_eels()]
    names = [str(tmp_path / folder / "scan.hspy") for folder in ("a", "b")]
    with pytest.MonkeyPatch.context() as patch:
        load = cli.load_eels
        patch.setattr(
            cli, "load_eels", lambda path: dual if path.parent.name == "b" else load(path)
        )
        assert cli.main(["identify", *names, "--out", str(tmp_path / "out")]) == 0
    output = capfd.readouterr()
    assert output.err.count("Core-loss edges are identified") == 1
    assert "Completed" not in output.out
    written = {str(p.relative_to(tmp_path / "out")) for p in tmp_path.glob("out/*/*")}
    assert written == {
        f"{name}/{file}"
        for name, files in {
            "scan": ("elements.csv", "elements.png", "maps.png"),
            "scan_1": ("elements.csv", "elements.png"),
        }.items()
        for file in files
    }
    assert not plt.get_fignums()


def test_an_interrupt_ends_the_command(make_eels, tmp_path, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load_eels", interrupt)
    assert cli.main(["identify", str(tmp_path)]) == 130


def test_unknown_element_is_told(superlattice, tmp_path, capfd):
    superlattice.sum().save(tmp_path / "good.hspy")
    assert cli.main(["identify", str(tmp_path / "good.hspy"), "--elements", "Ti", "Xx"]) == 1
    assert "Unknown element 'Xx'" in capfd.readouterr().err


def test_models_and_doctor(capfd):
    assert cli.main(["models"]) == 0
    assert "threshold" in capfd.readouterr().out
    assert cli.main(["doctor"]) == 0
    text = capfd.readouterr().out
    assert "self-test passed" in text and "ExecutionProvider" in text and version("exspy") in text
