"""Synthetic core-loss spectra: from a recipe and a seed to spectra, labels and every drawn parameter.

A block of spectra is simulated at once: compiled loops (numba) for the edges, Fourier transforms of the whole block
for the low loss, vectorised draws for everything else. The energy axis of the simulation has 4096 channels of 1 eV,
of which the first 3072 are the network input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.identification.network_input import N_CHANNELS, normalise
from training.core_loss.compositions import Compositions
from training.core_loss.labels import in_window
from training.core_loss.recipes import Recipe
from training.physics.background import power_law
from training.physics.cross_section_table import BEAM_ENERGIES_KEV
from training.physics.detector import record
from training.physics.draws import integers
from training.physics.ionisation import GROUP_LOW, ionisation_edges
from training.physics.low_loss import N_PADDED, low_loss_transfer


@dataclass(frozen=True)
class Block:
    """Simulated spectra.

    Attributes
    ----------
    spectra
        Network input, float32, shape (n, 3072).
    labels
        1 where an element has a visible edge group, uint8, shape (n, 80).
    groups
        1 where one of the 107 major edge groups is visible, uint8, shape (n, 107), as in `EDGE_GROUPS`.
    fractions
        Atomic fractions, float32, shape (n, 80).
    parameters
        Every drawn parameter of the spectra, arrays of length n.
    subshells
        What was drawn for each subshell of each sample, a structured array with the index of its spectrum, of dtype
        :data:`training.physics.ionisation.SUBSHELL`. Only noise and the single Gaussians of the fine structure are
        drawn and not kept.
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
    jump_ratio
        Shape (n,).
    smooth
        Background, shape (n, 3072).
    height
        Maximum of the edge before its fine structure, shape (n,).
    onset
        Channel of its onset, shape (n,); -1 for no edge, whose factor is 0.
    """
    at_onset = smooth[np.arange(len(onset)), np.maximum(onset, 0)]
    return np.where(onset >= 0, jump_ratio * at_onset / np.maximum(height, 1e-30), 0)


class Simulator:
    """Simulates blocks of spectra by one recipe.

    Parameters
    ----------
    recipe
        Ranges of all parameters and the effects that are switched on.
    compositions
        Compounds to draw from.
    table
        Cross sections, as :func:`training.physics.cross_section_table.load` gives them.
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
        seed
            Integers that identify the block, e.g. (seed of the set, number of the block).
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
        rng
            Source of all randomness.
        query
            Index of the element whose edges the window must hold, shape (n,).
        fractions
            Atomic fractions, shape (n, 80).
        """
        recipe = self.recipe
        mixture: dict[str, np.ndarray] = {}
        if recipe.mixtures is not None:
            mixture = recipe.mixtures.draw(rng, len(fractions))
            fractions = recipe.mixtures.mix(rng, fractions, mixture)
        p = self._draw(rng, query) | mixture
        drawn = ionisation_edges(rng, recipe.edges, self.table, fractions, p)
        p |= drawn.parameters | {"jump_onset": drawn.reference_onset}
        transfer = low_loss_transfer(
            p["zero_loss_fwhm"],
            p["plasmon_energy"],
            p["plasmon_width"],
            p["thickness"],
            p["detector_tail"],
            p["detector_tail_width"],
        )
        broadened = fft.irfft(fft.rfft(drawn.spectra, axis=1) * transfer, n=N_PADDED, axis=1)
        smooth = power_law(p["background_exponent"], p["window_start"])
        if recipe.backgrounds is not None:
            recipe.backgrounds.apply(smooth, p)
        scale = jump_ratio_scale(
            p["jump_ratio"], smooth, drawn.reference_height, drawn.reference_onset
        )
        scale[p["empty"]] = 0
        if recipe.other_signals is not None:
            smooth[p["other_signal"] > 0] = recipe.other_signals.spectra(p)
            scale[p["other_signal"] > 0] = 0
        edges = broadened[:, :N_CHANNELS] * scale[:, None].astype(np.float32)
        signal = drawn.signal * scale[:, None, None].astype(np.float32)
        visible = in_window(fractions, p) & (scale > 0)[:, None, None]
        if recipe.visibility is not None:
            expected = smooth + edges
            broken = recipe.broken_channels
            lost = None if broken is None else broken.lost(expected, p)
            visible &= recipe.visibility.stands_out(p, signal, expected, lost)
        spectra = record(rng, edges, smooth, p)
        if recipe.detector is not None:
            recipe.detector.apply(rng, spectra, p)
        if recipe.broken_channels is not None:
            recipe.broken_channels.apply(rng, spectra, p)
        if recipe.denoising is not None:
            recipe.denoising.apply(spectra, p)
        return Block(
            normalise(spectra),
            labels=visible.any(axis=2).astype(np.uint8),
            groups=visible[:, ~np.isnan(GROUP_LOW)].astype(np.uint8),
            fractions=fractions,
            parameters=p,
            subshells=drawn.subshells,
        )

    def _draw(self, rng: np.random.Generator, query: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters of the spectra; those of effects that are off are zero or missing."""
        recipe, n = self.recipe, len(query)
        shift = recipe.instrumental_shift
        p = {
            "query": query,
            "beam": rng.integers(len(BEAM_ENERGIES_KEV), size=n),
            "convergence_angle": rng.uniform(*recipe.convergence_angle, n),
            "collection_angle": rng.uniform(*recipe.collection_angle, n),
            "atomic_diameter": rng.uniform(*recipe.fine_structure.atomic_diameter, n),
            "energy_offset": integers(rng, (-shift, shift), n),
            "dispersion_error": np.zeros(n),
            "dispersion": np.ones(n),
            "channel_phase": np.zeros(n),
            **dict.fromkeys(("detector_tail", "detector_tail_width"), np.zeros(n)),
            **dict.fromkeys(("gain_noise", "fixed_pattern", "readout_noise"), np.zeros(n)),
            "pattern_length": np.ones(n),
            "empty": np.zeros(n, bool),
        }
        p |= recipe.low_loss.draw(rng, n)
        p |= recipe.window.draw(rng, query, recipe.cut_windows)
        p |= recipe.exposure.draw(rng, n)
        if recipe.wide_exposure is not None:
            p |= recipe.wide_exposure.draw(rng, n)
        if recipe.empty is not None:
            p |= recipe.empty.draw(rng, n, p["counts"])
        p |= recipe.background.draw(rng, n)
        if recipe.backgrounds is not None:
            p |= recipe.backgrounds.draw(rng, p["empty"])
        if recipe.calibration is not None:
            p |= recipe.calibration.draw(rng, n, p["energy_offset"])
        for effect in (
            recipe.dispersion,
            recipe.detector,
            recipe.denoising,
            recipe.broken_channels,
            recipe.other_signals,
        ):
            if effect is not None:
                p |= effect.draw(rng, n)
        if recipe.other_signals is not None and recipe.backgrounds is not None:
            for name in ("removed_background", "dark_level"):
                p[name] = np.where(p["other_signal"] > 0, 0, p[name])
        return p
