"""Memory of lazy images, and inputs from which no zero-loss peak can be modelled."""

import tracemalloc

import dask
import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from exspy.signals import EELSSpectrum

from hyperspy_eelsid.exceptions import EnergyAxisError, InvalidSpectraError, ZeroLossError

ZLP_RANGE = (0.6, 1.5)


def highest_memory(flake, rows):
    """Most bytes in use while the inelastic counts of a lazy image are summed."""
    block = da.from_array(flake.data[:, 5:15], name=False)
    lazy = hs.signals.Signal1D(da.tile(block, (rows, 10, 1)).rechunk((6, 100, -1))).as_lazy()
    lazy.set_signal_type("EELS")
    axis, energies = lazy.axes_manager[-1], flake.axes_manager[-1]
    axis.offset, axis.scale, axis.units = energies.offset, energies.scale, "eV"
    tracemalloc.start()
    with dask.config.set(scheduler="synchronous"):
        peak = lazy.model_zero_loss_peak(method="power law", zlp_range=ZLP_RANGE)
        peak.inelastic.data.sum().compute()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_a_lazy_image(flake):
    highest_memory(flake, 1)  # imports and caches
    assert highest_memory(flake, 6) < 1.3 * highest_memory(flake, 2)


def test_nothing_but_saturated_or_missing_peaks(flake):
    part = flake.inav[12:15, :2].deepcopy()
    part.data = part.data.astype(float)
    saturated = part.deepcopy()
    saturated.data = np.minimum(part.data, 0.5 * part.data.max(axis=-1, keepdims=True))
    with pytest.raises((ZeroLossError, InvalidSpectraError), match="saturated"):
        saturated.model_zero_loss_peak()
    part.data[:] = np.nan
    with pytest.raises(InvalidSpectraError, match="finite"):
        part.model_zero_loss_peak()


def test_an_axis_that_is_not_uniform(flake):
    one = flake.inav[12, 3]
    one.axes_manager[-1].convert_to_non_uniform_axis()
    with pytest.raises(EnergyAxisError, match="uniform"):
        one.model_zero_loss_peak()


def test_a_vacuum_that_is_broader_is_told(flake, flake_peak, caplog):
    vacuum = flake.data[flake_peak.vacuum_mask].mean(axis=0)
    kernel = np.exp(-0.5 * (np.arange(-20, 21) / 4.5) ** 2)
    broad = np.convolve(vacuum, kernel / kernel.sum(), mode="same")
    axes = [flake.axes_manager[-1].get_axis_dictionary()]
    peak = flake.inav[12, 3].model_zero_loss_peak(
        vacuum=EELSSpectrum(broad, axes=axes), zlp_range=(0.8, 1.5)
    )
    assert "narrower" in caplog.text and "narrower" in repr(peak)


def test_pixels_of_nan_stay_nan_in_all_that_follows(flake):
    broken = flake.inav[:, :2].deepcopy()
    broken.data = broken.data.astype(float)
    broken.data[1, 15, 3] = np.nan
    peak = broken.model_zero_loss_peak(vacuum="auto")
    found = {
        "samples": peak.samples(2).data[:, 1, 15],
        "gap": peak.band_gap("indirect")["indirect"].energy.data[1, 15],
        "single": peak.fourier_log_deconvolution(samples=2).value.data[1, 15],
        "plasmon": peak.fit_loss_peak((15, 30)).energy.value.data[1, 15],
    }
    for name, values in found.items():
        assert np.isnan(values).all(), name
    assert np.isfinite(peak.fit_loss_peak((15, 30)).energy.value.data[0, 15])
