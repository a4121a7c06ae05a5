"""What has to be known of a whole image before its pixels are modelled: peaks, vacuum pixels, mean spectra, noise.

The data are read block by block; of each only a few numbers a pixel and sums are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from dask.diagnostics import ProgressBar
from hyperspy.api import preferences

from hyperspy_eelsid.exceptions import InvalidSpectraError
from hyperspy_eelsid.low_loss.noise import Noise, estimate_noise
from hyperspy_eelsid.low_loss.peak import Axis, aligned_sum, full_width, is_saturated, peak_centres

COUNTS_PER_BLOCK = 500_000
PIXELS_FOR_NOISE = 256
# vacuum pixels: the smallest shares of counts far beyond the peak, of which the mean spectrum only falls
FAR_WIDTHS = 6.0
VACUUM_SHARE = 0.03
VACUUM_SIGMA = 3.0
VACUUM_SPREAD = 1.25
LEAST_VACUUM = 0.01  # of the pixels


class Spectrum(NamedTuple):
    """The mean of spectra that are moved so that their peaks lie at 0 eV.

    Parameters
    ----------
    counts
        Shape (axis.size,).
    axis
        Energies from the peak.
    noise
        Noise of the mean.
    pixels
        Number of spectra.
    """

    counts: np.ndarray
    axis: Axis
    noise: Noise
    pixels: int


@dataclass(frozen=True)
class Survey:
    """Peaks of all pixels of an image.

    Parameters
    ----------
    blocks
        The counts in blocks of pixels, energies last, shape (..., n_channels).
    axis
        Energies of the channels.
    fwhm
        Width of the mean peak [eV].
    centre
        Energy of the peak of each pixel [eV], NaN where there is none or it is saturated, shape (...).
    total, far
        Counts of each pixel, and those far beyond its peak, shape (...).
    noise
        Noise of a pixel.
    """

    blocks: da.Array
    axis: Axis
    fwhm: float
    centre: np.ndarray
    total: np.ndarray
    far: np.ndarray
    noise: Noise

    @classmethod
    def of(
        cls, data: np.ndarray | da.Array, axis: Axis, show_progressbar: bool | None = None
    ) -> Survey:
        """Look at all pixels.

        Parameters
        ----------
        data
            Counts, energies last, shape (..., n_channels) with at least one axis of pixels.
        axis
            Energies of the channels.
        show_progressbar
            Show the progress; None takes HyperSpy's preference.

        Raises
        ------
        InvalidSpectraError
            If no pixel has finite, positive counts.
        ZeroLossError
            If there is no zero-loss peak that can be modelled.
        """
        blocks = in_blocks(data)
        both_ways = _both_ways(axis)
        total, recorded = summed(blocks, _rough_sum, (2, both_ways.size), axis=axis)
        if not recorded.any():
            raise InvalidSpectraError(
                "No spectrum has finite counts that are somewhere positive; check the data."
            )
        counts, part = _trimmed(total, recorded, both_ways)
        fwhm = full_width(counts, part)
        peaks = per_pixel(blocks, _peaks, (3,), axis=axis, fwhm=fwhm)
        centre, total, far = np.moveaxis(compute(peaks, show_progressbar), -1, 0)
        if np.isnan(centre).all():
            raise InvalidSpectraError(
                "The zero-loss peak of every spectrum is saturated or not finite; check the data."
            )
        noise = estimate_noise(*_some(blocks, centre, axis), fwhm)
        return cls(blocks, axis, fwhm, centre, total, far, noise)

    def mean(self, pixels: np.ndarray) -> Spectrum:
        """Mean spectrum of pixels with a peak, bool, shape (...)."""
        centre = np.where(pixels, self.centre, np.nan)
        return mean_spectrum(self.blocks, centre, self.axis, self.noise)

    def vacuum_pixels(self) -> np.ndarray | None:
        """Pixels of vacuum, bool, shape (...); None when less than one per cent of them are.

        Those with the smallest share of counts far beyond the peak. HyperSpy's ``vacuum_mask`` asks for a number of
        counts below which there is vacuum, which depends on the dose.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            share = self.far / self.total
            error = np.sqrt(self.noise.variance(self.far)) / self.total
        usable = np.isfinite(self.centre) & np.isfinite(share)
        if usable.sum() < 2:
            return None
        smallest = float(np.quantile(share[usable], LEAST_VACUUM))
        smallest = max(smallest, 0.0)
        vacuum = usable & (share <= VACUUM_SPREAD * smallest + VACUUM_SIGMA * error)
        # the mean of those found is less noisy than the smallest of them
        level = float(np.average(share[vacuum], weights=self.total[vacuum]))
        vacuum = usable & (share <= VACUUM_SPREAD * level + VACUUM_SIGMA * error)
        enough = vacuum.sum() >= max(1, LEAST_VACUUM * usable.sum())
        if level > VACUUM_SHARE or not enough or vacuum.sum() == usable.sum():
            return None
        return vacuum


