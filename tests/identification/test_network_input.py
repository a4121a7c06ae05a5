import numpy as np
import pytest

from hyperspy_eelsid.identification.network_input import normalise, to_network_input


def spectrum(energy):
    """A smooth background with an edge at 532 eV, blurred by 2 eV."""
    return 1e4 * (energy / 400) ** -3 * (1 + 0.6 / (1 + np.exp(-(energy - 532) / 1.0)))


def test_whole_ev_are_only_normalised():
    energy = np.arange(400.0, 700.0)
    result = to_network_input(spectrum(energy), energy)
    assert result.shape == (3072,) and result.dtype == np.float32
    np.testing.assert_allclose(
        result[400:700], spectrum(energy) / spectrum(energy).max(), rtol=1e-6
    )
    assert not result[:400].any() and not result[700:].any()


@pytest.mark.parametrize("dispersion", [0.05, 0.1, 0.25, 0.3, 0.4, 0.5, 0.9, 1.3, 2.0])
def test_dispersion_does_not_matter(dispersion):
    energy = np.arange(400.3, 700, dispersion)
    result = to_network_input(spectrum(energy), energy)
    grid = np.arange(3072)
    inside = (grid > 405) & (grid < 695)
    expected = spectrum(grid[inside].astype(float))
    scale = np.median(expected / result[inside])
    # the mean over a channel differs from the value at its middle only where the edge bends
    np.testing.assert_allclose(result[inside] * scale, expected, rtol=0.03)
    jump = np.diff(result[500:560])
    assert 500 + np.argmax(jump) == pytest.approx(532, abs=1)


def test_order_of_the_channels_does_not_matter():
    energy = np.arange(400.0, 700.0, 0.5)
    np.testing.assert_array_equal(
        to_network_input(spectrum(energy), energy),
        to_network_input(spectrum(energy)[::-1], energy[::-1]),
    )


def test_non_uniform_axis():
    energy = 400 * np.exp(np.linspace(0, 0.5, 600))
    uniform = np.arange(400.0, 659.0)
    result = to_network_input(spectrum(energy), energy)
    expected = to_network_input(spectrum(uniform), uniform)
    np.testing.assert_allclose(result[405:650], expected[405:650], rtol=0.02)


def test_low_loss_is_cropped():
    energy = np.arange(-20.0, 600.0, 0.5)
    data = np.where(energy < 70, 1e9, 100.0)
    result = to_network_input(data, energy)
    assert not result[:75].any()
    np.testing.assert_allclose(result[76:599], 1, rtol=1e-3)


def test_each_pixel_is_on_its_own():
    energy = np.arange(400.0, 700.0, 0.3)
    pixels = np.random.default_rng(0).poisson(spectrum(energy), (3, 2, len(energy)))
    together = to_network_input(pixels, energy)
    assert together.shape == (3, 2, 3072)
    np.testing.assert_array_equal(together[1, 1], to_network_input(pixels[1, 1], energy))


def test_normalise_leaves_spectra_without_counts():
    np.testing.assert_array_equal(normalise(np.array([[0.0, 0], [2, 4]])), [[0, 0], [0.5, 1]])


@pytest.mark.parametrize("dispersion", [0.25, 0.5, 0.7, 1.0, 2.0])
def test_channels_that_were_not_recorded_are_no_part_of_the_window(dispersion):
    energy = 400 + dispersion * np.arange(400)
    lead, trail = 12, 40  # whole groups of channels
    padded = np.pad(spectrum(energy), (lead, trail))
    longer = 400 + dispersion * np.arange(-lead, 400 + trail)
    one_dead = np.stack([padded, np.ones(len(longer))])
    expected = to_network_input(spectrum(energy), energy)
    np.testing.assert_allclose(to_network_input(one_dead, longer)[0], expected, atol=2e-3)
    assert not to_network_input(padded, longer)[:400].any()


def test_empty_spectra_stay_empty():
    energy = np.arange(400.0, 700.0, 0.3)
    assert not to_network_input(np.zeros((2, len(energy))), energy).any()
    assert to_network_input(np.zeros((0, len(energy))), energy).shape == (0, 3072)
