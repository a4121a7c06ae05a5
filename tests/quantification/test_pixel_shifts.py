import hyperspy.api as hs
import numpy as np
import pytest
from known_images import AMOUNTS, ENERGY, cross_section, make_image, with_parameters

from hyperspy_eelsid.quantification.pixel_shifts import (
    best_shifts,
    drawn_to_zero,
    fine_structure,
    true_variance,
)

WHITE_LINES = {"O": 535.0, "Ti": 459.0, "Fe": 711.0}


def drifting_image(shape, counts, lines=0.0, drift=2.0):
    """Image whose energy axis is off by up to `drift` eV in each pixel, and by how much."""
    rng = np.random.default_rng(0)
    shifts = rng.uniform(-drift, drift, shape)
    fine = np.arange(390.0, 910.0, 0.1)
    factors = {element: rng.uniform(0.2, 1.8, shape) for element in AMOUNTS}
    data = np.zeros((*shape, len(ENERGY)))
    for element, amount in AMOUNTS.items():
        edge = cross_section(element, fine)
        edge += lines * edge.max() * np.exp(-0.5 * ((fine - WHITE_LINES[element]) / 1.2) ** 2)
        integral = np.concatenate([[0.0], np.cumsum(edge)[:-1]]) * 0.1
        for pixel in np.ndindex(shape):
            start, end = (np.interp(ENERGY + k - shifts[pixel], fine, integral) for k in (0, 1))
            data[pixel] += amount * factors[element][pixel] * (end - start)
    data += 4 * data.mean() * ((ENERGY - shifts[..., None]) / 500) ** -3
    scale = counts / data.mean()
    signal = hs.signals.Signal1D(rng.poisson(scale * data).astype(float))
    signal.set_signal_type("EELS")
    axis = signal.axes_manager[-1]
    axis.offset, axis.units = ENERGY[0], "eV"
    truth = {e: AMOUNTS[e] * factors[e] * scale for e in AMOUNTS}
    return with_parameters(signal), truth, shifts


def found_shifts(model):
    edge = model.components.O_K
    return edge.onset_energy.map["values"] - edge.GOS.onset_energy


@pytest.mark.slow
@pytest.mark.parametrize(
    ("counts", "lines", "error"), [(500, 0.0, 0.4), (500, 1.5, 0.2), (5000, 0.0, 0.25)]
)
def test_drift_is_found(counts, lines, error):
    signal, _, shifts = drifting_image((8, 10), counts, lines)
    model = signal.auto_model(elements=AMOUNTS, onset_shift="pixel")
    difference = found_shifts(model) - shifts
    assert np.sqrt(((difference - difference.mean()) ** 2).mean()) < error
    # a white line, 3 eV after the onset, draws that of the image
    assert difference.mean() == pytest.approx(1.0 if lines else 0.0, abs=0.3)
    for edge in (model.components.Fe_L3, model.components.Fe_L2, model.components.Fe_L1):
        own = edge.onset_energy.map["values"]
        np.testing.assert_allclose(
            own - own.mean(), found_shifts(model) - found_shifts(model).mean()
        )


@pytest.mark.slow
def test_amounts_are_less_biased():
    """Both by less than 1 %: fine structure takes up what a drift does at the onset. With shifts they scatter less."""
    signal, truth, _ = drifting_image((10, 10), 1e5)
    bias, scatter = {}, {}
    for onset_shift in ("image", "pixel"):
        maps = signal.auto_model(elements=AMOUNTS, onset_shift=onset_shift).elemental_maps()
        bias[onset_shift] = np.mean([abs(maps[e].data.sum() / truth[e].sum() - 1) for e in AMOUNTS])
        scatter[onset_shift] = np.mean([(maps[e].data / truth[e]).std() for e in AMOUNTS])
    assert max(bias.values()) < 0.01
    assert scatter["pixel"] < 0.9 * scatter["image"]


@pytest.mark.parametrize("counts", [20, 50, 5000])
def test_noise_is_no_drift(counts):
    signal, _ = make_image(AMOUNTS, (10, 10), counts=counts)
    with_parameters(signal)
    still = signal.auto_model(elements=AMOUNTS).elemental_maps()
    model = signal.auto_model(elements=AMOUNTS, onset_shift="pixel")
    assert np.ptp(found_shifts(model)) == 0
    np.testing.assert_allclose(model.elemental_maps()["Fe"].data, still["Fe"].data)


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_what_was_fitted_is_what_is_drawn_and_quantified(lazy):
    signal, truth, _ = drifting_image((2, 4), 5000)
    signal.data[1, 0] = np.nan
    if lazy:
        signal = signal.as_lazy()
    model = signal.auto_model(elements=AMOUNTS, onset_shift="pixel")
    assert np.ptp(found_shifts(model)) > 2
    assert np.isnan(model.elemental_maps()["O"].data).sum() == 1
    kept = model._channel_switches
    shown = np.asarray(model.as_signal().data)[..., kept]
    fitted = np.asarray(signal.data - model.residual().data)[..., kept]
    np.testing.assert_allclose(shown, fitted)
    part = model.inav[2:, :1]
    np.testing.assert_array_equal(found_shifts(part), found_shifts(model)[:1, 2:])
    before = part.elemental_maps()["O"].data
    part.fit_linear()
    np.testing.assert_allclose(part.elemental_maps()["O"].data, before, rtol=0.01)
    assert model.doubtful == []
    assert model.composition()["O"].data.shape == (2, 4)


