"""Zero-loss peaks by networks, the published method."""

import numpy as np
import pytest

from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.low_loss import NetworkMethod, ZeroLossPeak
from hyperspy_eelsid.low_loss.network import _Networks

FEW = NetworkMethod(replicas=12, clusters=3)


def test_slopes_are_those_of_the_output():
    rng = np.random.default_rng(0)
    networks = _Networks(2, 3, rng)
    inputs = rng.uniform(0.1, 0.9, (4, 2))
    output, slopes = networks._with_slopes(networks.weights, inputs)
    assert slopes.shape == (3, 4, networks.weights.shape[1]) == (3, 4, 281)
    for weight in range(0, 281, 7):
        moved = networks.weights.copy()
        moved[:, weight] += 1e-6
        difference = (networks.values(moved, inputs) - output) / 1e-6
        np.testing.assert_allclose(slopes[..., weight], difference, atol=1e-4)


def test_training_follows_the_data():
    rng = np.random.default_rng(1)
    networks = _Networks(1, 8, rng)
    x = np.linspace(0.1, 0.9, 40)
    truth = np.sin(6 * x)
    error = np.full(40, 0.05)
    targets = truth + error * rng.normal(size=(8, 40))
    chi_squared = networks.train(x[:, np.newaxis], targets, error, rng)
    assert np.median(chi_squared) < 1.5
    found = np.median(networks.values(networks.weights, x[:, np.newaxis]), axis=0)
    np.testing.assert_allclose(found, truth, atol=0.1)


def test_image_in_clusters(flake, flake_peak, tmp_path):
    peak = flake.model_zero_loss_peak(vacuum="auto", method=FEW)
    assert peak.method == "network" and peak.model.tail.table.shape[0] == 32
    truth = flake.metadata.Simulation
    energy = flake.axes_manager[-1].axis
    near = (energy > peak.zlp_range[1]) & (energy < peak.zlp_range[1] + 0.6)
    sample = truth.thickness.data > 0.1
    ratio = np.log(peak.zlp.data[sample][:, near] / truth.zero_loss_peak.data[sample][:, near])
    assert np.abs(np.median(ratio)) < 0.4  # no more than that can be said of it
    again = flake.model_zero_loss_peak(vacuum="auto", method=FEW)
    np.testing.assert_array_equal(again.zlp.data, peak.zlp.data)
    drawn = peak.samples(5).data[:, 3, 15][:, near]
    assert np.isfinite(drawn).all() and drawn.std(axis=0).max() > 0
    peak.save(tmp_path / "peak.hspy")
    loaded = ZeroLossPeak.load(tmp_path / "peak.hspy")
    np.testing.assert_allclose(loaded.samples(2).data, peak.samples(2).data, rtol=1e-5)
    assert np.isfinite(peak.band_gap("indirect")["indirect"].energy.data).any()


def test_lazy_is_eager(flake):
    part = flake.inav[:, :2]
    eager = part.model_zero_loss_peak(vacuum="auto", method=FEW)
    lazy = part.as_lazy().model_zero_loss_peak(vacuum="auto", method=FEW)
    np.testing.assert_allclose(lazy.zlp.data.compute(), eager.zlp.data, rtol=1e-3)


def test_pseudo_data_pull_the_tail_down(spectra, make_signal):
    """The reason why the published tail is too low."""
    spectrum = spectra[0]
    signal = make_signal(spectrum.energy, spectrum.counts)
    zlp_range = 0.6, spectrum.band_gap - 0.3
    near = (spectrum.energy > 2.5) & (spectrum.energy < 3.5)
    logarithms = {}
    for pseudo_data in (None, 12.0):
        method = NetworkMethod(replicas=20, axis="linear", pseudo_data=pseudo_data)
        if pseudo_data is None:
            method = NetworkMethod(replicas=20)
        peak = signal.model_zero_loss_peak(method=method, zlp_range=zlp_range)
        ratio = peak.zlp.data[near] / spectrum.zero_loss[near]
        logarithms[pseudo_data] = np.median(np.log(ratio))
    assert logarithms[12.0] < -0.4
    assert abs(logarithms[None]) < 0.5


@pytest.mark.parametrize(
    "arguments", [{"replicas": 0}, {"clusters": 1.5}, {"axis": "round"}, {"pseudo_data": -1.0}]
)
def test_settings_are_checked(arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        NetworkMethod(**arguments)
