"""What background, detector and calibration make of the edges of a simulated spectrum."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from hyperspy_eelsid.identification.network_input import N_CHANNELS
from training.core_loss.recipes import Recipe

# from here on Poisson's distribution is normal for every purpose of a network
NORMAL_ABOVE_COUNTS = 1e4
WAVES = 3
# what happens to some spectra in single channels: 15 % have one of these
SPIKE, GAIN_STEP, DIM_END, SHADOW = 1, 2, 3, 4
ARTEFACTS = (SPIKE, GAIN_STEP, DIM_END, SHADOW, SHADOW)  # equally likely, the shadow twice


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

        share = column("second_background")
        smooth = (1 - share) * smooth + share * power_law(p["second_exponent"], start)
        energy = np.arange(N_CHANNELS, dtype=np.float32)
        distance = energy - start[:, None].astype(np.float32)
        flat = column("flat_background")
        length = np.maximum(p["window_end"] - start, 1).astype(np.float32)[:, None]
        line = (1 + column("background_slope") * distance / length) * (distance >= 0)
        smooth = (1 - flat) * smooth + flat * line
        for row in np.flatnonzero(p["undulation"]):
            angle = energy[:, None] * (2 * np.pi / p["undulation_length"][row])
            waves = np.cos(angle + p["undulation_phase"][row]).sum(axis=1)
            smooth[row] *= np.exp(p["undulation"][row] * waves)
        tail = (1 + np.maximum(distance, 0) / column("edge_tail_decay")) ** -2 * (distance >= 0)
        smooth = (1 - column("edge_tail")) * smooth + column("edge_tail") * tail
    return smooth


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
    return energy, CubicSpline(centres, noisy)(energy)


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
