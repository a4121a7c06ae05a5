import numpy as np
import pytest

from training.physics.other_signals import LINES, LOW_LOSS, RANDOM_WALK, STRAIGHT, OtherSignals

N = 400


@pytest.fixture(scope="module")
def parameters():
    window = {"window_start": np.full(N, 300), "window_end": np.full(N, 900)}
    return window | OtherSignals(share=1.0).draw(np.random.default_rng(0), N)


def test_all_kinds_are_drawn_and_lie_in_the_window(parameters):
    spectra = OtherSignals().spectra(parameters)
    assert set(np.unique(parameters["other_signal"])) == set(range(1, STRAIGHT + 1))
    assert spectra.shape == (N, 3072)
    assert np.isfinite(spectra).all() and (spectra >= 0).all()
    np.testing.assert_allclose(spectra.max(axis=1), 1, rtol=1e-6)
    assert not spectra[:, :300].any() and not spectra[:, 901:].any()


def test_only_a_share_of_the_spectra_is_another_signal():
    p = OtherSignals(share=0.05).draw(np.random.default_rng(0), 4000)
    assert np.mean(p["other_signal"] > 0) == pytest.approx(0.05, abs=0.015)
    p |= {"window_start": np.full(4000, 300), "window_end": np.full(4000, 900)}
    assert len(OtherSignals().spectra(p)) == np.sum(p["other_signal"] > 0)


def test_same_numbers_same_signals(parameters):
    np.testing.assert_array_equal(
        OtherSignals().spectra(parameters), OtherSignals().spectra(parameters)
    )
    walks = parameters["other_signal"] == RANDOM_WALK
    assert len(np.unique(parameters["other_seed"][walks])) == walks.sum()


def test_peaks_stand_where_they_were_drawn(parameters):
    only = (parameters["other_signal"] == LINES) & (
        (parameters["peak_height"] > 0).sum(axis=1) == 1
    )
    spectra = np.zeros((N, 3072))
    spectra[parameters["other_signal"] > 0] = OtherSignals().spectra(parameters)
    for row in np.flatnonzero(only & (parameters["peak_height"][:, 0] > 0.3)):
        expected = 300 + 600 * parameters["peak_place"][row, 0]
        near = slice(int(expected) - 2, int(expected) + 4)
        local = spectra[row, int(expected) - 60 : int(expected) + 60]
        assert spectra[row, near].max() == pytest.approx(local.max(), rel=0.05)


def test_zero_loss_of_a_low_loss_is_in_the_window(parameters):
    thin = parameters["peak_height"][:, 0] < 0.8  # the plasmon is lower than the zero loss
    rows = (parameters["other_signal"] == LOW_LOSS) & thin
    place = OtherSignals().spectra(parameters)[rows[parameters["other_signal"] > 0]].argmax(axis=1)
    np.testing.assert_allclose(place, 300 + 300 * parameters["other_phase"][rows], atol=1)
