"""Zero-loss peaks of simulated spectra and images, whose truth is known."""

import logging
from pathlib import Path

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_eelsid.data.low_loss import low_loss_spectrum
from hyperspy_eelsid.exceptions import (
    ArgumentError,
    EnergyAxisError,
    ExtrapolationError,
    InvalidSpectraError,
    SignalTypeError,
    UnusableFileError,
    ZeroLossError,
)
from hyperspy_eelsid.low_loss import ZeroLossPeak

MEASURED = Path(__file__).parents[3] / "shared" / "zero_loss"


def errors(peak, spectrum):
    """Median of ln(model / truth), and share of channels in the band, about the gap."""
    gap, energy = spectrum.band_gap, spectrum.energy
    near = (energy >= max(peak.zlp_range[1], gap - 0.2)) & (energy <= gap + 1)
    lower, zlp, upper = (s.data[near] for s in (peak.lower, peak.zlp, peak.upper))
    known = np.isfinite(lower)
    truth = spectrum.zero_loss[near]
    inside = (lower[known] <= truth[known]) & (truth[known] <= upper[known])
    return np.median(np.log(zlp / truth)), inside.mean()


def test_vacuum_and_process_find_the_tail(spectra, make_signal):
    by_vacuum, by_process = [], []
    for spectrum in spectra:
        signal = make_signal(spectrum.energy, spectrum.counts)
        vacuum = make_signal(spectrum.energy, spectrum.vacuum)
        by_vacuum.append(errors(signal.model_zero_loss_peak(vacuum=vacuum), spectrum))
        end = spectrum.band_gap - 0.3
        given = signal.model_zero_loss_peak(zlp_range=(max(0.54, end / 3), end))
        assert given.method == "gaussian process"
        by_process.append(errors(given, spectrum))
    bias, inside = np.transpose(by_vacuum)
    assert abs(np.median(bias)) < 0.03
    assert np.abs(bias).max() < 0.15
    assert inside.mean() > 0.4
    bias, inside = np.transpose(by_process)
    assert abs(np.median(bias)) < 0.1
    assert inside.mean() > 0.5


def test_a_power_law_does_worse(spectra, make_signal):
    spectrum = spectra[0]
    signal = make_signal(spectrum.energy, spectrum.counts)
    zlp_range = 0.6, spectrum.band_gap - 0.3
    law = errors(signal.model_zero_loss_peak(method="power law", zlp_range=zlp_range), spectrum)
    process = errors(signal.model_zero_loss_peak(zlp_range=zlp_range), spectrum)
    assert abs(law[0]) > abs(process[0])
    assert law[1] < process[1]


def test_image_with_vacuum_pixels(flake, flake_peak):
    truth = flake.metadata.Simulation
    np.testing.assert_array_equal(flake_peak.vacuum_mask, truth.thickness.data == 0)
    moved = flake_peak.centre - truth.zero_loss_energy.data
    assert moved.std() < 0.02 * flake_peak.model.fwhm  # peaks are not aligned
    energy = flake.axes_manager[-1].axis
    near = (energy > 1.6) & (energy < 2.8)
    sample = truth.thickness.data > 0.1
    expected = truth.zero_loss_peak.data[sample][:, near]
    ratio = np.log(flake_peak.zlp.data[sample][:, near] / expected)
    assert abs(np.median(ratio)) < 0.04
    lower, upper = (s.data[sample][:, near] for s in (flake_peak.lower, flake_peak.upper))
    assert 0.5 < ((lower <= expected) & (expected <= upper)).mean() < 0.9


def test_lazy_is_eager_in_blocks(flake, flake_peak):
    lazy = flake.as_lazy()
    lazy.data = lazy.data.rechunk((2, 7, 100))
    peak = lazy.model_zero_loss_peak(vacuum="auto")
    for name in ("zlp", "lower", "upper", "uncertainty", "inelastic"):
        signal = getattr(peak, name)
        assert signal._lazy
        np.testing.assert_allclose(
            signal.data.compute(), getattr(flake_peak, name).data, rtol=1e-5, atol=1e-3
        )
    draws = peak.samples(2)
    assert draws._lazy
    np.testing.assert_allclose(draws.data.compute(), flake_peak.samples(2).data, rtol=1e-4)


