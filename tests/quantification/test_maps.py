import numpy as np
import pytest
from known_images import AMOUNTS, ENERGY, cross_section, make_image, with_parameters

from hyperspy_eelsid.exceptions import ArgumentError


def test_areal_densities_from_the_number_of_electrons():
    """Counts = electrons x areal density x cross section."""
    signal, truth = make_image(AMOUNTS, (2, 3))
    model = with_parameters(signal).auto_model(elements=AMOUNTS)
    relative = model.elemental_maps()["Ti"]
    electrons = relative._deepcopy_with_new_data(np.array([[1e8, 2e8, 3e8], [4e8, 5e8, 6e8]]))
    for number in (2e8, electrons):
        absolute = model.elemental_maps(electrons=number)["Ti"]
        assert absolute.metadata.Signal.quantity == "Areal density (atoms/nm²)"
        # 1 / barn = 1e10 / nm2
        expected = 1e10 * truth["Ti"] / getattr(number, "data", number)
        np.testing.assert_allclose(absolute.data, expected, rtol=1e-3)
        errors = [
            np.sqrt(m.metadata.Signal.Noise_properties.variance.data) / m.data
            for m in (absolute, relative)
        ]
        np.testing.assert_allclose(*errors)


@pytest.mark.parametrize("electrons", [0, -1e8, np.nan, "many", [1e8, 2e8]])
def test_numbers_of_electrons_that_there_are_not(electrons):
    signal, _ = make_image(AMOUNTS, (2, 3))
    model = with_parameters(signal).auto_model(elements=AMOUNTS, fit=False)
    with pytest.raises(ArgumentError, match="electrons must be a positive number, or a signal"):
        model.elemental_maps(electrons=electrons)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("shape", [(), (4,), (3, 5)])
def test_composition_adds_up_to_the_truth(shape, lazy):
    signal, truth = make_image(AMOUNTS, shape)
    signal = with_parameters(signal.as_lazy() if lazy else signal)
    fractions = signal.auto_model(elements=AMOUNTS).composition()
    total = sum(truth.values())
    for element, fraction in fractions.items():
        expected = truth[element] / total
        np.testing.assert_allclose(fraction.data.squeeze(), expected.squeeze(), rtol=2e-3)
        assert fraction.metadata.Signal.quantity == "Atomic fraction"
        assert fraction.metadata.General.title == element
    np.testing.assert_allclose(sum(f.data for f in fractions.values()), 1)


def test_errors_of_the_composition_tell_the_scatter():
    signal, truth = make_image(AMOUNTS, (15, 15), counts=5000)
    fractions = with_parameters(signal).auto_model(elements=AMOUNTS).composition()
    total = sum(truth.values())
    for element, fraction in fractions.items():
        error = np.sqrt(fraction.metadata.Signal.Noise_properties.variance.data)
        pull = (fraction.data - truth[element] / total) / error
        assert 0.75 < pull.std() < 1.25, element
        assert abs(pull.mean()) < 0.6, element


def test_weight_fractions():
    signal, truth = make_image(AMOUNTS, (15, 15), counts=5000)
    model = with_parameters(signal).auto_model(elements=AMOUNTS, onset_shift=None)
    fractions = model.composition(weight=True)
    masses = {"O": 15.999, "Ti": 47.867, "Fe": 55.845}
    total = sum(truth[e] * masses[e] for e in AMOUNTS)
    np.testing.assert_allclose(sum(f.data for f in fractions.values()), 1)
    for element, fraction in fractions.items():
        assert fraction.metadata.Signal.quantity == "Weight fraction"
        assert fraction.metadata.General.title == element
        error = np.sqrt(fraction.metadata.Signal.Noise_properties.variance.data)
        pull = (fraction.data - truth[element] * masses[element] / total) / error
        assert 0.75 < pull.std() < 1.25, element
        assert abs(pull.mean()) < 0.6, element
    with pytest.raises(ArgumentError, match="weight must be True or False"):
        model.composition(weight="percent")


