import hyperspy.api as hs
import numpy as np
import pytest
from known_images import AMOUNTS, make_image, with_parameters

from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.quantification.low_loss_checks import exposure

DETECTOR = "Acquisition_instrument.TEM.Detector.EELS"


def low_loss(shape=(), scale=1.0, offset=-20.0, **noted):
    losses = np.arange(-20.0, 120.0, scale)
    signal = hs.signals.Signal1D(1e8 * np.exp(-0.5 * losses**2) * np.ones((*shape, 1)))
    signal.set_signal_type("EELS")
    axis = signal.axes_manager[-1]
    axis.offset, axis.scale, axis.units = offset, scale, "eV"
    for name, value in noted.items():
        signal.metadata.set_item(f"{DETECTOR}.{name}", value)
    return signal


def core(**noted):
    signal, _ = make_image(AMOUNTS, (2, 3), counts=1e5)
    for name, value in noted.items():
        signal.metadata.set_item(f"{DETECTOR}.{name}", value)
    return with_parameters(signal)


def oxygen(signal, low, **settings):
    model = signal.auto_model(
        elements=AMOUNTS, low_loss=low, onset_shift=None, fine_structure=None, **settings
    )
    amount = model.elemental_maps()["O"]
    return amount.data, amount.metadata.Signal.quantity


@pytest.mark.parametrize(
    ("of_core", "of_low"),
    [
        ({"exposure": 1.0}, {"exposure": 0.02}),
        ({"dwell_time": 2.0}, {"exposure": 0.04}),
        ({"exposure": 2.0, "frame_number": 10}, {"exposure": 0.004, "frame_number": 100}),
    ],
)
def test_exposures_scale_the_areal_density(of_core, of_low):
    equal, assumed = oxygen(core(), low_loss())
    assert assumed != "Areal density (atoms/nm²)" and "if equally exposed" in assumed
    scaled, quantity = oxygen(core(**of_core), low_loss(**of_low))
    assert quantity == "Areal density (atoms/nm²)"
    np.testing.assert_allclose(scaled, equal * 0.02)
    given, quantity = oxygen(core(), low_loss(), low_loss_exposure_ratio=0.02)
    assert quantity == "Areal density (atoms/nm²)"
    np.testing.assert_allclose(given, scaled)


def test_what_is_given_counts_more_than_the_metadata_and_stays_with_the_model():
    signal, low = core(exposure=1.0), low_loss(exposure=1.0)
    before = low.metadata.as_dictionary()
    model = signal.auto_model(elements=AMOUNTS, low_loss=low, low_loss_exposure_ratio=0.5)
    assert low.metadata.as_dictionary() == before
    expected = model.elemental_maps()["O"]
    model.store("a")
    for other in (model.inav[:, :], signal.models.restore("a")):
        found = other.elemental_maps()["O"]
        assert found.metadata.Signal.quantity == expected.metadata.Signal.quantity
        np.testing.assert_allclose(found.data, expected.data)


def test_exposures_of_digital_micrograph():
    """Those that RosettaSciIO has added up already are not multiplied again."""
    signal = low_loss()
    assert exposure(signal) is None
    tags = {"Exposure_s": 0.005, "Number_of_frames": 100}
    signal.original_metadata.set_item("ImageList.TagGroup0.ImageTags.EELS.Acquisition", tags)
    assert exposure(signal) == pytest.approx(0.5)
    signal.metadata.set_item(f"{DETECTOR}.exposure", 0.5)
    signal.metadata.set_item(f"{DETECTOR}.frame_number", 100)
    assert exposure(signal) == pytest.approx(0.5)
    signal.metadata.set_item(f"{DETECTOR}.exposure", 0.01)
    assert exposure(signal) == pytest.approx(1.0)
    signal.metadata.set_item(f"{DETECTOR}.exposure", -1)
    assert exposure(signal) is None


@pytest.mark.parametrize("ratio", [0, -1.0, np.nan, np.inf, "half", True])
def test_ratios_that_there_are_not(ratio):
    with pytest.raises(ArgumentError, match="low_loss_exposure_ratio must be a number above zero"):
        oxygen(core(), low_loss(), low_loss_exposure_ratio=ratio)


def test_implausible_areal_densities_are_warned_of(caplog):
    oxygen(core(), low_loss(), low_loss_exposure_ratio=1.0)
    assert "nm²" not in caplog.text
    oxygen(core(), low_loss(), low_loss_exposure_ratio=1e4)
    assert "More than 100000 atoms/nm² (O " in caplog.text


def test_low_losses_that_do_not_fit():
    signal = core()
    saturated = low_loss()
    saturated.data = np.minimum(saturated.data, 5e7)
    for low, message in (
        (low_loss((4,)), "The low loss has 4 pixels and the core loss 3 x 2 pixels: give one"),
        (low_loss(scale=0.5), "channels of 0.5 eV and the core loss of 1 eV"),
        (
            low_loss(offset=-60.0),
            "highest channel at -40 eV, so that its zero-loss peak is missing",
        ),
        (low_loss().isig[30:], "goes from 10 to 119 eV, so that its zero-loss peak is missing"),
        (saturated, "zero-loss peak of the low loss is saturated"),
        (low_loss() * 0, "no finite, positive counts"),
    ):
        with pytest.raises(ArgumentError, match=message):
            oxygen(signal, low)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("beam_energy", -5, "beam_energy must be between 10 and 1500 keV, not -5"),
        ("beam_energy", 200_000, "between 10 and 1500 keV"),
        ("beam_energy", np.nan, "between 10 and 1500 keV, not nan"),
        ("collection_angle", 0, "collection_angle must be between 0.2 and 200 mrad, not 0"),
        ("collection_angle", 0.05, "between 0.2 and 200 mrad, not 0.05"),
        ("collection_angle", np.inf, "and 200 mrad, not inf"),
        ("convergence_angle", -1.0, "convergence_angle must be between 0 and 200 mrad, not -1.0"),
        ("convergence_angle", "20", "between 0 and 200 mrad, not '20'"),
    ],
)
def test_parameters_that_no_microscope_has(name, value, message):
    signal = core()
    with pytest.raises(ArgumentError, match=message):
        signal.auto_model(elements="O", **{name: value})
    assert signal.auto_model(elements="O", convergence_angle=0.0, fit=False).elements == ["O"]


def test_cross_sections_that_there_are_not(monkeypatch):
    with pytest.raises(ArgumentError, match="GOS must be 'bundled', 'dft', 'dirac' or the path"):
        core().auto_model(elements="O", GOS="hydrogenicc")


@pytest.mark.parametrize(("thickness", "thick"), [(0.5, False), (1.4, True)])
def test_a_thick_sample_is_named(thickness, thick, caplog):
    signal, _ = make_image({"O": 9.0}, (2, 2), counts=1e5)
    losses = np.arange(-20.0, 120.0)
    shape = np.exp(-thickness) * (losses == 0)
    shape += (1 - np.exp(-thickness)) * np.exp(-0.5 * ((losses - 22) / 5) ** 2) / 12.53
    low_loss = hs.signals.Signal1D(1e8 * shape)
    low_loss.set_signal_type("EELS")
    axis = low_loss.axes_manager[-1]
    axis.offset, axis.units = -20.0, "eV"
    with_parameters(signal).auto_model(elements=["O"], low_loss=low_loss)
    assert (f"{thickness} mean free paths thick" in caplog.text) == thick
