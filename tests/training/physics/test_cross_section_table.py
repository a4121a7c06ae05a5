import numpy as np
import pytest

from hyperspy_eelsid.edges import EDGES
from training.physics import cross_section_table as edge_library

INDEX = {edge.name: number for number, edge in enumerate(EDGES)}


@pytest.fixture(scope="module")
def gos():
    """A K shell like oxygen's: falls with energy, and with momentum beyond 2/bohr."""
    free_energy = np.concatenate([[0], np.geomspace(0.1, 3000, 40)])
    momentum = np.geomspace(0.02, 25, 48) / edge_library.BOHR_RADIUS_M
    falling = (1 + free_energy / 532) ** -3.0
    strength = 1e-3 * falling[:, None] / (1 + (momentum * edge_library.BOHR_RADIUS_M / 2) ** 4)
    return edge_library.OscillatorStrength(free_energy, momentum, strength)


def test_dipole_limit_has_the_analytic_angular_distribution(gos):
    """While df/dE is constant the integral is ln(1 + beta^2 / theta_E^2) (Egerton 2011, eq. 3.16)."""
    angles = np.array([1.0, 2.0, 4.0])
    sigma = edge_library.differential_cross_section(gos, 532.0, 100.0, angles)[:, 0]
    theta = 532 / (100e3 * (100 + 1022) / (100 + 511)) * 1e3  # mrad
    expected = np.log1p((angles / theta) ** 2)
    np.testing.assert_allclose(sigma / sigma[0], expected / expected[0], rtol=0.01)


def test_cross_section_grows_with_angle_and_falls_with_beam_energy(gos):
    angles = np.array([2.0, 10.0, 50.0])
    low, high = (
        edge_library.differential_cross_section(gos, 532.0, beam, angles) for beam in (60.0, 300.0)
    )
    for sigma in (low, high):
        assert sigma.shape == (3, len(gos.free_energy))
        assert (np.diff(sigma, axis=0) > 0).all()
    # all scattering inside the aperture: T is in the denominator
    near = gos.free_energy < 500
    assert (low[2] > high[2])[near].all()


def test_no_aperture_no_electrons(gos):
    sigma = edge_library.differential_cross_section(gos, 532.0, 100.0, np.array([1e-6]))
    assert sigma.max() < 1e-6


@pytest.mark.slow
def test_cached_table(tmp_path):
    table = edge_library.load(tmp_path)
    (file,) = tmp_path.iterdir()
    changed = file.stat().st_mtime_ns
    again = edge_library.load(tmp_path)
    assert file.stat().st_mtime_ns == changed
    assert table.shape == (551, 4, 14, 3072)
    # at 200 kV and 110 mrad; a K edge falls from its onset, M5 of a lanthanide has a delayed maximum
    oxygen = again[INDEX["O_K"], 2, -1]
    assert 5 < oxygen[0] < 50
    assert oxygen[0] > oxygen[100] > oxygen[500] > 0
    lanthanum = again[INDEX["La_M5"], 2, -1]
    assert np.argmax(lanthanum) > 5
