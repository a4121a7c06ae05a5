"""Saved identifications are checked; results reach other processes."""

import pickle
import subprocess
import sys

import h5py
import numpy as np
import pytest

from hyperspy_eelsid.exceptions import UnusableFileError, WeightsError
from hyperspy_eelsid.identification import ElementIdentification
from hyperspy_eelsid.signals import pack, unpack

pytestmark = pytest.mark.usefixtures("step_networks")
NODE = "Experiments/__unnamed__/metadata/EELSID/identification"


@pytest.fixture
def path(make_eels, tmp_path):
    make_eels((2, 3)).identify_elements().save(tmp_path / "found.hspy")
    return tmp_path / "found.hspy"


def attribute(name, value):
    def change(file):
        file[NODE].attrs[name] = value

    return change


def remove(name):
    def change(file):
        if name in file[NODE].attrs:
            del file[NODE].attrs[name]
        else:
            del file[NODE][name]

    return change


def data(name, value):
    """Another first number in an array."""

    def change(file):
        file[name][(0,) * file[name].ndim] = value

    return change


def code(file):
    axis = file["Experiments/__unnamed__/axis-0"].attrs
    axis["_type"], axis["expression"] = "FunctionalDataAxis", "exit()"


DAMAGES = {
    "threshold negative": attribute("threshold", -1.0),
    "threshold NaN": attribute("threshold", np.nan),
    "threshold text": attribute("threshold", "0.5"),
    "share above 1": attribute("min_fraction", 7.0),
    "networks a number": attribute("networks", 5),
    "masked negative": attribute("masked", -1),
    "masked more than there are": attribute("masked", 100),
    "no energy": remove("energy"),
    "no candidates": remove("_list_candidates"),
    "no spectrum": remove("_sig_spectrum"),
    "no threshold": remove("threshold"),
    "probability of 17": data("Experiments/__unnamed__/data", 17),
    "probability NaN": data("Experiments/__unnamed__/data", np.nan),
    "energies not in order": data(f"{NODE}/energy", 1e4),
    "energy infinite": data(f"{NODE}/energy", np.inf),
    "spectrum infinite": data(f"{NODE}/_sig_spectrum/data", np.inf),
    "intensity NaN": data(f"{NODE}/_sig_intensity/data", np.nan),
    "code": code,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_files(damage, path):
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(UnusableFileError, match="does not hold an identification"):
        ElementIdentification.load(path)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_files_that_are_cut(size, path):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UnusableFileError, match="cannot be opened"):
        ElementIdentification.load(path)


def test_networks_of_a_file_are_not_run_unasked(path, steps_folder):
    with h5py.File(path, "a") as file:
        attribute("networks", str(steps_folder))(file)
    found = ElementIdentification.load(path)
    assert found.networks == str(steps_folder)
    with pytest.raises(WeightsError, match="not run unasked"):
        found.explain("O")
    assert found.explain("O", networks=steps_folder).data.any()


@pytest.mark.parametrize("lazy", [False, True])
def test_results_are_pickled(make_eels, lazy):
    found = make_eels((2, 3), lazy=lazy).identify_elements()
    copy = pickle.loads(pickle.dumps(found))
    assert copy.elements == found.elements == ["O", "Ti"]
    np.testing.assert_array_equal(copy.probability.data, found.probability.data)
    assert copy.spectrum.axes_manager[0].offset == 400
    assert repr(copy) == repr(found)
    probability = pickle.loads(pickle.dumps(found.probability))
    np.testing.assert_array_equal(probability["O"].data, found.probability["O"].data)


def test_signals_are_packed(make_eels):
    signal = make_eels((2, 3))
    signal.metadata.set_item("Signal.Noise_properties.variance", make_eels((2, 3)))
    copy = unpack(pickle.loads(pickle.dumps(pack(signal))))
    assert copy.axes_manager.as_dictionary() == signal.axes_manager.as_dictionary()
    np.testing.assert_array_equal(copy.data, signal.data)
    variance = copy.metadata.Signal.Noise_properties.variance
    np.testing.assert_array_equal(variance.data, signal.data)


FORK = """
import multiprocessing, sys
import hyperspy.api as hs, numpy as np
from hyperspy_eelsid.identification import ensemble
from pathlib import Path
hs.preferences.General.show_progressbar = False
ensemble.WEIGHTS = Path(sys.argv[1])
energy = np.arange(400.0, 700.0)
axes = [{"size": 20}, {"size": 20}, {"size": 300, "offset": 400.0, "units": "eV"}]
counts = np.tile(1e5 / energy * (1 + 0.5 * (energy > 532)), (20, 20, 1))
signal = hs.signals.Signal1D(counts, axes=axes)
signal.set_signal_type("EELS")
def identify(_):
    return signal.identify_elements()
before = identify(0).elements
with multiprocessing.get_context("fork").Pool(2) as pool:
    results = pool.map_async(identify, range(3)).get(timeout=60)
assert before == ["O"] and all(found.elements == before for found in results)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_children_that_are_forked_after_an_image(steps_folder):
    """They identify images themselves, and send what they found."""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(steps_folder)], check=True, timeout=120
    )
