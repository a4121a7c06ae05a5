"""Measured edges beside computed ones: ``python docs/compare_near_edges.py FOLDER``.

FOLDER holds measured spectra as HyperSpy files under the names in `EDGES`. They belong to those who recorded them;
the documentation shows the picture and the table that this script prints, nothing else.

A power law is fitted before each edge and subtracted (HyperSpy's least squares). What is left is compared with the
edge of the free atom alone, and with the computed edge: the atom's times the computed absorption of a crystal, or the
atom's plus computed lines, the two with amounts of their own. Free within limits are a shift along the energy axis,
the width of a Gaussian, and the thickness: the edge once more for each plasmon that the electron excites on its way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
from exspy.signals import EELSSpectrum
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from hyperspy_eelsid.edges import EDGES as TABLE
from hyperspy_eelsid.edges import CoreLossEdge, NearEdge, computed_near_edges
from training.physics.fine_structure import SIGMA_PER_FWHM

PICTURE = Path(__file__).parent / "images" / "near_edges.png"
STEP_EV = 0.1
AXIS_EV = np.arange(-60.0, 120.0, STEP_EV)  # from the onset
WIDTHS_EV = (0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 4.0)  # full width at half maximum
THICKNESSES = (0.0, 0.3, 0.6, 1.0)  # in mean free paths
PLASMON_EV, PLASMON_FWHM_EV = 22.0, 14.0  # as in most of the compounds
BACKGROUND_EV = (-60.0, -8.0)  # where the power law is fitted, from the onset
WINDOW_EV = {"K": (-6.0, 45.0), "L": (-6.0, 45.0), "M": (-6.0, 65.0), "N": (-6.0, 45.0)}
SUBSHELLS = {"K": ("K",), "L": ("L3", "L2"), "M": ("M5", "M4"), "N": ("N5", "N4")}
ONSETS_EV = {edge.name: edge.onset_energy for edge in TABLE}


@dataclass(frozen=True)
class Measured:
    """A measured edge and the entry of the library that it is compared with.

    Attributes
    ----------
    file
        Name of the measured spectrum.
    element, edge
        Key of the library.
    entry
        Ion or compound, as the name of the entry in the library ends.
    background
        Where the power law is fitted [eV], if not over `BACKGROUND_EV`.
    largest_shift
        Either way [eV]; the calibration of most of the spectra is off by some eV.
    """

    file: str
    element: str
    edge: str
    entry: str
    background: tuple[float, float] | None = None
    largest_shift: float = 8.0

    @property
    def name(self) -> str:
        letter = self.edge[0]
        return f"{self.element} {letter}{ {'K': '', 'L': '2,3', 'M': '4,5', 'N': '4,5'}[letter] }"


EDGES = (
    Measured("atlas_CeO2_0_0380eV", "Ce", "N", "Ce4+"),
    Measured("atlas_Nd2O3_0_0380eV", "Nd", "N", "Nd3+"),
    Measured("atlas_Sm2O3_0_0470eV", "Sm", "N", "Sm3+"),
    Measured("atlas_Gd2O3_0_0390eV", "Gd", "N", "Gd3+"),
    Measured("atlas_Tb2O3_0_0380eV", "Tb", "N", "Tb3+"),
    Measured("atlas_Er2O3_0_0380eV", "Er", "N", "Er3+"),
    Measured("atlas_Tm2O3_0_0380eV", "Tm", "N", "Tm3+"),
    Measured("atlas_CeO2_0350_1360eV", "Ce", "M", "Ce4+"),
    Measured("atlas_Nd2O3_0750_1760eV", "Nd", "M", "Nd3+"),
    Measured("atlas_Eu2O3_0920_1930eV", "Eu", "M", "Eu3+"),
    Measured("atlas_Ho2O3_1200_1710eV", "Ho", "M", "Ho3+"),
    Measured("atlas_Er2O3_1280_1780eV", "Er", "M", "Er3+"),
    Measured("atlas_TiO2_0430_0630eV", "Ti", "L", "Ti4+ 10Dq=1.8", background=(430.0, 450.0)),
    Measured("exspy_MnO_coreloss", "Mn", "L", "Mn2+ 10Dq=1.0"),
    Measured("eelsdb_alpha_Fe2O3_EELS_Core_Loss_Feldhoff_Armin_242", "Fe", "L", "Fe3+ 10Dq=1.4"),
    Measured("atlas_CoO_0_0920eV", "Co", "L", "Co2+ 10Dq=1.0"),
    Measured("atlas_NiO_0_0960eV", "Ni", "L", "Ni2+ 10Dq=1.4"),
    Measured("atlas_V_0480_0670eV", "V", "L3", "V"),
    Measured("atlas_Cu_0_1930eV", "Cu", "L3", "Cu"),
    Measured("vc_Si_L_single", "Si", "L3", "Si", background=(78.0, 98.0), largest_shift=2.0),
    Measured("atlas_SiO2_0_0460eV", "Si", "L3", "SiO2 quartz", background=(80.0, 101.0)),
    Measured("nion_BN_thick", "B", "K", "BN hexagonal"),
    Measured("atlas_BN_0_0910eV", "B", "K", "BN hexagonal"),
    Measured("atlas_BN_0_0910eV", "N", "K", "BN hexagonal"),
    Measured("eelsdb_AlN_N_K_V_Serin_4", "N", "K", "AlN"),
    Measured("atlas_TiO2_0430_0630eV", "O", "K", "TiO2", background=(495.0, 525.0)),
    Measured("exspy_MnO_coreloss", "O", "K", "MnO"),
    Measured("atlas_NiO_0_0960eV", "O", "K", "NiO"),
    Measured("eelsmodel_SrTiO3_hl", "O", "K", "SrTiO3"),
    Measured("atlas_RbF_0500_2530eV", "F", "K", "RbF"),
    Measured("eelsdb_AlN_Al_K_V_Serin_5", "Al", "K", "AlN"),
    Measured("atlas_SiO2_1290_2300eV", "Si", "K", "SiO2 quartz"),
)


class Fit(NamedTuple):
    """Best of all shifts, widths and thicknesses."""

    residual: float
    shift: float
    width: float
    thickness: float
    model: np.ndarray


def models(edge: Measured, entry: NearEdge) -> tuple[float, np.ndarray, np.ndarray]:
    """Onset [eV], and both models on `AXIS_EV` above it: that of the atom and the parts of the computed one."""
    names = [f"{edge.element}_{subshell}" for subshell in SUBSHELLS[edge.edge[0]]]
    first = ONSETS_EV[names[0]]
    sections = []
    for name in names:
        component = CoreLossEdge(name)
        component.set_microscope_parameters(200.0, 5.0, 50.0, 1.0)
        sections.append(component.function(AXIS_EV + first))
    atom = np.sum(sections, axis=0)
    if entry.lines:
        place = 0.0
        if edge.edge == "N":  # by the energies of the computation itself
            place = entry.attributes["mean_excitation"] + entry.attributes["onset"] - first
        lines = np.interp(AXIS_EV - place, entry.energy, entry.values, left=0, right=0)
        return first, atom[None], np.stack([atom, lines])
    total = np.zeros_like(AXIS_EV)
    for name, section in zip(names, sections, strict=True):
        above = AXIS_EV - (ONSETS_EV[name] - first)
        # below the onset the atom's edge is held at its value there
        held = np.where(above < 0, section[np.argmax(above >= STEP_EV)], section)
        total += held * np.interp(above, entry.energy, entry.values, left=0, right=1)
    return first, atom[None], total[None]


def scattered(parts: np.ndarray, thickness: float) -> np.ndarray:
    """Parts with up to two plasmons on top."""
    sigma = PLASMON_FWHM_EV * SIGMA_PER_FWHM / STEP_EV
    once, twice = (
        gaussian_filter1d(parts, sigma * np.sqrt(n), axis=1, mode="nearest") for n in (1, 2)
    )
    channels = round(PLASMON_EV / STEP_EV)
    total = parts.copy()
    total[:, channels:] += thickness * once[:, :-channels]
    total[:, 2 * channels :] += thickness**2 / 2 * twice[:, : -2 * channels]
    return total


def fits(
    energy: np.ndarray, counts: np.ndarray, parts: np.ndarray, largest: float
) -> Iterator[Fit]:
    """All shifts, widths and thicknesses; energies [eV] from the onset."""
    for thickness in THICKNESSES:
        thick = scattered(parts, thickness)
        for width in WIDTHS_EV:
            wide = gaussian_filter1d(thick, width * SIGMA_PER_FWHM / STEP_EV, axis=1)
            for shift in np.arange(-largest, largest + 0.1, 0.25):
                design = np.stack([np.interp(energy - shift, AXIS_EV, part) for part in wide], 1)
                design /= np.linalg.norm(design, axis=0) + 1e-30
                amounts, residual = nnls(design, counts)
                yield Fit(residual, shift, width, thickness, design @ amounts)


def measured(edge: Measured, folder: Path, first: float) -> tuple[np.ndarray, np.ndarray]:
    """Energies from the onset [eV] and counts above the background in the window, their maximum 1."""
    signal: EELSSpectrum = hs.load(folder / f"{edge.file}.hspy")
    if signal.axes_manager.navigation_dimension:
        signal = signal.mean()
    signal.change_dtype(float)
    energy = signal.axes_manager[-1].axis
    start, end = edge.background or (first + BACKGROUND_EV[0], first + BACKGROUND_EV[1])
    above = signal.remove_background(
        (max(start, energy[1]), end), "PowerLaw", fast=True, show_progressbar=False
    )
    begin, end = WINDOW_EV[edge.edge[0]]
    inside = (energy >= first + begin) & (energy <= first + end)
    return energy[inside] - first, above.data[inside] / above.data[inside].max()


def main(folder: Path) -> None:
    """Draw all edges and print the table of the documentation."""
    columns = 4
    rows = -(-len(EDGES) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(13, 2.4 * rows), layout="constrained")
    print("| edge | measured | computed | r, free atom | r, computed | shift, width (eV) | t/λ |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for panel, edge in zip(axes.flat, EDGES, strict=True):
        (entry,) = (
            entry
            for entry in computed_near_edges(edge.element, edge.edge)
            if entry.name.endswith(f"/{edge.entry}")
        )
        first, atom, computed = models(edge, entry)
        energy, counts = measured(edge, folder, first)
        alone, best = (
            min(fits(energy, counts, parts, edge.largest_shift), key=lambda fit: fit.residual)
            for parts in (atom, computed)
        )
        r_alone, r = (np.corrcoef(counts, fit.model)[0, 1] for fit in (alone, best))
        panel.plot(energy + first, counts, color="black", lw=1.2, label="measured")
        panel.plot(energy + first, best.model, color="tab:red", lw=1.0, label="computed")
        panel.plot(energy + first, alone.model, color="tab:blue", lw=0.8, ls=":", label="free atom")
        panel.set_title(f"{edge.name}, {edge.entry}: r = {r:.2f}", fontsize=10)
        panel.set_yticks([])
        print(
            f"| {edge.name} | {edge.file} | {edge.entry} | {r_alone:.2f} | {r:.2f} "
            f"| {best.shift:+.1f}, {best.width:.1f} | {best.thickness:.1f} |"
        )
    axes[0, 0].legend(fontsize=8)
    figure.supxlabel("Energy loss (eV)")
    figure.savefig(PICTURE, dpi=75)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
