import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from training.physics.background import Backgrounds, power_law
from training.physics.detector import (
    CLIPPED,
    DEAD,
    GARBAGE_FIRST,
    GARBAGE_LAST,
    SEAMS,
    SPIKES,
    BrokenChannels,
    Detector,
    count,
    record,
    uniform_spline,
)

N = 400


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def parameters(rng):
    """Windows from 300 to 900 eV of spectra without effects."""
    return {
        "window_start": np.full(N, 300),
        "window_end": np.full(N, 900),
        "dispersion": np.ones(N),
        "channel_phase": rng.random(N),
        "counts": np.full(N, 1e5),
        "background_exponent": np.full(N, 3.0),
    }


def smooth(p, backgrounds=None):
    """Power laws with or without the effect on backgrounds."""
    result = power_law(p["background_exponent"], p["window_start"])
    if backgrounds is not None:
        backgrounds.apply(result, p)
    return result


@pytest.mark.parametrize("counts", [0, 0.5, 30, 5e3, 5e4, 1e8])
def test_noise_has_the_mean_and_the_variance_of_poisson(rng, counts):
    drawn = count(rng, np.full(200_000, counts, np.float32))
    assert drawn.mean() == pytest.approx(counts, rel=0.01)
    assert drawn.var() == pytest.approx(counts, rel=0.02)


def test_published_background_is_a_power_law_in_the_window(parameters):
    spectra = smooth(parameters)
    energy = np.arange(300, 901)
    np.testing.assert_allclose(spectra[0, 300:901], (energy / 300) ** -3, rtol=1e-4)
    assert not spectra[:, :300].any()


def test_background_starts_at_one_and_is_positive(rng, parameters):
    p = parameters | Backgrounds().draw(rng, np.zeros(N, bool))
    waves = p["undulation"] > 0
    spectra = smooth(p, Backgrounds())
    assert (spectra[:, 300:901] > 0).all()
    np.testing.assert_allclose(spectra[~waves, 300], 1, rtol=1e-5)
    assert 0.1 < waves.mean() < 0.3


def test_half_of_the_empty_spectra_have_a_straight_background(rng):
    flat = Backgrounds().draw(rng, np.arange(4000) < 2000)["flat_background"] > 0
    assert flat[:2000].mean() == pytest.approx(0.5, abs=0.05)
    assert flat[2000:].mean() == pytest.approx(0.06, abs=0.02)


@pytest.mark.parametrize("dispersion", [0.1, 0.4, 0.9, 1.3, 4])
def test_counts_per_eV_do_not_depend_on_the_dispersion(rng, parameters, dispersion):
    p = parameters | {"dispersion": np.full(N, dispersion), "counts": np.full(N, 1e6)}
    spectra = smooth(p)
    result = record(rng, np.zeros_like(spectra), spectra, p)
    inside = slice(310, 890)
    np.testing.assert_allclose(result[:, inside].mean(axis=0), spectra[0, inside], rtol=2e-3)
    assert not result[:, :299].any() and not result[:, 902:].any()


def test_nothing_is_subtracted_where_nothing_was_recorded(rng, parameters):
    p = parameters | Backgrounds().draw(rng, np.zeros(N, bool)) | {"dispersion": np.full(N, 3.9)}
    spectra = smooth(p, Backgrounds())
    result = record(rng, np.zeros_like(spectra), spectra, p)
    first = (result != 0).argmax(axis=1)
    assert (result[np.arange(N), first] > -0.5).all()


def test_readout_noise_has_the_drawn_width_inside_the_window(rng, parameters):
    effect = Detector()
    quiet = dict.fromkeys(("gain_noise", "fixed_pattern"), np.zeros(N))
    p = parameters | effect.draw(rng, N) | quiet | {"readout_noise": np.full(N, 1e-3)}
    spectra = np.zeros((N, 3072), np.float32)
    effect.apply(rng, spectra, p)
    widths = np.median(spectra[:, 340:890].std(axis=1))
    assert widths == pytest.approx(1e-3, rel=0.02)
    assert not spectra[:, :300].any() and not spectra[:, 901:].any()


def test_detector_noise_is_drawn_for_some_spectra(rng):
    p = Detector().draw(rng, 4000)
    for name, share in {"gain_noise": 0.3, "fixed_pattern": 0.35, "readout_noise": 0.2}.items():
        assert (p[name] > 0).mean() == pytest.approx(share, abs=0.03), name


@pytest.mark.parametrize("size", [4, 5, 300])
def test_spline_is_that_of_scipy(rng, size):
    values, at = rng.random(size), np.linspace(0, size - 1, 77)
    expected = CubicSpline(np.arange(size), values)(at)
    np.testing.assert_allclose(uniform_spline(values, at), expected, atol=1e-12)


@pytest.fixture
def broken(rng, parameters):
    """Spectra of ones in the window with broken channels, before and after, and their parameters."""
    effect = BrokenChannels(share=1.0)
    p = parameters | effect.draw(rng, N)
    before = np.zeros((N, 3072), np.float32)
    before[:, 300:901] = 1
    after = before.copy()
    effect.apply(rng, after, p)
    return effect, before, after, p


def test_channels_break_inside_the_window_only(broken):
    _, before, after, p = broken
    assert (after[before == 0] == 0).all()
    assert ((after != before).any(axis=1) == (p["broken"] > 0)).all()
    assert set(np.unique(p["broken"])) == {
        GARBAGE_FIRST,
        GARBAGE_LAST,
        DEAD,
        SEAMS,
        SPIKES,
        CLIPPED,
    }


def test_garbage_lies_at_an_end_and_is_lost(broken):
    effect, before, after, p = broken
    lost = effect.lost(before, p)
    for kind, edge in ((GARBAGE_FIRST, 300), (GARBAGE_LAST, 900)):
        rows = p["broken"] == kind
        assert lost[rows, edge].all()
        assert lost[rows].sum(axis=1).max() <= 60
        assert not (lost != (after != before))[rows].any()
    assert not lost[np.isin(p["broken"], (SEAMS, SPIKES))].any()


def test_what_is_clipped_is_lost(rng, parameters):
    effect = BrokenChannels(share=1.0)
    p = parameters | effect.draw(rng, N)
    p |= {"broken": np.full(N, CLIPPED), "broken_size": rng.uniform(0.3, 0.97, (N, 4))}
    spectra = np.tile((np.arange(3072) / 3072).astype(np.float32), (N, 1))
    spectra[:, 901:] = 0
    clipped = spectra.copy()
    effect.apply(rng, clipped, p)
    level = p["broken_size"][:, 0] * spectra.max()
    np.testing.assert_allclose(clipped.max(axis=1), level, rtol=1e-6)
    np.testing.assert_array_equal(effect.lost(spectra, p), spectra > clipped)