def test_axes_metadata_and_the_signal_are_kept(flake, flake_peak):
    before = flake.data.copy()
    removed = flake.remove_zero_loss_peak(vacuum=flake_peak.vacuum_mask)
    np.testing.assert_array_equal(flake.data, before)
    np.testing.assert_allclose(removed.data, flake_peak.inelastic.data, atol=1e-3)
    assert removed.axes_manager.as_dictionary() == flake.axes_manager.as_dictionary()
    assert removed.metadata.Acquisition_instrument.TEM.beam_energy == 80
    total = flake_peak.zlp.data + flake_peak.inelastic.data
    np.testing.assert_allclose(total, flake.data, rtol=1e-5, atol=1e-3)
    assert (flake_peak.inelastic.data < 0).any()  # nothing is clipped
    assert flake_peak.samples(3).axes_manager.navigation_shape == (20, 6, 3)


def test_scale_shift_and_order_do_not_matter(flake, flake_peak):
    scaled = flake.deepcopy()
    scaled.data = flake.data[::-1] * 7.0
    scaled.axes_manager[-1].offset += 0.37
    peak = scaled.model_zero_loss_peak(vacuum=flake_peak.vacuum_mask[::-1])
    assert peak.zlp_range == pytest.approx(flake_peak.zlp_range)
    sample = ~flake_peak.vacuum_mask
    np.testing.assert_allclose(
        peak.zlp.data[::-1][sample] / 7, flake_peak.zlp.data[sample], rtol=0.02, atol=0.05
    )


@pytest.mark.parametrize("vacuum", ["auto", None])
def test_a_saved_result_is_the_same(flake, tmp_path, vacuum):
    peak = flake.inav[:, :2].model_zero_loss_peak(vacuum=vacuum)
    peak.save(tmp_path / "peak.hspy")
    loaded = ZeroLossPeak.load(tmp_path / "peak.hspy")
    assert repr(loaded) == repr(peak)
    np.testing.assert_array_equal(loaded.upper.data, peak.upper.data)
    np.testing.assert_allclose(loaded.samples(2).data, peak.samples(2).data, rtol=1e-5)
    assert ZeroLossPeak.load(tmp_path / "peak.hspy", lazy=True).signal._lazy
    flake.inav[0, 0].save(tmp_path / "plain.hspy")
    with pytest.raises(UnusableFileError, match="does not hold"):
        ZeroLossPeak.load(tmp_path / "plain.hspy")


def test_draws_spread_as_the_band_says(flake_peak):
    energy = flake_peak.signal.axes_manager[-1].axis
    tail = (energy > 2.2) & (energy < 4)
    draws = np.log(flake_peak.samples(100).data[:, 3, 12, tail])
    lower, upper = (s.data[3, 12, tail] for s in (flake_peak.lower, flake_peak.upper))
    np.testing.assert_allclose(draws.std(axis=0), np.log(upper / lower) / 2, rtol=0.25)
    first, second = (flake_peak.samples(2, random_state=seed).data for seed in (1, 2))
    assert not np.allclose(first, second)


def test_without_scattering_there_is_no_inelastic_signal(make_signal):
    spectrum = low_loss_spectrum(np.random.default_rng(3), thickness=0.0)
    signal = make_signal(spectrum.energy, spectrum.counts)
    peak = signal.model_zero_loss_peak(vacuum=make_signal(spectrum.energy, spectrum.vacuum))
    far = (spectrum.energy > 3) & (spectrum.energy < 6)
    mean = peak.inelastic.data[far].mean()
    assert abs(mean) < 3 * peak.uncertainty.data[far].mean()


