"""Random lines of edges: white lines, giant resonances, and peaks of K edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.physics.draws import Range

_SHARP_LINES = {("L2", z) for z in [*range(19, 31), *range(38, 47)]}
_SHARP_LINES |= {("L3", z) for _, z in _SHARP_LINES}
_SHARP_LINES |= {(m, z) for m in ("M4", "M5") for z in range(55, 71)}
_SHARP_LINES |= {(m, z) for m in ("M2", "M3") for z in [*range(38, 47), *range(55, 72)]}
_SHARP_LINES |= {(n, z) for n in ("N2", "N3") for z in range(57, 72)}
_GIANT_RESONANCES = {(n, z) for n in ("N4", "N5") for z in range(57, 71)}
NO_LINE, SHARP_LINE, GIANT_RESONANCE, NEAR_EDGE_PEAK = 0, 1, 2, 3
LANTHANUM = 57


def line_kind(subshell: str, atomic_number: int) -> int:
    """What kind of line a subshell has."""
    if (subshell, atomic_number) in _SHARP_LINES:
        return SHARP_LINE
    if (subshell, atomic_number) in _GIANT_RESONANCES:
        return GIANT_RESONANCE
    return NEAR_EDGE_PEAK if subshell == "K" else NO_LINE


@dataclass(frozen=True)
class WhiteLines:
    """Effect: lines of random place, width and height.

    The line of an N4,5 edge of a lanthanide is the 4d to 4f resonance that holds most of its strength. Exchange
    raises it 10 to 20 eV above the onset and it is as wide (J. L. Dehmer, A. F. Starace, U. Fano, J. Sugar and
    J. W. Cooper, Phys. Rev. Lett. 26, 1521 (1971)); as the 4f shell fills it comes down to the onset and becomes a few
    narrow lines. The straight lines for position and width were drawn through what the oxides of Ce, Pr, Nd, Tb, Er
    and Tm show.

    Attributes
    ----------
    share
        Of the edges that may have a line.
    position, fwhm, height
        Of a line above the onset [eV], its width [eV], mostly small, and its height in units of the step;
        log-uniform.
    resonance_position, resonance_fall
        Of the resonance of La [eV], and how much lower it is with every further element.
    resonance_fwhm, resonance_narrowing
        Factor of the width for La, and how much smaller it is with every further element; at least 1.
    doublet, doublet_distance
        Share of the subshells whose resonance is moved up or down, and by how much [eV].
    continuum_decades
        Powers of ten of what a resonance leaves of the step.
    resonance_delay
        Over which the continuum behind a resonance rises [eV].
    peak_height, peak_threshold
        Factor of the height of the peaks of K edges, after this has been taken from it.
    second, second_height, second_distance, second_fwhm
        Share of these peaks with a second, broad one, its height in units of the first, its distance and its
        width [eV].
    """

    share: float = 0.85
    position: Range = (0.5, 3.0)
    fwhm: Range = (1.2, 4.5)
    height: Range = (0.5, 12.0)
    resonance_position: float = 18.0
    resonance_fall: float = 1.7
    resonance_fwhm: float = 4.0
    resonance_narrowing: float = 0.25
    doublet: float = 0.5
    doublet_distance: Range = (4.0, 9.0)
    continuum_decades: Range = (-1.0, 0.0)
    resonance_delay: Range = (3.0, 40.0)
    peak_height: float = 0.5
    peak_threshold: float = 1.2
    second: float = 0.6
    second_height: Range = (0.3, 1.5)
    second_distance: Range = (4.0, 14.0)
    second_fwhm: Range = (2.0, 10.0)

    def draw(
        self,
        rng: np.random.Generator,
        rows: np.ndarray,
        kind: np.ndarray,
        uniform: Callable[[], np.ndarray],
    ) -> None:
        """Fill the columns of the lines.

        Parameters
        ----------
        rows
            Structured array with the columns of :data:`training.physics.ionisation.SUBSHELL`.
        kind
            Of the line of each row, as :func:`line_kind` gives it.
        uniform
            Function that gives a random number from 0 to 1 for each row, the same for the rows of one shell.
        """
        n = len(rows)
        rows["fine_structure_ratio"] *= rng.random(n)
        position = self.position[0] + np.ptp(self.position) * uniform()
        fwhm = self.fwhm[0] + np.ptp(self.fwhm) * uniform() ** 2
        height = self.height[0] * (self.height[1] / self.height[0]) ** uniform()
        rows["line_asymmetry"] = uniform()
        kind = np.where(uniform() < self.share, kind, NO_LINE)

        giant = kind == GIANT_RESONANCE
        rows["continuum"][giant] = 10 ** rng.uniform(*self.continuum_decades, giant.sum())
        rows["delay"][giant] = rng.uniform(*self.resonance_delay, giant.sum())
        filled = rows["atomic_number"] - LANTHANUM
        place = self.resonance_position - self.resonance_fall * filled
        place = np.maximum(place + 2.5 * (position - np.mean(self.position)), 0)
        step = np.where(rng.random(n) < self.doublet, rng.uniform(*self.doublet_distance, n), 0)
        place += np.where(place > step, -step, step)
        narrow = np.maximum(self.resonance_fwhm - self.resonance_narrowing * filled, 1)

        # a pi* line, up to six times the step as in N2, and the broader sigma* above it
        peak = kind == NEAR_EDGE_PEAK
        second = peak & (rng.random(n) < self.second)
        rows["second_height"] = np.where(second, rng.uniform(*self.second_height, n), 0)
        rows["second_position"] = position + rng.uniform(*self.second_distance, n)
        rows["second_fwhm"] = rng.uniform(*self.second_fwhm, n)
        low = self.peak_height * np.maximum(height - self.peak_threshold, 0)
        height = np.where(peak, low, height)
        rows["line_height"] = np.where(kind == NO_LINE, 0, height)
        rows["line_position"] = np.where(giant, place, position)
        rows["line_fwhm"] = np.where(giant, narrow * fwhm, fwhm)
