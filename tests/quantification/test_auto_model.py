import hyperspy.api as hs
import numpy as np
import pooch
import pytest
from exspy.models import EELSModel
from known_images import AMOUNTS, ENERGY, PARAMETERS, cross_section, make_image, with_parameters

from hyperspy_eelsid.edges.component import GOSH_PATH, CoreLossEdge
from hyperspy_eelsid.edges.fine_structure import FineStructure
from hyperspy_eelsid.exceptions import (
    ArgumentError,
    EnergyAxisError,
    InvalidSpectraError,
    MissingParametersError,
    UnknownElementError,
)
from hyperspy_eelsid.quantification import composition, elemental_maps, residual, significance
from hyperspy_eelsid.quantification.auto_model import BACKGROUND_EXPONENTS
from hyperspy_eelsid.quantification.linear_model import averages


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(pooch, "retrieve", refuse)


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


@pytest.mark.parametrize("exponent", [1.3, 2.2, 2.7, 3.5, 4.8])
def test_background_with_another_exponent(exponent):
    """A sum of power laws with fixed exponents follows any other to a small part of the edges."""
    signal, truth = make_image(AMOUNTS, exponent=exponent)
    maps = with_parameters(signal).auto_model(elements=AMOUNTS).elemental_maps()
    for element, amount in maps.items():
        assert float(amount.data[0]) == pytest.approx(truth[element], rel=0.03)


def pulls(signal, truth):
    """Fitted amounts less the true ones over the quoted errors, and the mean reduced chi-squared."""
    model = with_parameters(signal).auto_model(elements=truth, onset_shift=None)
    result = {}
    for element, amount in model.elemental_maps().items():
        error = np.sqrt(amount.metadata.Signal.Noise_properties.variance.data)
        result[element] = (amount.data - truth[element]) / error
    return result, np.nanmean(model.red_chisq.data)


@pytest.mark.parametrize("counts", [2000, 20000])
def test_no_bias_and_errors_that_tell_the_scatter(counts):
    found, chisq = pulls(*make_image(AMOUNTS, (25, 25), counts=counts, seed=3))
    for element, pull in found.items():
        assert 0.9 < np.sqrt((pull**2).mean()) < 1.1, element
        # positive background parts cost a third of a standard error
        assert abs(pull.mean()) < 0.4, element
    assert chisq == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("subtracted", ["background", "dark current"])
def test_errors_tell_the_scatter_of_what_was_subtracted(subtracted, lazy):
    """A removed background leaves its noise, a detector adds its own: the counts tell neither."""
    signal, truth = make_image(AMOUNTS, (25, 25), counts=500, seed=3)
    if subtracted == "background":
        edges = sum(truth[e][..., None] * cross_section(e) for e in AMOUNTS)
        signal.data -= 4 * edges.mean() * (ENERGY / 500) ** -3.0
    else:  # four counts for an electron, and those that were there in the dark
        truth = {element: 4 * amount for element, amount in truth.items()}
        signal.data = 4 * signal.data + np.random.default_rng(5).normal(0, 400, signal.data.shape)
    found, chisq = pulls(signal.as_lazy() if lazy else signal, truth)
    for element, pull in found.items():
        assert 0.9 < np.sqrt((pull**2).mean()) < 1.1, element
    assert chisq == pytest.approx(1, abs=0.03)


def test_noise_of_a_single_spectrum_with_lines():
    """Medians of neighbouring channels do not take lines and onsets for noise."""
    rng = np.random.default_rng(0)
    edge = 1e5 * (ENERGY > 650) * (ENERGY / 650) ** -3.0
    edge += 5e5 * np.exp(-0.5 * ((ENERGY - 655) / 1.5) ** 2)
    spectrum = edge + rng.normal(0, 100 * (ENERGY / 500), len(ENERGY))
    noise = np.sqrt(averages(spectrum).variance) / (100 * (ENERGY / 500))
    assert noise.shape == ENERGY.shape and 0.5 < noise.min() and noise.max() < 2
    assert averages(np.abs(spectrum)).variance is None


