"""The ions whose multiplets are computed, and their spectra.

L2,3 of 3d metals in crystal fields, M4,5 and N4,5 of free lanthanides. Hybridisation and charge transfer, the
continuum behind the lines and metals are not in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import comb
from typing import Any

import numpy as np

from training.physics.multiplets import (
    TRANSITIONS,
    CrystalField,
    broadened,
    core_hole_widths,
    integrals,
    lines,
    mean_excitation,
    onset,
)

KIND = "multiplets"
AXIS = "energy"
VERSION = 1  # of the computation: to be raised when spectra change
PROGRAM = "edrixs"
UNITS = "1/eV"
ENERGY_EV = np.round(np.arange(-5.0, 75.0, 0.1), 6)
FANO_Q = 4.0  # of N4,5, a weak asymmetry
_ELEMENTS = (
    "Sc Ti V Cr Mn Fe Co Ni Cu".split(),
    "Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb".split(),
)
ATOMIC_NUMBERS = {
    name: first + i
    for first, names in zip((21, 58), _ELEMENTS, strict=True)
    for i, name in enumerate(names)
}
# Hartree-Fock integrals of 3d ions grow by this share with every electron that leaves (from Mn2+ to Mn4+ and Fe2+ to
# Fe3+ in the tables of R. D. Cowan's program); the atom has those of the divalent ion. Still, the integrals between
# 2p and 3d stay below those of Hartree-Fock in early metals: 10 % for V3+, 18 % for Ti4+.
GROWTH_WITH_CHARGE = 0.095
_LIKE_MONOVALENT = ("Cr", "Cu")  # their atoms have one 4s electron only
_TRANSITION_METALS = {  # electrons in 3d, the ion's charge is what is missing
    "Sc": ((3, 0),),
    "Ti": ((4, 0), (3, 1)),
    "V": ((5, 0), (4, 1), (3, 2)),
    "Cr": ((6, 0), (3, 3)),
    "Mn": ((2, 5), (3, 4), (4, 3)),
    "Fe": ((2, 6), (3, 5)),
    "Co": ((2, 7), (3, 6)),
    "Ni": ((2, 8),),
    "Cu": ((2, 9),),
}
CRYSTAL_FIELDS_EV = (1.0, 1.8, -0.6, 0.5, 1.4, 2.2)  # 10Dq; negative in a tetrahedron
TETRAGONAL = {
    "Cu2+": (1.4, 0.15, 0.05),
    "Mn3+": (1.4, 0.2, 0.05),
}  # Jahn-Teller ions: 10Dq, Ds, Dt [eV]
_OTHER_VALENCES = {"Ce": ((4, 0),), "Tb": ((4, 7),), "Eu": ((2, 7),)}


@dataclass(frozen=True)
class Multiplet:
    """What is computed for one spectrum; energies in eV.

    Attributes
    ----------
    element
        Symbol.
    edge
        L, M or N.
    charge
        Of the ion.
    electrons
        In its open shell.
    scales
        Reduction of Fk of the valence shell, Fk and Gk with the core hole.
    ten_dq, ds, dt
        Crystal field.
    """

    element: str
    edge: str
    charge: int
    electrons: int
    scales: tuple[float, float, float]
    ten_dq: float = 0.0
    ds: float = 0.0
    dt: float = 0.0

    @property
    def ion(self) -> str:
        return f"{self.element}{self.charge}+"

    @property
    def name(self) -> str:
        field = f" 10Dq={self.ten_dq:.1f}" if self.ten_dq else ""
        field += f" Ds={self.ds:.2f} Dt={self.dt:.2f}" if self.ds or self.dt else ""
        return f"{self.element}/{self.edge}/{self.ion}{field}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What the spectrum depends on."""
        return asdict(self)

    @property
    def description(self) -> dict[str, Any]:
        """Attributes in the library."""
        fano = FANO_Q if self.edge == "N" else 0.0
        return asdict(self) | {"ion": self.ion, "fano": fano}


def _configurations(entry: Multiplet) -> int:
    """Number of excited states, what the time depends on."""
    if entry.edge == "L":
        return 6 * comb(10, entry.electrons + 1)
    return 10 * comb(14, entry.electrons + 1)


def entries() -> list[Multiplet]:
    """All entries of the library, those that are fast first."""
    result = []
    for element, ions in _TRANSITION_METALS.items():
        for charge, electrons in ions:
            charge_of_atom = 1 if element in _LIKE_MONOVALENT else 2
            share = 1 + GROWTH_WITH_CHARGE * (charge - charge_of_atom)
            valence, core, exchange = (round(share * x, 4) for x in TRANSITIONS["L"].scales)
            entry = Multiplet(element, "L", charge, electrons, (valence, core, exchange))
            result += [replace(entry, ten_dq=ten_dq) for ten_dq in CRYSTAL_FIELDS_EV]
            if entry.ion in TETRAGONAL:
                ten_dq, ds, dt = TETRAGONAL[entry.ion]
                result.append(replace(entry, ten_dq=ten_dq, ds=ds, dt=dt))
    for electrons, element in enumerate(_ELEMENTS[1], start=1):
        for charge, number in ((3, electrons), *_OTHER_VALENCES.get(element, ())):
            for edge in "NM":
                result.append(Multiplet(element, edge, charge, number, TRANSITIONS[edge].scales))

    # one spectrum of every ion before the further crystal fields, and what takes minutes at the end
    def order(entry: Multiplet) -> tuple[bool, bool, int]:
        main = entry.edge != "L" or (entry.ten_dq in CRYSTAL_FIELDS_EV[:1] and not entry.ds)
        return _configurations(entry) > 15_000, not main, _configurations(entry)

    return sorted(result, key=order)


def compute(entry: Multiplet) -> tuple[np.ndarray, dict[str, float]]:
    """Absorption on `ENERGY_EV` and what places it."""
    atomic_number = ATOMIC_NUMBERS[entry.element]
    values = integrals(atomic_number, entry.edge)
    field = CrystalField(entry.ten_dq, entry.ds, entry.dt)
    spectrum = lines(values, entry.edge, entry.electrons, entry.scales, field)
    start = onset(spectrum)
    widths = core_hole_widths(spectrum, entry.edge, atomic_number)
    fano = FANO_Q if entry.edge == "N" else None
    absorption = broadened(spectrum, ENERGY_EV + start, widths, fano)
    absorption /= np.trapezoid(absorption, ENERGY_EV)
    mean = float(spectrum.strength @ spectrum.energy / spectrum.strength.sum() - start)
    return absorption.astype(np.float32), {
        "mean_excitation": mean_excitation(atomic_number, entry.edge, entry.electrons),
        "onset": start,
        "mean_above_onset": mean,
        "strength": float(spectrum.strength.sum()),
        "smallest_width": float(widths.min()),
        "largest_width": float(widths.max()),
    }
