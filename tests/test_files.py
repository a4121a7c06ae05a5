"""Opening files: nothing in them is run, and energies are found wherever they are."""

import shutil

import h5py
import hyperspy.api as hs
import numpy as np
import pytest
from exspy.signals import EELSSpectrum

from hyperspy_eelsid import files
from hyperspy_eelsid.exceptions import UnusableFileError
from hyperspy_eelsid.identification import ElementIdentification
from hyperspy_eelsid.low_loss import ZeroLossPeak

GOOD = [
    "a * x + b",
    "a*x**1.1+b",
    "a / (x + 1) + b",
    "sqrt(x**2 + a) ; a = b**0.5",
    "exp(-x/a)*log(b)",
    "-x",
]
CODE = "open({!r}, 'w').close() or (a*x+b)"
BAD = [
    "__import__('os').system('true')",
    "x.__class__.__mro__",
    "(lambda: 1)()",
    "[c for c in (1,2)]",
    "eval('1')",
    "sympify('1')",
    "Function('f')(x)",
    "getattr(x, 'y')",
    "a*x ; a = __import__('os').getpid()",
    "'x'",
    "x if x else a",
    "x[0]",
    "x := 3",
    "9**9**9**9",
    "x**(10**9)",
    "2**(100*100*100)",
    "x +",
    "",
    "factorial(10**9)",
    "exp(x, **a)",
    "x" * 1000,
    "(" * 400 + "x" + ")" * 400,
    5,
    None,
    ["x"],
    "f'{x}'",
    "print(x)",
    "x\n__import__('os')",
]


@pytest.mark.parametrize("expression", GOOD)
def test_formulas_are_opened(expression):
    files.check_expression(expression)


@pytest.mark.parametrize("expression", BAD, ids=lambda e: repr(e)[:30])
def test_code_is_refused(expression):
    with pytest.raises(UnusableFileError, match="an axis has the expression"):
        files.check_expression(expression)


def _functional(path, make_eels):
    """A file of a spectrum with a functional axis."""
    axis = {"_type": "FunctionalDataAxis", "expression": "a*x+b", "a": 1.0, "b": 400.0}
    signal = EELSSpectrum(make_eels().data, axes=[axis | {"size": 300, "units": "eV"}])
    signal.save(path)
    return path


def test_a_functional_axis(make_eels, tmp_path):
    (signal,) = files.load(_functional(tmp_path / "a.hspy", make_eels))
    assert signal.axes_manager[0].axis[0] == 400 and isinstance(signal, EELSSpectrum)
    assert signal.metadata.General.FileIO["0"]["io_plugin"] == "rsciio.hspy"


@pytest.mark.parametrize("where", ["axis", "metadata", "link"])
def test_code_in_a_file_is_not_run(where, make_eels, tmp_path):
    path, trace = _functional(tmp_path / "a.hspy", make_eels), tmp_path / "run"
    if where == "metadata":
        inner = hs.load(path)
        outer = make_eels()
        outer.metadata.set_item("Signal.inner", inner)
        path = tmp_path / "outer.hspy"
        outer.save(path)
    code = CODE.format(str(trace))

    def change(name, item):
        if "expression" in item.attrs:
            item.attrs["expression"] = code

    with h5py.File(path, "a") as file:
        file.visititems(change)
    if where == "link":
        shutil.copy(path, tmp_path / "other")
        with h5py.File(path, "a") as file:
            (group,) = file["Experiments"].values()
            del group["axis-0"]
            group["axis-0"] = h5py.ExternalLink(str(tmp_path / "other"), f"{group.name}/axis-0")
    with pytest.raises(UnusableFileError, match="an axis has the expression"):
        files.load(path)
    for saved in (ElementIdentification, ZeroLossPeak):
        with pytest.raises(UnusableFileError, match="an axis has the expression"):
            saved.load(path)
    assert not trace.exists()
    # what is refused here is what HyperSpy runs
    if where == "axis":
        hs.load(path)
        assert trace.exists()


def test_formats_that_run_code_are_refused(tmp_path):
    (tmp_path / "a.nc").write_bytes(b"CDF\x01")
    with pytest.raises(UnusableFileError, match="Python code"):
        files.load(tmp_path / "a.nc")


def test_energies_along_a_navigation_axis(make_eels, tmp_path):
    signal = make_eels((2, 3))
    stack = signal.as_signal2D((0, 1))
    stack.save(tmp_path / "typed.hspy")
    stack.set_signal_type("")
    stack.save(tmp_path / "stack.hspy")
    for name, options in (("typed", {}), ("stack", {"eels": True})):
        (loaded,) = files.load_eels(tmp_path / f"{name}.hspy", **options)
        np.testing.assert_array_equal(loaded.data, signal.data)
        assert loaded.axes_manager.signal_axes[0].units == "eV"
    with pytest.raises(UnusableFileError, match="--eels"):
        files.load_eels(tmp_path / "stack.hspy")


def test_old_files_and_unknown_endings(make_eels, tmp_path):
    make_eels().save(tmp_path / "old.hspy")
    (tmp_path / "old.hspy").rename(tmp_path / "old.hdf5")
    assert len(files.load_eels(tmp_path / "old.hdf5")) == 1
    (tmp_path / "a.unknown").write_text("x")
    with pytest.raises(UnusableFileError, match="no format that HyperSpy reads"):
        files.load(tmp_path / "a.unknown")
    with pytest.raises(UnusableFileError, match="no such file"):
        files.load(tmp_path / "absent.hspy")
