import logging

import dask.array as da
import numpy as np
import pytest
from known_edges import as_eels, mixed
from numpy.testing import assert_allclose

from hyperspy_eelsid.exceptions import (
    ArgumentError,
    EnergyAxisError,
    ThicknessError,
    UnknownElementError,
)
from hyperspy_eelsid.oxidation import references
from hyperspy_eelsid.oxidation.mixture import common_misfit

TWO, THREE = "Mn2+ (computed)", "Mn3+ (computed)"


def two(shape=(), seed=0, share=None, **given):
    """Image of Mn2+ and Mn3+, and the share of the second."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.1, 0.9, shape) if share is None else np.broadcast_to(share, shape)
    return mixed(np.stack([1 - share, share], axis=-1), **given), share


def ions(resolution=0.8, measured=True):
    """References, as users have them, from a spectrometer of that resolution."""
    result = references("Mn", 0.2, resolution)[:2]
    if measured:
        for ion, charge in zip(result, (2, 3), strict=True):
            del ion.metadata.Signal.reference
            ion.metadata.General.title = f"Mn{charge}+"
    return result


def pulls(fractions, label, truth):
    signal = fractions[label]
    error = np.sqrt(signal.metadata.Signal.Noise_properties.variance.data)
    return (signal.data - truth) / error


@pytest.mark.parametrize(("counts", "error"), [(100, 0.06), (1000, 0.02), (10000, 0.007)])
def test_fractions_and_their_errors(counts, error):
    signal, truth = two((20, 20), counts=counts)
    fractions = signal.oxidation_fractions(ions())
    assert np.nanmean(np.abs(fractions["Mn3+"].data - truth)) < error
    assert np.nanstd(pulls(fractions, "Mn3+", truth)) == pytest.approx(1, abs=0.15)
    assert np.nanmedian(fractions.chi_squared.data) == pytest.approx(1, abs=0.08)
    assert_allclose(fractions["Mn2+"].data + fractions["Mn3+"].data, 1)


def test_another_resolution_and_axis():
    signal, truth = two((20, 20), resolution=1.8)
    signal.axes_manager[-1].offset += 2.3
    fractions = signal.oxidation_fractions(ions())
    assert fractions.shift.data[0, 0] == pytest.approx(2.3, abs=0.05)
    assert fractions.blur == pytest.approx(np.sqrt(1.8**2 - 0.8**2), abs=0.1)
    assert np.abs(fractions["Mn3+"].data - truth).mean() < 0.02
    wrong = signal.oxidation_fractions(ions(), align=None, broaden=False)
    assert np.abs(wrong["Mn3+"].data - truth).mean() > 0.2


@pytest.mark.slow
def test_drift_is_followed_when_asked_for():
    signal, truth = two((20, 20), counts=2000)
    drift = np.random.default_rng(1).normal(0, 0.4, truth.shape)
    energy = signal.axes_manager[-1].axis
    clean, _ = two((20, 20), counts=None)
    moved = [
        np.interp(energy - d, energy, y)
        for d, y in zip(drift.ravel(), clean.data.reshape(-1, len(energy)), strict=True)
    ]
    counts = np.random.default_rng(2).poisson(2000 * np.reshape(moved, clean.data.shape))
    drifting = as_eels(counts.astype(float), energy)
    followed = drifting.oxidation_fractions(ions(), align="pixel")
    error = np.abs(followed["Mn3+"].data - truth).mean()
    assert error < 0.03
    assert error < 0.5 * np.abs(drifting.oxidation_fractions(ions())["Mn3+"].data - truth).mean()
    assert np.std(followed.shift.data - drift) < 0.1
    assert np.std(pulls(followed, "Mn3+", truth)) == pytest.approx(1, abs=0.25)
    assert followed.misfit < 2 < drifting.oxidation_fractions(ions()).misfit
    # and harms nothing where there is none
    still = signal.oxidation_fractions(ions(), align="pixel")
    assert np.ptp(still.shift.data) < 0.1
    assert np.abs(still["Mn3+"].data - truth).mean() < 0.015


def test_mean_valence():
    signal, truth = two((10, 10))
    valence = signal.oxidation_fractions(ions()).valence
    assert np.abs(valence.data - 2 - truth).mean() < 0.02
    error = np.sqrt(valence.metadata.Signal.Noise_properties.variance.data)
    assert np.std((valence.data - 2 - truth) / error) == pytest.approx(1, abs=0.25)
    named = dict(zip(("core", "shell"), ions(), strict=True))
    assert signal.oxidation_fractions(named).valence is None


def warned(caplog, signal, refs, **given):
    """The fit, and whether it warns that it cannot be believed."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        fractions = signal.oxidation_fractions(refs, **given)
    return fractions, "do not explain" in caplog.text


