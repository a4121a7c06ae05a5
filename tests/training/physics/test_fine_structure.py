import numpy as np
import pytest

from training.physics.fine_structure import (
    add_profile,
    largest_ratio,
    lifetime_width,
    random_profile,
    white_line,
)


@pytest.fixture(params=range(5))
def profile(request):
    result = np.empty(128, np.float32)
    random_profile(np.random.default_rng(request.param), 17, 80.0, 0.15, result)
    return result


def test_profile_has_a_positive_extreme_of_one(profile):
    assert profile.max() == pytest.approx(1)
    assert profile.min() >= -1


def test_largest_ratio_keeps_the_sum_positive(profile):
    ratio = largest_ratio(profile, 10.0)
    assert 0 < ratio <= 10
    assert (1 + ratio * profile).min() >= -1e-5
    assert largest_ratio(np.abs(profile), 10.0) == 10


def test_added_structure_keeps_the_integral_and_is_never_negative(profile):
    edge = (1000 * (1 + np.arange(600) / 300) ** -3).astype(np.float32)
    before = edge.copy()
    add_profile(edge, profile, 3 * edge.max())
    assert edge.sum() == pytest.approx(before.sum(), rel=1e-5)
    assert edge.min() >= 0
    assert not np.allclose(edge[:80], before[:80], rtol=0.05)


def test_lifetime_broadening_grows_with_energy():
    """By hand at 20 eV: lambda = 538 a / 400 + 0.41 a^1.5 sqrt(20), v = sqrt(2 E / m)."""
    diameter = 0.2
    path = 538 * diameter / 400 + 0.41 * diameter**1.5 * np.sqrt(20)
    velocity = np.sqrt(2 * 20 * 1.602177e-19 / 9.109384e-31)
    expected = 1.054572e-34 * velocity / (path * 1e-9) / 1.602177e-19
    assert lifetime_width(20.0, diameter) == pytest.approx(expected, rel=1e-5)
    widths = [lifetime_width(energy, diameter) for energy in (2.0, 10.0, 50.0)]
    assert widths == sorted(widths)


def test_white_line_has_its_place_and_width():
    line = np.empty(64, np.float32)
    white_line(line, 20.0, 6.0, 0.0)
    assert np.argmax(line) == 20
    assert line[17] == line[23] == pytest.approx(0.5)
