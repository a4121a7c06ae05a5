"""Signals that are no core loss: what wrong files, wrong settings and other detectors hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperspy_eelsid.identification.network_input import N_CHANNELS
from training.physics.draws import Range, integers, log_uniform, some

SQUARE, SINE, SAW_TOOTH, LINES, BANDS, LOW_LOSS, RANDOM_WALK, STRAIGHT = range(1, 9)
PEAKS = 10


@dataclass(frozen=True)
class OtherSignals:
    """Effect: some spectra are no core loss at all, and have no label.

    Square, sine and saw-tooth waves; narrow lines on a broad hump, as of X-rays; broad bands, as of light; a low loss
    whose zero-loss peak lies in the window; a random walk; and straight lines.

    Attributes
    ----------
    share
        Of such spectra, the eight kinds equally likely.
    periods
        Of waves in the window; log-uniform.
    line_fwhm, band_fwhm
        Width of the peaks of X-rays and of light [eV]; log-uniform.
    plasmon_energy
        Of the first plasmon of a low loss [eV].
    floor
        What lies under waves and peaks, in units of their height; log-uniform.
    """

    share: float = 0.04
    periods: Range = (0.5, 60.0)
    line_fwhm: Range = (2.0, 40.0)
    band_fwhm: Range = (20.0, 400.0)
    plasmon_energy: Range = (5.0, 30.0)
    floor: Range = (0.01, 10.0)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Kind (0 for none) and numbers of each spectrum, and of up to ten peaks, `n` rows each."""
        kind = some(rng, self.share, integers(rng, (1, STRAIGHT), n))
        shape = (n, PEAKS)
        fwhm = np.where(
            kind[:, None] == LINES,
            log_uniform(rng, self.line_fwhm, n)[:, None],
            log_uniform(rng, self.band_fwhm, shape),
        )
        number = integers(rng, (1, PEAKS), n)
        height = log_uniform(rng, (0.02, 1), shape) * (np.arange(PEAKS) < number[:, None])
        return {
            "other_signal": kind,
            "other_periods": log_uniform(rng, self.periods, n),
            "other_phase": rng.random(n),
            "other_floor": log_uniform(rng, self.floor, n),
            "other_slope": rng.uniform(-1, 1, n),
            "other_plasmon": rng.uniform(*self.plasmon_energy, n),
            "other_seed": rng.integers(2**31, size=n),
            "peak_place": rng.random(shape),
            "peak_fwhm": fwhm,
            "peak_height": height,
        }

    def spectra(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Expected intensity of the spectra that are no core loss, at most 1 in the window, shape (n_other, 3072)."""
        rows = np.flatnonzero(p["other_signal"])
        result = np.zeros((len(rows), N_CHANNELS), np.float32)
        for spectrum, row in zip(result, rows, strict=True):
            start, end = p["window_start"][row], p["window_end"][row]
            place = np.linspace(0, 1, end + 1 - start)
            shape = self._shape(
                place, end + 1 - start, {name: values[row] for name, values in p.items()}
            )
            spectrum[start : end + 1] = shape / shape.max()
        return result

    @staticmethod
    def _shape(place: np.ndarray, length: int, p: dict[str, np.ndarray]) -> np.ndarray:
        """One of them, nowhere negative. `place` runs from 0 to 1 over `length` [eV]."""
        kind, floor = p["other_signal"], p["other_floor"]
        tilt = 1 + p["other_slope"] * (place - 0.5)
        phase = (place * p["other_periods"] + p["other_phase"]) % 1
        if kind == SQUARE:
            return (floor + (phase < 0.5)) * tilt
        if kind == SINE:
            return (floor + 0.5 + 0.5 * np.sin(2 * np.pi * phase)) * tilt
        if kind == SAW_TOOTH:
            return (floor + phase) * tilt
        if kind == STRAIGHT:
            return tilt
        if kind == RANDOM_WALK:
            walk = np.cumsum(np.random.default_rng(p["other_seed"]).standard_normal(len(place)))
            return floor * np.ptp(walk) / 10 + walk - walk.min() + 1e-3
        centre, width, height = (p[f"peak_{name}"][:, None] for name in ("place", "fwhm", "height"))
        if kind == LOW_LOSS:
            energy = (place - p["other_phase"] / 2) * length
            zero_loss = 1 / (1 + (energy / 1.5) ** 2)
            plasmon, damping = p["other_plasmon"], 4 + 10 * p["peak_place"][0]
            positive = np.maximum(energy, 0)
            loss = positive * damping**2 * plasmon  # at most about 1
            loss /= (positive**2 - plasmon**2) ** 2 + (positive * damping) ** 2
            return zero_loss + p["peak_height"][0] * loss
        distance = (place - centre) * length / width
        peaks = (height * np.exp(-4 * np.log(2) * distance**2)).sum(axis=0)
        hump = (place + 0.05) * np.exp(-3 * place) if kind == LINES else 1.0
        return peaks + 0.1 * floor * hump * tilt + 1e-4
