"""The ions whose multiplets are computed, and their spectra.

L2,3 of 3d metals in crystal fields, M4,5 and N4,5 of free lanthanides, M4,5 of barium, N4,5 of thorium and uranium.
Hybridisation and charge transfer, the continuum behind the lines and metals are not in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import comb
from typing import Any

import numpy as np

from training.physics.multiplets import (
    NOBLE_GAS_BEFORE,
    CrystalField,
    broadened,
    core_hole_widths,
    integrals,
    lines,
    mean_excitation,
    onset,
    transition,
)

KIND = "multiplets"
AXIS = "energy"
VERSION = 2  # of the computation: to be raised when spectra change
PROGRAM = "edrixs"
UNITS = "1/eV"
ENERGY_EV = np.round(np.arange(-5.0, 75.0, 0.1), 6)
FANO_Q = 4.0  # of N4,5, a weak asymmetry
# Charges of the ions, the most common first; their electrons outside of the noble gas are all in the open shell
_TRANSITION_METALS = {
    "Sc": (3,),
    "Ti": (4, 3),
    "V": (5, 4, 3),
    "Cr": (6, 3),
    "Mn": (2, 3, 4),
    "Fe": (2, 3),
    "Co": (2, 3),
    "Ni": (2,),
    "Cu": (2,),
}
# Without Yb2+, whose 4f is full, and N of barium, where 4f is no bound shell yet
_LANTHANIDES = {
    "La": (3,),
    "Ce": (3, 4),
    "Pr": (3,),
    "Nd": (3,),
    "Pm": (3,),
    "Sm": (3,),
    "Eu": (3, 2),
    "Gd": (3,),
    "Tb": (3, 4),
    "Dy": (3,),
    "Ho": (3,),
    "Er": (3,),
    "Tm": (3,),
    "Yb": (3,),
}
_IONS = {
    "L": _TRANSITION_METALS,
    "M": {"Ba": (2,)} | _LANTHANIDES,
    "N": _LANTHANIDES | {"Th": (4,), "U": (4, 6)},
}
ATOMIC_NUMBERS = {name: 21 + i for i, name in enumerate(_TRANSITION_METALS)}
ATOMIC_NUMBERS |= {"Ba": 56, "Th": 90, "U": 92}
ATOMIC_NUMBERS |= {name: 57 + i for i, name in enumerate(_LANTHANIDES)}
CRYSTAL_FIELDS_EV = (1.0, 1.8, -0.6, 0.5, 1.4, 2.2)  # 10Dq; negative in a tetrahedron
TETRAGONAL = {
    "Cu2+": (1.4, 0.15, 0.05),
    "Mn3+": (1.4, 0.2, 0.05),
}  # Jahn-Teller ions: 10Dq, Ds, Dt [eV]


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
        return asdict(self) | {"ion": self.ion, "fano": self.fano or 0.0}

    @property
    def fano(self) -> float | None:
        """Fano's q; None where the lines do not interfere with a continuum."""
        return FANO_Q if self.edge == "N" and self.element in _LANTHANIDES else None


def _configurations(entry: Multiplet) -> int:
    """Number of excited states, what the time depends on."""
    if entry.edge == "L":
        return 6 * comb(10, entry.electrons + 1)
    return 10 * comb(14, entry.electrons + 1)


def entries() -> list[Multiplet]:
    """All entries of the library, those that are fast first."""
    result = []
    for edge, ions in _IONS.items():
        for element, charges in ions.items():
            atomic_number = ATOMIC_NUMBERS[element]
            shells = transition(edge, atomic_number)
            for charge in charges:
                electrons = atomic_number - NOBLE_GAS_BEFORE[shells.valence_shell] - charge
                entry = Multiplet(element, edge, charge, electrons, shells.scales)
                if edge != "L":
                    result.append(entry)
                    continue
                result += [replace(entry, ten_dq=ten_dq) for ten_dq in CRYSTAL_FIELDS_EV]
                if entry.ion in TETRAGONAL:
                    ten_dq, ds, dt = TETRAGONAL[entry.ion]
                    result.append(replace(entry, ten_dq=ten_dq, ds=ds, dt=dt))

    # one spectrum of every ion before the further crystal fields, and what takes minutes at the end
    def order(entry: Multiplet) -> tuple[bool, bool, int]:
        main = entry.edge != "L" or (entry.ten_dq in CRYSTAL_FIELDS_EV[:1] and not entry.ds)
        return _configurations(entry) > 15_000, not main, _configurations(entry)

    return sorted(result, key=order)


def compute(entry: Multiplet) -> tuple[np.ndarray, dict[str, float]]:
    """Absorption on `ENERGY_EV` and what places it."""
    atomic_number = ATOMIC_NUMBERS[entry.element]
    values = integrals(atomic_number, entry.edge, entry.electrons)
    field = CrystalField(entry.ten_dq, entry.ds, entry.dt)
    spectrum = lines(values, entry.edge, entry.electrons, entry.scales, field)
    start = onset(spectrum)
    widths = core_hole_widths(spectrum, entry.edge, atomic_number)
    absorption = broadened(spectrum, ENERGY_EV + start, widths, entry.fano)
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
