import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra oxidation")
pytest.importorskip("keras", reason="needs the extra networks")

from training.white_lines import networks, spectra, study


@pytest.fixture(scope="module")
def small():
    return spectra.simulate(np.random.default_rng(0), share=0.05)


def test_networks_have_the_published_sizes():
    assert networks.dense().count_params() == 11_043
    assert networks.convolutional().count_params() == 741


def test_set_has_the_published_proportions(small):
    counts = [int((small.charges == charge).sum()) for charge in (2, 3, 4)]
    assert counts == [22, 38, 39]
    assert small.spectra.shape == (99, 700)
    np.testing.assert_allclose(small.spectra.max(axis=1), 1)
    first_line = small.seen().argmax(axis=1) * spectra.STEP_EV
    means = [first_line[small.charges == charge].mean() for charge in (2, 3, 4)]
    assert np.diff(means) == pytest.approx(1.5, abs=0.4)  # each electron that is lost
    before = small.spectra[:, 50:150].mean(axis=1)
    assert np.abs(before).mean() < 0.02  # the background is off


def test_a_shift_moves_what_is_seen(small):
    moved = small.seen(1.0)
    np.testing.assert_array_equal(moved[:, 10:], small.seen()[:, :-10])
    vectors, charges = spectra.shifted_copies(small, 2, 1.75, np.random.default_rng(0))
    assert vectors.shape == (3 * 99, 300) and len(charges) == 3 * 99


@pytest.mark.parametrize("kernel", ["linear", "cosine"])
def test_kernels_learn_one_source_and_no_shift(kernel):
    rng = np.random.default_rng(1)
    training, test = (spectra.simulate(rng, share=0.1) for _ in range(2))
    told, chosen = study.kernel_machine(kernel, training.seen(), training.charges, 0)
    assert "C" in chosen
    assert study.accuracy(told, test) > 0.95
    assert study.accuracy(told, test, 2.0) < 0.7


@pytest.mark.slow
def test_report():
    text = study.study(share=0.08, epochs=5)
    for part in ("## Same source", "## Shifts", "## Noise", "741 parameters", "trained ±1.75"):
        assert part in text