def test_a_missing_state_warns(caplog):
    share = np.tile([0.0, 0.5, 0.5], (10, 10, 1))
    fractions, told = warned(caplog, mixed(share, counts=10000), ions())
    assert told and fractions.misfit > 10
    assert np.median(fractions.chi_squared.data) > 1.5


@pytest.mark.parametrize(
    ("shape", "counts"),
    [((), 100), ((), 10000), ((3, 3), 1000), ((16, 16), 100), ((16, 16), 10000)],
)
def test_references_that_match_do_not_warn(counts, shape, caplog):
    fractions, told = warned(caplog, two(shape, counts=counts, seed=3)[0], ions())
    assert not told and fractions.misfit < 1


@pytest.mark.parametrize("lazy", [False, True])
def test_references_that_are_too_broad_warn(lazy, caplog):
    """Errors are several times too small, though chi-squared is nearly one."""
    signal, truth = two((20, 20), resolution=0.8)
    fractions, told = warned(caplog, signal.as_lazy() if lazy else signal, ions(np.hypot(0.8, 1.2)))
    assert told
    if lazy:
        return
    assert fractions.blur < 0.2
    assert np.median(fractions.chi_squared.data) < 1.1
    pull = np.sqrt(np.median(pulls(fractions, "Mn3+", truth) ** 2) / 0.455)
    assert pull > 2
    assert 0.5 < fractions.misfit / pull < 2
    # references that are too sharp are broadened
    fractions, told = warned(caplog, two((20, 20), resolution=np.hypot(0.8, 1.2))[0], ions())
    assert not told and fractions.misfit < 1


def test_common_misfit_is_what_was_put_in():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(500, 200))
    assert common_misfit(noise) == 0
    assert common_misfit(noise[:1]) == 0
    assert common_misfit(noise[:0]) == 0
    shape = np.sin(np.linspace(0, 9, 200))
    shape /= np.linalg.norm(shape)
    for size in (3.0, 10.0):
        assert common_misfit(noise + size * shape) == pytest.approx(size, rel=0.1)
        amounts = rng.normal(0, size, (500, 1))  # of any sign, as a drift makes it
        assert common_misfit(noise + amounts * shape) == pytest.approx(size, rel=0.1)


def test_computed_references_are_marked():
    signal, truth = two((10, 10))
    fractions = signal.oxidation_fractions(ions(measured=False))
    assert fractions[THREE].metadata.EELSID.oxidation.computed == [True, True]
    assert np.abs(fractions[THREE].data - truth).mean() < 0.03
    assert fractions.edge == "Mn_L3"


@pytest.mark.parametrize(("shape", "lazy"), [((), False), ((3,), False), ((2, 3), True)])
def test_signals_have_the_axes_of_the_image(shape, lazy):
    signal, _ = two(shape)
    before = signal.data.copy()
    expected = signal.oxidation_fractions(ions())
    fractions = (signal.as_lazy() if lazy else signal).oxidation_fractions(ions())
    for quantity in (fractions["Mn2+"], fractions.valence, fractions.chi_squared, fractions.shift):
        assert isinstance(quantity.data, da.Array) == lazy
        assert quantity.data.shape == (shape or (1,))
    assert fractions.residual.data.shape[:-1] == shape
    assert_allclose(fractions["Mn2+"].data, expected["Mn2+"].data)
    assert_allclose(fractions.residual.data, expected.residual.data, atol=1e-6)
    assert_allclose(signal.data, before)


def test_residual_is_noise():
    signal, _ = two((10, 10))
    residual = signal.oxidation_fractions(ions()).residual
    energy = residual.axes_manager[-1].axis
    first = np.abs(signal.axes_manager[-1].axis - energy[0]).argmin()
    counts = signal.data[..., first : first + len(energy)]
    assert np.mean(residual.data**2 / counts) == pytest.approx(1, abs=0.05)


