"""The same amounts whatever the order and the unit of the energy axis."""

import numpy as np
import pytest
from exspy.signals import EELSSpectrum
from known_images import AMOUNTS, ENERGY, make_image, with_parameters


def with_axis(data, place=-1, offset=ENERGY[0], scale=1.0):
    """An EELS signal of an array whose energies lie along the axis `place`."""
    axes = [{"size": size, "navigate": True} for size in data.shape]
    axes[place] |= {"offset": offset, "scale": scale, "units": "eV", "navigate": False}
    return EELSSpectrum(data, axes=axes)


def energy_first(signal):
    return with_axis(np.moveaxis(signal.data, -1, 0).copy(), place=0)


def decreasing(signal):
    return with_axis(signal.data[..., ::-1].copy(), offset=ENERGY[-1], scale=-1.0)


def in_kev(signal):
    changed = signal.deepcopy()
    axis = changed.axes_manager[-1]
    axis.offset, axis.scale, axis.units = axis.offset / 1000, axis.scale / 1000, "keV"
    return changed


def half_precision(signal):
    return with_axis(signal.data.astype(np.float16))


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazy"])
@pytest.mark.parametrize("change", [energy_first, decreasing, in_kev])
def test_amounts_do_not_depend_on_the_axis(change, lazy):
    signal, _ = make_image(AMOUNTS, shape=(3, 4), counts=1000)
    changed = with_parameters(change(signal))
    before = changed.data.copy(), changed.axes_manager[-1].scale
    if lazy:
        changed = changed.as_lazy()
    expected = with_parameters(signal).auto_model(elements=AMOUNTS).composition()
    found = changed.auto_model(elements=AMOUNTS).composition()
    for element in AMOUNTS:
        np.testing.assert_allclose(found[element].data, expected[element].data, atol=1e-6)
    # the signal of the user stays as it was
    np.testing.assert_array_equal(np.asarray(changed.data), before[0])
    assert changed.axes_manager[-1].scale == before[1]


def test_half_precision_is_summed_in_double_precision():
    signal, _ = make_image(AMOUNTS, shape=(30, 40), counts=200)
    expected = with_parameters(signal).auto_model(elements=AMOUNTS).composition()
    found = with_parameters(half_precision(signal)).auto_model(elements=AMOUNTS).composition()
    for element in AMOUNTS:
        np.testing.assert_allclose(found[element].data, expected[element].data, atol=1e-3)
