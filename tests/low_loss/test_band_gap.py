"""Band gaps of simulated spectra and images, whose truth is known."""

import numpy as np
import pytest

from hyperspy_eelsid.data import nanostructure
from hyperspy_eelsid.data.low_loss import low_loss_spectrum
from hyperspy_eelsid.exceptions import ExtrapolationError, ZeroLossError


@pytest.mark.parametrize(("exponent", "kind"), [(0.5, "direct"), (1.5, "indirect")])
def test_gap_of_an_image(exponent, kind):
    image = nanostructure(shape=(6, 20), seed=2, electrons=1e7, exponent=exponent)
    truth = image.metadata.Simulation
    peak = image.model_zero_loss_peak(vacuum="auto")
    onset = peak.band_gap(kind)[kind]
    assert onset.energy.axes_manager.as_dictionary() == truth.band_gap.axes_manager.as_dictionary()
    thick = truth.thickness.data > 0.3
    error = (onset.energy.data - truth.band_gap.data)[thick]
    assert np.nanmedian(np.abs(error)) < 0.08
    lower, upper = (s.data[thick] for s in (onset.lower, onset.upper))
    inside = (lower <= truth.band_gap.data[thick]) & (truth.band_gap.data[thick] <= upper)
    assert inside.mean() > 0.4
    # in the vacuum there is no onset
    assert np.isnan(onset.energy.data[truth.thickness.data == 0]).mean() > 0.9


def test_a_direct_gap_is_not_taken_for_another_exponent(make_signal):
    """A direct gap behind a resolution of 0.45 eV looks like an exponent of 1.2 when that is left out."""
    exponents = []
    for seed in range(6):
        spectrum = low_loss_spectrum(np.random.default_rng([8, seed]), exponent=0.5)
        peak = make_signal(spectrum.energy, spectrum.counts).model_zero_loss_peak(
            vacuum=make_signal(spectrum.energy, spectrum.vacuum)
        )
        gap = peak.band_gap()
        assert set(gap) == {"direct", "indirect", "free"} and len(gap) == 3
        assert abs(gap["direct"].energy.data[0] - spectrum.band_gap) < 0.1
        exponents.append(gap["free"].exponent.data[0])
        assert not gap.told_apart or gap.difference > 0
    assert max(exponents) < 1.0


def test_both_kinds_are_reported_in_words(make_signal):
    spectrum = low_loss_spectrum(
        np.random.default_rng(2), electrons=5e6, exponent=1.5, band_gap=2.0
    )
    peak = make_signal(spectrum.energy, spectrum.counts).model_zero_loss_peak(
        vacuum=make_signal(spectrum.energy, spectrum.vacuum)
    )
    gap = peak.band_gap()
    assert not gap.told_apart
    assert "does not tell a direct gap from an indirect one" in repr(gap)
    assert "direct:" in repr(gap) and "indirect:" in repr(gap)


def test_kinds_and_ranges(flake_peak):
    pixel = flake_peak.signal.inav[15:17, 3].model_zero_loss_peak(zlp_range=(0.6, 1.6))
    assert list(pixel.band_gap(1.0)) == ["exponent 1"]
    asked = pixel.band_gap("indirect", energy_range=(1.7, 2.8))["indirect"].energy
    assert asked.data.shape == (2,)
    for kind in ("none", 0, -1):
        with pytest.raises(ValueError, match="kind is"):
            pixel.band_gap(kind)
    with pytest.raises(ValueError, match="energy_range"):
        pixel.band_gap(energy_range=(0.2, 0.5))


def test_lazy_is_eager(flake, flake_peak):
    lazy = flake.as_lazy().model_zero_loss_peak(vacuum="auto").band_gap("direct")["direct"]
    eager = flake_peak.band_gap("direct")["direct"]
    np.testing.assert_allclose(lazy.energy.data, eager.energy.data, rtol=1e-4)


def test_no_onset(make_signal):
    spectrum = low_loss_spectrum(np.random.default_rng(3), thickness=0.0)
    peak = make_signal(spectrum.energy, spectrum.counts).model_zero_loss_peak(
        vacuum=make_signal(spectrum.energy, spectrum.vacuum)
    )
    with pytest.raises(ZeroLossError, match="no onset"):
        peak.band_gap()


def test_a_gap_beyond_what_is_known_is_refused(make_signal):
    spectrum = low_loss_spectrum(np.random.default_rng(6), band_gap=3.5, exponent=0.5)
    signal = make_signal(spectrum.energy, spectrum.counts)
    peak = signal.model_zero_loss_peak(zlp_range=(0.6, 1.4))
    with pytest.raises(ExtrapolationError, match="nothing is known"):
        peak.band_gap("direct")


@pytest.mark.parametrize("part", [np.s_[15, 3], np.s_[5:, 3], np.s_[:, :]])
def test_plots(flake_peak, flake, part):
    vacuum = flake.inav[0, 0].deepcopy()
    vacuum.data = flake.data[flake_peak.vacuum_mask].mean(axis=0)
    peak = flake.inav[part].model_zero_loss_peak(vacuum=vacuum)
    assert len(peak.plot().axes) == 2
    assert peak.band_gap("direct").plot().axes
