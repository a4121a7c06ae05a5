"""How many electrons a spectrum has, and how high its edges stand on the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.physics.draws import Range, integers, log_uniform


@dataclass(frozen=True)
class Exposure:
    """As published.

    Attributes
    ----------
    jump_ratio
        Height of one edge over the background at its onset.
    decades
        Powers of ten of the counts per eV at the start of the window.
    """

    jump_ratio: Range = (0.2, 1.5)
    decades: tuple[int, int] = (3, 7)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Jump ratio and counts, arrays of length `n`."""
        return {
            "jump_ratio": rng.uniform(*self.jump_ratio, n),
            "counts": 10.0 ** integers(rng, self.decades, n),
        }


@dataclass(frozen=True)
class WideExposure:
    """Effect: both log-uniform and in wider ranges, from very noisy to summed, nearly noise-free.

    Attributes
    ----------
    jump_ratio, decades
        As in :class:`Exposure`.
    """

    jump_ratio: Range = (0.04, 8.0)
    decades: Range = (1.0, 9.0)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Jump ratio and counts, arrays of length `n`."""
        return {
            "counts": 10 ** rng.uniform(*self.decades, n),
            "jump_ratio": log_uniform(rng, self.jump_ratio, n),
        }


@dataclass(frozen=True)
class Empty:
    """Effect: spectra without any edge.

    Attributes
    ----------
    share
        Of all spectra.
    noisy, noisy_decades
        Share of those that are very noisy, and powers of ten of their counts.
    """

    share: float = 0.07
    noisy: float = 0.5
    noisy_decades: Range = (0.0, 3.0)

    def draw(self, rng: np.random.Generator, n: int, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Which spectra are empty, and the counts of all, arrays of length `n`."""
        empty = rng.random(n) < self.share
        noisy = empty & (rng.random(n) < self.noisy)
        few = 10 ** rng.uniform(*self.noisy_decades, n)
        return {"empty": empty, "counts": np.where(noisy, few, counts)}
