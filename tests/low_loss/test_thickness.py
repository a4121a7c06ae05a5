"""Thickness of a simulated flake, whose truth is known."""

import numpy as np
import pytest
from exspy.signals import EELSSpectrum
from scipy.stats import poisson

from hyperspy_eelsid.exceptions import (
    ArgumentError,
    EnergyAxisError,
    MissingParametersError,
    SignalTypeError,
)


def test_thickness_in_mean_free_paths(flake, flake_peak):
    truth = flake.metadata.Simulation.thickness
    once = flake_peak.thickness(method="single scattering", samples=5)
    assert once.value.axes_manager.as_dictionary() == truth.axes_manager.as_dictionary()
    np.testing.assert_allclose(once.value.data, truth.data, atol=0.03)
    ratio = flake_peak.thickness(samples=10)
    thin = truth.data < 0.25
    np.testing.assert_allclose(ratio.value.data[thin], truth.data[thin], atol=0.02)
    # plural losses beyond the end of the axis at 45 eV are missed
    thick = truth.data > 0.7
    assert (ratio.value.data[thick] < once.value.data[thick]).all()
    assert (ratio.lower.data <= ratio.value.data).all()
    assert (ratio.value.data <= ratio.upper.data).all()
    half = (ratio.upper.data - ratio.lower.data) / 2
    np.testing.assert_allclose(ratio.uncertainty.data, half)


def test_absolute_thickness_is_that_of_exspy(flake, flake_peak):
    expected = flake.estimate_thickness(zlp=flake_peak.zlp, density=3.0)
    sample = flake.metadata.Simulation.thickness.data > 0.1
    found = flake_peak.thickness(density=3.0, samples=10)
    np.testing.assert_allclose(found.value.data[sample], expected.data[sample], rtol=0.01)
    given = flake_peak.thickness(mean_free_path=100.0, samples=3).value
    relative = flake_peak.thickness(samples=3).value
    np.testing.assert_allclose(given.data, 100 * relative.data)
    assert "nm" in given.metadata.General.title


def test_lazy_and_one_spectrum(flake, flake_peak):
    lazy = flake.as_lazy().model_zero_loss_peak(vacuum="auto").thickness(samples=3)
    eager = flake_peak.thickness(samples=3)
    np.testing.assert_allclose(lazy.value.data, eager.value.data, rtol=1e-4, atol=1e-5)
    one = flake.inav[12, 3].model_zero_loss_peak(zlp_range=(0.6, 1.5))
    assert one.thickness(samples=3).value.data == pytest.approx(eager.value.data[3, 12], rel=0.02)


def test_pixels_that_are_left_out_have_none(flake):
    broken = flake.inav[:, :2].deepcopy()
    broken.data = broken.data.astype(float)
    broken.data[1, 10] = 0
    thickness = broken.model_zero_loss_peak(vacuum="auto").thickness(samples=3)
    assert np.isnan(thickness.value.data[1, 10]) and np.isfinite(thickness.value.data).sum() == 39


def test_refusals(flake, flake_peak):
    for arguments in ({"density": -1}, {"mean_free_path": 0}, {"method": "eye"}, {"samples": 0}):
        with pytest.raises(ArgumentError, match=next(iter(arguments))):
            flake_peak.thickness(**arguments)
    bare = flake.inav[12, 3]
    del bare.metadata.Acquisition_instrument
    with pytest.raises(MissingParametersError, match="beam_energy"):
        bare.model_zero_loss_peak(zlp_range=(0.6, 1.5)).thickness(density=3.0)


def low_losses(thickness, counts=1e6, seed=None):
    """Plasmon losses of a Poisson distribution, one spectrum for each thickness in mean free paths."""
    energy = np.arange(-20.0, 250.0, 0.5)
    peak = np.exp(-0.5 * (energy / 0.6) ** 2)
    plasmon = (energy > 0) / (1 + ((energy - 22) / 4) ** 2)
    orders, zero = [peak / peak.sum()], np.argmin(np.abs(energy))
    while len(orders) < 6:
        orders.append(np.convolve(orders[-1], plasmon / plasmon.sum())[zero : zero + len(energy)])
    weights = poisson.pmf(np.arange(len(orders)), np.asarray(thickness)[..., None])
    data = counts * weights @ np.stack(orders)
    if seed is not None:
        data = np.random.default_rng(seed).poisson(data).astype(float)
    axis = {"size": len(energy), "offset": energy[0], "scale": 0.5, "units": "eV"}
    shape = [{"size": size} for size in data.shape[:-1]]
    signal = EELSSpectrum(data, axes=[*shape, axis])
    signal.set_microscope_parameters(200.0, 10.0, 30.0)
    return signal


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("truth", [0.4, [0.2, 0.5], [[0.2, 0.9], [0.5, 1.5]]])
def test_thickness_beside_a_core_loss(truth, lazy):
    signal = low_losses(truth)
    signal = signal.as_lazy() if lazy else signal
    core = low_losses(truth)
    found = core.thickness(signal)
    np.testing.assert_allclose(found.data.squeeze(), truth, rtol=0.05)
    assert found.metadata.Signal.quantity == "thickness (mean free paths)"
    assert found.axes_manager.shape == (core.axes_manager.navigation_shape or (1,))
    np.testing.assert_allclose(signal.thickness().data, found.data)
    # as exspy has it
    expected = low_losses(np.atleast_1d(truth)).estimate_thickness(threshold=3.0, density=4.0).data
    absolute = core.thickness(signal, density=4.0)
    np.testing.assert_allclose(absolute.data.squeeze(), expected.squeeze(), rtol=0.03)
    assert absolute.metadata.Signal.quantity == "thickness (nm)"
    np.testing.assert_allclose(core.thickness(signal, mean_free_path=50.0).data, 50 * found.data)


def test_error_of_the_thickness_tells_its_scatter():
    found = low_losses(np.full((20, 20), 0.5), counts=2000, seed=0).thickness()
    error = np.sqrt(found.metadata.Signal.Noise_properties.variance.data)
    assert error.mean() == pytest.approx(found.data.std(), rel=0.1)


def test_low_losses_without_a_thickness():
    signal = low_losses([0.2, 0.5])
    signal.data[1] = 0
    found = signal.thickness()
    variance = found.metadata.Signal.Noise_properties.variance
    for values in (found.data, variance.data):
        np.testing.assert_array_equal(np.isnan(values), [False, True])
    with pytest.raises(EnergyAxisError, match="goes from 5 to"):
        signal.isig[5.0:].thickness()
    with pytest.raises(SignalTypeError, match="low_loss must be an EELS signal"):
        signal.thickness([1, 2, 3])
    with pytest.raises(ArgumentError, match="density"):
        signal.thickness(density=-1)
    del signal.metadata.Acquisition_instrument
    with pytest.raises(MissingParametersError, match="beam_energy"):
        signal.thickness(density=4.0)
