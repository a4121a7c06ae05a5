import hyperspy.api as hs
import numpy as np
import pytest
from known_images import AMOUNTS, ENERGY, PARAMETERS, cross_section, make_image, with_parameters
from scipy.stats import poisson

from hyperspy_eelsid.edges.fine_structure import FineStructure
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.quantification.linear_model import recorded_channels
from hyperspy_eelsid.quantification.near_edge_structure import Onset, in_regions, knots, regions

LINES = {"O": 535.0, "Ti": 460.0, "Fe": 711.0}
WINDOW = (ENERGY[0], ENERGY[-1])


def image_with_lines(shape, counts=None, low_loss=None, height=3):
    """White lines three times as high as the edges, and the plural scattering of a low loss."""
    signal, truth = make_image(AMOUNTS, shape)
    energy = np.arange(ENERGY[0] - 119, ENERGY[-1] + 21)
    edges = {}
    for element in AMOUNTS:
        edge = cross_section(element, energy)
        edge *= 1 + height * np.exp(-0.5 * ((energy - LINES[element]) / 3) ** 2)
        loss = np.eye(140)[20] if low_loss is None else low_loss
        edges[element] = np.convolve(loss, edge, mode="valid")
    data = sum(truth[e][..., None] * edges[e] for e in AMOUNTS)
    data = data + 4 * data.mean() * (ENERGY / 500) ** -3.0
    scale = 1.0 if counts is None else counts / data.mean()
    signal.data = data * scale
    if counts is not None:
        signal.data = np.random.default_rng(4).poisson(signal.data).astype(float)
    return with_parameters(signal), {e: truth[e] * scale for e in AMOUNTS}


def low_loss_of(losses):
    signal = hs.signals.Signal1D(losses)
    signal.set_signal_type("EELS")
    axis = signal.axes_manager[-1]
    axis.offset, axis.units = -20.0, "eV"
    return signal


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
def test_white_lines_do_not_change_the_amounts(lazy):
    """Four times the intensity at the onset, in every pixel: as if it were not there."""
    signal, truth = image_with_lines((2, 3))
    model = (signal.as_lazy() if lazy else signal).auto_model(elements=AMOUNTS, onset_shift=None)
    for element, amount in model.elemental_maps().items():
        np.testing.assert_allclose(amount.data, truth[element], rtol=0.01)
    # no gaps, and the lines are drawn
    drawn = np.asarray(model.as_signal().data)
    assert np.isfinite(drawn).all()
    np.testing.assert_allclose(drawn, signal.data - np.asarray(model.residual().data))
    np.testing.assert_allclose(drawn, signal.data, rtol=0.05)
    without = signal.auto_model(elements=AMOUNTS, onset_shift=None, fine_structure=None)
    assert abs(without.elemental_maps()["Fe"].data / truth["Fe"] - 1).min() > 0.05


def test_plural_scattering_of_the_lines_counts_for_the_amounts():
    """The low loss tells how much of what follows an edge was lost by its white line."""
    losses = np.arange(-20.0, 120.0)
    loss = 0.4 * (losses == 0) + 0.6 * np.exp(-0.5 * ((losses - 22) / 4) ** 2) / 10.03
    signal, truth = image_with_lines((2, 2), low_loss=loss)
    found = {}
    for choice in ("free", "excluded"):
        model = signal.auto_model(
            elements=AMOUNTS,
            onset_shift=None,
            low_loss=low_loss_of(loss),
            fine_structure=choice,
        )
        maps = model.elemental_maps()
        found[choice] = max(abs(maps[e].data * 1e-10 / truth[e] - 1).max() for e in AMOUNTS)
    assert found["free"] < 0.02 < found["excluded"]


@pytest.mark.parametrize("phase", [0.0, 3.1])
def test_amounts_do_not_depend_on_how_wide_fine_structure_is(phase):
    """Oxygen follows titanium at 76 eV: the far fine structure of Ti must not be all that tells its amount."""
    data, amounts = np.zeros(len(ENERGY)), {"O": 9.0, "Ti": 3.0}
    for element, amount in amounts.items():
        above = np.maximum(ENERGY - {"O": 532.0, "Ti": 456.0}[element], 0)
        wiggles = 0.15 * np.exp(-above / 50) * np.cos(2 * np.pi * above / 35 + phase) * (above > 20)
        data += amount * cross_section(element) * (1 + wiggles)
    signal = make_image(amounts)[0]
    signal.data = data + 4 * data.mean() * (ENERGY / 500) ** -3.0
    ratios = []
    for width in (40, 50, 70):
        model = with_parameters(signal).auto_model(
            elements=amounts,
            onset_shift=None,
            fine_structure=width,
            low_loss=low_loss_of(1e8 * np.eye(140)[20]),
        )
        maps = model.elemental_maps()
        ratios.append(maps["Ti"].data.item() / maps["O"].data.item() * 3)
    np.testing.assert_allclose(ratios, 1, rtol=0.08)
    np.testing.assert_allclose(ratios, ratios[0], rtol=0.05)


