"""The part of the energy axis that a spectrum covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperspy_eelsid.edges import ENERGY_MAX_EV, ENERGY_MIN_EV
from training.physics.ionisation import GROUP_HIGH, GROUP_LOW


@dataclass(frozen=True)
class Window:
    """The window holds the query element's major edges; of an element with two groups the first, the second or both.

    Attributes
    ----------
    before, after
        What it holds at least before the first and after the last of their onsets [eV].
    latest_end
        Latest end that is drawn [eV]; windows are cut at the end of the networks' axis.
    """

    before: int = 10
    after: int = 25
    latest_end: int = 3272

    def limits(self, rng: np.random.Generator, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latest start and earliest end [eV] for each query element, shape (n,)."""
        n = len(query)
        both = np.isfinite(GROUP_LOW[query, 1])
        low, high = np.sort(GROUP_LOW[query], axis=1), np.sort(GROUP_HIGH[query], axis=1)
        case = np.where(both, rng.integers(3, size=n), 0)
        first = np.where(case == 1, low[:, 1], low[:, 0])
        last = np.where(case == 0, high[:, 0], high[:, 1])
        return np.floor(first) - self.before, np.ceil(last) + self.after

    def draw(
        self, rng: np.random.Generator, query: np.ndarray, cut: CutWindows | None = None
    ) -> dict[str, np.ndarray]:
        """First and last energy of the windows [eV], integers, shape (n,)."""
        latest_start, earliest_end = self.limits(rng, query)
        start = rng.integers(ENERGY_MIN_EV, latest_start + 1)
        end = rng.integers(earliest_end, np.maximum(earliest_end, self.latest_end) + 1)
        if cut is not None:
            start, end = cut.change(rng, start, end, latest_start, earliest_end)
        end = np.minimum(end, ENERGY_MAX_EV)
        return {"window_start": start.astype(np.int64), "window_end": end.astype(np.int64)}


@dataclass(frozen=True)
class CutWindows:
    """Effect: windows as they are chosen at the microscope, and some that cut edges off.

    Attributes
    ----------
    at_limit
        Share that begins at the lowest energy.
    near, near_distance
        Share that begins shortly before the query element's edge, and the mean of the exponential distance [eV].
    close, close_distance
        Share that ends shortly behind it, and the mean distance [eV].
    free, free_start, free_length
        Share that lies anywhere, its latest start, and the mean of the exponential length beyond 60 eV [eV].
    """

    at_limit: float = 0.25
    near: float = 0.25
    near_distance: float = 80
    close: float = 0.4
    close_distance: float = 150
    free: float = 0.12
    free_start: int = 1500
    free_length: float = 600

    def change(
        self,
        rng: np.random.Generator,
        start: np.ndarray,
        end: np.ndarray,
        latest_start: np.ndarray,
        earliest_end: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start and end of the windows with this effect, shape (n,)."""
        n = len(start)
        kind = rng.random(n)
        start = np.where(kind < self.at_limit, ENERGY_MIN_EV, start)
        near = np.maximum(latest_start - rng.exponential(self.near_distance, n), ENERGY_MIN_EV)
        is_near = (kind > self.at_limit) & (kind < self.at_limit + self.near)
        start = np.where(is_near, near.astype(int), start)
        close = earliest_end + rng.exponential(self.close_distance, n).astype(int)
        end = np.where(rng.random(n) < self.close, close, end)
        free = rng.random(n) < self.free
        start = np.where(free, rng.integers(ENERGY_MIN_EV, self.free_start, n), start)
        length = 60 + rng.exponential(self.free_length, n).astype(int)
        return start, np.where(free, start + length, end)
