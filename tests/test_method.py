import json

import numpy as np
import pytest

from hyperspy_eelsid.exceptions import ArgumentError, UnusableFileError, WeightsError
from hyperspy_eelsid.method import Method

pytestmark = pytest.mark.usefixtures("step_networks")


def test_a_method_repeats_an_identification(make_eels, tmp_path):
    found = make_eels((4, 6)).identify_elements(threshold=0.4, min_fraction=0.2, exclude=["O"])
    found.to_method(beam_energy=200, background=np.array([2.0, 3.0])).save(tmp_path / "m.json")
    method = Method.load(tmp_path / "m.json")
    again = make_eels((2, 4)).identify_elements(**method.identification)
    assert (again.threshold, again.min_fraction) == (0.4, 0.2)
    assert again.candidates == found.candidates and again.elements == ["Ti"]
    assert method.fit["beam_energy"] == 200 and method.fit["background"] == [2.0, 3.0]
    assert method.fit["fine_structure"] == "free"  # every setting, also those that were not given
    assert method == found.to_method(beam_energy=200, background=[2.0, 3.0])
    assert method.versions["numpy"] == np.__version__ and not method.other_versions()


def test_all_elements_stay_all(make_eels):
    assert make_eels().identify_elements().to_method().identification["elements"] is None


def test_settings_that_a_method_cannot_hold(make_eels):
    found = make_eels().identify_elements()
    with pytest.raises(ArgumentError, match="no setting 'low_loss'.* options are .*beam_energy"):
        found.to_method(low_loss=make_eels())
    with pytest.raises(ArgumentError, match="cannot be written"):
        found.to_method(GOS=object())


def test_other_networks_are_told(make_eels):
    method = make_eels().identify_elements().to_method()
    method.check_weights(method.weights)
    with pytest.raises(WeightsError, match="checksums differ"):
        method.check_weights({"a.onnx": "0"})


def test_a_method_is_not_overwritten(make_eels, tmp_path):
    method = make_eels().identify_elements().to_method()
    method.save(tmp_path / "m.json")
    with pytest.raises(FileExistsError):
        method.save(tmp_path / "m.json")
    method.save(tmp_path / "m.json", overwrite=True)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda held: held.pop("hyperspy_eelsid method"), "does not begin with"),
        (lambda held: held.pop("weights"), "entries are not"),
        (lambda held: held["identification"].pop("threshold"), "identification does not hold"),
        (lambda held: held["fit"].update(gain=3), "no setting 'gain'"),
        (lambda held: held["versions"].update(numpy=3), "versions are not texts"),
        (lambda held: held["reading"].update(eels="yes"), "not true or false"),
    ],
)
def test_files_that_are_no_method(make_eels, tmp_path, change, problem):
    path = tmp_path / "m.json"
    held = json.loads(make_eels().identify_elements().to_method().to_json())
    change(held)
    path.write_text(json.dumps(held))
    with pytest.raises(UnusableFileError, match=problem):
        Method.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_files_that_are_something_else(tmp_path, text):
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(UnusableFileError, match="does not hold a method"):
        Method.load(path)
    with pytest.raises(UnusableFileError, match="cannot be read"):
        Method.load(tmp_path / "none.json")
