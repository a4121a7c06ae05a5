"""Edges that are in spectra and have no label: below 75 eV, or of elements outside the 80.

There is no cross section of theirs in the table. A neighbour in the periodic table lends its own, which begins at the
onset of the borrower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hyperspy_eelsid.edges import EDGES, ELEMENT_INDEX
from hyperspy_eelsid.edges.table import OUTSIDE
from training.physics.draws import Range, log_uniform, some

# Onsets [eV] of the binding energies in the X-ray Data Booklet (A. Thompson et al., Lawrence Berkeley National
# Laboratory (2009), table 1-1), by borrower and by subshell of the lender
_BELOW_75_EV = {
    ("Mg", 12, "Si"): {"L3": 49.5, "L2": 49.8},
    ("Al", 13, "Si"): {"L3": 72.6, "L2": 73.0},
    ("Cr", 24, "Zn"): {"M3": 42.2, "M2": 42.2},
    ("Mn", 25, "Zn"): {"M3": 47.2, "M2": 47.2},
    ("Fe", 26, "Zn"): {"M3": 52.7, "M2": 52.7},
    ("Co", 27, "Zn"): {"M3": 59.9, "M2": 58.9},
    ("Ni", 28, "Zn"): {"M3": 66.2, "M2": 68.0},
    ("Cu", 29, "Zn"): {"M3": 75.1, "M2": 77.3},
    ("Se", 34, "Kr"): {"M5": 54.6, "M4": 55.5},
    ("Br", 35, "Kr"): {"M5": 69.0, "M4": 70.0},
    ("Os", 76, "Au"): {"N7": 50.7, "N6": 53.1},
    ("Ir", 77, "Au"): {"N7": 60.8, "N6": 63.8},
    ("Pt", 78, "Au"): {"N7": 71.2, "N6": 74.6},
}
# O4,5 borrow a cross section of O3, most of their strength is in the resonance
_OUTSIDE = {
    ("Th", 90, "Bi"): OUTSIDE["Th"]
    | {"N1": 1330.0, "N2": 1168.0, "N3": 966.4, "O1": 290.0, "O2": 229.0, "O3": 182.0},
    ("U", 92, "Bi"): OUTSIDE["U"]
    | {"N1": 1439.0, "N2": 1271.0, "N3": 1043.0, "O1": 321.0, "O2": 257.0, "O3": 192.0},
}
_LENT_BY = {"O4": "O3", "O5": "O3"}
PLAIN, SHARP, GIANT = 0, 1, 2
_LINES = {"N4": SHARP, "N5": SHARP, "O4": GIANT, "O5": GIANT}  # to the empty 5f shell


class _Borrowed(NamedTuple):
    atomic_number: int
    element: int  # index of the borrower among the 80, -1 for none
    edge: int  # of the lender
    onset: float
    line: int


def _borrowed() -> list[_Borrowed]:
    number = {(edge.element, edge.subshell): i for i, edge in enumerate(EDGES)}
    return [
        _Borrowed(
            atomic_number,
            ELEMENT_INDEX.get(element, -1),
            number[lender, _LENT_BY.get(subshell, subshell)],
            onset,
            _LINES.get(subshell, PLAIN) if element not in ELEMENT_INDEX else PLAIN,
        )
        for (element, atomic_number, lender), onsets in (_BELOW_75_EV | _OUTSIDE).items()
        for subshell, onset in onsets.items()
    ]


BORROWED = _borrowed()


@dataclass(frozen=True)
class UnlabelledEdges:
    """Effect: edges below 75 eV of the sample's elements, and thorium or uranium in some samples.

    Attributes
    ----------
    outside_share
        Share of the samples that hold thorium, and the same share for uranium.
    outside_amount
        Its amount in units of the other atoms.
    line_height, giant_height
        Height of the sharp lines (N4,5) and of the giant resonances (O4,5) in units of the step.
    """

    outside_share: float = 0.012
    outside_amount: Range = (0.03, 1.0)
    line_height: Range = (0.3, 2.5)
    giant_height: Range = (2.0, 15.0)

    def draw(
        self, rng: np.random.Generator, fractions: np.ndarray, rows: np.dtype
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of these edges, in the order of the spectra, and their onsets [eV].

        Parameters
        ----------
        fractions
            Atomic fractions, shape (n, 80).
        rows
            Data type :data:`training.physics.ionisation.SUBSHELL` of the rows.
        """
        n = len(fractions)
        outside = {
            z: some(rng, self.outside_share, log_uniform(rng, self.outside_amount, n))
            for z in sorted({edge.atomic_number for edge in BORROWED if edge.element < 0})
        }
        amount = np.stack(
            [
                fractions[:, edge.element] if edge.element >= 0 else outside[edge.atomic_number]
                for edge in BORROWED
            ],
            axis=1,
        )
        spectrum, which = np.nonzero(amount)
        edge, atomic_number, onset, line = (
            np.array([getattr(borrowed, name) for borrowed in BORROWED])[which]
            for name in ("edge", "atomic_number", "onset", "line")
        )
        result = np.zeros(len(which), rows)
        result["spectrum"], result["edge"] = spectrum, edge
        result["atomic_number"], result["amount"] = atomic_number, amount[spectrum, which]
        sharp, giant = line == SHARP, line == GIANT
        for kind, limits in ((sharp, self.line_height), (giant, self.giant_height)):
            result["line_height"][kind] = log_uniform(rng, limits, kind.sum())
        result["line_position"] = rng.uniform(0, 3, len(which)) + 8 * giant * rng.random(len(which))
        result["line_fwhm"] = np.where(
            giant, rng.uniform(6, 16, len(which)), rng.uniform(2, 6, len(which))
        )
        result["line_asymmetry"] = rng.random(len(which))
        return result, onset
