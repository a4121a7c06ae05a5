"""Chunks of lazy images: all energies of a pixel together, in blocks that fit into memory."""

from __future__ import annotations

import dask.array as da
import numpy as np
from dask.graph_manipulation import clone

from hyperspy_eelsid.exceptions import ChunksError

BLOCK_BYTES = 128e6  # as large as the chunks that dask and HyperSpy make
MOST_READS = 8


def whole_spectra(data: da.Array) -> da.Array:
    """The same spectra, with all energies of a pixel in one chunk.

    Readers of large files cut images along all axes, energies too. Pixels whose chunks would not fit into memory
    together are divided into groups, each of which reads these chunks for itself and keeps its own part of them: what
    this costs in time it saves in memory.

    Parameters
    ----------
    data
        Shape (..., n_channels).

    Raises
    ------
    ChunksError
        If so many pixels are in one chunk that each would have to be read more than eight times.
    """
    if data.numblocks[-1] == 1:
        return data
    largest = [max(sizes) for sizes in data.chunks[:-1]]
    needed = np.prod(largest) * data.shape[-1] * data.dtype.itemsize
    reads = int(np.ceil(needed / BLOCK_BYTES))
    if reads > MOST_READS:
        raise ChunksError(
            f"The image is chunked along the energies: {needed / 1e9:.1f} GB would have to be in memory at once for "
            f"all energies of the {' x '.join(map(str, largest[::-1]))} pixels of a chunk. If there is so much memory, "
            "use s.compute(); or save the image with all energies of few pixels in a chunk, "
            "s.save(..., chunks=...); or take parts of it, s.inav[...]."
        )
    if reads <= 1:
        return data.rechunk({-1: -1})
    axis = int(np.argmax(largest))
    size_of_group = -(-largest[axis] // reads)
    # tasks of their own for each group: chunks that several groups share would wait for the last of them
    copies = [data, *(clone(data) for _ in range(reads - 1))]
    groups, first = [], 0
    for size in data.chunks[axis]:
        for number, start in enumerate(range(0, size, size_of_group)):
            end = min(start + size_of_group, size)
            pixels = (slice(None),) * axis + (slice(first + start, first + end),)
            part = copies[number][pixels]
            # a view would keep the whole chunk
            groups.append(part.map_blocks(np.copy, dtype=data.dtype, meta=data._meta))
        first += size
    return da.concatenate([group.rechunk({-1: -1}) for group in groups], axis=axis)
