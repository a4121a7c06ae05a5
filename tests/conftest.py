"""Settings for all tests: no windows, no progress bars; and what several of them share."""

import matplotlib
import numpy as np
import pytest
from step_ensemble import write_ensemble
from traits.etsconfig.api import ETSConfig

ETSConfig.toolkit = "null"
matplotlib.use("agg")

import hyperspy.api as hs  # noqa: E402 (after the toolkits are chosen)
import matplotlib.pyplot as plt  # noqa: E402
from known_edges import as_eels  # noqa: E402

from hyperspy_eelsid.identification import ensemble  # noqa: E402

hs.preferences.General.show_progressbar = False


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def superlattice():
    """The demo's spectrum image at a tenth of its pixels, with the truth; not to be changed."""
    from hyperspy_eelsid import data

    return data.superlattice(shape=(12, 65), seed=1)


@pytest.fixture(scope="session")
def steps_folder(tmp_path_factory):
    """Folder of a tiny ensemble that finds an element where the spectrum has a step at its onset."""
    return write_ensemble(tmp_path_factory.mktemp("steps"))


@pytest.fixture
def step_networks(steps_folder, monkeypatch):
    """Let the tiny ensemble be the one that is shipped."""
    monkeypatch.setattr(ensemble, "WEIGHTS", steps_folder)


@pytest.fixture
def make_eels():
    """Make a signal of Ti (456 eV) and O (532 eV) steps: Ti in the left half of the pixels, O everywhere."""

    def make(navigation_shape=(), energy=None, lazy=False):
        energy = np.arange(400.0, 700.0) if energy is None else energy
        background = (energy / 400.0) ** -1
        oxygen = 0.4 * (energy >= 532)
        titanium = 0.4 * (energy >= 456)
        data = np.empty((*navigation_shape, len(energy)))
        columns = navigation_shape[-1] if navigation_shape else 1
        left = np.arange(columns) < max(columns // 2, 1)
        data[...] = background + oxygen + np.where(left[:, None], titanium, 0)
        return as_eels(1000 * data, energy, lazy)

    return make