def test_map_of_the_shift():
    signal, _, shifts = drifting_image((4, 6), 5000)
    model = signal.auto_model(elements=AMOUNTS, fit=False)
    shift = model.estimate_onset_shifts()
    assert shift.axes_manager.signal_shape == (6, 4)
    assert shift.metadata.Signal.quantity == "Onset shift (eV)"
    assert np.corrcoef(shift.data.ravel(), shifts.ravel())[0, 1] > 0.95
    again = model.estimate_onset_shifts().data
    np.testing.assert_allclose(again - again.mean(), shift.data - shift.data.mean(), atol=0.3)


@pytest.mark.slow
def test_a_low_loss_that_drifts_along_leaves_no_shift():
    signal, _ = make_image(AMOUNTS, (6, 6), counts=5000)
    drift = np.random.default_rng(1).integers(-2, 3, (6, 6))
    losses = np.zeros((6, 6, 140))
    for pixel in np.ndindex(6, 6):
        signal.data[pixel] = np.roll(signal.data[pixel], drift[pixel])
        losses[pixel][20 + drift[pixel]] = 1e8
    signal = with_parameters(signal).isig[5:-5]
    low_loss = hs.signals.Signal1D(losses)
    low_loss.set_signal_type("EELS")
    axis = low_loss.axes_manager[-1]
    axis.offset, axis.units = -20.0, "eV"
    together = signal.auto_model(elements=AMOUNTS, low_loss=low_loss, onset_shift="pixel")
    assert np.ptp(found_shifts(together)) <= 0.25
    alone = signal.auto_model(elements=AMOUNTS, onset_shift="pixel")
    np.testing.assert_allclose(found_shifts(alone), drift, atol=0.75)


def test_a_single_spectrum_has_the_shift_of_the_image():
    signal, _ = make_image(AMOUNTS, counts=1e5)
    model = with_parameters(signal).auto_model(elements=AMOUNTS, onset_shift="pixel")
    assert found_shifts(model).item() == 0


def test_values_of_the_argument():
    signal, _ = make_image(AMOUNTS)
    with pytest.raises(ValueError, match="'image', 'pixel' or None, not True"):
        with_parameters(signal).auto_model(elements=AMOUNTS, onset_shift=True)


def test_fine_structure_is_divided_by_amounts():
    rng = np.random.default_rng(0)
    amounts = rng.random((50, 2))
    truth = np.array([[1.0, 2.0, 0.0], [0.0, 3.0, 4.0]])
    found = fine_structure(truth > 0, amounts.T @ amounts, amounts.T @ (amounts @ truth))
    np.testing.assert_allclose(found, truth, atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0, 4.0])
def test_best_shift_and_its_error(scale):
    energy = np.arange(0.0, 100.0, scale)
    rng = np.random.default_rng(2)
    background = np.full((400, len(energy)), 500.0 * scale)
    edges, moved = (
        np.tile(300.0 * scale / (1 + np.exp(-(energy - 50 - shift) / 2)), (400, 1))
        for shift in (0.0, 1.2)
    )
    counts = rng.poisson(background + moved)
    shifts, errors = best_shifts(counts, background, edges, np.arange(len(energy)), scale)
    assert shifts.mean() == pytest.approx(1.2, abs=0.1)
    assert 0.7 < shifts.std() / errors.mean() < 1.25


def drawn(shifts, errors):
    return drawn_to_zero(shifts, errors, true_variance(shifts, errors))


def test_uncertain_shifts_are_drawn():
    rng = np.random.default_rng(0)
    errors = np.where(np.arange(1000) % 2, 0.1, 3.0)
    truth = rng.normal(0, 1, 1000)
    shifts = drawn(truth + rng.normal(0, errors), errors)
    certain, uncertain = shifts[1::2] - truth[1::2], shifts[::2] - truth[::2]
    assert certain.std() < 0.15 and uncertain.std() < 1.05
    assert not drawn(rng.normal(0, 0.8 * errors), errors).any()
    assert drawn(np.array([1.0, -1.0, 0.0]), np.array([0.1, 0.1, np.inf]))[2] == 0
