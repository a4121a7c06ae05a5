"""Networks on images of any size: block by block on all cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np

from hyperspy_eelsid.chunks import whole_spectra

PIXELS_PER_BLOCK = 128  # half a second of work


def in_blocks(
    function: Callable[..., np.ndarray],
    spectra: np.ndarray | da.Array,
    *per_pixel: np.ndarray,
    n_labels: int,
    **options: Any,
) -> tuple[np.ndarray | da.Array, np.ndarray | da.Array]:
    """Apply a function to the spectra of an image.

    Parameters
    ----------
    function
        Takes spectra of shape (..., n_channels), the parts of `per_pixel` that belong to them and
        the options; returns float32 of shape (..., n_labels).
    spectra
        Shape (..., n_channels).
    *per_pixel
        What else the function needs of each pixel, shape (..., 1).
    n_labels
        How many numbers the function gives for a spectrum.
    **options
        Passed to the function as they are.

    Returns
    -------
    spectra, result
        The spectra in the blocks in which the function sees them, so that what is summed from them
        reads them once; and its results, shape (..., n_labels). Both are in memory when the spectra are
        and are no larger than a block, otherwise they are dask arrays.
    """
    if isinstance(spectra, np.ndarray) and spectra.size <= PIXELS_PER_BLOCK * spectra.shape[-1]:
        # a graph would take as long as the networks do for a single spectrum
        return spectra, function(spectra, *per_pixel, **options)
    if isinstance(spectra, np.ndarray):
        spectra = da.from_array(spectra, chunks=-1, name=False)
    blocks = whole_spectra(spectra).rechunk(
        {**dict.fromkeys(range(spectra.ndim - 1), "auto"), spectra.ndim - 1: -1},
        block_size_limit=PIXELS_PER_BLOCK * spectra.shape[-1] * spectra.dtype.itemsize,
    )
    navigation = blocks.chunks[:-1]
    result = da.map_blocks(
        function,
        blocks,
        *(da.from_array(values, chunks=(*navigation, 1)) for values in per_pixel),
        **options,
        dtype=np.float32,
        chunks=(*navigation, (n_labels,)),
        meta=np.empty((0,) * blocks.ndim, np.float32),
    )
    return blocks, result