def test_a_second_opinion_on_a_thick_sample():
    """White lines and their plural scattering are no reason to doubt an edge, nor to believe in one."""
    losses = np.arange(-20.0, 120.0)
    loss = 0.5 * (losses == 0) + 0.5 * np.exp(-0.5 * ((losses - 22) / 5) ** 2) / 12.53
    signal, _ = image_with_lines((4, 4), counts=5000, low_loss=loss)
    elements = [*AMOUNTS, "Cr"]
    model = signal.auto_model(elements=elements, low_loss=low_loss_of(1e8 * loss))
    without = signal.auto_model(elements=elements)
    assert model.doubtful == without.doubtful == ["Cr"]
    for element, sure in model.significance().items():
        assert sure.total == pytest.approx(without.significance()[element].total)


@pytest.mark.parametrize("thickness", [0.0, 0.2, 1.2])
def test_thick_samples_are_suspected_without_a_low_loss(thickness, caplog):
    losses = np.arange(-20.0, 120.0)
    loss, order = np.zeros(140), np.eye(140)[20]
    plasmon = (losses > 0) / (1 + ((losses - 22) / 5) ** 2)
    for number in range(6):
        loss += poisson.pmf(number, thickness) * order
        order = np.convolve(order, plasmon / plasmon.sum())[20:160]
    signal, _ = image_with_lines((2, 3), low_loss=loss, height=0.5)
    signal.auto_model(elements=AMOUNTS)
    assert ("seems to be thicker" in caplog.text) == (thickness > 1)
    caplog.clear()
    signal.auto_model(elements=AMOUNTS, low_loss=low_loss_of(1e8 * loss))
    assert "seems to be thicker" not in caplog.text


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0, 4.0, 8.0])
@pytest.mark.parametrize("binned", [True, False])
def test_channels_of_any_width(scale, binned):
    """Drawn on the data, with the same amounts, whether counts are in channels or per eV."""
    energy = np.arange(400.0, 900.0, scale)
    data = 9.0 * cross_section("O", energy) + 4.0 * cross_section("Fe", energy)
    data += 4 * data.mean() * (energy / 500) ** -3.0
    signal = hs.signals.Signal1D(data * (scale if binned else 1.0))
    signal.set_signal_type("EELS")
    axis = signal.axes_manager[-1]
    axis.offset, axis.scale, axis.units, axis.is_binned = 400.0, scale, "eV", binned
    model = with_parameters(signal).auto_model(elements=["O", "Fe"], onset_shift=None)
    np.testing.assert_allclose(model.as_signal().data, signal.data, rtol=2e-3)
    for element, amount in model.elemental_maps().items():
        assert amount.data.item() == pytest.approx({"O": 9, "Fe": 4}[element], rel=0.01)


def test_fitted_near_edge_structure_and_its_error():
    """What was put in, within errors that are as large as the scatter."""
    signal, truth = image_with_lines((12, 12), counts=3000)
    model = signal.auto_model(elements=AMOUNTS, onset_shift=None)
    shape = model.fine_structure("Fe_L")
    assert shape.axes_manager.signal_shape == (53,)  # from 4 eV before L3 to the last knot after L2
    assert shape.axes_manager.navigation_shape == (12, 12)
    assert shape.axes_manager[-1].offset == 705
    assert shape.metadata.Signal.quantity == "Intensity (counts/eV)"
    energy = shape.axes_manager[-1].axis
    edge = cross_section("Fe")[(ENERGY >= energy[0]) & (ENERGY <= energy[-1])]
    edge *= 1 + 3 * np.exp(-0.5 * ((energy - 711) / 3) ** 2)
    expected = truth["Fe"][..., None] * edge
    error = np.sqrt(shape.metadata.Signal.Noise_properties.variance.data)
    after = slice(3, 50)  # from the onset on
    pulls = ((shape.data - expected) / error)[..., after]
    mean, right = (values.mean(axis=(0, 1))[after] for values in (shape.data, expected))
    np.testing.assert_allclose(mean, right, rtol=0.1)
    assert 0.85 < pulls.std() < 1.15
    assert model.fine_structure("fe_l3").data.shape == shape.data.shape


def test_edges_without_fine_structure_are_named():
    signal, _ = make_image(AMOUNTS)
    with_parameters(signal)
    model = signal.auto_model(elements=["Ti", "O"])
    with pytest.raises(ArgumentError, match="'Fe_L', options are Ti_L, O_K"):
        model.fine_structure("Fe_L")
    with pytest.raises(ArgumentError, match="none: fit with fine_structure='free'"):
        signal.auto_model(elements=["O"], fine_structure="excluded").fine_structure("O_K")


@pytest.mark.filterwarnings("ignore:The model contains non-free parameters")
def test_models_keep_it(tmp_path):
    """Slices, stored and saved models, and HyperSpy's own fits, which leave it alone."""
    signal, truth = image_with_lines((2, 3))
    model = signal.auto_model(elements=AMOUNTS, onset_shift=None)
    shape = model.fine_structure("O_K")
    part = model.inav[1:, :1]
    np.testing.assert_allclose(part.fine_structure("O_K").data, shape.data[:1, 1:])
    model.store("a")
    signal.save(tmp_path / "image.hspy")
    restored = hs.load(tmp_path / "image.hspy").models.restore("a")
    assert isinstance(restored.components.O_K_fine_structure, FineStructure)
    np.testing.assert_allclose(restored.fine_structure("O_K").data, shape.data)
    np.testing.assert_allclose(restored.residual().data, model.residual().data, atol=1e-6)
    restored.components.O_K.onset_energy.value += 1
    assert restored.components.O_K_fine_structure.onset_energy.value == 533


