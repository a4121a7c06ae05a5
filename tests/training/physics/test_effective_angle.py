from importlib import import_module

import pytest

from training.physics.effective_angle import effective_angle


def exspy_function():
    """eXSpy's function, which is public from its version 0.4 on."""
    for module in ("exspy.utils.eels", "exspy._misc.eels.effective_angle"):
        try:
            return import_module(module).effective_angle
        except (ImportError, AttributeError):
            continue
    pytest.skip("eXSpy keeps its effective angle elsewhere")


@pytest.mark.parametrize("beam_energy", [60, 300])
@pytest.mark.parametrize("energy_loss", [99, 532, 2000])
@pytest.mark.parametrize(("convergence", "collection"), [(1, 50), (20, 20), (30, 8)])
def test_as_in_exspy(beam_energy, energy_loss, convergence, collection):
    expected = exspy_function()(beam_energy, energy_loss, convergence, collection)
    result = effective_angle(beam_energy, energy_loss, convergence, collection)
    assert result == pytest.approx(expected, rel=1e-9)


def test_a_parallel_beam_has_the_angle_of_the_aperture():
    assert effective_angle(200, 532, 0, 12) == 12
    assert effective_angle(200, 532, 1e-2, 12) == pytest.approx(12, rel=1e-4)