def test_volume_densities():
    """Atoms in an area over the thickness, whose error counts as well."""
    signal, _ = make_image(AMOUNTS, (2, 3), counts=1e5)
    model = with_parameters(signal).auto_model(elements=AMOUNTS)
    areal = model.elemental_maps(electrons=1e8)["Ti"]
    noise = areal.metadata.Signal.Noise_properties.variance.data
    density = model.volume_densities(20.0, electrons=1e8)["Ti"]
    assert density.metadata.Signal.quantity == "Density (atoms/nm³)"
    np.testing.assert_allclose(density.data, areal.data / 20)
    variance = density.metadata.Signal.Noise_properties.variance.data
    np.testing.assert_allclose(variance, noise / 400)
    thickness = areal._deepcopy_with_new_data(np.array([[10.0, 20, 40], [0, 20, 20]]))
    thickness.metadata.Signal.quantity = "thickness (nm)"
    noise_of_thickness = thickness._deepcopy_with_new_data(np.full((2, 3), 4.0))
    thickness.metadata.set_item("Signal.Noise_properties.variance", noise_of_thickness)
    density = model.volume_densities(thickness, electrons=1e8)["Ti"]
    variance = density.metadata.Signal.Noise_properties.variance.data
    assert np.isnan(density.data[1, 0]) and np.isnan(variance[1, 0])
    assert density.data[0, 2] == pytest.approx(areal.data[0, 2] / 40)
    relative = np.sqrt(variance[0, 0]) / density.data[0, 0]
    assert relative == pytest.approx(np.hypot(0.2, np.sqrt(noise[0, 0]) / areal.data[0, 0]))


def test_volume_densities_that_cannot_be_had():
    signal, _ = make_image(AMOUNTS, (2, 3))
    model = with_parameters(signal).auto_model(elements=AMOUNTS, fit=False)
    with pytest.raises(ArgumentError, match="Without the number of electrons"):
        model.volume_densities(20.0)
    for thickness in (0, -1.0, np.nan, "thin", np.ones((3, 2)), np.ones(5)):
        with pytest.raises(ArgumentError, match="thickness must be a positive number"):
            model.volume_densities(thickness, electrons=1e8)
    relative = model.elemental_maps()["O"]
    relative.metadata.Signal.quantity = "thickness (mean free paths)"
    with pytest.raises(ArgumentError, match="mean free paths"):
        model.volume_densities(relative, electrons=1e8)


def test_composition_of_a_single_element_is_certain():
    signal, _ = make_image({"O": 9.0}, (2, 2), counts=1000)
    fraction = with_parameters(signal).auto_model(elements=["O"]).composition()["O"]
    np.testing.assert_allclose(fraction.data, 1)
    np.testing.assert_allclose(fraction.metadata.Signal.Noise_properties.variance.data, 0)


def test_composition_is_nan_where_nothing_was_found():
    """Of background alone, noise leaves few pixels a total above its standard error."""
    signal, _ = make_image(AMOUNTS, (4, 10), counts=2000)
    signal.data[0, 0] = np.nan
    signal.data[1:3] = np.random.default_rng(1).poisson(2000 * (ENERGY / 500) ** -3, (2, 10, 500))
    model = with_parameters(signal).auto_model(elements=["O", "Fe"], onset_shift=None)
    missing = np.isnan(model.composition()["O"].data)
    assert missing[0, 0] and missing[1:3].mean() > 0.5
    assert not missing[0, 1:].any() and not missing[3].any()


def test_composition_is_nan_in_a_background_without_noise():
    """Rounding leaves amounts that are not zero, with errors that are as small."""
    signal, _ = make_image(AMOUNTS, (2, 3))
    background = 4000 * (ENERGY / 500) ** -3
    signal.data[0, 0], signal.data[1, 1] = background, background + 1e-4 * cross_section("O")
    fractions = with_parameters(signal).auto_model(elements=AMOUNTS).composition()
    for element, fraction in fractions.items():
        assert np.flatnonzero(np.isnan(fraction.data)).tolist() == [0], element
    assert fractions["O"].data[1, 1] == pytest.approx(1, abs=1e-3)


def test_absent_elements_are_doubtful(caplog):
    signal, _ = make_image({"O": 9.0, "Fe": 4.0}, (10, 10), counts=2000)
    model = with_parameters(signal).auto_model(elements=["O", "Cr", "Fe"])
    assert model.doubtful == ["Cr"]
    assert "The fit does not confirm Cr (" in caplog.text
    certain = model.significance()
    assert certain["O"].total > 20 and certain["O"].pixels > 0.9
    assert certain["Cr"].total < 3 and certain["Cr"].pixels < 0.05


