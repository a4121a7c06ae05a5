import re

import numpy as np
import pytest

from hyperspy_eelsid.identification.axis_offset import energy_offset


@pytest.mark.parametrize("offset", [-12, -5, 0, 6, 11])
def test_offset_of_the_axis(superlattice, offset):
    spectrum = superlattice.sum()
    energy = spectrum.axes_manager[-1].axis + offset
    assert energy_offset(spectrum.data, energy, ["O", "Ti", "Mn", "La"]) == pytest.approx(
        offset, abs=2
    )


def test_nothing_is_said_without_a_sharp_onset(superlattice):
    energy = np.arange(400.0, 700.0)
    flat = np.random.default_rng(0).poisson(1e4 * (energy / 400) ** -3)
    assert energy_offset(flat, energy, ["O"]) is None
    assert energy_offset(flat, energy, []) is None
    one = np.where(energy == 532, 1.0, 0.0)
    assert energy_offset(one, energy, ["O"]) is None


def test_an_identification_tells_a_wrong_axis(make_eels, step_networks):
    found = make_eels(energy=np.arange(400.0, 700.0)).identify_elements()
    assert found.energy_offset == pytest.approx(0, abs=1)
    assert "off by" not in repr(found)
    shifted = make_eels()
    shifted.axes_manager[-1].offset += 7
    found = shifted.identify_elements(threshold=0.2)
    assert found.energy_offset == pytest.approx(7, abs=1)
    assert re.search(r"the energy axis may be off by \+[678] eV", repr(found))
