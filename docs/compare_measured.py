"""Ten measured spectra beside simulated ones of the same elements: ``python docs/compare_measured.py CATALOG PICTURE``.

The measured spectra belong to those who recorded them, so that the picture is not part of the documentation; what it
shows is written down in ``how_it_works.md``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from figures import SameWindow

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS
from hyperspy_eelsid.energy_axis import energy_axis
from hyperspy_eelsid.identification.network_input import to_network_input
from training.core_loss.dataset import make_simulator
from training.core_loss.evaluate import measured
from training.core_loss.simulation import Simulator

CHOSEN = (
    "atlas_CaCO3_0_0920eV",
    "atlas_CoO_0_0920eV",
    "atlas_NiO_0_0960eV",
    "atlas_BN_0_0910eV",
    "atlas_La2O3_0700_1710eV",
    "atlas_TiO2_0430_0630eV",
    "atlas_SiO2_0_0460eV",
    "atlas_ZrO2_0_0920eV",
    "atlas_Gd2O3_0_0390eV",
    "atlas_N2_0370_0570eV",
)
DRAWS = 300


def main(catalog: Path, picture: Path) -> None:
    """Draw measured spectra, the most alike of 300 simulated ones, and a random one."""
    plain = make_simulator("robust")
    only = plain.recipe.without("mixtures", "empty", "other_signals", "broken_channels")
    entries, inputs = measured(
        catalog, lambda signal: to_network_input(signal.data, energy_axis(signal))
    )
    chosen = [(e, x) for e, x in zip(entries, inputs, strict=True) if e["id"] in CHOSEN]
    figure, axes = plt.subplots(5, 2, figsize=(12, 15), layout="constrained")
    for panel, (entry, spectrum) in zip(axes.flat, chosen, strict=True):
        inside = np.flatnonzero(spectrum)
        recipe = replace(only, window=SameWindow(start=inside[0], end=inside[-1]))
        simulator = Simulator(recipe, plain.compositions, plain.table)
        elements = {*entry["elements"], *entry["dont_care"]} & set(ELEMENTS)
        fractions = np.zeros((DRAWS, len(ELEMENTS)), np.float32)
        fractions[:, [ELEMENT_INDEX[e] for e in elements]] = 1 / len(elements)
        query = np.full(DRAWS, ELEMENT_INDEX[entry["elements"][0]])
        drawn = simulator.simulate(np.random.default_rng(0), query, fractions).spectra
        log = np.log(np.maximum(np.vstack([spectrum, drawn])[:, inside[3:-3]], 1e-4))
        log -= log.mean(axis=1, keepdims=True)
        nearest = np.argmin(np.abs(log[1:] - log[0]).mean(axis=1))
        for row, colour, label in (
            (drawn[0], "lightgray", "simulated, random"),
            (drawn[nearest], "tab:red", f"simulated, nearest of {DRAWS}"),
            (spectrum, "black", "measured"),
        ):
            shown = np.where(row > 1e-4, row, np.nan)[inside[1:-1]]
            panel.semilogy(inside[1:-1], shown, color=colour, lw=0.9, label=label)
        panel.set_title(entry["id"])
    axes[0, 0].legend()
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
