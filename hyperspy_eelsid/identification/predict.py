"""Probabilities of all spectra of a signal, and sums on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.energy_axis import (
    edge_range,
    measured_window,
    plausible,
    without_nan_at_ends,
)
from hyperspy_eelsid.identification import ensemble, network_input, rules, unusual
from hyperspy_eelsid.networks.blocks import in_blocks

if TYPE_CHECKING:
    import dask.array as da

SMALLEST_COUNTS = 1e-18  # less is no number of counts, in whatever unit
N_RESULTS = len(ELEMENTS) + 1  # the last tells what is unusual


class NetworkSettings(NamedTuple):
    """Which networks run where; each process loads them for itself."""

    path: str | Path | None = None
    device: str = "auto"
    batch_size: int | None = None

    def load(self) -> ensemble.Ensemble:
        """The ensemble, read once in each process."""
        return ensemble.load(self.path, self.device)


def predict_spectra(
    spectra: np.ndarray,
    masked: np.ndarray | None = None,
    *,
    energy: np.ndarray,
    networks: NetworkSettings,
) -> np.ndarray:
    """Probability of each element in a block of spectra, and what is unusual about each.

    Elements without a major edge in the window have the probability 0.

    Parameters
    ----------
    spectra
        Counts, shape (..., n_channels).
    masked
        Which spectra to leave out, bool, shape (..., 1).
    energy
        Energies of the channels [eV], shape (n_channels,).

    Returns
    -------
    np.ndarray
        float32, shape (..., 81), the last the sum of :class:`~hyperspy_eelsid.identification.unusual.Oddity`; NaN
        for spectra that are masked, or whose counts are not finite or nowhere positive.
    """
    pixels = spectra.reshape(-1, spectra.shape[-1])
    start, end = measured_window(energy)
    inside = (energy >= start) & (energy <= end)
    energy = energy[inside]
    counts = without_nan_at_ends(pixels[:, inside])
    finite = plausible(counts).all(axis=1) & (counts > SMALLEST_COUNTS).any(axis=1)
    if masked is not None:
        finite &= ~masked.reshape(-1)
    inputs = network_input.to_network_input(counts[finite], energy)
    positive = inputs.max(axis=1) > 0
    inputs = inputs[positive]
    probability, spread = networks.load().predict_and_compare(inputs, networks.batch_size)
    seen = rules.visible(*edge_range(energy))
    probability[:, ~seen] = 0
    odd = unusual.oddities(inputs) | unusual.contradiction(spread[:, seen])
    result = np.full((len(pixels), N_RESULTS), np.nan, np.float32)
    result[np.flatnonzero(finite)[positive]] = np.column_stack([probability, odd])
    return result.reshape(*spectra.shape[:-1], N_RESULTS)


def predict_signal(
    data: np.ndarray | da.Array,
    energy: np.ndarray,
    networks: NetworkSettings,
    masked: np.ndarray | None,
) -> tuple[np.ndarray | da.Array, ...]:
    """Probabilities and sums of the spectra of a signal; dask arrays, computed together, read them once.

    All are in memory when the data are, and are no larger than a block.

    Parameters
    ----------
    data
        Counts, energies along the last axis.
    energy
        Energies of the channels [eV], shape (n_channels,).
    masked
        Which pixels to leave out, bool, navigation shape.

    Returns
    -------
    probability
        float32, navigation shape x 80; NaN for spectra that cannot be used.
    spectrum
        Sum of the spectra that can be used, shape (n_channels,).
    intensity
        Sum over the energy axis, navigation shape.
    oddities
        Sum of :class:`~hyperspy_eelsid.identification.unusual.Oddity`, uint8, navigation shape; 0 for spectra that
        cannot be used.
    """
    networks.load()  # here and not first in several threads at once
    left_out = [] if masked is None else [masked[..., np.newaxis]]
    data, result = in_blocks(
        predict_spectra, data, *left_out, n_labels=N_RESULTS, energy=energy, networks=networks
    )
    pixels = tuple(range(data.ndim - 1))
    usable = np.isfinite(result[..., :1])
    counts = np.where(plausible(data), data, 0)
    spectrum = np.where(usable, counts, 0).sum(axis=pixels, dtype=np.float64)
    oddities = np.where(usable[..., 0], result[..., -1], 0).astype(np.uint8)
    return result[..., :-1], spectrum, counts.sum(axis=-1, dtype=np.float64), oddities