def test_errors_lie_between_the_bounds_of_known_and_of_free_background():
    """Cramer and Rao: no unbiased fit has a variance below the inverse of the Fisher information."""
    counts = 5000
    signal, _ = make_image({"O": 9.0, "Fe": 4.0}, (20, 20))
    mean = make_image({"O": 9.0, "Fe": 4.0})[0].data
    mean = mean * counts / mean.mean()
    image = signal._deepcopy_with_new_data(
        np.random.default_rng(1).poisson(mean, (20, 20, len(ENERGY))).astype(float)
    )
    model = with_parameters(image).auto_model(elements=["O", "Fe"])

    kept = model._channel_switches
    edges = [cross_section("O")[kept], cross_section("Fe")[kept]]
    for component in model:
        if isinstance(component, FineStructure):
            edges += list(component.shapes(ENERGY[kept]).T)

    def bound(exponents):
        columns = np.stack([*edges, *((ENERGY[kept] / 500) ** -r for r in exponents)], axis=1)
        information = columns.T @ (columns / mean[kept, None])
        return np.sqrt(np.diag(np.linalg.inv(information)))[:2]

    known, free = bound([3.0]), bound([BACKGROUND_EXPONENTS[0], 3.0, BACKGROUND_EXPONENTS[-1]])
    for number, (element, amount) in enumerate(model.elemental_maps().items()):
        scatter = amount.data.std()
        quoted = np.sqrt(amount.metadata.Signal.Noise_properties.variance.data.mean())
        assert 0.9 * known[number] < scatter < free[number], element
        assert 0.9 * known[number] < quoted < free[number], element


def test_errors_do_not_depend_on_the_unit_of_the_counts():
    signal, _ = make_image(AMOUNTS, (5, 5), counts=2000)
    counted = with_parameters(signal).auto_model(elements=AMOUNTS).elemental_maps()["O"]
    signal.data *= 0.01
    scaled = signal.auto_model(elements=AMOUNTS).elemental_maps()["O"]
    np.testing.assert_allclose(scaled.data, counted.data * 0.01)
    np.testing.assert_allclose(
        scaled.metadata.Signal.Noise_properties.variance.data,
        counted.metadata.Signal.Noise_properties.variance.data * 0.01**2,
    )


def test_chi_squared_maps_the_goodness_of_the_fit():
    signal, _ = make_image(AMOUNTS, (6, 6), counts=2000)
    signal.data[1, 2, 250] = np.nan
    signal.data[4, 4] *= 1 + 0.3 * np.sin(ENERGY / 20)
    chisq = with_parameters(signal).auto_model(elements=AMOUNTS).red_chisq.data
    assert np.isnan(chisq[1, 2]) and chisq[4, 4] > 10
    good = np.delete(chisq.ravel(), [1 * 6 + 2, 4 * 6 + 4])
    assert good.mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("offset", [4.0, -4.0])
def test_an_energy_axis_that_is_off(offset):
    """The shift is found, and the amounts have no bias beyond that of the wrong energies, 1 %."""
    signal, truth = make_image(AMOUNTS, (5, 5), counts=20000)
    signal.axes_manager[-1].offset += offset
    with_parameters(signal)
    model = signal.auto_model(elements=AMOUNTS)
    for edge in (c for c in model if isinstance(c, CoreLossEdge)):
        shift = edge.onset_energy.value - edge.GOS.onset_energy
        assert shift == pytest.approx(offset, abs=0.5), edge.name
        assert (edge.onset_energy.map["values"] == edge.onset_energy.value).all()
    for element, amount in model.elemental_maps().items():
        assert amount.data.sum() == pytest.approx(truth[element].sum(), rel=0.03), element
    held = signal.auto_model(elements=AMOUNTS, onset_shift=None)
    assert held.components.O_K.onset_energy.value == 532
    assert held.red_chisq.data.mean() > 1.1 * model.red_chisq.data.mean()


