"""Probabilities of all spectra of a signal, block by block on all cores, and sums on the way."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import dask
import dask.array as da
import numpy as np
from dask.diagnostics import ProgressBar

from hyperspy_eelsid import decision, ensemble, preprocessing
from hyperspy_eelsid.edges import ELEMENTS

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

# an edge that lies so far outside of the window can still be seen when the energy axis is not well calibrated
ONSET_TOLERANCE_EV = 5
PIXELS_PER_BLOCK = 128  # half a second of work


def edge_range(energy: np.ndarray) -> tuple[float, float]:
    """Energies [eV] between which an onset can be seen on an energy axis."""
    start, end = preprocessing.measured_window(energy)
    return start - ONSET_TOLERANCE_EV, end + ONSET_TOLERANCE_EV


def predict_spectra(spectra: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Probability of each element in a block of spectra.

    Elements without a major edge in the window have the probability 0.

    Parameters
    ----------
    spectra : Counts, shape (..., n_channels).
    energy : Energies of the channels [eV], shape (n_channels,).

    Returns
    -------
    float32, shape (..., 80); NaN for spectra whose counts are not finite or nowhere positive.
    """
    pixels = spectra.reshape(-1, spectra.shape[-1])
    start, end = preprocessing.measured_window(energy)
    finite = np.isfinite(pixels[:, (energy >= start) & (energy <= end)]).all(axis=1)
    inputs = preprocessing.to_network_input(pixels[finite], energy)
    positive = inputs.max(axis=1) > 0
    probability = ensemble.load().predict(inputs[positive])
    probability[:, ~decision.visible(*edge_range(energy))] = 0
    result = np.full((len(pixels), len(ELEMENTS)), np.nan, np.float32)
    result[np.flatnonzero(finite)[positive]] = probability
    return result.reshape(*spectra.shape[:-1], len(ELEMENTS))


def predict_signal(
    signal: EELSSpectrum, energy: np.ndarray, show_progressbar: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities and sums of an eager or lazy signal, whose data are read once.

    Returns
    -------
    probability : float32, navigation shape x 80; NaN for spectra that cannot be used.
    spectrum : Sum of the spectra that can be used, shape (n_channels,).
    intensity : Sum over the energy axis, navigation shape.
    """
    ensemble.load()  # here and not first in several threads at once
    data = signal.data if signal._lazy else da.from_array(signal.data, chunks=-1, name=False)
    pixels = tuple(range(data.ndim - 1))
    data = data.rechunk(
        {**dict.fromkeys(pixels, "auto"), data.ndim - 1: -1},
        block_size_limit=PIXELS_PER_BLOCK * data.shape[-1] * data.dtype.itemsize,
    )
    probability = da.map_blocks(
        predict_spectra,
        data,
        energy,
        dtype=np.float32,
        chunks=(*data.chunks[:-1], (len(ELEMENTS),)),
        meta=np.empty((0,) * data.ndim, np.float32),
    )
    usable = da.isfinite(probability[..., :1])
    spectrum = da.where(usable, data, 0).sum(axis=pixels, dtype=np.float64)
    show = show_progressbar and data.npartitions > 1
    with ProgressBar() if show else nullcontext():
        return dask.compute(
            probability,
            spectrum,
            data.sum(axis=-1),
            # data in memory are not sent to the workers of a cluster
            scheduler=None if signal._lazy else "threads",
        )
