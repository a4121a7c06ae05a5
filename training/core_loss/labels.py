"""Which elements of a simulated spectrum are labelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperspy_eelsid.edges import ENERGY_MIN_EV
from training.physics.ionisation import GROUP_LOW, SIGNAL_RANGE_EV


@dataclass(frozen=True)
class Visibility:
    """Effect: an edge has to stand out to be labelled.

    Attributes
    ----------
    deviations
        Standard deviations of the counting and readout noise in the 50 eV after the onset.
    share
        Share of the counts there.
    patterns
        Times the fixed pattern.
    lost
        Largest share of the channels there that may be lost.
    """

    deviations: float = 4.0
    share: float = 0.007
    patterns: float = 2.0
    lost: float = 0.5

    def stands_out(
        self,
        p: dict[str, np.ndarray],
        signal: np.ndarray,
        expected: np.ndarray,
        lost: np.ndarray | None,
    ) -> np.ndarray:
        """Which major groups can be seen, bool, shape (n, 80, 2).

        Parameters
        ----------
        p
            Parameters of the spectra.
        signal
            Sum over the first 50 eV of each group inside the window, shape (n, 80, 2).
        expected
            Spectra without noise, shape (n, 3072).
        lost
            Channels that hold nothing of the sample, bool, shape (n, 3072); None for none.
        """
        start, end = p["window_start"][:, None, None], p["window_end"][:, None, None]
        shifted = GROUP_LOW + p["energy_offset"][:, None, None]
        first = np.nan_to_num(shifted, nan=ENERGY_MIN_EV).astype(int)
        first = np.clip(first, start, end - 1)
        last = np.minimum(first + SIGNAL_RANGE_EV, end)
        rows = np.arange(len(expected))[:, None, None]

        def between(values: np.ndarray, kind: type) -> np.ndarray:
            total = np.cumsum(values, axis=1, dtype=kind)
            return total[rows, last] - total[rows, first]

        under = np.maximum(between(expected, np.float64), 1e-30)
        counts = p["counts"][:, None, None]
        readout = p["readout_noise"][:, None, None] * counts
        noise = np.sqrt(under * counts + (last - first) * readout**2)
        pattern = p["fixed_pattern"] * np.minimum(np.sqrt(p["pattern_length"] / 20), 1)
        share = np.maximum(self.patterns * pattern, self.share)[:, None, None]
        seen = (signal * counts > self.deviations * noise) & (signal > share * under)
        if lost is not None:
            seen &= between(lost, np.int32) < self.lost * (last - first)
        return seen & np.isfinite(shifted)


def in_window(fractions: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
    """Which major groups of the elements of the sample are in the window, bool, shape (n, 80, 2)."""
    start, end = p["window_start"][:, None, None], p["window_end"][:, None, None]
    return (start <= GROUP_LOW) & (end >= GROUP_LOW) & (fractions > 0)[:, :, None]
