"""Synthetic core-loss spectra: from a recipe and a seed to spectra, labels and every drawn parameter.

A block of spectra is simulated at once: compiled loops (numba) for the edges, Fourier transforms of the whole block
for the low loss, vectorised draws for everything else. The energy axis of the simulation has 4096 channels of 1 eV,
of which the first 3072 are the network input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS, ENERGY_MAX_EV, ENERGY_MIN_EV
from hyperspy_eelsid.identification.network_input import N_CHANNELS, normalise
from training.core_loss.compositions import Compositions
from training.core_loss.recipes import Recipe
from training.physics.background import background, draw_background
from training.physics.cross_section_table import BEAM_ENERGIES_KEV
from training.physics.detector import (
    degrade,
    draw_denoising,
    draw_detector,
    record,
)
from training.physics.ionisation import GROUP_HIGH, GROUP_LOW, SIGNAL_RANGE_EV, ionisation_edges
from training.physics.low_loss import N_PADDED, low_loss_transfer

FILMS = {  # atomic fractions, and how many samples have such a film
    "carbon_film": ({"C": 1.0}, 0.25),
    "oxide_film": ({"O": 1.0}, 0.15),
    "nitride_film": ({"Si": 3 / 7, "N": 4 / 7}, 0.06),
}
MARGIN_BEFORE_EV, MARGIN_AFTER_EV = 10, 25


@dataclass(frozen=True)
class Block:
    """Simulated spectra.

    Attributes
    ----------
    spectra : Network input, float32, shape (n, 3072).
    labels : 1 where an element has a visible edge group, uint8, shape (n, 80).
    groups : 1 where one of the 107 major edge groups is visible, uint8, shape (n, 107), as in `EDGE_GROUPS`.
    fractions : Atomic fractions, float32, shape (n, 80).
    parameters : Every drawn parameter of the spectra, arrays of length n.
    subshells : What was drawn for each subshell of each sample, a structured array with the index of its spectrum, of
        dtype :data:`training.physics.ionisation.SUBSHELL`. Only noise and the single Gaussians of the fine structure
        are drawn and not kept.
    """

    spectra: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    fractions: np.ndarray
    parameters: dict[str, np.ndarray]
    subshells: np.ndarray


def jump_ratio_scale(
    jump_ratio: np.ndarray, smooth: np.ndarray, height: np.ndarray, onset: np.ndarray
) -> np.ndarray:
    """Factor by which the edges are multiplied so that one of them stands on the background with its jump ratio.

    The jump ratio is the height of the edge over the background at its onset (Egerton 2011, section 5.7.3).

    Parameters
    ----------
    jump_ratio : Shape (n,).
    smooth : Background, shape (n, 3072).
    height : Maximum of the edge before its fine structure, shape (n,).
    onset : Channel of its onset, shape (n,); -1 for no edge, whose factor is 0.
    """
    at_onset = smooth[np.arange(len(onset)), np.maximum(onset, 0)]
    return np.where(onset >= 0, jump_ratio * at_onset / np.maximum(height, 1e-30), 0)


class Simulator:
    """Simulates blocks of spectra by one recipe.

    Parameters
    ----------
    recipe : Ranges of all parameters and the effects that are switched on.
    compositions : Compounds to draw from.
    table : Cross sections, as :func:`training.physics.cross_section_table.load` gives them.
    """

    def __init__(self, recipe: Recipe, compositions: Compositions, table: np.ndarray) -> None:
        self.recipe = recipe
        self.compositions = compositions
        self.table = table

    def block(self, seed: tuple[int, ...], n_samples: int, spectra_per_sample: int = 1) -> Block:
        """Simulate `n_samples` samples and `spectra_per_sample` spectra of each.

        The query elements go round the 80 elements, beginning at a random one, so that blocks are balanced.

        Parameters
        ----------
        seed : Integers that identify the block, e.g. (seed of the set, number of the block).
        """
        rng = np.random.default_rng(seed)
        query = (np.arange(n_samples) + rng.integers(len(ELEMENTS))) % len(ELEMENTS)
        fractions = self.compositions.draw(rng, query)
        repeat = spectra_per_sample
        return self.simulate(rng, query.repeat(repeat), fractions.repeat(repeat, axis=0))

    def simulate(self, rng: np.random.Generator, query: np.ndarray, fractions: np.ndarray) -> Block:
        """Simulate one spectrum for each row of atomic fractions.

        Parameters
        ----------
        rng : Source of all randomness.
        query : Index of the element whose edges the window must hold, shape (n,).
        fractions : Atomic fractions, shape (n, 80).
        """
        recipe = self.recipe
        mixture: dict[str, np.ndarray] = {}
        if "mixtures" in recipe.effects:
            mixture = self._draw_mixture(rng, len(fractions))
            fractions = self._mix(rng, fractions, mixture)
        p = self._draw_parameters(rng, query) | mixture
        drawn = ionisation_edges(rng, recipe, self.table, fractions, p)
        p |= drawn.parameters
        transfer = low_loss_transfer(
            p["zero_loss_fwhm"],
            p["plasmon_energy"],
            p["plasmon_width"],
            p["thickness"],
            p["detector_tail"],
            p["detector_tail_width"],
        )
        broadened = fft.irfft(fft.rfft(drawn.spectra, axis=1) * transfer, n=N_PADDED, axis=1)
        smooth = background(recipe, p)
        scale = jump_ratio_scale(
            p["jump_ratio"], smooth, drawn.reference_height, drawn.reference_onset
        )
        scale[p["empty"]] = 0
        if "other signals" in recipe.effects:
            smooth[p["other_signal"] > 0] = recipe.other_signals.spectra(p)
            scale[p["other_signal"] > 0] = 0
        edges = broadened[:, :N_CHANNELS] * scale[:, None].astype(np.float32)
        signal = drawn.signal * scale[:, None, None].astype(np.float32)
        visible = self._visible(fractions, p, signal, smooth + edges) & (scale > 0)[:, None, None]
        spectra = record(rng, recipe, edges, smooth, p)
        spectra = degrade(rng, recipe, spectra, p)
        spectra = normalise(spectra)
        p["jump_onset"] = drawn.reference_onset
        return Block(
            spectra,
            labels=visible.any(axis=2).astype(np.uint8),
            groups=visible[:, ~np.isnan(GROUP_LOW)].astype(np.uint8),
            fractions=fractions,
            parameters=p,
            subshells=drawn.subshells,
        )

    def _draw_mixture(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Second phases, minor amounts, and films, oxidised surfaces and membranes."""
        p = {
            "second_phase": rng.permutation(n),  # row of the sample that it is taken from
            "second_phase_share": np.where(rng.random(n) < 0.25, rng.random(n) * 0.6, 0),
            "uneven": rng.random(n) < 0.3,  # whether the fractions are spread
        }
        for film, (_, probability) in FILMS.items():
            p[film] = np.where(rng.random(n) < probability, rng.random(n) * 0.7, 0)
        return p

    def _mix(
        self, rng: np.random.Generator, fractions: np.ndarray, p: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Atomic fractions of the mixtures, shape (n, 80)."""
        share = p["second_phase_share"][:, None]
        mixed = (1 - share) * fractions + share * fractions[p["second_phase"]]
        mixed = mixed * np.exp(p["uneven"][:, None] * rng.standard_normal(mixed.shape))
        for film, (formula, _) in FILMS.items():
            mixed *= (1 - p[film])[:, None]
            for element, fraction in formula.items():
                mixed[:, ELEMENT_INDEX[element]] += p[film] * fraction
        return (mixed / mixed.sum(axis=1, keepdims=True)).astype(np.float32)

    def _draw_parameters(
        self, rng: np.random.Generator, query: np.ndarray
    ) -> dict[str, np.ndarray]:
        recipe, n = self.recipe, len(query)

        def uniform(limits: tuple[float, float]) -> np.ndarray:
            return rng.uniform(*limits, n)

        count = rng.integers(recipe.plasmons[0], recipe.plasmons[1] + 1, n)
        slots = (n, recipe.plasmons[1])
        present = np.arange(recipe.plasmons[1]) < count[:, None]
        low, high = recipe.plasmon_energy
        decades = recipe.counts_decades
        thin, thick = recipe.thickness
        p = {
            "query": query,
            "beam": rng.integers(len(BEAM_ENERGIES_KEV), size=n),
            "convergence_angle": uniform(recipe.convergence_angle),
            "collection_angle": uniform(recipe.collection_angle),
            "zero_loss_fwhm": uniform(recipe.zero_loss_fwhm),
            "plasmon_energy": rng.integers(low, high + 1, slots) * present,
            "plasmon_width": rng.integers(*np.add(recipe.plasmon_width, (0, 1)), size=slots),
            "thickness": thin + (thick - thin) * rng.random(n) ** recipe.thickness_power,
            "jump_ratio": uniform(recipe.jump_ratio),
            "counts": 10.0 ** rng.integers(decades[0], decades[1] + 1, n),
            "atomic_diameter": uniform(recipe.atomic_diameter),
            "energy_offset": rng.integers(
                -recipe.instrumental_shift, recipe.instrumental_shift + 1, n
            ),
            "dispersion_error": np.zeros(n),
            "dispersion": np.ones(n),
            "channel_phase": np.zeros(n),
            **dict.fromkeys(("detector_tail", "detector_tail_width"), np.zeros(n)),
            **dict.fromkeys(("gain_noise", "fixed_pattern", "readout_noise"), np.zeros(n)),
            "pattern_length": np.ones(n),
            "empty": np.zeros(n, bool),
        }
        p["window_start"], p["window_end"] = self._draw_window(rng, query)
        effects = recipe.effects
        if "counts" in effects:
            p["counts"] = 10 ** uniform(decades)
            p["jump_ratio"] = np.exp(uniform(tuple(np.log(recipe.jump_ratio))))
        if "empty" in effects:
            p["empty"] = rng.random(n) < 0.07
            noisy = p["empty"] & (rng.random(n) < 0.5)
            p["counts"] = np.where(noisy, 10 ** rng.uniform(0, 3, n), p["counts"])
        p |= draw_background(rng, recipe, p["empty"])
        if "calibration" in effects:
            wide = rng.random(n) < 0.4
            p["energy_offset"] = np.where(wide, rng.integers(-20, 21, n), p["energy_offset"])
            error = np.clip(rng.normal(0, 0.004, n), -0.02, 0.02)
            p["dispersion_error"] = np.where(rng.random(n) < 0.5, error, 0)
        if "dispersion" in effects:
            kind = rng.random(n)
            p["dispersion"] = np.where(
                kind < 0.55, 1, np.exp(rng.uniform(np.log(0.1), np.log(4), n))
            )
            p["channel_phase"] = rng.random(n)  # where the first channel begins, in channels
        if "detector" in effects:
            p |= draw_detector(rng, n)
        if "denoised" in effects:
            p |= draw_denoising(rng, n)
        if "broken channels" in effects:
            p |= recipe.broken_channels.draw(rng, n)
        if "other signals" in effects:
            p |= recipe.other_signals.draw(rng, n)
            for name in ("removed_background", "dark_level"):
                if name in p:
                    p[name] = np.where(p["other_signal"] > 0, 0, p[name])
        return p

    def _draw_window(
        self, rng: np.random.Generator, query: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """First and last energy [eV] of the measured window, shape (n,).

        The window holds the query element's major edges with 10 eV before and 25 eV after; of an element with two
        groups the first, the second or both, equally likely.
        """
        n = len(query)
        both = np.isfinite(GROUP_LOW[query, 1])
        low, high = np.sort(GROUP_LOW[query], axis=1), np.sort(GROUP_HIGH[query], axis=1)
        case = np.where(both, rng.integers(3, size=n), 0)
        first = np.where(case == 1, low[:, 1], low[:, 0])
        last = np.where(case == 0, high[:, 0], high[:, 1])
        latest_start = np.floor(first) - MARGIN_BEFORE_EV
        start = rng.integers(ENERGY_MIN_EV, latest_start + 1)
        earliest_end = np.ceil(last) + MARGIN_AFTER_EV
        end = rng.integers(earliest_end, np.maximum(earliest_end, 3272) + 1)
        if "windows" in self.recipe.effects:
            kind = rng.random(n)
            start = np.where(kind < 0.25, ENERGY_MIN_EV, start)
            near = np.maximum(latest_start - rng.exponential(80, n), ENERGY_MIN_EV)
            start = np.where((kind > 0.25) & (kind < 0.5), near.astype(int), start)
            close = earliest_end + rng.exponential(150, n).astype(int)
            end = np.where(rng.random(n) < 0.4, close, end)
            free = rng.random(n) < 0.12
            start = np.where(free, rng.integers(ENERGY_MIN_EV, 1500, n), start)
            end = np.where(free, start + 60 + rng.exponential(600, n).astype(int), end)
        end = np.minimum(end, ENERGY_MAX_EV)
        return start.astype(np.int64), end.astype(np.int64)

    def _visible(
        self,
        fractions: np.ndarray,
        p: dict[str, np.ndarray],
        signal: np.ndarray,
        expected: np.ndarray,
    ) -> np.ndarray:
        """Which major groups of the elements of the sample are in the window, bool, shape (n, 80, 2).

        With the effect ``visibility`` the edges also have to stand out: 4 standard deviations of the counting and
        readout noise, 0.7 % of the counts in the 50 eV after the onset, and twice the fixed pattern.
        """
        start, end = p["window_start"][:, None, None], p["window_end"][:, None, None]
        inside = (start <= GROUP_LOW) & (end >= GROUP_LOW) & (fractions > 0)[:, :, None]
        if "visibility" in self.recipe.effects:
            total = np.cumsum(expected, axis=1, dtype=np.float64)
            shifted = GROUP_LOW + p["energy_offset"][:, None, None]
            first = np.nan_to_num(shifted, nan=ENERGY_MIN_EV).astype(int)
            first = np.clip(first, start, end - 1)
            last = np.minimum(first + SIGNAL_RANGE_EV, end)
            rows = np.arange(len(total))[:, None, None]
            under = np.maximum(total[rows, last] - total[rows, first], 1e-30)
            counts = p["counts"][:, None, None]
            readout = p["readout_noise"][:, None, None] * counts
            noise = np.sqrt(under * counts + (last - first) * readout**2)
            pattern = p["fixed_pattern"] * np.minimum(np.sqrt(p["pattern_length"] / 20), 1)
            share = np.maximum(2 * pattern, 0.007)[:, None, None]
            inside = (signal * counts > 4 * noise) & (signal > share * under) & np.isfinite(shifted)
        if "broken channels" in self.recipe.effects:
            lost = self.recipe.broken_channels.lost(expected, p)
            total = np.cumsum(lost, axis=1, dtype=np.int32)
            inside &= total[rows, last] - total[rows, first] < (last - first) / 2
        return inside
