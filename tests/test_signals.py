"""Maps have the pixels of the signal that they come from."""

import dask.array as da
import numpy as np
import pytest

from hyperspy_eelsid.signals import pixel_map


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_a_map_has_the_pixels_of_the_signal(shape, lazy, make_eels):
    signal = make_eels(shape)
    for axis in signal.axes_manager.navigation_axes:
        axis.scale, axis.units = 0.5, "nm"
    values = np.arange(float(np.prod(shape, dtype=int)))
    found = pixel_map(signal, da.from_array(values) if lazy else values, "Gap", "Energy (eV)")
    assert found._lazy == lazy
    np.testing.assert_array_equal(found.data, values.reshape(shape or (1,)))
    if shape:
        axes = [axis.get_axis_dictionary() for axis in signal.axes_manager.navigation_axes]
        own = [axis.get_axis_dictionary() for axis in found.axes_manager.signal_axes]
        assert [a | {"navigate": False} for a in axes] == own
    assert found.metadata.General.title == "Gap"
    assert found.metadata.Signal.quantity == "Energy (eV)"
    assert pixel_map(signal, values, "Gap (eV)").metadata.Signal.quantity == "Gap (eV)"