def test_vacuum_of_another_dispersion_is_interpolated(spectra, make_signal, caplog):
    spectrum = spectra[1]
    signal = make_signal(spectrum.energy, spectrum.counts)
    same = signal.model_zero_loss_peak(vacuum=make_signal(spectrum.energy, spectrum.vacuum))
    size = spectrum.energy.size // 2 * 2
    coarse = spectrum.vacuum[:size].reshape(-1, 2).sum(axis=1)
    middle = spectrum.energy[:size].reshape(-1, 2).mean(axis=1)
    peak = signal.model_zero_loss_peak(vacuum=make_signal(middle, coarse))
    assert "interpolated" in caplog.text and "interpolated" in repr(peak)
    near = (spectrum.energy > 2) & (spectrum.energy < 3)
    np.testing.assert_allclose(peak.zlp.data[near], same.zlp.data[near], rtol=0.1)


def test_pixels_that_are_no_spectra_are_left_out(flake, flake_peak, caplog):
    signal = flake.deepcopy()
    signal.data = signal.data.astype(float)
    signal.data[2, 10, 500] = np.nan
    signal.data[3, 10] = 0
    signal.data[4, 10, 98:104] = signal.data[4, 10].max()
    with caplog.at_level(logging.WARNING):
        peak = signal.model_zero_loss_peak(vacuum="auto")
    assert "3 of 120 spectra" in caplog.text
    for pixel in ((2, 10), (3, 10), (4, 10)):
        assert np.isnan(peak.zlp.data[pixel]).all()
    assert np.isfinite(peak.zlp.data[2, 11]).all()


class TestRefusals:
    def test_core_loss(self, make_signal):
        signal = make_signal(np.arange(400.0, 700.0), np.full(300, 10.0))
        with pytest.raises(ZeroLossError, match="does not hold the zero loss"):
            signal.model_zero_loss_peak()

    def test_no_gain_side(self, spectra, make_signal):
        spectrum = spectra[0]
        part = spectrum.energy > 0.05
        with pytest.raises(ZeroLossError, match="both sides"):
            make_signal(spectrum.energy[part], spectrum.counts[part]).model_zero_loss_peak()

    def test_saturated(self, spectra, make_signal):
        spectrum = spectra[0]
        counts = np.minimum(spectrum.counts, 0.6 * spectrum.counts.max())
        with pytest.raises(ZeroLossError, match="saturated"):
            make_signal(spectrum.energy, counts).model_zero_loss_peak()

    def test_too_thick(self, make_signal):
        spectrum = low_loss_spectrum(np.random.default_rng(0), thickness=0.6)
        energy = spectrum.energy
        counts = spectrum.counts + 2e6 * np.exp(-(((energy - 12) / 2) ** 2))
        with pytest.raises(ZeroLossError, match="too thick"):
            make_signal(energy, counts).model_zero_loss_peak()

    def test_coarse_channels(self, make_signal):
        spectrum = low_loss_spectrum(np.random.default_rng(0), fwhm=0.9, dispersion=0.45)
        with pytest.raises(ZeroLossError, match="finer dispersion"):
            make_signal(spectrum.energy, spectrum.counts).model_zero_loss_peak()

    def test_monochromated_without_vacuum(self, make_signal):
        spectrum = low_loss_spectrum(
            np.random.default_rng(0), fwhm=0.08, dispersion=0.01, band_gap=1.4
        )
        signal = make_signal(spectrum.energy, spectrum.counts)
        with pytest.raises(ExtrapolationError, match="monochromated"):
            signal.model_zero_loss_peak()
        asked = signal.model_zero_loss_peak(method="gaussian process")
        beyond = spectrum.energy > asked.zlp_range[1] + 0.05
        assert np.isnan(asked.upper.data[beyond]).all()
        assert "no known error" in repr(asked)
        given = signal.model_zero_loss_peak(vacuum=make_signal(spectrum.energy, spectrum.vacuum))
        assert np.isfinite(given.upper.data).all()

    @pytest.mark.parametrize(
        ("zlp_range", "message"),
        [
            ((2.0, 1.0), "first and a last"),
            ((0.3, 0.6), "widths of the peak"),
            ((1.0, 1.1), "channels"),
        ],
    )
    def test_ranges(self, spectra, make_signal, zlp_range, message):
        signal = make_signal(spectra[0].energy, spectra[0].counts)
        with pytest.raises((ZeroLossError, ArgumentError), match=message):
            signal.model_zero_loss_peak(zlp_range=zlp_range)

    def test_far_extrapolation_has_no_band(self, spectra, make_signal):
        signal = make_signal(spectra[0].energy, spectra[0].counts)
        peak = signal.model_zero_loss_peak()
        beyond = spectra[0].energy > peak.model.reach + 0.1
        assert np.isnan(peak.lower.data[beyond]).all()
        assert "nothing is known" in repr(peak)

    def test_masks(self, flake):
        everywhere = np.ones((6, 20), bool)
        with pytest.raises(ZeroLossError, match="all pixels are vacuum"):
            flake.model_zero_loss_peak(vacuum=everywhere)
        with pytest.raises(ZeroLossError, match="no vacuum pixel"):
            flake.model_zero_loss_peak(vacuum=~everywhere)
        with pytest.raises(ZeroLossError, match="shape"):
            flake.model_zero_loss_peak(vacuum=everywhere.T)
        with pytest.raises(ZeroLossError, match="rise"):
            flake.model_zero_loss_peak(vacuum=np.arange(20) * everywhere > 15)

    def test_no_vacuum(self, flake, caplog):
        sample = flake.inav[8:]
        with pytest.raises(ZeroLossError, match="needs a vacuum"):
            sample.model_zero_loss_peak(method="vacuum")
        assert sample.model_zero_loss_peak(vacuum="auto").method == "gaussian process"
        assert "No vacuum was found" in caplog.text

    def test_other_arguments(self, flake):
        with pytest.raises(ValueError, match="method is one of"):
            flake.model_zero_loss_peak(method="magic")
        with pytest.raises(ValueError, match="vacuum is"):
            flake.model_zero_loss_peak(vacuum="none")
        with pytest.raises(ValueError, match="positive whole number"):
            flake.inav[5, 5].model_zero_loss_peak().samples(0)

    def test_nothing_there(self, flake, make_signal):
        empty = flake.deepcopy()
        empty.data = np.zeros_like(empty.data)
        with pytest.raises(InvalidSpectraError):
            empty.model_zero_loss_peak()
        with pytest.raises(EnergyAxisError, match="channels"):
            make_signal(np.arange(-5.0, 5.0), np.ones(10)).model_zero_loss_peak()

    def test_axes(self, flake):
        unit = flake.inav[5, 5]
        unit.axes_manager[-1].units = "nm"
        with pytest.raises(EnergyAxisError, match="units"):
            unit.model_zero_loss_peak()
        from hyperspy_eelsid.low_loss import model_zero_loss_peak

        with pytest.raises(SignalTypeError):
            model_zero_loss_peak(hs.signals.Signal1D(np.ones(50)))