@pytest.mark.filterwarnings("ignore:The model contains non-free parameters")
def test_fits_of_hyperspy_leave_it_alone():
    signal, truth = make_image(AMOUNTS, (2,))
    model = with_parameters(signal).auto_model(elements=AMOUNTS, onset_shift=None)
    shape = model.fine_structure("Ti_L").data
    model.multifit(optimizer="lstsq", show_progressbar=False, calculate_errors=False)
    for element, amount in model.elemental_maps().items():
        np.testing.assert_allclose(amount.data, truth[element], rtol=0.01)
    np.testing.assert_allclose(model.fine_structure("Ti_L").data, shape, rtol=0.01)


def test_infinite_counts_are_like_those_that_are_missing():
    signal, truth = make_image(AMOUNTS, (2, 3), counts=1e5)
    signal.data[0, 1, 150], signal.data[1, 2, 20] = np.inf, -np.inf
    for shift in ("image", "pixel"):
        model = with_parameters(signal).auto_model(elements=AMOUNTS, onset_shift=shift)
        fitted = np.isfinite(model.elemental_maps()["O"].data)
        np.testing.assert_array_equal(fitted, [[True, False, True], [True, True, False]])


def test_dark_last_channels_are_left_out():
    rng = np.random.default_rng(0)
    spectrum = 1e6 * (ENERGY / 500) ** -3.0
    for number in (0, 1, 3, 4):
        counts = rng.poisson(spectrum).astype(float)
        counts[len(counts) - number :] *= np.linspace(0.85, 0.3, number)
        assert recorded_channels(counts).sum() == len(counts) - number
    noisy = rng.poisson(spectrum / 200000).astype(float) + 0.1
    assert recorded_channels(noisy).all()


def onsets(**energies):
    return [
        Onset(energy, name.split("_")[0], name.split("_")[1]) for name, energy in energies.items()
    ]


@pytest.mark.parametrize("convolved", [False, True])
def test_regions_end_before_the_next_onset(convolved):
    lanthanum = onsets(Ba_M5=781.0, Ba_M4=796.0, La_M5=832.0)
    found = regions(ENERGY, lanthanum, WINDOW, 40.0, convolved)
    ends = [805.0 if convolved else 820.0, 820.0, 872.0]
    assert [(r.start, r.end) for r in found] == list(zip([777.0, 792.0, 828.0], ends, strict=True))
    for width in (50.0, 70.0):
        found = regions(ENERGY, onsets(Ti_L3=456.0, O_K=532.0), WINDOW, width, convolved)
        titanium = 492.0 if convolved else min(456.0 + width, 520.0)
        assert [r.end for r in found] == [titanium, 532.0 + width]


def test_what_two_edges_share_belongs_to_the_second():
    found = regions(ENERGY, onsets(V_L3=513.0, V_L2=521.0, O_K=532.0), WINDOW, 40.0)
    assert [(r.start, r.end) for r in found] == [(509.0, 528.0), (517.0, 528.0), (528.0, 572.0)]
    same = regions(ENERGY, onsets(N_K=401.0, Sc_L3=401.0), (300.0, 900.0), 40.0)
    assert sorted(r.end - r.start for r in same)[0] == 0


def test_regions_shrink_in_a_narrow_window():
    found = regions(ENERGY, onsets(O_K=532.0), (520.0, 560.0), 40.0)
    assert found[0].end == 552
    assert regions(ENERGY, onsets(O_K=532.0), (531.0, 532.5), 40.0) == []


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0, 8.0])
def test_knots(scale):
    found = regions(ENERGY, onsets(Ti_L3=456.0, Ti_L2=462.0), WINDOW, 40.0)
    energies = knots(found, scale)
    assert (
        energies[0] == 456 - max(scale, 4) + (scale == 3)
        and 502 - max(4, scale) < energies[-1] <= 502
    )
    assert 456 in energies and in_regions(energies[1:], found).all()
    steps = np.diff(energies)
    jump = np.flatnonzero(energies == 456)[0] - 1
    assert 0 < steps[jump] < 1e-5
    steps = np.delete(steps, jump)
    assert (steps > scale - 1e-3).all() and (steps > 1.9).all()
    assert steps.max() <= max(4, scale)
    assert knots([found[0]._replace(end=450.0)], scale).size == 0


def test_a_component_alone_is_zero():
    component = FineStructure("O_K", [-4, 0, 4, 8])
    component.coefficients.value = (1.0, 2.0)
    assert not component.function(ENERGY).any()
    assert set(PARAMETERS) == {"beam_energy", "convergence_angle", "collection_angle"}
