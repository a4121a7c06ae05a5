import subprocess
import sys
from importlib.metadata import version

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_eelsid import cli


@pytest.fixture
def image_file(superlattice, tmp_path):
    path = tmp_path / "image.hspy"
    superlattice.signal.save(path)
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
    superlattice.signal.save(path)
    (loaded,) = cli.load_eels(path)
    np.testing.assert_array_equal(loaded.data, superlattice.signal.data)


def test_msa_file_is_opened(superlattice, tmp_path):
    path = tmp_path / "spectrum.msa"
    summed = superlattice.signal.sum()
    summed.save(path, encoding="utf8")
    (loaded,) = cli.load_eels(path)
    np.testing.assert_allclose(loaded.data, summed.data)
