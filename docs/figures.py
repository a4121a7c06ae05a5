"""The pictures of simulated spectra in the documentation: ``python docs/figures.py``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from hyperspy_eelsid.edges import EDGES, ELEMENT_INDEX, ELEMENTS
from training.core_loss.compositions import parse_formula
from training.core_loss.dataset import make_simulator
from training.core_loss.simulation import Simulator
from training.core_loss.windows import CutWindows, Window
from training.physics.background import power_law
from training.physics.fine_structure import add_profile, largest_ratio, random_profile
from training.physics.low_loss import low_loss_transfer

IMAGES = Path(__file__).parent / "images"
COMPOUNDS = {  # with the window in which they are shown [eV]
    "BN": (170, 480),
    "SiO2": (80, 250),
    "SrTiO3": (430, 620),
    "MnO": (500, 760),
    "Fe2O3": (500, 850),
    "NiO": (500, 1000),
    "Gd2O3": (110, 300),
    "CeO2": (500, 1050),
    "Al2O3": (1500, 1800),
}


@dataclass(frozen=True)
class SameWindow(Window):
    """One window for all spectra."""

    start: int = 0
    end: int = 0

    def draw(
        self, rng: np.random.Generator, query: np.ndarray, cut: CutWindows | None = None
    ) -> dict[str, np.ndarray]:
        """First and last energy [eV], shape (n,)."""
        limits = {"window_start": self.start, "window_end": self.end}
        return {name: np.full(len(query), limit) for name, limit in limits.items()}


def steps(simulator: Simulator) -> None:
    """The steps of one spectrum of a titanate."""
    query = np.array([ELEMENT_INDEX["Ti"]])
    fractions = np.zeros((1, 80), np.float32)
    for element, share in {"Ti": 0.2, "O": 0.6, "Ba": 0.2}.items():
        fractions[0, ELEMENT_INDEX[element]] = share
    block = None
    seed = 0
    while block is None or block.parameters["window_end"][0] < 900 or block.labels.sum() < 3:
        seed += 1
        block = simulator.simulate(np.random.default_rng(seed), query, fractions)
    p = block.parameters
    names = ("zero_loss_fwhm", "plasmon_energy", "plasmon_width", "thickness")
    transfer = low_loss_transfer(*(p[n] for n in (*names, "detector_tail", "detector_tail_width")))
    low_loss = np.fft.irfft(transfer[0])
    start, end = p["window_start"][0], p["window_end"][0]
    energy = np.arange(start, min(end, 1000) + 1)
    background = power_law(p["background_exponent"], p["window_start"])[0]

    figure, axes = plt.subplots(2, 2, figsize=(10, 6), layout="constrained")
    axes[0, 0].plot(np.arange(-10, 80), np.roll(low_loss, 10)[:90], color="black")
    axes[0, 0].set(title="Low loss", xlabel="Energy loss (eV)", yscale="log")
    axes[0, 1].semilogy(energy, background[energy], color="black")
    axes[0, 1].set(title="Background, a power law", xlabel="Energy loss (eV)")
    table = simulator.table
    for element in ("Ti", "O", "Ba"):
        total = np.zeros(3072)
        for number, edge in enumerate(EDGES):
            if edge.element == element:
                onset = round(edge.onset_energy)
                total[onset:] += table[number, p["beam"][0], 8, : 3072 - onset]
        axes[1, 0].plot(energy, total[energy], label=element)
    axes[1, 0].set(title="Cross sections (barn/eV)", xlabel="Energy loss (eV)", yscale="log")
    axes[1, 0].legend()
    axes[1, 1].plot(energy, block.spectra[0, energy], color="black", lw=0.8)
    axes[1, 1].set(title="Spectrum", xlabel="Energy loss (eV)", yscale="log")
    figure.savefig(IMAGES / "simulation_steps.png", dpi=110)


def fine_structure(simulator: Simulator) -> None:
    """Six draws of the fine structure of one O K edge, with the edge that they start from."""
    rng = np.random.default_rng(3)
    oxygen = next(i for i, edge in enumerate(EDGES) if (edge.element, edge.subshell) == ("O", "K"))
    plain = simulator.table[oxygen, 2, 8, :150].astype(np.float32)
    figure, axes = plt.subplots(2, 3, figsize=(11, 5), layout="constrained", sharey=True)
    for panel in axes.flat:
        edge, profile = plain.copy(), np.empty(128, np.float32)
        peaks, width = rng.integers(10, 26), rng.uniform(50, 100)
        random_profile(rng, peaks, width, rng.uniform(0.025, 0.25), profile)
        add_profile(edge, profile, rng.random() * largest_ratio(profile, 10) * edge.max())
        panel.plot(plain / plain.max(), color="lightgray")
        panel.plot(edge / plain.max(), color="black", lw=0.9)
        panel.set_title(f"{peaks} peaks in {width:.0f} eV")
    for panel in axes[-1]:
        panel.set_xlabel("Energy above the onset (eV)")
    figure.savefig(IMAGES / "fine_structure.png", dpi=90)


def page(simulator: Simulator) -> None:
    """Random spectra with their labels."""
    block = simulator.block((2026,), 80)
    figure, axes = plt.subplots(5, 4, figsize=(13, 12), layout="constrained")
    for row, panel in enumerate(axes.flat):
        spectrum, p = block.spectra[row], block.parameters
        window = slice(p["window_start"][row], p["window_end"][row] + 1)
        counts = spectrum[window]
        panel.semilogy(np.arange(3072)[window], np.where(counts > 1e-4, counts, np.nan), lw=0.8)
        labels = [ELEMENTS[i] for i in np.flatnonzero(block.labels[row])]
        panel.set_title(" ".join(labels) or "no edge")
    for panel in axes[-1]:
        panel.set_xlabel("Energy loss (eV)")
    figure.savefig(IMAGES / "simulated_spectra.png", dpi=80)


def compounds(simulator: Simulator) -> None:
    """Three draws of the robust recipe for each of some compounds."""
    only = simulator.recipe.without("mixtures", "empty", "other_signals", "broken_channels")
    rng = np.random.default_rng(4)
    figure, axes = plt.subplots(3, 3, figsize=(13, 9), layout="constrained")
    for panel, (formula, (start, end)) in zip(axes.flat, COMPOUNDS.items(), strict=True):
        fractions = np.zeros((3, len(ELEMENTS)), np.float32)
        atoms = parse_formula(formula)
        for element, number in atoms.items():
            fractions[:, ELEMENT_INDEX[element]] = number / sum(atoms.values())
        recipe = replace(only, window=SameWindow(start=start, end=end))
        in_window = Simulator(recipe, simulator.compositions, simulator.table)
        query = np.full(3, ELEMENT_INDEX[next(iter(atoms))])
        drawn = in_window.simulate(rng, query, fractions)
        energy = np.arange(start + 4, end - 4)
        for number, spectrum in enumerate(drawn.spectra[:, energy]):
            span = np.ptp(spectrum)
            panel.plot(energy, (spectrum - spectrum.min()) / span + 0.9 * number, lw=0.8)
        panel.set(title=formula, yticks=[])
    for panel in axes[-1]:
        panel.set_xlabel("Energy loss (eV)")
    figure.savefig(IMAGES / "simulated_compounds.png", dpi=80)


def abundances(simulator: Simulator) -> None:
    """How often each element occurs."""
    block = simulator.block((7,), 8000)
    figure, axes = plt.subplots(figsize=(13, 3.6), layout="constrained")
    place = np.arange(len(ELEMENTS))
    axes.bar(
        place, (block.fractions > 0).mean(axis=0) * 100, color="lightgray", label="in the sample"
    )
    axes.bar(place, block.labels.mean(axis=0) * 100, color="tab:blue", label="edge in the window")
    axes.set_xticks(place, ELEMENTS, rotation=90, fontsize=8)
    axes.set(ylabel="Share of spectra (%)", xlim=(-0.8, 79.8), yscale="log")
    axes.legend()
    figure.savefig(IMAGES / "abundances.png", dpi=90)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    pub, robust = make_simulator("pub"), make_simulator("robust")
    steps(pub)
    fine_structure(pub)
    page(robust)
    compounds(robust)
    abundances(pub)