def mean_spectrum(blocks: da.Array, centre: np.ndarray, axis: Axis, noise: Noise) -> Spectrum:
    """Mean spectrum of the pixels of which the energy of the peak is not NaN.

    Parameters
    ----------
    blocks
        Counts, shape (..., n_channels).
    centre
        Energies of the peaks [eV], shape (...).
    axis
        Energies of the channels.
    noise
        Noise of a pixel.
    """
    both_ways = _both_ways(axis)
    total, recorded = summed(blocks, _aligned, (2, both_ways.size), centre, axis=axis)
    counts, aligned = _trimmed(total, recorded, both_ways)
    number = int(np.isfinite(centre).sum())
    return Spectrum(counts, aligned, noise.scaled(1.0, number), number)


def in_blocks(data: np.ndarray | da.Array) -> da.Array:
    """An array in blocks of pixels with all their energies."""
    whole = data if isinstance(data, da.Array) else da.from_array(data, chunks=-1, name=False)
    pixels = tuple(range(data.ndim - 1))
    return whole.rechunk(
        {**dict.fromkeys(pixels, "auto"), data.ndim - 1: -1},
        block_size_limit=COUNTS_PER_BLOCK * data.dtype.itemsize,
    )


def per_pixel(
    blocks: da.Array,
    function: Callable[..., np.ndarray],
    shape: tuple[int, ...],
    *maps: np.ndarray,
    dtype: type = np.float64,
    **arguments: Any,
) -> da.Array:
    """Call a function with the spectra of each block, as floats of the shape (n_pixels, n_channels).

    Parameters
    ----------
    blocks
        Counts, shape (..., n_channels).
    function
        Returns an array of the shape (n_pixels, *shape).
    shape
        Last axes of the result.
    *maps
        Values of each pixel, shape (...), of which the function gets those of the block, shape (n_pixels,).
    dtype
        Of the result.
    **arguments
        Passed to the function.

    Returns
    -------
    da.Array
        Lazy, shape (..., *shape).
    """

    def call(counts: np.ndarray, *values: np.ndarray) -> np.ndarray:
        return function(*_flat(counts, values), **arguments).reshape(*counts.shape[:-1], *shape)

    return _mapped(blocks, call, blocks.chunks[:-1], shape, maps, dtype)


def summed(
    blocks: da.Array,
    function: Callable[..., np.ndarray],
    shape: tuple[int, ...],
    *maps: np.ndarray,
    **arguments: Any,
) -> np.ndarray:
    """Sum over all blocks of what a function returns for each, see :func:`per_pixel`; shape `shape`."""
    pixels = blocks.ndim - 1

    def call(counts: np.ndarray, *values: np.ndarray) -> np.ndarray:
        return function(*_flat(counts, values), **arguments).reshape((1,) * pixels + shape)

    ones = tuple((1,) * len(chunk) for chunk in blocks.chunks[:-1])
    parts = _mapped(blocks, call, ones, shape, maps, np.float64)
    return parts.sum(axis=tuple(range(pixels))).compute()


