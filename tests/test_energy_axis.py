import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_eelsid.energy_axis import (
    checked_energy,
    energy_axis,
    in_order,
    measured_window,
    without_nan_at_ends,
)
from hyperspy_eelsid.exceptions import EnergyAxisError, InvalidSpectraError


def signal(units="eV", scale=1.0, offset=400.0, size=300, data=None):
    axis = {"size": size, "scale": scale, "offset": offset, "units": units}
    data = np.arange(2.0 * 3 * size).reshape(2, 3, size) if data is None else data
    axes = [*({"size": n} for n in data.shape[:-1]), axis]
    result = hs.signals.Signal1D(data, axes=axes)
    result.set_signal_type("EELS")
    return result


@pytest.mark.parametrize(
    ("units", "ev"),
    [
        ("eV", 1),
        ("EV", 1),
        (" ev ", 1),
        ("Energy Loss (eV)", 1),
        ("[eV]", 1),
        ("eV/channel", 1),
        ("eV per channel", 1),
        ("electronvolt", 1),
        ("Electronvolts", 1),
        ("electron volt", 1),
        ("keV", 1e3),
        ("KEV", 1e3),
        ("Energy (keV)", 1e3),
        ("meV", 1e-3),
        ("mev", 1e-3),
    ],
)
def test_units(units, ev):
    energy = energy_axis(signal(units, 1 / ev, 400 / ev))
    np.testing.assert_allclose(energy, np.arange(400.0, 700))


def test_missing_units_are_told(caplog):
    energy_axis(signal(units=None))
    assert "no units" in caplog.text


@pytest.mark.parametrize("units", ["nm", "MeV", "MEV", "Energy (MeV)", "V", "seV", "()"])
def test_other_units_are_refused(units):
    with pytest.raises(EnergyAxisError, match="options are eV, keV and meV"):
        energy_axis(signal(units))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offset": -10, "size": 50}, "at least 35 eV"),
        ({"offset": 3060}, "between 75 and 3071"),
        ({"size": 1}, "in 1 channels"),
        ({"offset": 70, "size": 30}, "at least 35 eV"),
    ],
)
def test_unusable_axes(options, message):
    with pytest.raises(EnergyAxisError, match=message):
        energy_axis(signal(**options))


def test_the_window_is_an_argument():
    energy = np.arange(-5.0, 60)
    with pytest.raises(EnergyAxisError):
        checked_energy(energy)
    assert checked_energy(energy, (0, 100)) is energy
    assert measured_window(energy, (0, 100)) == (0, 59)
    assert len(energy_axis(signal(offset=-5, size=65), (0, 100))) == 65


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("decreasing", [False, True])
def test_energies_last_and_increasing(lazy, place, decreasing):
    expected = signal()
    stored = expected.data[..., ::-1] if decreasing else expected.data
    data = np.moveaxis(stored, -1, place)
    axes = [{"size": size, "navigate": True} for size in data.shape]
    scale, offset = (-1, 699) if decreasing else (1, 400)
    axes[place] |= {"navigate": False, "units": "eV", "scale": scale, "offset": offset}
    turned = hs.signals.Signal1D(data, axes=axes)
    if lazy:
        turned = turned.as_lazy()
    before = np.array(turned.data)
    found = in_order(turned)
    np.testing.assert_array_equal(energy_axis(found), np.arange(400.0, 700))
    np.testing.assert_array_equal(np.asarray(found.data), expected.data)
    np.testing.assert_array_equal(np.asarray(turned.data), before)
    assert isinstance(found.data, type(turned.data))
    assert lazy or np.shares_memory(found.data, turned.data)
    assert in_order(found) is found


@pytest.mark.parametrize("kind", ["uniform", "listed", "function"])
@pytest.mark.parametrize("decreasing", [False, True])
def test_kev_become_ev_on_every_kind_of_axis(kind, decreasing):
    start, step = (0.699, -0.001) if decreasing else (0.4, 0.001)
    kev = start + step * np.arange(300)
    axis = {
        "uniform": {"size": 300, "offset": start, "scale": step},
        "listed": {"axis": kev},
        "function": {
            "expression": "a * x",
            "a": 1e-3,
            "x": {"size": 300, "offset": 1e3 * start, "scale": 1e3 * step},
        },
    }[kind]
    data = np.arange(600.0).reshape(2, 300)
    axes = [{"size": 2, "navigate": True}, axis | {"units": "keV", "navigate": False}]
    given = hs.signals.Signal1D(data, axes=axes)
    found = in_order(given)
    axis = found.axes_manager.signal_axes[0]
    np.testing.assert_allclose(axis.axis, np.arange(400.0, 700))
    assert axis.units == "eV" and axis.is_uniform == (kind == "uniform")
    np.testing.assert_array_equal(found.data, data[:, ::-1] if decreasing else data)
    given_axis = given.axes_manager.signal_axes[0]
    np.testing.assert_allclose(given_axis.axis, kev)
    assert given_axis.units == "keV"


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_masked_channels_become_nan(lazy, dtype):
    masked = np.ma.masked_less(np.arange(600).reshape(2, 300).astype(dtype), 20)
    given = signal(data=masked)
    if lazy:
        given = given.as_lazy()
        given.data = da.from_array(masked, chunks=(1, 100), asarray=False)
    found = in_order(given)
    expected = np.where(masked.mask, np.nan, masked.data)
    np.testing.assert_array_equal(np.asarray(found.data), expected)
    assert isinstance(given.data, da.Array if lazy else np.ma.MaskedArray)


def test_nan_at_the_ends_were_not_recorded():
    nan = np.nan
    given = np.array([[nan, 0, nan, 1, nan, 2, 0, nan], [nan] * 8, [1.0] * 8])
    expected = np.array([[0, 0, 0, 1, nan, 2, 0, 0], [nan] * 8, [1.0] * 8])
    np.testing.assert_array_equal(without_nan_at_ends(given), expected)


def test_nan_at_the_ends_are_identified_as_zeros_are(make_eels, step_networks):
    zeros, missing = make_eels((2,)), make_eels((2,))
    zeros.data[..., :20] = 0
    missing.data[..., :20] = np.nan
    expected = zeros.identify_elements().probability.data
    np.testing.assert_array_equal(missing.identify_elements().probability.data, expected)


def test_masked_channels_at_the_ends_are_identified_as_zeros_are(make_eels, step_networks):
    zeros, masked = make_eels((2,)), make_eels((2,))
    zeros.data[..., :20] = 0
    masked.data = np.ma.array(masked.data)
    masked.data[..., :20] = np.ma.masked
    expected = zeros.identify_elements()
    found = masked.identify_elements()
    np.testing.assert_array_equal(found.probability.data, expected.probability.data)
    np.testing.assert_array_equal(found.intensity.data, expected.intensity.data)
    assert isinstance(masked.data, np.ma.MaskedArray)


def test_an_axis_that_nobody_calibrated_is_refused():
    for scale in (1, -1):
        bare = signal(units=None, scale=scale, offset=0, size=1000)
        with pytest.raises(EnergyAxisError, match="never calibrated.*--assume-eV"):
            bare.identify_elements()
        with pytest.raises(EnergyAxisError, match="never calibrated"):
            in_order(bare)
    assert energy_axis(signal(offset=0, size=1000))[-1] == 999


@pytest.mark.parametrize("dtype", ["complex64", "object"])
def test_counts_that_are_no_real_numbers_are_refused(dtype):
    with pytest.raises(InvalidSpectraError, match="must be real numbers, not of type"):
        in_order(signal(data=np.ones((2, 300)).astype(dtype)))
