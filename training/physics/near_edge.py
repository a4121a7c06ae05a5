"""Near edges of crystals by multiple scattering of the photoelectron at the atoms around.

The program FEFF 10 (as `feff10-rs`) computes the absorption twice: near the edge by full multiple scattering in a
cluster of some 80 atoms, further up by the scattering paths of the extended fine structure. Both are joined between
30 and 60 eV above the onset. What comes out is divided by the absorption of the embedded atom, so that any model of an
edge without neighbours can be multiplied by it.

The potentials are spherical around each atom and overlap (muffin tins) and the electron sees the mean field of the
others: multiplets, as of L2,3 of 3d ions, and excitons of wide gaps are not in it, and sharp lines at the onset can be
wrong by 1 eV and by some 30 % in height.

References
----------
J. J. Kas, F. D. Vila, C. D. Pemmaraju, T. S. Tan, J. J. Rehr, J. Synchrotron Rad. 28, 1801 (2021).
J. J. Rehr, R. C. Albers, Rev. Mod. Phys. 72, 621 (2000).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from scipy import constants

from training.physics.crystals import Crystal, cluster, crystals, multiplicity

KIND = "scattering"
AXIS = "energy_scattering"
VERSION = 1  # of the computation: to be raised when spectra change
PROGRAM = "feff10-rs"
UNITS = "absorption of the atom"
ENERGY_EV = np.round(np.arange(-10.0, 150.0, 0.2), 6)
JOINT_EV = (30.0, 60.0)  # from full multiple scattering below to paths above
CLUSTER_ATOMS = 80
PATH_RADIUS = 6.0  # [angstrom]
POTENTIAL_RADIUS = 3.0  # of the self-consistent potential, at least
POTENTIAL_ATOMS = 9  # in it, at least
ABSORPTIVE_POTENTIAL_EV = 0.3  # adds twice itself to the width of the core hole
_NEAR = "rdinp atomic pot xsph fms mkgtr path genfmt ff2x".split()
_EXTENDED = "rdinp xsph path genfmt ff2x".split()  # with the potential of the former
_SMALLEST_STEP = 0.5  # the onset is where the absorption is half that of the atom
WAVE_NUMBER = (
    np.sqrt(2 * constants.m_e * constants.e) / constants.hbar * 1e-10
)  # [1/angstrom] at 1 eV


@dataclass(frozen=True)
class Scattering:
    """A spectrum by multiple scattering.

    Attributes
    ----------
    element
        Symbol of the atom that is ionised.
    subshell
        K, L3, ...
    compound
        Key of :func:`~training.physics.crystals.crystals`.
    core_hole
        Whether the hole attracts the photoelectron (final-state rule), else the atom is neutral.
    """

    element: str
    subshell: str
    compound: str
    core_hole: bool = True

    @property
    def crystal(self) -> Crystal:
        return crystals()[self.compound]

    @property
    def parameters(self) -> dict[str, Any]:
        """What the spectrum depends on."""
        crystal = self.crystal
        return asdict(self) | {
            "space_group": crystal.group,
            "lattice": crystal.lattice,
            "sites": crystal.sites,
        }

    @property
    def description(self) -> dict[str, Any]:
        """Attributes in the library."""
        crystal = self.crystal
        return {
            "element": self.element,
            "edge": self.subshell,
            "compound": self.compound,
            "core_hole": self.core_hole,
            "structure": crystal.structure,
            "space_group": crystal.group,
            "lattice": crystal.lattice,
            "source": crystal.source,
            "cluster_atoms": CLUSTER_ATOMS,
            "path_radius": PATH_RADIUS,
            "absorptive_potential": ABSORPTIVE_POTENTIAL_EV,
        }

    @property
    def name(self) -> str:
        hole = "" if self.core_hole else " no hole"
        return f"{self.element}/{self.subshell}/{self.compound}{hole}"


# Compounds of each edge, those that matter most first
_COMPOUNDS = {
    ("Be", "K"): "BeO Be BeS BeF2 Be2C BeSe BeTe",
    ("B", "K"): "BN_hexagonal LaB6 TiB2 BN MgB2 ScBO3 BP CaB6 ZrB2 InBO3 AlB2 CrB2 NbB2 BAs SrB6",
    (
        "C",
        "K",
    ): "C C_graphite TiC SiC CaCO3 WC Fe3C ZrC MgCO3 VC NbC TaC HfC FeCO3 CaC2 Be2C MoC ZnCO3",
    ("N", "K"): "TiN BN_hexagonal AlN GaN BN Si3N4 CrN VN NaNO3 ScN ZrN InN Cu3N Fe4N Li3N LaN",
    (
        "O",
        "K",
    ): "MgO SrTiO3 SiO2_quartz Al2O3 NiO TiO2 Fe2O3 MnO CaO CeO2 ZrO2 ZnO CoO Fe3O4 CuO TiO2_anatase Cr2O3 "
    "MnO2 V2O3 Cu2O SnO2 MgAl2O4 BaTiO3 LaAlO3 CaCO3 BeO FeO LaMnO3 SrO BaO VO2 ZrSiO4 Ti2O3 Co3O4 Y2O3 LiMn2O4 "
    "LaFeO3 LaCoO3 HfO2 La2O3 Li2O Na2O Mg(OH)2 Ca(OH)2 Ni(OH)2 RuO2 CrO2 Ga2O3 YPO4 ReO3 KNbO3 SrRuO3 BaZrO3 "
    "FeCr2O4 ZnFe2O4 SiO2_stishovite NaNO3 CaSO4 LiFePO4 CdO UO2 ThO2",
    (
        "F",
        "K",
    ): "CaF2 LiF MgF2 NaF KMgF3 MnF2 BaF2 FeF2 SrF2 KF NiF2 KNiF3 AgF CdF2 ZnF2 CoF2 PbF2 KMnF3 RbF BeF2",
    ("Na", "K"): "NaCl NaF Na NaBr NaNO3 Na2O Na2S NaI",
    ("Mg", "K"): "MgO Mg MgF2 MgAl2O4 MgCO3 MgS Mg2SiO4 MgCl2 Mg2Si MgB2 KMgF3 Mg(OH)2",
    ("Al", "K"): "Al2O3 Al AlN MgAl2O4 AlP AlAs LaAlO3 NiAl AlPO4 AlSb AlB2 Y3Al5O12",
    (
        "Si",
        "K",
    ): "SiO2_quartz Si SiC Si3N4 Mg2SiO4 FeSi NiSi2 MoSi2 ZrSiO4 Mg2Si SiO2_stishovite SiO2_cristobalite",
    ("P", "K"): "AlPO4 P_black GaP LiFePO4 InP YPO4 AlP BP",
    ("S", "K"): "FeS2 ZnS CaSO4 FeS MoS2 MgS PbS NiS CdS BaSO4 CaS MnS TiS2 CuFeS2 BaS",
    ("Cl", "K"): "NaCl KCl AgCl MgCl2 CsCl FeCl2 LiCl CuCl RbCl SrCl2",
    ("Si", "L3"): "SiO2_quartz Si SiC Si3N4 Mg2SiO4 FeSi NiSi2 MoSi2 ZrSiO4 Mg2Si",
    ("P", "L3"): "AlPO4 P_black GaP LiFePO4 InP YPO4",
    ("S", "L3"): "FeS2 ZnS CaSO4 FeS MoS2 MgS PbS",
    ("Cl", "L3"): "NaCl KCl AgCl MgCl2 CsCl",
    ("K", "L3"): "KCl KF KBr",
    ("Ca", "L3"): "Ca",
    ("Sc", "L3"): "Sc ScN",
    ("Ti", "L3"): "Ti TiN TiC",
    ("V", "L3"): "V VN VC",
    ("Cr", "L3"): "Cr CrN",
    ("Fe", "L3"): "Fe FeSi Fe3C",
    ("Co", "L3"): "Co CoSi2",
    ("Ni", "L3"): "Ni NiSi2 NiAl",
    ("Cu", "L3"): "Cu Cu2O",
    ("Zn", "L3"): "ZnO Zn ZnS",
    ("Ga", "L3"): "GaAs GaN Ga2O3 GaP",
    ("Ge", "L3"): "Ge",
    ("As", "L3"): "GaAs AlAs",
    ("Se", "L3"): "ZnSe",
    ("Br", "L3"): "KBr",
    ("Sr", "L3"): "SrTiO3 SrO SrF2",
    ("Y", "L3"): "YPO4 Y",
    ("Zr", "L3"): "ZrO2 ZrC Zr",
    ("Nb", "L3"): "NbC KNbO3 Nb",
    ("Mo", "L3"): "MoS2 Mo",
}
# without the core hole, which well screened holes in metals and semiconductors resemble
_NO_HOLE = "C/K/C C/K/TiC N/K/TiN Al/K/Al Si/K/Si O/K/NiO O/K/TiO2 O/K/MgO B/K/TiB2 Mg/K/Mg Si/L3/Si Cu/L3/Cu Ti/L3/Ti"


def entries() -> list[Scattering]:
    """All entries of the library: a compound of every edge before the second of any, those without hole at the end."""
    lists = [
        [Scattering(element, subshell, name.replace("_", " ")) for name in compounds.split()]
        for (element, subshell), compounds in _COMPOUNDS.items()
    ]
    rounds = [entry for row in zip_longest(*lists) for entry in row if entry is not None]
    no_hole = [tuple(name.split("/")) for name in _NO_HOLE.split()]
    return rounds + [
        replace(entry, core_hole=False)
        for entry in rounds
        if (entry.element, entry.subshell, entry.compound) in no_hole
    ]


def feff_input(entry: Scattering, site: int, extended: bool) -> str:
    """Input of FEFF.

    Parameters
    ----------
    entry
        What to compute.
    site
        Index of the site of the absorbing atom in the crystal.
    extended
        Whether the extended fine structure by paths, with the potential of a run before; else the near edge.
    """
    from pymatgen.core.periodic_table import Element

    elements, places = cluster(entry.crystal, site, PATH_RADIUS + 1.0)
    distance = np.linalg.norm(places, axis=1)
    # the radii lie between shells of atoms, which must not be cut
    radius = _between(distance, CLUSTER_ATOMS)
    kinds = list(entry.crystal.elements)
    # the cluster of the potential needs an atom of each kind beside the one at its centre
    atoms = max(POTENTIAL_ATOMS, *(elements.index(name, 1) + 1 for name in kinds))
    potential_radius = max(POTENTIAL_RADIUS, distance[atoms - 1] + 0.1)
    lines = [f"TITLE {entry.compound}", f"EDGE {entry.subshell}", "S02 1.0"]
    lines += [f"EXCHANGE 0 0 {ABSORPTIVE_POTENTIAL_EV} 2"]
    lines += [f"SCF {potential_radius:.3f} 1 30 0.2 1"]
    lines += [f"COREHOLE {'FSR' if entry.core_hole else 'NONE'}"]
    if extended:
        lines += ["CONTROL 0 1 0 1 1 1", "EXAFS 7.0", f"RPATH {PATH_RADIUS}", "NLEG 4"]
    else:
        lines += ["CONTROL 1 1 1 1 1 1", f"FMS {radius:.3f} 0", "XANES 4.0 0.07 0.3"]
    lines += ["POTENTIALS"]
    for number, name in enumerate([entry.element, *kinds]):
        atomic_number = Element(name).Z
        angular = 1 if atomic_number < 10 else 3 if atomic_number >= 57 else 2
        lines.append(f"{number} {atomic_number} {name} {angular} {angular}")
    lines += ["ATOMS"]
    for i, (name, place) in enumerate(zip(elements, places, strict=True)):
        lines.append("{:.5f} {:.5f} {:.5f} {}".format(*place, kinds.index(name) + 1 if i else 0))
    return "\n".join([*lines, "END", ""])


def _between(distance: np.ndarray, count: int) -> float:
    """Radius [angstrom] between two shells that holds about `count` atoms."""
    gaps = np.flatnonzero(np.diff(distance) > 0.05)
    nearest = gaps[np.abs(gaps + 1 - count).argmin()]
    return float(distance[nearest : nearest + 2].mean())


@contextmanager
def _silent() -> Iterator[None]:
    """Without what the program prints from outside Python."""
    saved = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _feff(text: str, folder: Path, stages: list[str], timeout: float) -> np.ndarray:
    """Energy, energy from the Fermi level, wave number, absorption, that of the atom, and their difference."""
    try:
        import feff10
    except ImportError as error:
        raise ImportError(
            "Near edges by multiple scattering need feff10-rs: pip install 'hyperspy-eelsid[near-edges]'."
        ) from error
    stages = [feff10.Stage.from_name(name) for name in stages]
    config = feff10.FeffConfig(
        str(folder), feff10.FeffInput.parse(text), stages=stages, stage_timeout=timeout
    )
    try:
        with _silent():
            feff10.FeffPipeline(config).run()
    except feff10.FeffError as error:
        raise RuntimeError(f"FEFF stopped: {str(error).splitlines()[0]}") from error
    return np.loadtxt(folder / "xmu.dat", comments="#")


def relative_absorption(near: np.ndarray, extended: np.ndarray, fermi: float) -> np.ndarray:
    """Absorption relative to the atomic background, on `ENERGY_EV` from the Fermi level.

    Parameters
    ----------
    near, extended
        Tables of FEFF.
    fermi
        Energy of the Fermi level [eV] on the first column of both.
    """
    energy, atom = near[:, 0] - fermi, near[:, 4]
    # the background goes on below the onset at the value that it has where its own step is complete
    start = energy > 5.0
    background = np.interp(ENERGY_EV, energy[start], atom[start])
    ratio = np.interp(ENERGY_EV, energy, near[:, 3]) / background
    far = np.interp(ENERGY_EV, extended[:, 0] - fermi, extended[:, 3] / extended[:, 4])
    low, high = JOINT_EV
    share = np.clip((ENERGY_EV - low) / (high - low), 0.0, 1.0)
    share = share * share * (3 - 2 * share)
    return (1 - share) * ratio + share * far


def compute(entry: Scattering, timeout: float = 1200.0) -> tuple[np.ndarray, dict[str, Any]]:
    """Absorption relative to the atom on `ENERGY_EV`, which starts at the onset, and what places it.

    Sites of the same element that are not equivalent are averaged.

    Parameters
    ----------
    entry
        What to compute.
    timeout
        Longest time of one stage of the program [s].
    """
    total = np.zeros_like(ENERGY_EV)
    weights = 0
    crystal = entry.crystal
    for site, (element, _) in enumerate(crystal.sites):
        if element != entry.element:
            continue
        with tempfile.TemporaryDirectory() as folder:
            near = _feff(feff_input(entry, site, extended=False), Path(folder), _NEAR, timeout)
            extended = _feff(
                feff_input(entry, site, extended=True), Path(folder), _EXTENDED, timeout
            )
        # the wave number is zero at the Fermi level
        fermi = float(np.interp(0.0, near[:, 2], near[:, 0]))
        weight = multiplicity(crystal, site)
        total += weight * relative_absorption(near, extended, fermi)
        weights += weight
    ratio = total / weights
    onset = ENERGY_EV[np.argmax(ratio >= _SMALLEST_STEP)]
    aligned = np.interp(ENERGY_EV + onset, ENERGY_EV, ratio)
    return aligned, {"fermi_level": -float(onset)}