def test_a_decreasing_axis_in_mev(flake):
    plain = flake.inav[15, 2]
    expected = plain.model_zero_loss_peak()
    turned = plain.deepcopy()
    turned.data = turned.data[::-1]
    axis = turned.axes_manager[-1]
    axis.offset, axis.scale, axis.units = 1000 * plain.axes_manager[-1].axis[-1], -50.0, "meV"
    peak = turned.model_zero_loss_peak()
    np.testing.assert_allclose(peak.zlp.data, expected.zlp.data, rtol=1e-4, atol=1e-3)


def measured(name):
    if not (MEASURED / f"{name}.npz").exists():
        pytest.skip("measured spectra are not at hand")
    stored = np.load(MEASURED / f"{name}.npz")
    return stored["energy"], stored["counts"]


def test_measured_spectrum_beside_scaled_vacuum(make_signal):
    vacua = [measured(f"WS2_vacuum_{k}") for k in (17, 22, 23)]
    vacuum = make_signal(vacua[0][0], np.stack([counts for _, counts in vacua]))
    energy, counts = measured("WS2_spectrum_14")
    peak = make_signal(energy, counts).model_zero_loss_peak(vacuum=vacuum)
    assert 1.6 < peak.zlp_range[1] < 1.9
    found = np.interp([2.0, 2.5, 3.0], energy - float(peak.centre), peak.zlp.data)
    np.testing.assert_allclose(found, [3200, 1560, 1000], rtol=0.05)
    assert 5 < peak.noise.gain < 8 and peak.noise.correlation > 1.2
