"""How the methods reach exspy's class: every case in a fresh interpreter."""

import inspect
import subprocess
import sys
from pathlib import Path

import hyperspy.api as hs
import pytest

from hyperspy_eelsid._attach import METHODS

PATCH_ORDER = """
import importlib.metadata as metadata
plain = metadata.entry_points
def entry_points(**options):
    found = plain(**options)
    if options.get("group") != "hyperspy.extensions":
        return found
    ours = [e for e in found if e.name.startswith("hyperspy_eelsid")]
    others = [e for e in found if not e.name.startswith("hyperspy_eelsid")]
    assert len(ours) == 2 and others
    return metadata.EntryPoints({order})
metadata.entry_points = entry_points
"""
CHECK = """
import sys
import hyperspy.api as hs
assert "onnxruntime" not in sys.modules
from exspy.signals import EELSSpectrum, LazyEELSSpectrum
for signal_class in (EELSSpectrum, LazyEELSSpectrum):
    assert callable(signal_class.identify_elements) and callable(signal_class.auto_model)
from exspy.models import EELSModel
assert callable(EELSModel.fit_linear) and isinstance(EELSModel.doubtful, property)
loaded = hs.load({path!r})
assert type(loaded).__module__.startswith("exspy."), type(loaded)
assert loaded.metadata.Signal.signal_type == "EELS"
loaded.identify_elements, loaded.auto_model, loaded.as_lazy().identify_elements
"""


def run(code):
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


# each import costs seconds: every first import and both orders, not every pair of them
@pytest.mark.parametrize(
    ("first", "order"),
    [
        pytest.param("import hyperspy.api", "ours + others", marks=pytest.mark.slow),
        ("import exspy", "others + ours"),
        pytest.param("import exspy.signals", "ours + others", marks=pytest.mark.slow),
        ("import hyperspy_eelsid", "ours + others"),
    ],
)
def test_methods_are_there_whatever_comes_first(first, order, make_eels, tmp_path):
    """Also on the signal of a loaded file, which belongs to exspy."""
    path = tmp_path / "spectrum.hspy"
    make_eels().save(path)
    order = PATCH_ORDER.replace("{order}", order)
    run(f"{order}{first}\n" + CHECK.replace("{path!r}", repr(str(path))))


def test_importing_us_is_light():
    run(
        "import sys, hyperspy_eelsid\n"
        "heavy = {'onnxruntime', 'matplotlib', 'scipy', 'exspy', 'hyperspy.api', 'tensorflow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )


def test_a_class_that_moved_is_found(tmp_path):
    """exspy's next release defines the class in exspy.signals._eels."""
    package = tmp_path / "exspy" / "signals"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "_eels.py").write_text("class EELSSpectrum: pass\n")
    (package / "eels.py").write_text("from exspy.signals._eels import EELSSpectrum\n")
    root = str(Path(__file__).parents[1])
    run(
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {root!r}]\n"
        "import hyperspy_eelsid\nimport exspy.signals._eels as module\n"
        "assert {'identify_elements', 'auto_model'} <= set(vars(module.EELSSpectrum))"
    )


@pytest.mark.parametrize("class_name", METHODS)
def test_methods_explain_themselves(class_name):
    from exspy.models import EELSModel
    from exspy.signals import EELSSpectrum

    owner = {"EELSSpectrum": EELSSpectrum, "EELSModel": EELSModel}[class_name]
    for name, method in METHODS[class_name].items():
        assert method.function.__name__ == name
        assert getattr(owner, name).__doc__ == method.function.__doc__
    assert not hasattr(hs.signals.Signal1D, "identify_elements")


def test_methods_show_their_own_arguments():
    signal = hs.signals.Signal1D([1.0, 2.0])
    signal.set_signal_type("EELS")
    assert inspect.signature(signal.identify_elements).parameters["min_fraction"].default == 0.01
    parameters = list(inspect.signature(signal.auto_model).parameters)
    assert parameters[:3] == ["identification", "elements", "low_loss"]
    assert "threshold\n" in type(signal).identify_elements.__doc__