def test_what_the_model_misses_does_not_confirm_an_absent_element():
    """A hump in a well counted background looks like an edge to an error that holds noise alone."""
    signal, _ = make_image({"O": 9.0, "Fe": 4.0}, counts=1e7)
    signal.data *= 1 + 0.03 * np.exp(-0.5 * ((ENERGY - 640) / 25) ** 2)
    model = with_parameters(signal).auto_model(elements=["O", "Cr", "Fe"], onset_shift=None)
    chromium = model.elemental_maps()["Cr"]
    error = np.sqrt(chromium.metadata.Signal.Noise_properties.variance.data)
    assert chromium.data > 3 * error
    assert model.doubtful == ["Cr"]


def test_significance_grows_with_the_dose_up_to_what_models_are_good_for():
    ratios = []
    for counts in (5, 20, 1e4, 1e6):
        signal, _ = make_image(AMOUNTS, (5, 5), counts=counts)
        model = with_parameters(signal).auto_model(elements=AMOUNTS, onset_shift=None)
        ratios.append(model.significance()["O"].total)
    assert ratios[1] / ratios[0] == pytest.approx(2, rel=0.3)
    assert ratios[3] / ratios[2] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("amount", "doubtful"), [(0.03, ["Ti"]), (0.2, [])])
def test_an_edge_as_small_as_the_error_of_models_is_doubtful(amount, doubtful):
    """Their edges are 0.6 and 4 % of the counts; noise would tell both."""
    signal, _ = make_image({"O": 9.0, "Ti": amount, "Fe": 4.0}, (5, 5), counts=10000)
    model = with_parameters(signal).auto_model(elements=["O", "Ti", "Fe"], onset_shift=None)
    titanium = model.elemental_maps()["Ti"]
    error = np.sqrt(titanium.metadata.Signal.Noise_properties.variance.data)
    assert titanium.data.mean() > 3 * error.mean() / 5
    assert model.doubtful == doubtful


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("shape", [(), (3, 4)])
def test_residual_holds_what_the_model_does_not(shape, lazy):
    signal, _ = make_image(AMOUNTS, shape)
    peak = 0.1 * signal.data.mean() * np.exp(-0.5 * ((ENERGY - 545) / 3) ** 2)
    signal.data += peak  # in the fine structure of O K, which is left out of the fit
    signal = with_parameters(signal.as_lazy() if lazy else signal)
    residual = signal.auto_model(elements=AMOUNTS, fine_structure="excluded").residual()
    assert residual._lazy == lazy
    assert residual.axes_manager.shape == signal.axes_manager.shape
    np.testing.assert_allclose(
        np.asarray(residual.data), np.broadcast_to(peak, (*shape, 500)), atol=0.05 * peak.max()
    )


def test_residual_is_nan_where_nothing_was_fitted():
    signal, _ = make_image(AMOUNTS, (2, 2))
    signal.data[0, 1, 3] = np.inf
    residual = with_parameters(signal).auto_model(elements=["O", "Ti", "Fe"]).residual().data
    assert np.isnan(residual[0, 1]).any() and np.isfinite(residual[1]).all()


def test_a_pixel_with_an_infinite_count_has_neither_amount_nor_variance():
    signal, _ = make_image(AMOUNTS, (2, 2))
    signal.data[0, 1, 300] = np.inf
    maps = with_parameters(signal).auto_model(elements=["O", "Ti", "Fe"]).elemental_maps()
    for amount in maps.values():
        variance = amount.metadata.Signal.Noise_properties.variance.data
        assert np.isnan(amount.data[0, 1]) and np.isnan(variance[0, 1])
        assert np.isfinite(variance[1]).all()


@pytest.mark.parametrize(
    "name",
    ["fit_linear", "composition", "residual", "significance", "estimate_onset_shifts", "plot_maps"],
)
@pytest.mark.parametrize("background", [False, True])
def test_models_without_edges_are_told(name, background):
    signal, _ = make_image(AMOUNTS, (2, 2))
    model = with_parameters(signal).create_model(auto_add_edges=False, auto_background=background)
    with pytest.raises(ArgumentError, match="no active edge"):
        getattr(model, name)()