def test_minor_edges_are_fitted_and_rivals_are_not(make_eels, step_networks):
    signal, _ = make_image(AMOUNTS)
    model = with_parameters(signal).auto_model(elements=["Ti"], fit=False)
    assert "Ti_L1" in {c.name for c in model}  # at 564 eV, minor
    found = signal.identify_elements()
    rivals = {"Co": ["Ba"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(found), "elements", ["Co"])
        patch.setattr(type(found), "rivals", rivals)
        assert signal.auto_model(identification=found, fit=False).elements == ["Co"]


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


def test_channels_at_the_ends_that_were_not_recorded():
    signal, truth = make_image(AMOUNTS, (2, 3), counts=1e5)
    signal.data[..., :20] = signal.data[..., 440:] = 0
    model = with_parameters(signal).auto_model(elements=AMOUNTS)
    fitted = ENERGY[model._channel_switches]
    assert fitted[0] == ENERGY[20] and fitted[-1] == ENERGY[439]
    for element, amount in model.elemental_maps().items():
        assert amount.data.sum() == pytest.approx(truth[element].sum(), rel=0.02), element
    assert model.doubtful == []


def test_background_and_fine_structure_are_chosen():
    signal, truth = make_image(AMOUNTS, counts=1e6)
    signal = with_parameters(signal)
    settings = {"elements": AMOUNTS, "background": [2, 3], "onset_shift": None}
    structures = {}
    for choice in ("free", 50, "excluded", None):
        model = signal.auto_model(**settings, fine_structure=choice)
        backgrounds = [c.name for c in model if c.isbackground]
        assert backgrounds == ["Background_r2", "Background_r3"]
        fitted = ENERGY[model._channel_switches]
        left_out = ((fitted > 532) & (fitted <= 562)).sum() == 0
        assert left_out == (choice == "excluded") and 563 in fitted
        assert float(model.elemental_maps()["O"].data[0]) == pytest.approx(truth["O"], rel=0.05)
        structures[choice] = [c for c in model if isinstance(c, FineStructure)]
    assert not structures["excluded"] and not structures[None]
    assert [c.name for c in structures["free"]] == [
        "Ti_L3_fine_structure",
        "O_K_fine_structure",
        "Fe_L3_fine_structure",
    ]
    ends = {c: [s.offsets[-1] for s in structures[c] if s.element == "O"] for c in ("free", 50)}
    assert ends == {"free": [40.0], 50: [48.0]}


@pytest.mark.parametrize("choice", ["spline", np.nan, -3.0, 0, np.inf, True])
def test_fine_structures_that_there_are_not(choice):
    signal, _ = make_image(AMOUNTS)
    message = r"fine_structure must be 'free', 'excluded', None or a positive width \[eV\], not"
    with pytest.raises(ArgumentError, match=message):
        with_parameters(signal).auto_model(elements=AMOUNTS, fine_structure=choice)


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


METHODS = {
    "fit": lambda m, folder: m.fit(),
    "fit, bounded": lambda m, folder: m.fit(bounded=True),
    "fit, smart": lambda m, folder: m.fit(kind="smart"),
    "multifit": lambda m, folder: m.multifit(),
    "multifit, linear": lambda m, folder: m.multifit(optimizer="lstsq"),
    "smart_fit": lambda m, folder: m.smart_fit(),
    "fit_background": lambda m, folder: m.fit_background(),
    "fit_component": lambda m, folder: m.fit_component(
        m.components.O_K, signal_range=(565.0, 640.0), display=False
    ),
    "plot": lambda m, folder: m.plot(plot_components=True, plot_residual=True),
    "plot_results": lambda m, folder: m.plot_results(),
    "quantify": lambda m, folder: m.quantify(),
    "print_current_values": lambda m, folder: m.print_current_values(only_free=True),
    "as_signal": lambda m, folder: m.as_signal(component_list=["O_K"]),
    "as_dictionary": lambda m, folder: m.as_dictionary(),
    "store": lambda m, folder: (m.store("a"), m.signal.models.restore("a").multifit()),
    "save": lambda m, folder: (
        m.save(folder / "model.hspy", name="a"),
        hs.load(folder / "model.hspy").models.restore("a").fit(),
    ),
    "export_results": lambda m, folder: m.export_results(folder=folder, format="hspy"),
    "save_parameters2file": lambda m, folder: (
        m.save_parameters2file(folder / "values.npz"),
        m.load_parameters_from_file(folder / "values.npz"),
    ),
    "resolve_fine_structure": lambda m, folder: m.resolve_fine_structure(),
    "enable_fine_structure": lambda m, folder: (m.enable_fine_structure(), m.fit()),
    "free_fine_structure": lambda m, folder: (m.free_fine_structure(), m.fix_fine_structure()),
    "remove_fine_structure_data": lambda m, folder: m.remove_fine_structure_data(),
    "suspend_auto_fine_structure_width": lambda m, folder: m.suspend_auto_fine_structure_width(),
    "disable_fine_structure": lambda m, folder: m.disable_fine_structure(),
    "set_all_edges_intensities_positive": lambda m, folder: (
        m.set_all_edges_intensities_positive(),
        m.fit(),
        m.unset_all_edges_intensities_positive(),
    ),
    "disable_edges": lambda m, folder: (m.disable_edges(), m.enable_edges()),
    "disable_background": lambda m, folder: (m.disable_background(), m.enable_background()),
    "fix_edges": lambda m, folder: m.fix_edges(),
    "enable_free_onset_energy": lambda m, folder: (
        m.enable_free_onset_energy(),
        m.smart_fit(),
        m.disable_free_onset_energy(),
        m.assign_current_values_to_all(),
    ),
    "two_area_background_estimation": lambda m, folder: m.two_area_background_estimation(),
    "set_parameters_value": lambda m, folder: m.set_parameters_value("intensity", 1.0),
    "set_signal_range": lambda m, folder: (
        m.set_signal_range(420.0, 800.0),
        m.remove_signal_range(530.0, 560.0),
    ),
    "remove_low_loss": lambda m, folder: setattr(m, "low_loss", None),
    "convolved": lambda m, folder: setattr(m, "convolved", False),
    "append, remove": lambda m, folder: (
        m.append(hs.model.components1D.Gaussian()),
        m.fit(),
        m.remove("Gaussian"),
        m.remove("Background_r1"),
    ),
    "isig": lambda m, folder: m.isig[420.0:800.0].fit(),
    "inav": lambda m, folder: m.inav[0].fit(),
}


@pytest.fixture(scope="module")
def low_loss():
    losses = np.arange(-20.0, 120.0)
    data = 0.6 * (losses == 0) + 0.4 * np.exp(-0.5 * ((losses - 22) / 5) ** 2) / 12.533
    signal = hs.signals.Signal1D(1e8 * data)
    signal.set_signal_type("EELS")
    axis = signal.axes_manager[-1]
    axis.offset, axis.scale, axis.units = -20.0, 1.0, "eV"
    return signal


@pytest.mark.filterwarnings(
    "ignore:The model contains non-free parameters",
    # HyperSpy's own errors of power laws that are much alike
    "ignore:invalid value encountered in sqrt",
)
@pytest.mark.parametrize(
    "method", [pytest.param(m, marks=pytest.mark.slow) if m == "plot" else m for m in METHODS]
)
def test_methods_of_exspy_and_hyperspy(method, tmp_path, low_loss):
    """They run, and a linear fit that follows finds the same as before, or the truth in another model."""
    signal, truth = make_image({"O": 9.0, "Fe": 4.0}, (2,), counts=1e6)
    with_parameters(signal)
    convolved = "low_loss" in method or method in ("convolved", "fit", "plot", "as_signal", "save")
    model = signal.auto_model(elements=["O", "Fe"], low_loss=low_loss if convolved else None)
    before = model.elemental_maps()
    METHODS[method](model, tmp_path)
    model.fit_linear()
    after = model.elemental_maps()
    if method in ("remove_low_loss", "convolved"):
        before = truth
    for element in ("O", "Fe"):
        expected = getattr(before[element], "data", before[element])
        np.testing.assert_allclose(after[element].data, expected, rtol=0.02)


def test_inactive_components_are_left_out():
    signal, _ = make_image({"O": 9.0, "Fe": 4.0}, (2,), counts=1e6)
    model = with_parameters(signal).auto_model(elements=["O", "Fe"])
    model.set_component_active_value(False, component_list=["Fe_L3", "Fe_L2", "Fe_L1"])
    model.fit_linear()
    assert model.elements == ["O"] == list(model.elemental_maps())
    assert model.red_chisq.data.min() > 10
    np.testing.assert_allclose(
        model.as_signal(out_of_range_to_nan=False).data, signal.data - model.residual().data
    )


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("shape", [(), (2, 2)])
def test_the_model_as_a_signal(shape, lazy):
    signal, _ = make_image(AMOUNTS, shape, counts=1e5)
    model = with_parameters(signal.as_lazy() if lazy else signal).auto_model(elements=AMOUNTS)
    fitted = np.asarray(model.as_signal().data)
    expected = signal.data - np.asarray(model.residual().data)
    kept = model._channel_switches
    np.testing.assert_allclose(fitted[..., kept], expected[..., kept])


def test_onsets_that_differ_between_pixels_are_drawn_and_fitted():
    signal, _ = make_image(AMOUNTS, (2, 2), counts=1e5)
    model = with_parameters(signal).auto_model(elements=AMOUNTS)
    before = model.as_signal(out_of_range_to_nan=False).data
    onset, chisq = model.components.Fe_L2.onset_energy.value, model.red_chisq.data.copy()
    for component in model:
        if component.name.startswith("Fe"):
            component.onset_energy.map["values"][0, 1] += 8
    fitted = model.as_signal(out_of_range_to_nan=False).data
    assert model.components.Fe_L2.onset_energy.value == onset
    assert np.abs(fitted - before)[0, 1].max() > 1e3
    np.testing.assert_array_equal(fitted[1], before[1])
    np.testing.assert_allclose(signal.data - model.residual().data, fitted)
    model.fit_linear()
    changed = model.red_chisq.data > 1.01 * chisq
    np.testing.assert_array_equal(changed, [[False, True], [False, False]])


def test_slices_and_stored_models_stay_offline(tmp_path):
    signal, truth = make_image(AMOUNTS, (2, 3))
    signal = with_parameters(signal)
    model = signal.auto_model(elements=AMOUNTS)
    part = model.inav[1:2, :1]
    assert type(part) is EELSModel
    assert part.elemental_maps()["O"].data == pytest.approx(truth["O"][0, 1], rel=0.02)
    assert part.inav[0, 0].elements == model.elements
    assert part.components.O_K.intensity.value == pytest.approx(truth["O"][0, 1], rel=0.02)
    model.store("elements")
    signal.save(tmp_path / "signal.hspy")
    loaded = hs.load(tmp_path / "signal.hspy")
    restored = loaded.models.restore("elements")
    assert isinstance(restored.components.Ti_L3, CoreLossEdge)
    np.testing.assert_allclose(
        restored.components.Ti_L3.intensity.map["values"], truth["Ti"], rtol=0.02
    )
    for function in (elemental_maps, composition):
        for element, amount in function(restored).items():
            np.testing.assert_allclose(amount.data, function(model)[element].data, rtol=1e-12)
    np.testing.assert_allclose(residual(restored).data, model.residual().data, atol=1e-9)
    assert significance(restored)["O"].pixels == model.significance()["O"].pixels
    assert set(restored.inav[1:2, :1].elements) == set(model.elements)
    np.testing.assert_allclose(restored.composition()["O"].data, model.composition()["O"].data)
    restored.components.Ti_L3.onset_energy.value += 2
    assert restored.components.Ti_L2.onset_energy.value == pytest.approx(
        model.components.Ti_L2.onset_energy.value + 2
    )
    np.testing.assert_array_equal(restored.red_chisq.data, model.red_chisq.data)


def test_cross_sections_of_a_file():
    signal, _ = make_image(AMOUNTS, (2, 2), counts=1e5)
    signal = with_parameters(signal)
    bundled = signal.auto_model(elements=AMOUNTS).elemental_maps()
    model = signal.auto_model(elements=AMOUNTS, GOS=GOSH_PATH)
    assert not isinstance(model.components.O_K, CoreLossEdge)
    for element, amount in model.elemental_maps().items():
        np.testing.assert_allclose(amount.data, bundled[element].data, rtol=1e-3)


@pytest.mark.parametrize(("GOS", "file"), [("dft", "Segger_Guzzinati"), ("dirac", "Dirac_GOS")])
def test_cross_sections_that_exspy_downloads(GOS, file, monkeypatch):
    """exspy asks for the right file; what it reads here is our table."""
    asked = []

    def retrieve(url, **kwargs):
        asked.append(url)
        return GOSH_PATH

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    signal, _ = make_image(AMOUNTS, (2, 2), counts=1e5)
    signal = with_parameters(signal)
    bundled = signal.auto_model(elements=AMOUNTS).elemental_maps()
    assert not asked
    model = signal.auto_model(elements=AMOUNTS, GOS=GOS)
    assert asked and all(file in url for url in asked)
    assert {edge.GOS._name for edge in model.edges} == {GOS}
    model.store("a")
    restored = signal.models.restore("a")
    for other in (model, model.inav[:, :], restored):
        for element, amount in other.elemental_maps().items():
            np.testing.assert_allclose(amount.data, bundled[element].data, rtol=1e-3)


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
    assert "beam_energy" not in str(e.value)
    assert "s.set_microscope_parameters(convergence_angle=20, collection_angle=40)" in str(e.value)


@pytest.mark.parametrize(
    ("elements", "message"),
    [(["Uu"], "Unknown element 'Uu'"), (["Sr"], "Sr has no major edge"), ([], "No element")],
)
def test_elements_that_cannot_be_fitted(elements, message):
    signal, _ = make_image(AMOUNTS)
    with pytest.raises(UnknownElementError, match=message):
        signal.auto_model(elements=elements, **PARAMETERS)


def test_an_element_that_cannot_be_fitted_is_left_out(caplog):
    """Sr has no edge in the window; that of Ti begins where the window does, and has no background before it."""
    signal, truth = make_image(AMOUNTS, (2, 2), counts=1e6)
    model = with_parameters(signal).auto_model(elements=["O", "Sr", "Fe", "Ti"])
    assert model.elements == ["O", "Fe", "Ti"]
    assert "Sr has no major edge between 405 and 889 eV" in caplog.text
    cut = signal.isig[458.0:].auto_model(elements=["Ti", "O", "Fe"], onset_shift=None)
    assert cut.elements == ["O", "Fe"]


def test_an_edge_that_an_offset_of_the_axis_moves_into_the_window():
    """What an identification can see is fitted: an onset 4 eV outside of the window by the table, but inside."""
    signal, truth = make_image(AMOUNTS, (2, 2), counts=1e6)
    signal.axes_manager[-1].offset += 9
    cut = with_parameters(signal).isig[457.0:]
    assert "Ti" in cut.auto_model(elements=AMOUNTS).elements


@pytest.mark.parametrize("lazy", [False, True])
def test_masked_channels_are_left_out(lazy):
    signal, truth = make_image(AMOUNTS, (2, 3), counts=1e5)
    signal.data[..., 60:64] = np.nan
    signal.data[..., 490:] = np.nan
    signal = with_parameters(signal.as_lazy() if lazy else signal)
    model = signal.auto_model(elements=AMOUNTS)
    kept = ENERGY[model._channel_switches]
    assert 461 not in kept and kept[-1] == ENERGY[489]
    for element, amount in model.elemental_maps().items():
        np.testing.assert_allclose(amount.data, truth[element], rtol=0.05)
    assert model.doubtful == []


def test_axes_that_cannot_be_fitted():
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
    settings = {"elements": ["O"], "low_loss": low_loss, "low_loss_exposure_ratio": 1.0}
    maps = with_parameters(signal).auto_model(**settings).elemental_maps()
    assert maps["O"].metadata.Signal.quantity == "Areal density (atoms/nm²)"
    np.testing.assert_allclose(maps["O"].data, density, rtol=0.02)


@pytest.mark.parametrize("lazy", [False, True])
def test_modelled_zero_loss_peaks_serve_as_low_loss(lazy, caplog):
    """Both parts are counted; a saturated peak tells no number of electrons."""
    signal, _ = make_image({"O": 9.0}, (2, 2), counts=1e6)
    losses = np.arange(-40.0, 120.0)
    peak = 0.6 * np.exp(-0.5 * (losses / 1.7) ** 2) / 4.26 + 1e-3 / (1 + (losses / 2) ** 2)
    plasmon = 0.4 * np.exp(-0.5 * ((losses - 26) / 4) ** 2) / 10.03
    data = np.random.default_rng(0).poisson(1e6 * np.tile(peak + plasmon, (2, 2, 1))).astype(float)
    plain = hs.signals.Signal1D(data.copy())
    data[1, 1] = np.minimum(data[1, 1], 0.5 * data[1, 1].max())
    saturated = hs.signals.Signal1D(data)
    for low_loss in (plain, saturated):
        low_loss.set_signal_type("EELS")
        axis = low_loss.axes_manager[-1]
        axis.offset, axis.scale, axis.units = -40.0, 1.0, "eV"
    with_parameters(signal)
    settings = {"elements": ["O"], "low_loss_exposure_ratio": 1e-5}
    expected = signal.auto_model(low_loss=plain, **settings).elemental_maps()["O"]
    source = saturated.as_lazy() if lazy else saturated
    peaks = source.model_zero_loss_peak(zlp_range=(5.0, 15.0))
    found = signal.auto_model(low_loss=peaks, **settings).elemental_maps()["O"]
    assert found.metadata.Signal.quantity == "Areal density (atoms/nm²)"
    assert np.isnan(found.data[1, 1]) and "1 of 4 pixels cannot be fitted" in caplog.text
    usable = np.array([[True, True], [True, False]])
    np.testing.assert_allclose(found.data[usable], expected.data[usable], rtol=1e-4)


def test_one_low_loss_for_all_pixels(low_loss):
    signal, _ = make_image(AMOUNTS, (2, 3), counts=1e5)
    with_parameters(signal)
    data = np.tile(low_loss.data, (2, 3, 1)) * np.array([[1, 1, 1], [1, 1, 2.0]])[..., None]
    each = hs.signals.Signal1D(data)
    each.set_signal_type("EELS")
    axis = each.axes_manager[-1]
    axis.offset, axis.scale, axis.units = -20.0, 1.0, "eV"
    shared = signal.auto_model(elements=AMOUNTS, low_loss=low_loss)
    assert shared.low_loss.axes_manager.navigation_shape == (3, 2)
    assert shared.low_loss.axes_manager["x"].scale == 0.2
    expected = signal.auto_model(elements=AMOUNTS, low_loss=each).elemental_maps()
    for element, amount in shared.elemental_maps().items():
        np.testing.assert_allclose(amount.data.ravel()[:5], expected[element].data.ravel()[:5])
        assert amount.data[1, 2] == pytest.approx(2 * expected[element].data[1, 2])
    lazy = signal.as_lazy().auto_model(elements=AMOUNTS, low_loss=low_loss.as_lazy())
    np.testing.assert_allclose(
        lazy.elemental_maps()["O"].data, shared.elemental_maps()["O"].data, rtol=1e-6
    )


@pytest.mark.parametrize("lazy", [False, True])
def test_pixels_without_spectrum_or_low_loss_are_nan(lazy, caplog):
    signal, _ = make_image(AMOUNTS, (2, 3), counts=1e5)
    signal.data[0, 1] = np.nan
    low_loss = hs.signals.Signal1D(np.ones((2, 3, 1)) * (np.arange(140) == 20) * 1e8)
    low_loss.set_signal_type("EELS")
    low_loss.data[1, 2], low_loss.data[1, 0, 5] = 0, np.nan
    axis = low_loss.axes_manager[-1]
    axis.offset, axis.scale, axis.units = -20.0, 1.0, "eV"
    if lazy:
        signal, low_loss = signal.as_lazy(), low_loss.as_lazy()
    model = with_parameters(signal).auto_model(elements=AMOUNTS, low_loss=low_loss)
    assert "3 of 6 pixels cannot be fitted" in caplog.text
    fitted = np.isfinite(model.elemental_maps()["O"].data)
    np.testing.assert_array_equal(fitted, [[True, False, True], [False, True, False]])
    expected = np.asarray(signal.data - model.residual().data)[0, 2]
    assert np.isfinite(expected).all()
    if not lazy:  # where HyperSpy 2.5 mixes up the axes of the low loss
        shown = model.as_signal(out_of_range_to_nan=False).data[0, 2]
        np.testing.assert_allclose(shown, expected, rtol=1e-6)


def test_neighbouring_white_lines_do_not_take_each_others_place(superlattice):
    """Ba M ends where La M begins; a fit that mixes them up reports La in the BaTiO3 layers."""
    truth = {e: density.data for e, density in superlattice.metadata.Simulation.areal_density}
    model = superlattice.auto_model(elements=["O", "Ti", "La", "Mn", "Ba"])
    maps = {element: amount.data for element, amount in model.elemental_maps().items()}
    for element, amount in maps.items():
        assert np.corrcoef(amount.ravel(), truth[element].ravel())[0, 1] > 0.95, element
    barium = truth["Ba"] > 0.98 * truth["Ba"].max(axis=1, keepdims=True)
    variance = model.elemental_maps()["La"].metadata.Signal.Noise_properties.variance.data
    # of Ba some 4 % of the largest amount of La is taken for it, a little more than the noise
    assert (maps["La"][barium] < 4 * np.sqrt(variance[barium])).mean() > 0.9
    assert maps["La"][barium].mean() < 0.05 * maps["La"].max()
    assert model.doubtful == []


def test_counts_that_no_detector_gives_are_left_out(make_eels):
    """The smallest number of a type, as an overflow leaves it, and larger than any count."""
    signal = make_eels((2, 3))
    signal.set_microscope_parameters(beam_energy=200, convergence_angle=10, collection_angle=30)
    signal.change_dtype("int64")
    signal.data[0, 1, 40] = np.iinfo(np.int64).min
    amount = signal.auto_model(elements=["O"]).elemental_maps()["O"].data
    assert np.isnan(amount[0, 1]) and np.isfinite(amount).sum() == 5


@pytest.mark.parametrize("masked", [False, True])
def test_nothing_was_counted(make_eels, masked):
    signal = make_eels((2, 3))
    signal.set_microscope_parameters(beam_energy=200, convergence_angle=10, collection_angle=30)
    signal.data[:] = 0
    if masked:
        signal.data = np.ma.MaskedArray(signal.data, np.arange(signal.data.size) % 50 == 0)
        signal.data[:, :, 40] = np.ma.masked
    with pytest.raises(InvalidSpectraError, match="counts that can be fitted"):
        signal.auto_model(elements=["O"])
