"""What the detector makes of a simulated spectrum: noise, channels, gain, and what goes wrong in single channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from scipy.ndimage import gaussian_filter1d

from hyperspy_eelsid.identification.network_input import N_CHANNELS

if TYPE_CHECKING:
    from training.core_loss.recipes import Recipe

Range = tuple[float, float]

# from here on Poisson's distribution is normal for every purpose of a network
NORMAL_ABOVE_COUNTS = 1e4
# what happens to some spectra in single channels: 15 % have one of these
SPIKE, GAIN_STEP, DIM_END, SHADOW = 1, 2, 3, 4
ARTEFACTS = (SPIKE, GAIN_STEP, DIM_END, SHADOW, SHADOW)  # equally likely, the shadow twice


def count(rng: np.random.Generator, expected: np.ndarray) -> np.ndarray:
    """Poisson noise; normal where the expected counts are large."""
    noisy = expected + np.sqrt(expected) * rng.standard_normal(expected.shape, dtype=np.float32)
    few = expected < NORMAL_ABOVE_COUNTS
    noisy[few] = rng.poisson(expected[few])
    return noisy


def record(
    rng: np.random.Generator,
    recipe: Recipe,
    edges: np.ndarray,
    smooth: np.ndarray,
    p: dict[str, np.ndarray],
) -> np.ndarray:
    """Counts in every channel of the window, zero outside.

    Parameters
    ----------
    edges, smooth : Edges and background in units of the background at the start of the window, shape (n, 3072).
    p : Parameters of the spectra.

    Returns
    -------
    Counts per eV divided by the counts at the start of the window, float32, shape (n, 3072).
    """
    channel = np.arange(N_CHANNELS)
    window = (channel >= p["window_start"][:, None]) & (channel <= p["window_end"][:, None])
    expected = edges + smooth
    expected *= window
    np.maximum(expected, 0, out=expected)
    counts = p["counts"].astype(np.float32)
    result = np.zeros_like(expected)
    native = p["dispersion"] == 1
    for row in np.flatnonzero(native):
        cut = slice(p["window_start"][row], p["window_end"][row] + 1)
        result[row, cut] = count(rng, expected[row, cut] * counts[row]) / counts[row]
    for row in np.flatnonzero(~native):
        energy, spectrum = _record_at_dispersion(rng, expected[row], counts[row], p, row)
        result[row, energy] = spectrum
        window[row, : energy[0]] = window[row, energy[-1] + 1 :] = False
    if "backgrounds" in recipe.effects:
        removed = p["removed_background"].astype(np.float32)
        result -= removed[:, None] * smooth * window
        lowest = np.where(window, expected, np.inf).min(axis=1)
        level = np.where(p["dark_level"] != 0, lowest * p["dark_level"], 0)
        result += level.astype(np.float32)[:, None] * window
    return result


def _record_at_dispersion(
    rng: np.random.Generator,
    expected: np.ndarray,
    counts: float,
    p: dict[str, np.ndarray],
    row: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Count in channels of another width and bring them to 1 eV by a cubic spline, as measured data are.

    Returns
    -------
    Energies [eV], and counts per eV there.
    """
    start, end = p["window_start"][row], p["window_end"][row]
    width = p["dispersion"][row]
    width *= max(round(1 / width), 1)  # narrow channels are averaged in groups before the spline
    borders = np.arange(start - 0.5 + p["channel_phase"][row] * width, end + 0.5, width)
    cumulative = np.concatenate([[0], np.cumsum(expected)])
    per_channel = np.diff(np.interp(borders, np.arange(len(cumulative)) - 0.5, cumulative))
    per_channel = np.maximum(per_channel, 0).astype(np.float32)
    centres = (borders[1:] + borders[:-1]) / 2
    noisy = count(rng, per_channel * counts) / (counts * width)
    energy = np.arange(int(np.ceil(centres[0])), int(centres[-1]) + 1)
    return energy, uniform_spline(noisy, (energy - centres[0]) / width)


