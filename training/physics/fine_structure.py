"""Random fine structure of ionisation edges, and the sharp lines that a continuum oscillator strength lacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import constants

from training.physics.draws import Range, integers

# hbar v / lambda [eV] for an electron of energy eps [eV] and a mean free path of 1 nm: VELOCITY * sqrt(eps)
VELOCITY_EV_NM = (
    constants.hbar * math.sqrt(2 / (constants.m_e * constants.e)) * 1e9
)  # sqrt(2 e / m) hbar / e
SIGMA_PER_FWHM = 1 / math.sqrt(8 * math.log(2))
MINIMUM_SIGMA_EV = 0.6
# sums in any order, so that they are vectorised
FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}


@dataclass(frozen=True)
class FineStructure:
    """Random Gaussians, as published.

    Attributes
    ----------
    width, peaks
        Range that they lie in [eV above the onset], and their number.
    largest_ratio
        Of their height to that of the edge.
    atomic_diameter
        Which sets their width [nm].
    """

    width: Range = (50.0, 100.0)
    peaks: tuple[int, int] = (10, 25)
    largest_ratio: float = 10.0
    atomic_diameter: Range = (0.025, 0.25)

    def draw(self, rng: np.random.Generator, rows: np.ndarray) -> None:
        """Fill the columns of the fine structure; the ratio is a share of the largest possible one."""
        n = len(rows)
        rows["fine_structure_width"] = rng.uniform(*self.width, n)
        rows["fine_structure_peaks"] = integers(rng, self.peaks, n)
        rows["fine_structure_ratio"] = rng.random(n)
        rows["fine_structure_decay"] = np.inf


@dataclass(frozen=True)
class NearEdge:
    """Effect: fine structure that dies out, and slow onsets.

    Attributes
    ----------
    decay
        Over which the fine structure dies out [eV]; log-uniform.
    slow, delay
        Share of the shells that begin slowly, and over how much [eV].
    """

    decay: Range = (15.0, 120.0)
    slow: float = 0.25
    delay: Range = (2.0, 15.0)

    def draw(self, rows: np.ndarray, uniform: Callable[[], np.ndarray]) -> None:
        """Fill the columns of this effect.

        Parameters
        ----------
        rows
            Structured array with the columns of :data:`training.physics.ionisation.SUBSHELL`.
        uniform
            Function that gives a random number from 0 to 1 for each row, the same for the rows of one shell.
        """
        low, high = self.decay
        rows["fine_structure_decay"] = low * (high / low) ** uniform()
        delay = self.delay[0] + np.ptp(self.delay) * uniform()
        rows["delay"] = np.where(uniform() < self.slow, delay, 0)


@njit(cache=True, fastmath=FAST_MATH)
def lifetime_width(free_energy: float, atomic_diameter: float) -> float:
    """Width [eV] of a final state by its lifetime, hbar v / lambda.

    Parameters
    ----------
    free_energy
        Energy above the onset [eV].
    atomic_diameter
        Atomic diameter a [nm].

    References
    ----------
    M. P. Seah and W. A. Dench, Surf. Interface Anal. 1, 2 (1979), for the inelastic mean free path
    lambda = 538 a / eps^2 + 0.41 a^1.5 eps^0.5 [nm].
    R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed. (2011), eq. 4.32.
    """
    eps = max(free_energy, 0.1)
    mean_free_path = 538 * atomic_diameter / eps**2 + 0.41 * atomic_diameter**1.5 * math.sqrt(eps)
    return VELOCITY_EV_NM * math.sqrt(eps) / mean_free_path


@njit(cache=True, fastmath=FAST_MATH)
def gaussian_profile(
    positions: np.ndarray,
    weights: np.ndarray,
    atomic_diameter: float,
    profile: np.ndarray,
    decay: float = np.inf,
) -> None:
    """Fill `profile` (1 eV channels from the onset) with a sum of Gaussians, normalised to maximum 1.

    The sum is multiplied by the sign of its largest point first, so that the strongest feature is a peak.
    The weights of the Gaussians fall exponentially over `decay` [eV] above the onset.
    """
    profile[:] = 0
    for k in range(len(positions)):
        position = positions[k]
        weight = weights[k] * math.exp(-position / decay)
        sigma = lifetime_width(position, atomic_diameter) * SIGMA_PER_FWHM
        sigma = max(sigma, MINIMUM_SIGMA_EV)
        first = max(0, int(position - 4 * sigma))
        last = min(len(profile), int(position + 4 * sigma) + 2)
        for channel in range(first, last):
            profile[channel] += weight * math.exp(-0.5 * ((channel - position) / sigma) ** 2)
    extreme = 0.0
    for value in profile:
        if abs(value) > abs(extreme):
            extreme = value
    if extreme != 0:
        profile /= extreme


@njit(cache=True, fastmath=FAST_MATH)
def random_profile(
    rng,
    peaks: int,
    width: float,
    atomic_diameter: float,
    profile: np.ndarray,
    decay: float = np.inf,
) -> None:
    """Fill `profile` with :func:`gaussian_profile` of random Gaussians within `width` [eV]."""
    positions = np.empty(peaks)
    weights = np.empty(peaks)
    for k in range(peaks):
        positions[k] = rng.random() * width
        weights[k] = 2 * rng.random() - 1
    gaussian_profile(positions, weights, atomic_diameter, profile, decay)


@njit(cache=True, fastmath=FAST_MATH)
def largest_ratio(profile: np.ndarray, limit: float) -> float:
    """Largest factor that keeps ``1 + factor * profile`` from falling below zero, at most `limit`."""
    lowest = profile.min()
    return min(limit, -1 / lowest) if lowest < 0 else limit


@njit(cache=True, fastmath=FAST_MATH)
def add_profile(edge: np.ndarray, profile: np.ndarray, height: float) -> None:
    """Add ``height * profile`` to `edge`, clip at zero and rescale to the integral that the edge had."""
    before = edge.sum()
    n = min(len(edge), len(profile))
    edge[:n] += height * profile[:n]
    for channel in range(n):
        edge[channel] = max(edge[channel], 0)
    after = edge.sum()
    if after > 0:
        edge *= before / after


@njit(cache=True, fastmath=FAST_MATH)
def delay_onset(edge: np.ndarray, delay: float) -> None:
    """Let `edge` rise over about `delay` [eV] above its onset instead of at once, as a Gaussian does to its top."""
    for channel in range(min(len(edge), int(4 * delay) + 1)):
        edge[channel] *= 1 - math.exp(-((channel / delay) ** 2))


@njit(cache=True, fastmath=FAST_MATH)
def white_line(profile: np.ndarray, position: float, fwhm: float, asymmetry: float) -> None:
    """Fill `profile` with a Lorentzian line of maximum 1 whose upper side is wider by 1 + `asymmetry`."""
    for channel in range(len(profile)):
        half = fwhm / 2 * (1 + asymmetry if channel > position else 1)
        profile[channel] = 1 / (1 + ((channel - position) / half) ** 2)
