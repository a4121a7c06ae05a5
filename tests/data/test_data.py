import hyperspy.api as hs
import numpy as np
import pytest
from exspy.signals import EELSSpectrum

from hyperspy_eelsid import data
from hyperspy_eelsid.data import images, simulation

VISIBLE = ["Ti", "O", "La", "Mn", "Ba"]


@pytest.fixture(scope="module")
def density(superlattice):
    return dict(superlattice.metadata.Simulation.areal_density)


def channel(signal: EELSSpectrum, energy: float) -> int:
    return signal.axes_manager.signal_axes[0].value2index(float(energy))


def test_image_is_a_calibrated_eels_signal(superlattice):
    signal = superlattice
    assert isinstance(signal, EELSSpectrum)
    assert signal.axes_manager.navigation_shape == (65, 12)
    energy = signal.axes_manager.signal_axes[0]
    assert (energy.units, energy.low_value, energy.high_value) == ("eV", 380.0, 999.5)
    instrument = signal.metadata.Acquisition_instrument.TEM
    assert instrument.beam_energy == simulation.BEAM_ENERGY_KEV
    assert instrument.convergence_angle == simulation.CONVERGENCE_ANGLE_MRAD
    assert instrument.Detector.EELS.collection_angle == simulation.COLLECTION_ANGLE_MRAD


def test_density_of_one_layer_is_that_of_the_crystal():
    thickness = np.full(20, 10.0)
    density = images.areal_density(
        (images.SRTIO3, images.LAMNO3),
        np.array([5.0]),
        np.linspace(0, 10, 130),
        thickness,
        np.random.default_rng(0),
    )
    first_layer = {element: plane[:, 2].mean() for element, plane in density.items()}
    titanium = 10.0 / 0.3905**3
    assert first_layer["Ti"] == pytest.approx(titanium, rel=1e-6)
    assert first_layer["Sr"] == pytest.approx(titanium, rel=1e-6)
    assert first_layer["O"] == pytest.approx(3 * titanium, rel=1e-6)
    assert first_layer["La"] == pytest.approx(0, abs=1e-6)


def test_every_pixel_is_a_stoichiometric_mixture(density):
    density = {element: plane.data for element, plane in density.items()}
    np.testing.assert_allclose(density["O"], 3 * (density["Ti"] + density["Mn"]), rtol=1e-9)
    np.testing.assert_allclose(density["La"], density["Mn"], rtol=1e-9)
    np.testing.assert_allclose(density["Sr"] + density["Ba"], density["Ti"], rtol=1e-9)
    assert all(plane.min() >= 0 for plane in density.values())


def test_interfaces_are_diffuse():
    density = images.areal_density(
        (images.BATIO3, images.LAMNO3),
        np.array([26.0]),
        np.linspace(0, 52, 520),
        np.full(30, 10.0),
        np.random.default_rng(0),
    )
    titanium = density["Ti"] / density["Ti"].max()
    assert ((titanium > 0.2) & (titanium < 0.8)).any(axis=1).all()


def test_foil_is_a_wedge(density):
    oxygen = density["O"].data.mean(axis=1)
    assert oxygen[-1] / oxygen[0] == pytest.approx(2, rel=0.02)


def test_noise_is_poissonian():
    """Where the truth does not depend on the seed, images differ by the root of their sum."""
    first, second = (data.superlattice((8, 20), seed).data[:, 0] for seed in range(2))
    difference = first.astype(float) - second
    normalised = difference / np.sqrt(first + second)
    assert normalised.mean() == pytest.approx(0, abs=0.05)
    assert normalised.std() == pytest.approx(1, rel=0.05)


def test_same_seed_same_image():
    first, second, other = (data.superlattice((3, 11), seed).data for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


@pytest.mark.parametrize("element", VISIBLE)
def test_edge_signal_follows_the_element(superlattice, density, element):
    """The step at the onset is where the element is, and in proportion to it."""
    onset = {"O": 532, "Ti": 456, "Mn": 640, "Ba": 781, "La": 832}[element]
    counts = superlattice.data.astype(float)
    signal = superlattice
    before = counts[..., channel(signal, onset - 6) : channel(signal, onset - 2)].mean(axis=-1)
    after = counts[..., channel(signal, onset + 2) : channel(signal, onset + 6)].mean(axis=-1)
    step = (after - before).ravel()
    truth = density[element].data.ravel()
    assert np.corrcoef(step, truth)[0, 1] > (0.5 if element == "O" else 0.9)


def test_strontium_is_outside_the_window():
    elements = ("Sr", "Ti")
    spectra = simulation.element_spectra(elements, np.arange(380, 1000, 0.5))
    assert not spectra[0].any()
    assert spectra[1].any()


def test_plural_scattering_keeps_the_electrons_and_moves_them_up():
    energy = np.arange(380, 1000, 0.5)
    line = np.exp(-(((energy - 500) / 3) ** 2))[np.newaxis]
    orders = simulation.plural_scattering(line, energy, 4)[:, 0]
    np.testing.assert_allclose(orders.sum(axis=-1), line.sum(), rtol=0.02)
    centres = (orders * energy).sum(axis=-1) / orders.sum(axis=-1)
    assert (np.diff(centres) > 10).all()


def test_progress_bar_follows_the_argument(capsys):
    data.superlattice((2, 11), show_progressbar=True)
    assert "Simulating" in capsys.readouterr().err
    data.superlattice((2, 11))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("shape", [(0, 5), (5,), (5, 5, 5)])
def test_bad_shape_is_named(shape):
    with pytest.raises(ValueError, match="shape must be two positive numbers"):
        data.superlattice(shape)


def test_truth_shares_the_axes_of_the_image(superlattice, density):
    for plane in density.values():
        assert isinstance(plane, hs.signals.Signal2D)
        for axis, expected in zip(
            plane.axes_manager.signal_axes,
            superlattice.axes_manager.navigation_axes,
            strict=True,
        ):
            assert (axis.name, axis.units, axis.scale) == (
                expected.name,
                expected.units,
                expected.scale,
            )


@pytest.fixture(scope="module")
def oxynitride():
    return data.titanium_oxynitride(shape=(8, 16), seed=1)


def test_oxynitride_goes_from_nitride_to_oxide(oxynitride):
    density = dict(oxynitride.metadata.Simulation.areal_density)
    nitrogen, oxygen, titanium = (density[e].data.mean(axis=0) for e in ("N", "O", "Ti"))
    assert nitrogen[0] == pytest.approx(titanium[0], rel=0.02)
    assert oxygen[-1] == pytest.approx(2 * titanium[-1], rel=0.02)
    assert (np.diff(nitrogen) < 0).all() and (np.diff(oxygen) > 0).all()
    assert oxynitride.axes_manager.signal_axes[0].scale == pytest.approx(0.1)


def test_scandium_is_no_more_than_a_rival_of_nitrogen(oxynitride):
    found = oxynitride.identify_elements()
    assert set(found.elements) == {"N", "Ti", "O"}
    rivals = found.rivals
    assert set(rivals["N"]) <= {"Sc"} and not rivals["O"]


def test_image_with_its_truth_is_saved(oxynitride, tmp_path):
    oxynitride.save(tmp_path / "image.hspy")
    loaded = hs.load(tmp_path / "image.hspy")
    np.testing.assert_array_equal(
        loaded.metadata.Simulation.areal_density.N.data,
        oxynitride.metadata.Simulation.areal_density.N.data,
    )
