"""What a classifier sees of a spectrum: white lines without background, in place, at one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperspy_eelsid.oxidation.background import smooth
from hyperspy_eelsid.oxidation.edge import WhiteLineEdge

STEP_EV = 0.1
BEFORE_EV, AFTER_EV = 10.0, 9.0  # of the first and of the second line
ENDS_EV = 0.5  # whose level is held beyond the window
NORMS = ("l2", "maximum")


@dataclass(frozen=True)
class Preparation:
    """From spectra to vectors.

    Parameters
    ----------
    edge
        Name of the edge, e.g. ``"Mn_L3"``.
    align
        Whether the maximum of the first line comes to the same place in all; otherwise its onset does.
    norm
        ``"l2"``, whose products are cosines, or ``"maximum"``.
    """

    edge: str
    align: bool
    norm: str

    @property
    def energy(self) -> np.ndarray:
        """Energies of the vectors from the first line [eV]."""
        end = WhiteLineEdge.of(self.edge).distance + AFTER_EV
        return STEP_EV * np.arange(round(-BEFORE_EV / STEP_EV), round(end / STEP_EV))

    def vectors(self, net: np.ndarray, first_line: np.ndarray, energy: np.ndarray) -> np.ndarray:
        """Vectors of spectra, shape (n, len(self.energy)), not normalised.

        Parameters
        ----------
        net
            Spectra without background, shape (n, n_channels).
        first_line
            Energy of the maximum of the first line [eV], shape (n,).
        energy
            Shape (n_channels,) [eV].
        """
        onset = WhiteLineEdge.of(self.edge).onsets[0]
        place = first_line if self.align else np.full(len(net), onset)
        dispersion = energy[1] - energy[0]
        net = smooth(net, 2 * int(STEP_EV / dispersion / 2) + 1)
        ends = max(1, round(ENDS_EV / dispersion))
        low, high = (np.median(part, axis=1) for part in (net[:, :ends], net[:, -ends:]))
        position = (place[:, np.newaxis] + self.energy - energy[0]) / dispersion
        left = np.clip(position.astype(int), 0, len(energy) - 2)
        share = position - left
        first, second = (np.take_along_axis(net, left + k, axis=1) for k in (0, 1))
        result = first + share * (second - first)
        result = np.where(position < 0, low[:, np.newaxis], result)
        return np.where(position > len(energy) - 1, high[:, np.newaxis], result)

    def normalised(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors of length or maximum one; those without a positive maximum become zero."""
        if self.norm == "l2":
            scale = np.linalg.norm(vectors, axis=1, keepdims=True)
        else:
            scale = vectors.max(axis=1, keepdims=True)
        return np.where(scale > 0, vectors / np.where(scale > 0, scale, 1), 0)
