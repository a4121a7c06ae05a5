"""Simulated white lines of manganese at the published size of the set.

M. Chatzidakis and G. A. Botton, Sci. Rep. 9, 2126 (2019): 448 spectra of Mn2+, 765 of Mn3+ and 788 of Mn4+ with 700
channels of 0.1 eV, of which 300 are seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperspy_eelsid.oxidation.background import before_edge, fit_background
from hyperspy_eelsid.oxidation.edge import WhiteLineEdge
from hyperspy_eelsid.oxidation.references import ion_spectrum, ions

SIZES = {2: 448, 3: 765, 4: 788}
STEP_EV = 0.1
ENERGY_EV = np.arange(6150, 6850) * STEP_EV
SEEN = 300  # channels
FIRST_SEEN = 180  # without a shift: 633 eV
# what spectra of one source differ in
RESOLUTION_EV = (0.7, 1.2)
THICKNESS = (0.1, 0.5)  # mean free paths
COUNTS = (300.0, 5000.0)  # at the maximum, by decades
BACKGROUND = (0.3, 1.0)  # at the edge, in parts of the maximum
EXPONENT = 3.2
AXIS_EV = 0.1  # standard deviation of the place


@dataclass(frozen=True)
class WhiteLineSet:
    """Spectra without background and their charges.

    Parameters
    ----------
    spectra
        Maximum one, shape (n, 700).
    charges
        Shape (n,).
    """

    spectra: np.ndarray
    charges: np.ndarray

    def seen(self, shifts: np.ndarray | float = 0.0) -> np.ndarray:
        """The 300 channels that a classifier sees of spectra moved up by `shifts` [eV], shape (n, 300)."""
        moves = np.broadcast_to(
            np.round(np.asarray(shifts) / STEP_EV).astype(int), len(self.charges)
        )
        channels = FIRST_SEEN - moves[:, np.newaxis] + np.arange(SEEN)
        return np.take_along_axis(self.spectra, channels, axis=1)

    def noisy(self, level: float, rng: np.random.Generator) -> WhiteLineSet:
        """The same with normal noise, in parts of the maximum."""
        noise = rng.normal(0, 1, self.spectra.shape) * level
        return WhiteLineSet(self.spectra + noise, self.charges)

    def __getitem__(self, rows: np.ndarray) -> WhiteLineSet:
        return WhiteLineSet(self.spectra[rows], self.charges[rows])


def simulate(rng: np.random.Generator, share: float = 1.0) -> WhiteLineSet:
    """Draw a set from computed ions, as one instrument records several specimens.

    Parameters
    ----------
    rng
        Draws all.
    share
        Of the published size.
    """
    edge = WhiteLineEdge.of("Mn")
    window = before_edge(ENERGY_EV, edge)
    spectra, charges = [], []
    for charge, size in SIZES.items():
        # of a tetrahedron's field there are few compounds
        known = [ion for ion in ions("Mn") if ion.charge == charge and ion.ten_dq > 0]
        for _ in range(round(share * size)):
            ion = known[rng.integers(len(known))]
            axis = ENERGY_EV - rng.normal(0, AXIS_EV)
            clean = ion_spectrum(
                edge, ion, axis, rng.uniform(*RESOLUTION_EV), 2, rng.uniform(*THICKNESS)
            )
            counts = np.exp(rng.uniform(*np.log(COUNTS)))
            under = rng.uniform(*BACKGROUND) * (ENERGY_EV / 640) ** -EXPONENT
            spectra.append(rng.poisson(counts * (clean / clean.max() + under)))
            charges.append(charge)
    counted = np.array(spectra, float)
    net = counted - fit_background(counted, ENERGY_EV, window).values
    return WhiteLineSet(net / net.max(axis=1, keepdims=True), np.array(charges))


def shifted_copies(
    training: WhiteLineSet, copies: int, largest: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """What a classifier sees of the spectra and of copies shifted by up to `largest` eV, and the charges."""
    parts = [training.seen()]
    parts += [
        training.seen(rng.uniform(-largest, largest, len(training.charges))) for _ in range(copies)
    ]
    return np.concatenate(parts), np.tile(training.charges, copies + 1)
