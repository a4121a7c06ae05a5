"""What lies under the edges of a simulated spectrum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hyperspy_eelsid.identification.network_input import N_CHANNELS
from training.physics.draws import Range, log_uniform, some

WAVES = 3


def power_law(exponent: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Background (E / E0)^-r, 1 at the start E0 of the window and zero below it.

    Parameters
    ----------
    exponent, start
        Exponent r and first energy of the window [eV], shape (n,).

    Returns
    -------
    np.ndarray
        float32, shape (n, 3072).

    References
    ----------
    R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed. (2011), eq. 4.51.
    """
    energy = np.arange(N_CHANNELS, dtype=np.float32)
    start = start[:, None].astype(np.float32)
    log_ratio = np.log(np.maximum(energy, 1)) - np.log(start)
    log_ratio = np.maximum(log_ratio, 0)
    return np.exp(-exponent[:, None].astype(np.float32) * log_ratio) * (energy >= start)


@dataclass(frozen=True)
class PowerLaw:
    """The published background.

    Attributes
    ----------
    exponent
        Of the power law.
    """

    exponent: Range = (2, 4)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Exponents, shape (n,)."""
        return {"background_exponent": rng.uniform(*self.exponent, n)}


@dataclass(frozen=True)
class Backgrounds:
    """Effect: what measured backgrounds have and a power law has not.

    Attributes
    ----------
    flat, flat_empty, slope
        Share of the spectra with a straight background, that of the empty ones, so that noise and slopes alone are
        not taken for edges, and its relative rise over the window.
    waves, wave_height, wave_length
        Share with long waves of the detector's response, the mean of their exponential height, and their lengths
        [eV]; log-uniform.
    second, second_share, second_exponent
        Share with a second power law, its largest share, and its exponent.
    tail, tail_share, tail_decay
        Share with the tail of an edge below the window, which is steeper and is seen from its own onset, its largest
        share, and the energy in which it decays [eV].
    removed, removed_share
        Share of the spectra whose background was subtracted, and how much of it.
    dark, dark_level
        Share of those whose dark counts were not, or not well, subtracted, and the standard deviation of what is left
        in units of the lowest signal in the window.
    """

    flat: float = 0.06
    flat_empty: float = 0.5
    slope: Range = (-0.9, 3.0)
    waves: float = 0.2
    wave_height: float = 0.1
    wave_length: Range = (150.0, 2000.0)
    second: float = 0.4
    second_share: float = 0.6
    second_exponent: Range = (1.5, 5.0)
    tail: float = 0.15
    tail_share: float = 0.5
    tail_decay: Range = (10.0, 80.0)
    removed: float = 0.08
    removed_share: Range = (0.97, 1.0)
    dark: float = 0.2
    dark_level: float = 0.4

    def draw(self, rng: np.random.Generator, empty: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters of the background, n rows each.

        Parameters
        ----------
        empty
            Which spectra have no edge, bool, shape (n,).
        """
        n = len(empty)
        flat = rng.random(n) < np.where(empty, self.flat_empty, self.flat)
        p = {
            "flat_background": np.where(flat, np.sqrt(rng.random(n)), 0),
            "background_slope": rng.uniform(*self.slope, n),
            "undulation": some(rng, self.waves, rng.exponential(self.wave_height, n)),
            "undulation_length": log_uniform(rng, self.wave_length, (n, WAVES)),
            "undulation_phase": rng.uniform(0, 2 * np.pi, (n, WAVES)),
            "second_background": some(rng, self.second, rng.random(n) * self.second_share),
            "second_exponent": rng.uniform(*self.second_exponent, n),
            "edge_tail": some(rng, self.tail, rng.random(n) * self.tail_share),
            "edge_tail_decay": rng.uniform(*self.tail_decay, n),
        }
        kind = rng.random(n)
        removed, dark = kind < self.removed, kind > 1 - self.dark
        p["removed_background"] = np.where(removed, rng.uniform(*self.removed_share, n), 0)
        p["dark_level"] = np.where(dark, rng.normal(0, self.dark_level, n), 0)
        return p

    def apply(self, smooth: np.ndarray, p: dict[str, np.ndarray]) -> None:
        """Change the power laws, shape (n, 3072), in place."""
        start = p["window_start"]

        def column(name: str) -> np.ndarray:
            return p[name].astype(np.float32)[:, None]

        energy = np.arange(N_CHANNELS, dtype=np.float32)
        distance = energy - start[:, None].astype(np.float32)

        def mix(name: str, other: Callable[[np.ndarray], np.ndarray]) -> None:
            """Put another shape in the place of a share of the background of some spectra."""
            rows = np.flatnonzero(p[name])
            share = column(name)[rows]
            smooth[rows] = (1 - share) * smooth[rows] + share * other(rows)

        def line(rows: np.ndarray) -> np.ndarray:
            length = np.maximum(p["window_end"] - start, 1).astype(np.float32)[rows, None]
            slope = column("background_slope")[rows]
            return (1 + slope * distance[rows] / length) * (distance[rows] >= 0)

        def tail(rows: np.ndarray) -> np.ndarray:
            decay = column("edge_tail_decay")[rows]
            return (1 + np.maximum(distance[rows], 0) / decay) ** -2 * (distance[rows] >= 0)

        mix("second_background", lambda rows: power_law(p["second_exponent"][rows], start[rows]))
        mix("flat_background", line)
        for row in np.flatnonzero(p["undulation"]):
            angle = energy[:, None] * (2 * np.pi / p["undulation_length"][row])
            waves = np.cos(angle + p["undulation_phase"][row]).sum(axis=1)
            smooth[row] *= np.exp(p["undulation"][row] * waves)
        mix("edge_tail", tail)
