import numpy as np
import pytest
from exspy.signals import EELSSpectrum

from hyperspy_eelsid.data import core_shell_particle
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.oxidation import references


@pytest.fixture(scope="module")
def particle():
    return core_shell_particle((24, 20), seed=1)


def test_shape_axes_and_truth(particle):
    assert isinstance(particle, EELSSpectrum)
    assert particle.axes_manager.navigation_shape == (20, 24)
    assert particle.axes_manager.navigation_axes[0].scale == pytest.approx(20 / 24)
    truth = particle.metadata.Simulation
    inside = truth.areal_density.Mn.data > 0
    circle = np.pi * 9**2 / (20 / 24) ** 2
    assert inside.sum() == pytest.approx(circle, rel=0.03)
    np.testing.assert_array_equal(np.isfinite(truth.fraction.data), inside)
    assert np.nanmax(truth.fraction.data) == 1  # at the rim there is shell alone
    assert 0.1 < np.nanmin(truth.fraction.data) < 0.3  # in the middle, shell before and behind


def test_atoms_are_those_of_the_crystals(particle):
    # 18 nm of oxide at most, the density between those of MnO and Mn2O3
    most = particle.metadata.Simulation.areal_density.Mn.data.max()
    assert 18 * 38.3 < most < 18 * 45.6


def test_counts_are_poissonian_and_of_the_seed(particle):
    again, other = (core_shell_particle((24, 20), seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(particle.data, again.data)
    first, second = particle.data.astype(float), other.data
    scatter = np.std((first - second) / np.sqrt(np.maximum(first + second, 1)))
    assert scatter == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("counts", "error"), [(100, 0.045), (1000, 0.016), (10000, 0.007)])
def test_fractions_are_found_with_their_errors(counts, error):
    particle = core_shell_particle(counts=counts)
    truth = particle.metadata.Simulation.fraction.data
    ions = references("Mn", 0.2, 1.2)[:2]
    for ion in ions:  # as users have them, with the continuum of their compound
        del ion.metadata.Signal.reference
    found = particle.oxidation_fractions(ions)
    shell = found["Mn3+ (computed)"]
    off = shell.data - truth
    assert np.nanmean(np.abs(off)) < error
    mixed = truth < 0.95  # elsewhere fractions stop at one
    spread = np.sqrt(shell.metadata.Signal.Noise_properties.variance.data)
    assert 0.9 < np.nanstd((off / spread)[mixed]) < 1.2
    assert np.isnan(off[np.isnan(truth)]).all()
    assert np.isfinite(off[np.isfinite(truth)]).mean() > 0.95
    assert np.nanmedian(found.shift.data) == pytest.approx(1.4, abs=0.1)
    # an image is not told by its mean: by chance alone all fractions would be the same
    assert np.nanstd(shell.data[mixed]) > 0.1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("shape", x) for x in ((0, 4), 5, (2.5, 3))),
        *(("seed", x) for x in (-1, 0.5)),
        *((name, x) for name in ("counts", "resolution") for x in (0, -1.0, np.nan, "many", None)),
    ],
)
def test_wrong_arguments_are_named(name, value):
    with pytest.raises(ArgumentError, match=name):
        core_shell_particle(**{name: value})
