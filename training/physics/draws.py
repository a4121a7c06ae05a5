"""Random numbers as the recipes of simulated spectra draw them."""

from __future__ import annotations

import numpy as np

Range = tuple[float, float]


def log_uniform(
    rng: np.random.Generator, limits: Range, shape: int | tuple[int, ...]
) -> np.ndarray:
    """Numbers whose logarithm is uniform."""
    return np.exp(rng.uniform(*np.log(limits), shape))


def integers(
    rng: np.random.Generator, limits: tuple[int, int], shape: int | tuple[int, ...]
) -> np.ndarray:
    """Integers from the first to the second of the limits, both included."""
    return rng.integers(limits[0], limits[1] + 1, shape)


def some(rng: np.random.Generator, share: float, values: np.ndarray) -> np.ndarray:
    """A random `share` of the values, and 0 in the place of the others."""
    return np.where(rng.random(len(values)) < share, values, 0)
