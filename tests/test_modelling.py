import hyperspy.api as hs
import numpy as np
import pooch
import pytest
from exspy.models import EELSModel

from hyperspy_eelsid.components import CoreLossEdge
from hyperspy_eelsid.edges import edges_in_window
from hyperspy_eelsid.exceptions import (
    EnergyAxisError,
    InvalidSpectraError,
    MissingParametersError,
    UnknownElementError,
)

PARAMETERS = {"beam_energy": 200.0, "convergence_angle": 10.0, "collection_angle": 30.0}
ENERGY = np.arange(400.0, 900.0)
AMOUNTS = {"O": 9.0, "Ti": 3.0, "Fe": 4.0}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(pooch, "retrieve", refuse)


def cross_section(element, energy=ENERGY):
    total = np.zeros_like(energy)
    for edge in edges_in_window(element, energy[0], energy[-1]):
        component = CoreLossEdge(edge.name)
        component.set_microscope_parameters(*PARAMETERS.values(), energy_scale=1.0)
        total += component.function(energy)
    return total


def make_image(amounts, shape=(), counts=None, seed=0, exponent=3.0):
    """Power law and edges; each pixel of an image holds another multiple of every element."""
    rng = np.random.default_rng(seed)
    factors = {e: rng.uniform(0.2, 1.8, shape) if shape else np.array(1.0) for e in amounts}
    data = np.zeros((*shape, len(ENERGY)))
    for element, amount in amounts.items():
        data += (amount * factors[element])[..., None] * cross_section(element)
    data += 4 * data.mean() * (ENERGY / 500) ** -exponent
    scale = 1.0
    if counts is not None:
        scale = counts / data.mean()
        data = rng.poisson(data * scale).astype(float)
    signal = hs.signals.Signal1D(data)
    signal.set_signal_type("EELS")
    axis = signal.axes_manager[-1]
    axis.offset, axis.scale, axis.units = ENERGY[0], 1.0, "eV"
    for number, axis in enumerate(signal.axes_manager.navigation_axes):
        axis.scale, axis.units, axis.name = 0.2, "nm", "xyz"[number]
    return signal, {e: amounts[e] * factors[e] * scale for e in amounts}


def with_parameters(signal):
    signal.set_microscope_parameters(**PARAMETERS)
    return signal


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("shape", [(), (4,), (3, 5), (2, 2, 3)])
def test_amounts_are_recovered(shape, lazy):
    signal, truth = make_image(AMOUNTS, shape)
    signal = with_parameters(signal.as_lazy() if lazy else signal)
    model = signal.auto_model(elements=AMOUNTS)
    assert isinstance(model, EELSModel)
    maps = model.elemental_maps()
    assert list(maps) == list(AMOUNTS)
    for element, amount in maps.items():
        np.testing.assert_allclose(amount.data.squeeze(), truth[element].squeeze(), rtol=1e-3)
        assert amount.metadata.General.title == element


@pytest.mark.parametrize("exponent", [2.2, 2.7, 3.5])
def test_background_with_another_exponent(exponent):
    """A sum of power laws with whole exponents follows any other to a small part of the edges."""
    signal, truth = make_image(AMOUNTS, exponent=exponent)
    maps = with_parameters(signal).auto_model(elements=AMOUNTS).elemental_maps()
    for element, amount in maps.items():
        assert float(amount.data[0]) == pytest.approx(truth[element], rel=0.03)


def test_standard_errors_are_those_of_poisson_noise():
    signal, truth = make_image(AMOUNTS, (20, 20), counts=2000)
    maps = with_parameters(signal).auto_model(elements=AMOUNTS).elemental_maps()
    for element, amount in maps.items():
        error = np.sqrt(amount.metadata.Signal.Noise_properties.variance.data)
        pull = (amount.data - truth[element]) / error
        # holding the background's parts positive shifts the amounts by a fraction of their errors
        assert abs(pull.mean()) < 0.4, element
        assert pull.std() == pytest.approx(1, abs=0.2), element


