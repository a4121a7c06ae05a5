"""Thickness of a simulated flake, whose truth is known."""

import numpy as np
import pytest

from hyperspy_eelsid.exceptions import ArgumentError, MissingParametersError


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
