import numpy as np
import pytest
from known_images import ENERGY, cross_section

from hyperspy_eelsid.quantification.image_shifts import onset_shifts

ONSETS = {"O": [532.0], "Ti": [456.0], "Fe": [708.0]}


def spectrum(shifts, energy=ENERGY, counts=1e5, seed=0):
    wide = np.arange(400.0, 900.0, 0.1)
    data = 30 * (energy / 500) ** -3.0
    for element, shift in shifts.items():
        step = np.interp(energy - shift, wide, cross_section(element, wide))
        data += step / step.max() * {"O": 6, "Ti": 5, "Fe": 4}[element]
    return np.random.default_rng(seed).poisson(data * counts / data.mean())


@pytest.mark.parametrize("shift", [-10.0, -4.0, 0.0, 2.5, 9.0])
def test_common_shift(shift):
    found = onset_shifts(ENERGY, spectrum(dict.fromkeys(ONSETS, shift)), ONSETS)
    assert found == pytest.approx(dict.fromkeys(ONSETS, shift), abs=1)


def test_chemical_shifts_come_on_top():
    shifts = {"O": -6.0, "Ti": -4.5, "Fe": -5.0}
    assert onset_shifts(ENERGY, spectrum(shifts), ONSETS) == pytest.approx(shifts, abs=1)


def test_white_line_does_not_pull_the_onset():
    data = spectrum({"O": 2.0, "Ti": 2.0, "Fe": 2.0}).astype(float)
    data += 0.8 * data.max() * np.exp(-0.5 * ((ENERGY - 712.0) / 1.5) ** 2)
    assert onset_shifts(ENERGY, data, ONSETS)["Fe"] == pytest.approx(2.0, abs=1.5)


def test_onset_before_a_higher_peak_of_the_fine_structure():
    data = spectrum({"O": 0.0, "Ti": 0.0, "Fe": 0.0}).astype(float)
    data += 0.8 * data.mean() * ((ENERGY >= 540) & (ENERGY < 546))
    assert onset_shifts(ENERGY, data, ONSETS)["O"] == pytest.approx(0.0, abs=1)


def test_wide_channels():
    energy = np.arange(400.0, 900.0, 4.0)
    data = spectrum(dict.fromkeys(ONSETS, 6.0), energy)
    assert onset_shifts(energy, data, ONSETS) == pytest.approx(dict.fromkeys(ONSETS, 6.0), abs=4)


def test_nothing_to_see():
    assert onset_shifts(ENERGY, ENERGY**-4.0, {"O": [532.0]}) == {"O": 0.0}
    assert onset_shifts(ENERGY, np.zeros(len(ENERGY)), {"O": [532.0]}) == {"O": 0.0}
    assert onset_shifts(ENERGY, np.ones(len(ENERGY)), {}) == {}