def test_amounts_are_never_negative():
    signal, truth = make_image({"O": 9.0, "Fe": 0.0}, (10, 10), counts=30)
    maps = with_parameters(signal).auto_model(elements=["O", "Fe"]).elemental_maps()
    assert maps["Fe"].data.min() == 0
    assert maps["Fe"].data.mean() < 0.1 * maps["O"].data.mean()
    assert not truth["Fe"].any()


def test_maps_have_the_axes_of_the_image_and_say_what_they_are():
    signal, _ = make_image(AMOUNTS, (3, 5))
    amount = with_parameters(signal).auto_model(elements=["O"]).elemental_maps()["O"]
    assert amount.axes_manager.signal_shape == (5, 3)
    assert amount.axes_manager["x"].scale == 0.2 and amount.axes_manager["x"].units == "nm"
    assert "electrons" in amount.metadata.Signal.quantity


def test_elements_come_from_the_identification(make_eels, step_networks):
    signal = with_parameters(make_eels((2, 4)))
    assert set(signal.auto_model().elements) == {"O", "Ti"}
    found = signal.identify_elements(threshold=0.5, min_fraction=0.9)
    assert signal.auto_model(identification=found).elements == ["O"]


def test_edges_of_an_element_belong_together():
    signal, _ = make_image(AMOUNTS)
    model = with_parameters(signal).auto_model(elements=["Fe", "O"], fit=False)
    assert {c.name for c in model} >= {"O_K", "Fe_L3", "Fe_L2", "Fe_L1"}
    fe_l3, fe_l2 = model.components.Fe_L3, model.components.Fe_L2
    assert fe_l2.intensity.twin is fe_l3.intensity
    fe_l3.onset_energy.value += 2
    assert fe_l2.onset_energy.value == pytest.approx(723)


def test_model_methods_work_on_an_image():
    signal, truth = make_image(AMOUNTS, (2, 2), counts=1e5)
    model = with_parameters(signal).auto_model(elements=AMOUNTS)
    model.multifit(optimizer="lstsq", show_progressbar=False)
    model.axes_manager.indices = (1, 0)
    model.fit()
    assert model.components.O_K.intensity.value == pytest.approx(truth["O"][0, 1], rel=0.2)
    model.fit_component(model.components.O_K, signal_range=(565.0, 640.0), display=False)
    assert model.as_signal(show_progressbar=False).data.shape == (2, 2, 500)
    model.plot()


def test_slices_and_stored_models_stay_offline(tmp_path):
    signal, truth = make_image(AMOUNTS, (2, 3))
    signal = with_parameters(signal)
    model = signal.auto_model(elements=AMOUNTS)
    part = model.inav[1:2, :1]
    assert part.components.O_K.intensity.value == pytest.approx(truth["O"][0, 1], rel=0.02)
    model.store("elements")
    signal.save(tmp_path / "signal.hspy")
    loaded = hs.load(tmp_path / "signal.hspy")
    restored = loaded.models.restore("elements")
    assert isinstance(restored.components.Ti_L3, CoreLossEdge)
    np.testing.assert_allclose(
        restored.components.Ti_L3.intensity.map["values"], truth["Ti"], rtol=0.02
    )


@pytest.mark.parametrize("name", ["S_K", "Cl_K", "Ru_L3"])
def test_subshells_that_exspy_lacks(name):
    component = CoreLossEdge(name)
    component.set_microscope_parameters(*PARAMETERS.values(), energy_scale=1.0)
    energy = np.arange(2300.0, 3000.0)
    values = component.function(energy)
    onset = component.onset_energy.value
    assert (values[energy < onset] == 0).all() and (values[energy >= onset] > 0).all()


def test_unknown_subshells():
    with pytest.raises(UnknownElementError, match="no cross sections of O_L3, options for O are K"):
        CoreLossEdge("O_L3")


