"""What follows from zero-loss peaks, with what it varies over peaks that may be as its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.low_loss.bands import ZeroLossBands
from hyperspy_eelsid.low_loss.model import ZeroLossModel

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal

SHARES = (0.16, 0.5, 0.84)
# counts and zero-loss peaks, shape (n_pixels, n_channels) each, and energies of the peaks [eV], shape (n_pixels,)
# and values of the pixels
Consequence = Callable[..., np.ndarray]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A quantity with the band that holds it with a probability of 68 %, as far as its error is that of the zero loss.

    Parameters
    ----------
    value
        Median over zero-loss peaks that may be; NaN in pixels that were left out.
    lower, upper
        Ends of the band.
    """

    value: BaseSignal
    lower: BaseSignal
    upper: BaseSignal

    @property
    def uncertainty(self) -> BaseSignal:
        """Half the width of the band."""
        result = with_data(self.value, (self.upper.data - self.lower.data) / 2)
        result.metadata.General.title = f"uncertainty of {self.value.metadata.General.title}"
        return result


def over_draws(
    peaks: ZeroLossBands,
    consequence: Consequence,
    shape: tuple[int, ...],
    samples: int,
    *maps: np.ndarray,
) -> da.Array:
    """Ends of the band and median of what follows from zero-loss peaks that may be.

    Parameters
    ----------
    peaks
        The zero-loss peaks.
    consequence
        Returns an array of the shape (n_pixels, *shape).
    shape
        Of what follows in a pixel.
    samples
        Number of peaks drawn.
    *maps
        Values of each pixel, which `consequence` gets too.

    Returns
    -------
    da.Array
        Lazy, shape (..., 3, *shape): lower end, median, upper end.
    """
    return peaks.per_pixel(
        _of_block,
        (len(SHARES), *shape),
        *maps,
        consequence=consequence,
        of_pixel=shape,
        model=peaks.model,
        seed=peaks.random_state,
        samples=samples,
    )


def _of_block(
    counts: np.ndarray,
    centre: np.ndarray,
    *maps: np.ndarray,
    consequence: Consequence,
    of_pixel: tuple[int, ...],
    model: ZeroLossModel,
    seed: int,
    samples: int,
) -> np.ndarray:
    result = np.full((len(counts), len(SHARES), *of_pixel), np.nan)
    use = np.isfinite(centre)
    if use.any():
        counts, centre, *maps = (values[use] for values in (counts, centre, *maps))
        draws = model.draws(counts, centre, samples, seed)
        each = np.stack([consequence(counts, drawn, centre, *maps) for drawn in draws])
        result[use] = np.moveaxis(np.quantile(each, SHARES, axis=0), 0, 1)
    return result
