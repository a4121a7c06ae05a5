"""Peaks in inelastic spectra, of known energy, width and area."""

import numpy as np
import pytest
from scipy.signal import fftconvolve

from hyperspy_eelsid.data.low_loss import low_loss_spectrum
from hyperspy_eelsid.exceptions import ArgumentError

ENERGY, AREA = 4.2, 20_000.0


def with_exciton(width, pixels, make_signal):
    """Spectra of zero loss and a peak, and their vacuum."""
    d = low_loss_spectrum(np.random.default_rng(4), electrons=1e6, thickness=0.0)
    step = d.energy[1] - d.energy[0]
    half = width / 2
    edges = d.energy[:, np.newaxis] - ENERGY + step / 2 * np.array([-1, 1])
    peak = np.diff(np.arctan(edges / half), axis=1)[:, 0] / np.pi
    shape = d.zero_loss / d.zero_loss.sum()
    zero = int(np.abs(d.energy).argmin())
    seen = fftconvolve(peak, shape)[zero : zero + peak.size]
    rng = np.random.default_rng(7)
    counts = rng.poisson(np.maximum(d.zero_loss + AREA * seen, 0), (pixels, peak.size))
    return make_signal(d.energy, counts.astype(float)), make_signal(d.energy, d.vacuum)


@pytest.mark.parametrize("width", [0.05, 0.5])
def test_energy_width_and_area(make_signal, width):
    signal, vacuum = with_exciton(width, 40, make_signal)
    peak = signal.model_zero_loss_peak(vacuum=vacuum, zlp_range=(0.8, 2.4))
    found = peak.fit_loss_peak((3.2, 5.2))
    pull = (found.energy.value.data - ENERGY) / found.energy.uncertainty.data
    assert np.isfinite(pull).all()
    assert abs(pull.mean()) < 0.6 and 0.5 < pull.std() < 1.6
    assert (found.width.upper.data > width).mean() > 0.4
    assert np.median(found.area.value.data) == pytest.approx(AREA, rel=0.25)
    if width == 0.5:
        assert np.median(found.width.value.data) == pytest.approx(width, rel=0.3)


def test_plasmon_map(flake, flake_peak):
    found = flake_peak.fit_loss_peak((15, 30))
    thickness = flake.metadata.Simulation.thickness
    assert found.energy.value.axes_manager.as_dictionary() == thickness.axes_manager.as_dictionary()
    sample = thickness.data > 0.1
    assert np.isnan(found.energy.value.data[thickness.data == 0]).all()
    energy = found.energy.value.data[sample]
    assert np.median(energy) == pytest.approx(21.8, abs=0.2) and energy.std() < 0.05
    np.testing.assert_allclose(found.width.value.data[sample], 6, atol=0.6)


def test_where_there_is_no_peak_none_is_found(make_signal, flake_peak):
    signal, vacuum = with_exciton(0.3, 30, make_signal)
    peak = signal.model_zero_loss_peak(vacuum=vacuum, zlp_range=(0.8, 2.4))
    assert np.isnan(peak.fit_loss_peak((7.0, 9.0)).energy.value.data).mean() > 0.9
    for energy_range in ((0.1, 0.2), (5.0, 4.0), (2.0, 2.1), 3.0, ("a", "b")):
        with pytest.raises(ArgumentError, match="energy_range"):
            flake_peak.fit_loss_peak(energy_range)
