"""Samples that are more than one compound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperspy_eelsid.edges import ELEMENT_INDEX
from training.physics.draws import some

FILMS = {  # atomic fractions
    "carbon_film": {"C": 1.0},
    "oxide_film": {"O": 1.0},
    "nitride_film": {"Si": 3 / 7, "N": 4 / 7},
}


@dataclass(frozen=True)
class Mixtures:
    """Effect: second phases, minor amounts, and films, oxidised surfaces and membranes.

    Attributes
    ----------
    second_phase, second_phase_share
        Share of the samples with a second phase, and its largest atomic share.
    uneven
        Share of the samples whose fractions are spread by a normal distribution of their logarithm.
    carbon_film, oxide_film, nitride_film
        Share of the samples with such a film.
    film_share
        Largest atomic share of a film.
    """

    second_phase: float = 0.25
    second_phase_share: float = 0.6
    uneven: float = 0.3
    carbon_film: float = 0.25
    oxide_film: float = 0.15
    nitride_film: float = 0.06
    film_share: float = 0.7

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Row of the sample that the second phase is taken from, and all shares, arrays of length `n`."""
        p = {
            "second_phase": rng.permutation(n),
            "second_phase_share": some(
                rng, self.second_phase, rng.random(n) * self.second_phase_share
            ),
            "uneven": rng.random(n) < self.uneven,
        }
        for film in FILMS:
            p[film] = some(rng, getattr(self, film), rng.random(n) * self.film_share)
        return p

    def mix(
        self, rng: np.random.Generator, fractions: np.ndarray, p: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Atomic fractions of the mixtures, shape (n, 80)."""
        share = p["second_phase_share"][:, None]
        mixed = (1 - share) * fractions + share * fractions[p["second_phase"]]
        mixed = mixed * np.exp(p["uneven"][:, None] * rng.standard_normal(mixed.shape))
        for film, formula in FILMS.items():
            mixed *= (1 - p[film])[:, None]
            for element, fraction in formula.items():
                mixed[:, ELEMENT_INDEX[element]] += p[film] * fraction
        return (mixed / mixed.sum(axis=1, keepdims=True)).astype(np.float32)
