"""Single scattering and dielectric function of a simulated flake."""

import numpy as np
import pytest

from hyperspy_eelsid.exceptions import ArgumentError, MissingParametersError

THICK = (3, 19)


def test_single_scattering(flake, flake_peak):
    single = flake_peak.fourier_log_deconvolution(samples=4)
    assert single.value.axes_manager.as_dictionary() == flake.axes_manager.as_dictionary()
    energy = flake.axes_manager[-1].axis
    counts = single.value.data[THICK]
    assert energy[counts.argmax()] == pytest.approx(22, abs=0.8)
    truth = flake.metadata.Simulation.thickness.data[THICK]
    assert counts.sum() / flake_peak.zlp.data[THICK].sum() == pytest.approx(truth, abs=0.03)
    # the second plasmon is gone
    second = (energy > 40) & (energy < 43)
    assert abs(counts[second].mean()) < 0.3 * flake.data[THICK][second].mean()
    assert (single.lower.data <= single.upper.data).all()
    near_gap = (energy > 1.9) & (energy < 2.6)
    assert (single.uncertainty.data[THICK][near_gap] > 0).all()


def test_dielectric_function(flake, flake_peak):
    found = flake_peak.kramers_kronig_analysis(n=3.0, samples=3)
    function = found.dielectric_function
    assert type(function).__name__ == "DielectricFunction"
    assert function.axes_manager[-1].offset == pytest.approx(0.05)
    assert function.axes_manager[-1].size == function.data.shape[-1]
    # below the gap the square of the refractive index
    assert function.data[THICK][:10].real == pytest.approx(9, abs=1.5)
    np.testing.assert_allclose(found.real.value.data, function.data.real)
    # of medians this holds nearly
    beyond = (*THICK, slice(30, None))
    difference = found.loss_function.value.data[beyond] - (-1 / function.data[beyond]).imag
    assert np.median(np.abs(difference)) < 0.02
    thickness = found.thickness.value.data
    share = flake.metadata.Simulation.thickness.data
    sample = share > 0.2
    assert np.corrcoef(thickness[sample], share[sample])[0, 1] > 0.999


def test_thickness_and_index_say_the_same(flake):
    peak = flake.inav[10:, :2].model_zero_loss_peak(zlp_range=(0.6, 1.5))
    found = peak.kramers_kronig_analysis(n=3.0, samples=1)
    again = peak.kramers_kronig_analysis(t=found.thickness.value, samples=1)
    np.testing.assert_allclose(again.real.value.data, found.real.value.data, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(again.thickness.value.data, found.thickness.value.data)


def test_one_spectrum_lazy_and_surfaces(flake, flake_peak):
    one = flake.inav[19, 3].model_zero_loss_peak(vacuum=flake.inav[0, 0])
    alone = one.kramers_kronig_analysis(n=3.0, iterations=2, samples=2)
    assert alone.real.value.data.ndim == 1 and np.isfinite(alone.thickness.value.data).all()
    part = flake.inav[:, :2].as_lazy().model_zero_loss_peak(vacuum="auto")
    lazy = part.kramers_kronig_analysis(n=3.0, samples=2)
    assert lazy.real.value._lazy and np.isfinite(lazy.real.value.data[1, 15].compute()).all()
    single = part.fourier_log_deconvolution(samples=2)
    assert single.value._lazy and np.isfinite(single.value.data[1, 15].compute()).all()


@pytest.mark.parametrize(
    "arguments",
    [{}, {"n": 2.0, "t": 50.0}, {"n": 0.5}, {"t": -3.0}, {"t": np.ones(3)}, {"n": 2, "samples": 0}],
)
def test_refusals(flake_peak, arguments):
    with pytest.raises(ArgumentError):
        flake_peak.kramers_kronig_analysis(**arguments)


def test_microscope_parameters_are_needed(flake):
    bare = flake.inav[19, 3]
    del bare.metadata.Acquisition_instrument
    peak = bare.model_zero_loss_peak(zlp_range=(0.6, 1.5))
    with pytest.raises(MissingParametersError, match="collection_angle"):
        peak.kramers_kronig_analysis(n=3.0)
