"""What lies under the edges of a simulated spectrum."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid.identification.network_input import N_CHANNELS

if TYPE_CHECKING:
    from training.core_loss.recipes import Recipe

WAVES = 3


def power_law(exponent: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Background (E / E0)^-r, 1 at the start E0 of the window and zero below it.

    Parameters
    ----------
    exponent, start : Exponent r and first energy of the window [eV], shape (n,).

    Returns
    -------
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


def draw_background(
    rng: np.random.Generator, recipe: Recipe, empty: np.ndarray
) -> dict[str, np.ndarray]:
    """Parameters of the background, n rows each: see :func:`background`.

    Parameters
    ----------
    empty : Which spectra have no edge, bool, shape (n,). Half of them get a flat or rising background, so that
        noise and slopes alone are not taken for edges.
    """
    n = len(empty)
    p = {"background_exponent": rng.uniform(*recipe.background_exponent, n)}
    if "backgrounds" in recipe.effects:
        flat = rng.random(n) < np.where(empty, 0.5, 0.06)
        p["flat_background"] = np.where(flat, np.sqrt(rng.random(n)), 0)
        p["background_slope"] = rng.uniform(-0.9, 3, n)
        p["undulation"] = np.where(rng.random(n) < 0.2, rng.exponential(0.1, n), 0)
        p["undulation_length"] = np.exp(rng.uniform(np.log(150), np.log(2000), (n, WAVES)))
        p["undulation_phase"] = rng.uniform(0, 2 * np.pi, (n, WAVES))
        p["second_background"] = np.where(rng.random(n) < 0.4, rng.random(n) * 0.6, 0)
        p["second_exponent"] = rng.uniform(*recipe.background_exponent, n)
        p["edge_tail"] = np.where(rng.random(n) < 0.15, rng.random(n) * 0.5, 0)
        p["edge_tail_decay"] = rng.uniform(10, 80, n)
        kind = rng.random(n)
        p["removed_background"] = np.where(kind < 0.08, rng.uniform(0.97, 1.0, n), 0)
        # that was not, or not well, subtracted: a share of the lowest signal in the window
        p["dark_level"] = np.where(kind > 0.8, rng.normal(0, 0.4, n), 0)
    return p


def background(recipe: Recipe, p: dict[str, np.ndarray]) -> np.ndarray:
    """Background under the edges, 1 at the start of the window, float32, shape (n, 3072).

    A power law; with the effect ``backgrounds`` a sum of two, a straight line, long waves of the detector's response,
    and the tail of an edge below the window, which is steeper and is seen from its own onset.
    """
    start = p["window_start"]
    smooth = power_law(p["background_exponent"], start)
    if "backgrounds" in recipe.effects:

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
    return smooth
