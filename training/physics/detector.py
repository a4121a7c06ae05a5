"""What the detector makes of a simulated spectrum: noise, channels, gain, and what goes wrong in single channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.ndimage import gaussian_filter1d

from hyperspy_eelsid.identification.network_input import N_CHANNELS
from training.physics.draws import Range, integers, log_uniform, some

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
    edges: np.ndarray,
    smooth: np.ndarray,
    p: dict[str, np.ndarray],
) -> np.ndarray:
    """Counts in every channel of the window, zero outside.

    Parameters
    ----------
    edges, smooth
        Edges and background in units of the background at the start of the window, shape (n, 3072).
    p
        Parameters of the spectra.

    Returns
    -------
    np.ndarray
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
    if "removed_background" in p:
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
    tuple[np.ndarray, np.ndarray]
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


@dataclass(frozen=True)
class Detector:
    """Effect: tails of the point spread function, noise of the gain and of the readout, patterns, and artefacts.

    Noise and pattern are relative, the readout noise [counts per eV] in units of the counts at the start of the
    window, lengths and widths in eV. All but lengths and widths are log-uniform where not said otherwise.

    Attributes
    ----------
    tails, tail, tail_width
        Share of the spectra with a tail, its largest share of every electron (uniform), and its half width.
    noisy_gains, gain_noise
        Share of the spectra with noise of the gain, and its powers of ten.
    patterns, fixed_pattern, pattern_length
        Share with a fixed pattern, its powers of ten, and the largest length over which it varies.
    readouts, readout_noise
        Share with readout noise, and its powers of ten.
    artefacts
        Share with a spike, a step of the gain, dim last channels, or the shadow of an aperture over the first ones;
        the shadow twice as likely.
    spike
        Largest height of a spike in units of the maximum (uniform).
    gain_step
        Standard deviation of a step of the gain.
    shadow
        What the first channel in a shadow records (uniform).
    """

    tails: float = 0.5
    tail: float = 0.3
    tail_width: Range = (5.0, 40.0)
    noisy_gains: float = 0.3
    gain_noise: Range = (-3.5, -1.8)
    patterns: float = 0.35
    fixed_pattern: Range = (-3.3, -1.7)
    pattern_length: float = 40.0
    readouts: float = 0.2
    readout_noise: Range = (-4.5, -2.0)
    artefacts: float = 0.15
    spike: float = 1.0
    gain_step: float = 0.02
    shadow: Range = (0.3, 1.0)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Parameters of the effect, shape (n,) each.

        An artefact has a kind (0 for none), a place in the window (0 to 1), a size, and a length in channels.
        """
        p = {
            "detector_tail": some(rng, self.tails, rng.random(n) * self.tail),
            "detector_tail_width": rng.uniform(*self.tail_width, n),
            "gain_noise": some(rng, self.noisy_gains, 10 ** rng.uniform(*self.gain_noise, n)),
            "fixed_pattern": some(rng, self.patterns, 10 ** rng.uniform(*self.fixed_pattern, n)),
            "pattern_length": log_uniform(rng, (1.0, self.pattern_length), n),
            "readout_noise": some(rng, self.readouts, 10 ** rng.uniform(*self.readout_noise, n)),
        }
        kind = some(rng, self.artefacts, rng.choice(ARTEFACTS, n))
        sizes = [
            np.zeros(n),
            rng.random(n) * self.spike,
            rng.normal(0, self.gain_step, n),
            rng.random(n),  # what dim channels record
            rng.uniform(*self.shadow, n),
        ]
        dim, other = rng.integers(2, 7, n), rng.integers(2, 30, n)
        return p | {
            "artefact": kind,
            "artefact_place": rng.random(n),
            "artefact_size": np.choose(kind, sizes),
            "artefact_length": np.where(kind == DIM_END, dim, other),
        }

    def apply(
        self, rng: np.random.Generator, spectra: np.ndarray, p: dict[str, np.ndarray]
    ) -> None:
        """Do to the spectra what was drawn, but for the tail."""
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


@dataclass(frozen=True)
class Denoising:
    """Effect: noise that was filtered, so that neighbouring channels are correlated.

    Attributes
    ----------
    share
        Of the spectra.
    sigma
        Width of the Gaussian filter [eV].
    """

    share: float = 0.15
    sigma: Range = (0.5, 2.0)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Width of the filter [eV], 0 for none, shape (n,)."""
        return {"denoising": some(rng, self.share, rng.uniform(*self.sigma, n))}

    def apply(self, spectra: np.ndarray, p: dict[str, np.ndarray]) -> None:
        """Filter the spectra inside their windows."""
        channel = np.arange(N_CHANNELS)
        for row in np.flatnonzero(p["denoising"]):
            sigma = p["denoising"][row]
            window = (channel >= p["window_start"][row]) & (channel <= p["window_end"][row])
            weight = gaussian_filter1d(window.astype(np.float32), sigma)
            smoothed = gaussian_filter1d(spectra[row] * window, sigma) / np.maximum(weight, 1e-3)
            spectra[row] = smoothed * window


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
        kind = some(rng, self.share, integers(rng, (1, CLIPPED), n))
        shape = (n, BROKEN_PLACES)

        sizes = [
            np.zeros(shape),
            log_uniform(rng, self.garbage_size, shape),
            log_uniform(rng, self.garbage_size, shape),
            np.zeros(shape),
            rng.normal(0, self.seam, shape),
            log_uniform(rng, self.spike, shape) * np.where(rng.random(shape) < 0.2, -1, 1),
            rng.uniform(*self.clipped, shape),
        ]
        column = kind[:, None]
        garbage = column <= GARBAGE_LAST
        return {
            "broken": kind,
            "broken_garbage": rng.integers(3, size=n),
            "broken_places": integers(rng, (1, BROKEN_PLACES), n),
            "broken_place": rng.random(shape),
            "broken_size": np.choose(column, sizes),
            "broken_length": np.where(
                garbage, integers(rng, self.garbage, shape), integers(rng, self.dead, shape)
            ),
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