def test_pixels_without_an_edge_are_nan():
    signal, _ = two((4, 5))
    signal.data[0] = np.random.default_rng(0).poisson(1000, signal.data[0].shape)
    signal.data[1, 0] = np.nan
    seen = np.isfinite(signal.oxidation_fractions(ions())["Mn2+"].data)
    assert not seen[0].any() and not seen[1, 0] and seen[1:, 1:].all()


def test_background_that_was_removed():
    signal, truth = two((10, 10), background=0.0)
    for background in ("auto", None):
        fractions = signal.oxidation_fractions(ions(), background=background)
        assert np.abs(fractions["Mn3+"].data - truth).mean() < 0.02


def test_background_of_which_too_much_was_removed():
    """Behind the edge more was taken off than before it."""
    signal, truth = two((10, 10), background=0.0)
    energy = signal.axes_manager[-1].axis
    signal.data -= 100 * np.clip((energy - 630) / 40, 0, 1)
    fractions = signal.oxidation_fractions(ions())
    assert np.abs(fractions["Mn3+"].data - truth).mean() < 0.03
    assert fractions.blur < 0.3


def test_areas_of_references():
    signal, truth = two((10, 10), counts=None)
    bright = dict(zip(("Mn2+", "Mn3+"), ions(), strict=True))
    bright["Mn3+"] = bright["Mn3+"] * 5
    fractions = signal.oxidation_fractions(bright, align=None, broaden=False)
    assert_allclose(fractions["Mn3+"].data, truth, atol=0.02)
    as_they_are = signal.oxidation_fractions(bright, align=None, broaden=False, normalise=False)
    expected = truth / 5 / (1 - truth + truth / 5)
    assert_allclose(as_they_are["Mn3+"].data, expected, atol=0.02)


def low_loss_of(thickness, shape):
    energy = np.arange(-10, 100, 0.2)
    elastic, plasmon = (
        np.exp(-0.5 * ((energy - place) / width) ** 2) / width
        for place, width in ((0, 0.4), (22, 5))
    )
    ratio = np.exp(np.broadcast_to(thickness, shape)) - 1
    return as_eels(1e5 * (elastic + ratio[..., np.newaxis] * plasmon), energy)


def test_thick_pixels_are_left_out():
    signal, _ = two((2, 3))
    thickness = np.array([[0.2, 0.3, 0.9], [0.2, 0.3, 0.4]])
    fractions = signal.oxidation_fractions(ions(), low_loss=low_loss_of(thickness, (2, 3)))
    assert_allclose(np.isnan(fractions["Mn2+"].data), thickness > 0.6)
    lines = signal.white_lines("Mn", low_loss=low_loss_of(thickness, (2, 3)))
    assert_allclose(np.isnan(lines.ratio.data), thickness > 0.6)
    with pytest.raises(ThicknessError, match="mean free paths"):
        signal.white_lines("Mn", low_loss=low_loss_of(0.9, ()))
    with pytest.raises(ArgumentError, match="navigation shape"):
        signal.white_lines("Mn", low_loss=low_loss_of(0.2, (4,)))
    with pytest.raises(EnergyAxisError, match="zero-loss peak"):
        signal.white_lines("Mn", low_loss=signal)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: ions()[:1], "2 to 6 references"),
        (lambda: [ions()[0], ions()[0]], "same title"),
        (lambda: {"a": ions()[0], "b": ions()[0]}, "same spectrum"),
        (lambda: {"a": ions()[0], "b": two((2,))[0]}, "is an image"),
    ],
)
def test_references_that_cannot_be(given, message):
    with pytest.raises(ArgumentError, match=message):
        two()[0].oxidation_fractions(given())


def test_edges_of_references():
    signal, _ = two()
    others = [ions(measured=False)[0], references("Fe", 0.2, 0.8)[0]]
    with pytest.raises(UnknownElementError, match="different edges"):
        signal.oxidation_fractions(others)
    blank = as_eels(np.ones(400), np.arange(300, 700, 1.0))
    with pytest.raises(UnknownElementError, match="Give one"):
        signal.oxidation_fractions({"a": blank, "b": blank})
    with pytest.raises(ArgumentError, match="align"):
        signal.oxidation_fractions(ions(), align="L3")


def test_no_spectrum_to_fit():
    signal, _ = two((2,))
    signal.data[:] = np.nan
    with pytest.raises(EnergyAxisError, match="no spectrum"):
        signal.oxidation_fractions(ions())
