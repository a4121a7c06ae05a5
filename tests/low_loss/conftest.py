"""Simulated low-loss spectra as signals."""

import numpy as np
import pytest
from exspy.signals import EELSSpectrum

from hyperspy_eelsid.data import nanostructure
from hyperspy_eelsid.data.low_loss import low_loss_spectrum


def as_signal(energy, counts):
    axis = {"units": "eV", "size": energy.size, "offset": energy[0], "name": "Energy loss"}
    axis["scale"] = energy[1] - energy[0]
    pixels = [{"size": n} for n in counts.shape[:-1]]
    return EELSSpectrum(np.array(counts), axes=[*pixels, axis])


@pytest.fixture
def make_signal():
    return as_signal


@pytest.fixture(scope="session")
def spectra():
    """Eight simulated spectra with their truth; not to be changed."""
    return [low_loss_spectrum(np.random.default_rng([5, k])) for k in range(8)]


@pytest.fixture(scope="session")
def flake():
    """Small image of a flake with vacuum at its edge; not to be changed."""
    return nanostructure(shape=(6, 20), seed=1)


@pytest.fixture(scope="session")
def flake_peak(flake):
    return flake.model_zero_loss_peak(vacuum="auto")