def test_signal_is_not_changed_by_parameters_in_the_call():
    signal, truth = make_image(AMOUNTS)
    before = signal.metadata.as_dictionary()
    model = signal.auto_model(elements=AMOUNTS, **PARAMETERS)
    assert signal.metadata.as_dictionary() == before
    assert model.components.O_K.intensity.value == pytest.approx(truth["O"], rel=0.02)


def test_missing_parameters_are_named():
    signal, _ = make_image(AMOUNTS)
    with pytest.raises(MissingParametersError, match=r"convergence_angle.*collection_angle") as e:
        signal.auto_model(elements=["O"], beam_energy=200)
    assert "beam_energy" not in str(e.value).split(" are ")[0]


@pytest.mark.parametrize(
    ("elements", "message"),
    [(["Uu"], "Unknown element 'Uu'"), (["Sr"], "Sr has no major edge"), ([], "No element")],
)
def test_elements_that_cannot_be_fitted(elements, message):
    signal, _ = make_image(AMOUNTS)
    with pytest.raises(UnknownElementError, match=message):
        signal.auto_model(elements=elements, **PARAMETERS)


def test_axes_that_cannot_be_fitted():
    signal, _ = make_image(AMOUNTS)
    signal.axes_manager[-1].units = "keV"
    signal.axes_manager[-1].scale, signal.axes_manager[-1].offset = 1e-3, 0.4
    with pytest.raises(EnergyAxisError, match="in eV, not in keV"):
        signal.auto_model(elements=["O"], **PARAMETERS)
    signal, _ = make_image(AMOUNTS)
    signal.axes_manager[-1].convert_to_non_uniform_axis()
    with pytest.raises(EnergyAxisError, match="uniform"):
        signal.auto_model(elements=["O"], **PARAMETERS)


@pytest.mark.parametrize("lazy", [False, True])
def test_pixels_that_cannot_be_fitted_are_nan_and_counted(lazy, caplog):
    signal, truth = make_image(AMOUNTS, (3, 3))
    signal.data[0, 1] = np.nan
    signal.data[2, 2] = 0
    signal = with_parameters(signal.as_lazy() if lazy else signal)
    maps = signal.auto_model(elements=AMOUNTS).elemental_maps()
    assert np.isnan(maps["O"].data[[0, 2], [1, 2]]).all()
    assert np.isfinite(maps["O"].data).sum() == 7
    assert "2 of 9 pixels" in caplog.text
    np.testing.assert_allclose(maps["O"].data[1], truth["O"][1], rtol=0.02)


def test_nothing_to_fit():
    signal, _ = make_image(AMOUNTS, (2, 2))
    signal.data[:] = np.nan
    with pytest.raises(InvalidSpectraError):
        with_parameters(signal).auto_model(elements=["O"])


def test_low_loss_gives_areal_densities():
    """Counts = electrons x areal density x cross section, seen through the low loss."""
    signal, _ = make_image(AMOUNTS, (2, 2))
    losses = np.arange(-20.0, 120.0)
    electrons = np.array([[1e8, 2e8], [3e8, 4e8]])
    density = np.array([[10.0, 20.0], [30.0, 5.0]])  # atoms/nm2
    shape = 0.6 * (losses == 0) + 0.4 * np.exp(-0.5 * ((losses - 22) / 5) ** 2) / 12.533
    low_loss = hs.signals.Signal1D(electrons[..., None] * shape)
    low_loss.set_signal_type("EELS")
    axis = low_loss.axes_manager[-1]
    axis.offset, axis.scale, axis.units = -20.0, 1.0, "eV"

    padded = np.arange(ENERGY[0] - 119, ENERGY[-1] + 21)
    edge = np.convolve(shape, cross_section("O", padded), mode="valid")
    counts = (electrons * density)[..., None] * 1e-10 * edge
    signal.data = counts + 20 * counts.mean() * (ENERGY / 500) ** -3
    maps = with_parameters(signal).auto_model(elements=["O"], low_loss=low_loss).elemental_maps()
    assert maps["O"].metadata.Signal.quantity == "Areal density (atoms/nm²)"
    np.testing.assert_allclose(maps["O"].data, density, rtol=0.02)