def _flat(counts: np.ndarray, values: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    counts = np.asarray(counts, dtype=np.float64).reshape(-1, counts.shape[-1])
    return [counts, *(v.reshape(-1) for v in values)]


def _mapped(
    blocks: da.Array,
    call: Callable[..., np.ndarray],
    chunks: tuple[tuple[int, ...], ...],
    shape: tuple[int, ...],
    maps: tuple[np.ndarray, ...],
    dtype: type,
) -> da.Array:
    pixels = blocks.ndim - 1
    beside = [da.from_array(m[..., np.newaxis], chunks=(*blocks.chunks[:-1], 1)) for m in maps]
    return da.map_blocks(
        call,
        blocks,
        *beside,
        chunks=(*chunks, *((n,) for n in shape)),
        drop_axis=pixels,
        new_axis=list(range(pixels, pixels + len(shape))),
        dtype=dtype,
        meta=np.empty((0,) * (pixels + len(shape)), dtype),
    )


def compute(lazy: da.Array, show_progressbar: bool | None) -> np.ndarray:
    """The values of an array, with a progress bar when it has more than one block."""
    show = preferences.General.show_progressbar if show_progressbar is None else show_progressbar
    with ProgressBar() if show and lazy.npartitions > 1 else nullcontext():
        return lazy.compute()


def _both_ways(axis: Axis) -> Axis:
    """Energies from the peak, wherever it lies on the axis."""
    return Axis(-axis.step * (axis.size - 1), axis.step, 2 * axis.size - 1)


def _trimmed(total: np.ndarray, recorded: np.ndarray, axis: Axis) -> tuple[np.ndarray, Axis]:
    """Mean over the channels that at least half of the spectra recorded."""
    known = np.flatnonzero(recorded >= max(1, 0.5 * recorded.max()))
    part = slice(known[0], known[-1] + 1)
    counts = total[part] / recorded[part]
    return counts, Axis(axis.offset + axis.step * known[0], axis.step, counts.size)


def _rough_sum(counts: np.ndarray, axis: Axis) -> np.ndarray:
    """Sum of spectra aligned at their highest channels, and how many recorded each."""
    usable = np.isfinite(counts).all(axis=1) & (counts > 0).any(axis=1)
    highest = axis.offset + axis.step * np.where(usable[:, np.newaxis], counts, 0).argmax(axis=1)
    centre = np.where(usable, highest, np.nan)
    return np.stack(aligned_sum(counts, axis, centre, _both_ways(axis)))


def _aligned(counts: np.ndarray, centre: np.ndarray, axis: Axis) -> np.ndarray:
    return np.stack(aligned_sum(counts, axis, centre, _both_ways(axis)))


def _peaks(counts: np.ndarray, axis: Axis, fwhm: float) -> np.ndarray:
    """Energy of the peak, all counts, and those far beyond the peak, of each spectrum."""
    centre = peak_centres(counts, axis, fwhm)
    usable = np.isfinite(centre)
    usable[usable] = ~is_saturated(counts[usable])
    first = (np.where(usable, centre, 0) + FAR_WIDTHS * fwhm - axis.offset) / axis.step
    beyond = np.arange(axis.size) >= first[:, np.newaxis]
    far = np.where(beyond, counts, 0).sum(axis=1)
    return np.stack([np.where(usable, centre, np.nan), counts.sum(axis=1), far], axis=1)


def _some(blocks: da.Array, centre: np.ndarray, axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Some of the spectra, and their energies from the peak."""
    usable = np.flatnonzero(np.isfinite(centre))
    chosen = usable[:: -(-usable.size // PIXELS_FOR_NOISE)]
    index = np.unravel_index(chosen, centre.shape)
    counts = np.asarray(blocks.vindex[(*index, slice(None))].compute(), dtype=np.float64)
    return counts, axis.relative(centre.ravel()[chosen])