@njit(cache=True)
def uniform_spline(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Cubic spline through equally spaced values; scipy's CubicSpline gives the same at a twentieth of the speed.

    Parameters
    ----------
    values
        At 0, 1, 2..., at least four.
    at
        Where the spline is evaluated.
    """
    n = len(values)
    second = np.zeros(n)  # derivatives, from a tridiagonal system
    ratio = np.zeros(n)
    for i in range(1, n - 1):
        second[i] = 6.0 * (values[i - 1] - 2.0 * values[i] + values[i + 1])
    # the third derivative is continuous at the last knots but one ("not a knot")
    second[1] /= 6.0
    second[n - 2] /= 6.0
    for i in range(2, n - 2):
        pivot = 1.0 / (4.0 - ratio[i - 1])
        ratio[i] = pivot
        second[i] = (second[i] - second[i - 1]) * pivot
    for i in range(n - 3, 1, -1):
        second[i] -= ratio[i] * second[i + 1]
    second[0] = 2.0 * second[1] - second[2]
    second[n - 1] = 2.0 * second[n - 2] - second[n - 3]
    result = np.empty(len(at))
    for j in range(len(at)):
        i = min(max(int(at[j]), 0), n - 2)
        right = at[j] - i
        left = 1.0 - right
        result[j] = left * values[i] + right * values[i + 1]
        result[j] += (left**3 - left) * second[i] / 6.0 + (right**3 - right) * second[i + 1] / 6.0
    return result


def draw_detector(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Parameters of the effect ``detector``, shape (n,) each: see :func:`degrade`.

    Noise and pattern are relative, the readout noise [counts per eV] in units of the counts at the start of the
    window, lengths and widths in eV.
    """

    def some(share: float, values: np.ndarray) -> np.ndarray:
        return np.where(rng.random(n) < share, values, 0)

    return {
        "detector_tail": some(0.5, rng.random(n) * 0.3),
        "detector_tail_width": rng.uniform(5, 40, n),
        "gain_noise": some(0.3, 10 ** rng.uniform(-3.5, -1.8, n)),
        "fixed_pattern": some(0.35, 10 ** rng.uniform(-3.3, -1.7, n)),
        "pattern_length": np.exp(rng.uniform(0, np.log(40), n)),
        "readout_noise": some(0.2, 10 ** rng.uniform(-4.5, -2, n)),
        **_draw_artefacts(rng, n),
    }


def _draw_artefacts(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Kind (0 for none), place in the window (0 to 1), size and length in channels of what :func:`_disturb` does."""
    kind = np.where(rng.random(n) < 0.15, rng.choice(ARTEFACTS, n), 0)
    sizes = [
        np.zeros(n),
        rng.random(n),  # height of a spike in units of the maximum
        rng.normal(0, 0.02, n),  # of the gain
        rng.random(n),  # what the last channels record
        rng.uniform(0.3, 1, n),  # what the first channel in the shadow records
    ]
    return {
        "artefact": kind,
        "artefact_place": rng.random(n),
        "artefact_size": np.choose(kind, sizes),
        "artefact_length": np.where(kind == DIM_END, rng.integers(2, 7, n), rng.integers(2, 30, n)),
    }


def draw_denoising(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Width [eV] of the filter of the effect ``denoised``, 0 for none, shape (n,)."""
    return {"denoising": np.where(rng.random(n) < 0.15, rng.uniform(0.5, 2, n), 0)}


def degrade(
    rng: np.random.Generator, recipe: Recipe, spectra: np.ndarray, p: dict[str, np.ndarray]
) -> np.ndarray:
    """Gain and readout noise, fixed pattern, gain steps, spikes, shadowed borders and denoising."""
    if "detector" in recipe.effects:
        white, pattern = p["gain_noise"], p["fixed_pattern"]
        for row in np.flatnonzero((white > 0) | (pattern > 0)):
            gain = white[row] * rng.standard_normal(N_CHANNELS, dtype=np.float32)
            slow = gaussian_filter1d(
                rng.standard_normal(N_CHANNELS, dtype=np.float32), p["pattern_length"][row]
            )
            spectra[row] *= 1 + gain + pattern[row] * slow / slow.std()
        for row in np.flatnonzero(p["readout_noise"]):
            cut = slice(p["window_start"][row], p["window_end"][row] + 1)
            noise = rng.standard_normal(spectra[row, cut].shape, dtype=np.float32)
            spectra[row, cut] += p["readout_noise"][row] * noise
        for row in np.flatnonzero(p["artefact"]):
            _disturb(spectra[row], p, row)
    if "broken channels" in recipe.effects:
        recipe.broken_channels.apply(rng, spectra, p)
    if "denoised" in recipe.effects:
        channel = np.arange(N_CHANNELS)
        for row in np.flatnonzero(p["denoising"]):
            sigma = p["denoising"][row]
            window = (channel >= p["window_start"][row]) & (channel <= p["window_end"][row])
            weight = gaussian_filter1d(window.astype(np.float32), sigma)
            smoothed = gaussian_filter1d(spectra[row] * window, sigma) / np.maximum(weight, 1e-3)
            spectra[row] = smoothed * window
    return spectra


def _disturb(spectrum: np.ndarray, p: dict[str, np.ndarray], row: int) -> None:
    """A spike, a step of the gain, dim last channels, or the shadow of an aperture over the first ones."""
    start, end = p["window_start"][row], p["window_end"][row]
    kind, size, length = (p[f"artefact{name}"][row] for name in ("", "_size", "_length"))
    at = start + int(p["artefact_place"][row] * (end + 1 - start))
    if kind == SPIKE:
        spectrum[at] += size * spectrum.max()
    elif kind == GAIN_STEP:
        spectrum[at:] *= 1 + size
    elif kind == DIM_END:
        spectrum[end + 1 - length : end + 1] *= size
    else:
        ramp = size + np.linspace(0, 1, length, dtype=np.float32)
        spectrum[start : start + length] *= np.minimum(ramp, 1)


GARBAGE_FIRST, GARBAGE_LAST, DEAD, SEAMS, SPIKES, CLIPPED = range(1, 7)
NOISY, CONSTANT, DARK = range(3)
BROKEN_PLACES = 4


@dataclass(frozen=True)
class BrokenChannels:
    """Effect: channels that do not hold what was there to be measured.

    Garbage in the first or the last channels (noise, one value, or dark counts), dead channels, seams between readout
    ports of another gain, spikes, and tops that are clipped where the detector saturates. No channel that is lost
    counts for a label.

    Attributes
    ----------
    share
        Of the spectra that have one of the six, equally likely.
    garbage
        Channels of garbage, and its size in units of the maximum of the spectrum.
    garbage_size
        Largest size in units of the maximum of the spectrum; log-uniform from a thousandth of it.
    dead
        Neighbouring channels at one place that are dead.
    seam
        Standard deviation of the gain at a seam.
    spike
        Height of a spike in units of the maximum; log-uniform.
    clipped
        Level of the clipped top in units of the maximum.
    """

    share: float = 0.08
    garbage: tuple[int, int] = (1, 60)
    garbage_size: Range = (1e-3, 4.0)
    dead: tuple[int, int] = (1, 6)
    seam: float = 0.06
    spike: Range = (0.02, 5.0)
    clipped: Range = (0.3, 0.97)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Kind (0 for none), and place in the window, size and length at up to four places, `n` rows each."""
        kind = np.where(rng.random(n) < self.share, rng.integers(1, CLIPPED + 1, n), 0)
        shape = (n, BROKEN_PLACES)

        def log_uniform(limits: Range) -> np.ndarray:
            return np.exp(rng.uniform(*np.log(limits), shape))

        sizes = [
            np.zeros(shape),
            log_uniform(self.garbage_size),
            log_uniform(self.garbage_size),
            np.zeros(shape),
            rng.normal(0, self.seam, shape),
            log_uniform(self.spike) * np.where(rng.random(shape) < 0.2, -1, 1),
            rng.uniform(*self.clipped, shape),
        ]
        column = kind[:, None]
        garbage = column <= GARBAGE_LAST
        lengths = (
            np.where(garbage, self.garbage[0], self.dead[0]),
            np.where(garbage, self.garbage[1], self.dead[1]),
        )
        return {
            "broken": kind,
            "broken_garbage": rng.integers(3, size=n),
            "broken_places": rng.integers(1, BROKEN_PLACES + 1, n),
            "broken_place": rng.random(shape),
            "broken_size": np.choose(column, sizes),
            "broken_length": rng.integers(lengths[0], lengths[1] + 1, shape),
        }

    def lost(self, expected: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
        """Channels that hold nothing of the sample, bool, shape (n, 3072).

        Parameters
        ----------
        expected
            Spectra without noise.
        p
            Parameters of the spectra.
        """
        result = np.zeros(expected.shape, bool)
        for row in np.flatnonzero(p["broken"]):
            for cut in self._cuts(p, row):
                result[row, cut] = p["broken"][row] in (GARBAGE_FIRST, GARBAGE_LAST, DEAD)
            if p["broken"][row] == CLIPPED:
                start, end = p["window_start"][row], p["window_end"][row]
                level = p["broken_size"][row, 0] * expected[row, start : end + 1].max()
                result[row] = expected[row] > level
        return result

    def _cuts(self, p: dict[str, np.ndarray], row: int) -> list[slice]:
        """The places of a spectrum where something is wrong."""
        start, end = p["window_start"][row], p["window_end"][row]
        kind, length = p["broken"][row], p["broken_length"][row]
        if kind == GARBAGE_FIRST:
            return [slice(start, min(start + length[0], end - 10))]
        if kind == GARBAGE_LAST:
            return [slice(max(end + 1 - length[0], start + 10), end + 1)]
        places = start + (p["broken_place"][row] * (end + 1 - start)).astype(int)
        number = p["broken_places"][row]
        if kind == DEAD:
            pairs = zip(places[:number], length[:number], strict=True)
            return [slice(at, min(at + n, end + 1)) for at, n in pairs]
        if kind == SEAMS:
            return [slice(at, end + 1) for at in places[:number]]
        return [slice(at, at + 1) for at in places[:number]]

    def apply(
        self, rng: np.random.Generator, spectra: np.ndarray, p: dict[str, np.ndarray]
    ) -> None:
        """Do to the spectra what was drawn."""
        for row in np.flatnonzero(p["broken"]):
            spectrum, kind, sizes = spectra[row], p["broken"][row], p["broken_size"][row]
            top = spectrum.max()
            if kind == CLIPPED:
                np.minimum(spectrum, sizes[0] * top, out=spectrum)
                continue
            for cut, size in zip(self._cuts(p, row), sizes, strict=False):
                if kind == SEAMS:
                    spectrum[cut] *= 1 + size
                elif kind == SPIKES:
                    spectrum[cut] += size * top
                elif kind == DEAD:
                    spectrum[cut] = 0
                else:
                    spectrum[cut] = self._garbage(
                        rng, p["broken_garbage"][row], spectrum[cut], size * top
                    )

    @staticmethod
    def _garbage(
        rng: np.random.Generator, kind: int, channels: np.ndarray, size: float
    ) -> np.ndarray:
        noise = rng.standard_normal(len(channels), dtype=np.float32)
        if kind == NOISY:
            return size * noise
        if kind == CONSTANT:
            return np.full(len(channels), size, np.float32)
        return size * (1 + 0.1 * noise)
