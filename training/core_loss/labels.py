"""Which elements of a simulated spectrum are labelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
        # only of the groups that there are, which are few
        row, *group = np.nonzero((signal > 0) & np.isfinite(GROUP_LOW))
        start, end = p["window_start"][row], p["window_end"][row]
        shifted = GROUP_LOW[*group] + p["energy_offset"][row]
        first = np.clip(shifted.astype(int), start, end - 1)
        last = np.minimum(first + SIGNAL_RANGE_EV, end)

        channel = first[:, None] + np.arange(1, SIGNAL_RANGE_EV + 1)
        inside = channel <= last[:, None]
        here = row[:, None], np.minimum(channel, expected.shape[1] - 1)
        under = np.maximum((expected[here] * inside).sum(axis=1, dtype=np.float64), 1e-30)
        counts = p["counts"][row]
        readout = p["readout_noise"][row] * counts
        noise = np.sqrt(under * counts + (last - first) * readout**2)
        pattern = p["fixed_pattern"] * np.minimum(np.sqrt(p["pattern_length"] / 20), 1)
        share = np.maximum(self.patterns * pattern, self.share)[row]
        above = signal[row, *group]
        seen = (above * counts > self.deviations * noise) & (above > share * under)
        if lost is not None:
            seen &= (lost[here] & inside).sum(axis=1) < self.lost * (last - first)
        result = np.zeros(signal.shape, bool)
        result[row, *group] = seen
        return result


def in_window(fractions: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
    """Which major groups of the elements of the sample are in the window, bool, shape (n, 80, 2)."""
    start, end = p["window_start"][:, None, None], p["window_end"][:, None, None]
    return (start <= GROUP_LOW) & (end >= GROUP_LOW) & (fractions > 0)[:, :, None]
