"""Zero-loss peaks of all pixels with their bands, and what is left without them: what is computed from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from hyperspy_eelsid import files
from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.arguments import whole_number
from hyperspy_eelsid.exceptions import UnusableFileError
from hyperspy_eelsid.low_loss.model import ZeroLossModel
from hyperspy_eelsid.low_loss.noise import Noise
from hyperspy_eelsid.low_loss.survey import (
    Spectrum,
    Survey,
    compute,
    in_blocks,
    mean_spectrum,
    per_pixel,
)

if TYPE_CHECKING:
    from typing import Self

    from exspy.signals import EELSSpectrum

_NODE = "EELSID.zero_loss"


@dataclass(frozen=True, repr=False, eq=False)
class ZeroLossBands:
    """What a :class:`~hyperspy_eelsid.low_loss.ZeroLossPeak` holds, and what can be computed from it.

    Band gaps and pictures are made of it; the fields are explained there.
    """

    signal: EELSSpectrum
    zlp: EELSSpectrum
    lower: EELSSpectrum
    upper: EELSSpectrum
    model: ZeroLossModel
    centre: np.ndarray
    vacuum_mask: np.ndarray
    method: str
    random_state: int
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        signal: EELSSpectrum,
        survey: Survey,
        model: ZeroLossModel,
        method: str,
        vacuum_mask: np.ndarray,
        random_state: int,
        notes: tuple[str, ...],
        show_progressbar: bool | None = None,
    ) -> Self:
        """Model all pixels, those of a lazy signal when they are asked for."""
        bands = per_pixel(
            survey.blocks, model, (3, model.axis.size), survey.centre, dtype=np.float32
        )
        values = bands if signal._lazy else compute(bands, show_progressbar)
        titles = ("zero-loss peak", "zero-loss peak, lower end", "zero-loss peak, upper end")
        signals = [_like(signal, values[..., k, :], title) for k, title in enumerate(titles)]
        shape = signal.axes_manager.navigation_shape[::-1]
        return cls(
            signal,
            *signals,
            model,
            survey.centre.reshape(shape),
            vacuum_mask.reshape(shape),
            method,
            random_state,
            notes,
        )

    @property
    def zlp_range(self) -> tuple[float, float]:
        """First and last energy from the peak [eV] between which there is zero loss alone."""
        return self.model.zlp_range

    @property
    def noise(self) -> Noise:
        """Noise of the counts of a pixel."""
        return self.model.noise

    @cached_property
    def uncertainty(self) -> EELSSpectrum:
        """Half the width of the band."""
        half = (self.upper.data - self.lower.data) / 2
        return _like(self.signal, half, "uncertainty of the zero-loss peak")

    @cached_property
    def inelastic(self) -> EELSSpectrum:
        """The spectra without their zero-loss peaks; counts that noise makes negative are kept."""
        data = self.signal.data.astype(np.float32) - self.zlp.data
        return _like(self.signal, data, "without zero-loss peak")

    def samples(self, n: int = 30, random_state: int | None = None) -> EELSSpectrum:
        """Zero-loss peaks that may be, drawn from the model.

        What follows from the peak, computed for each of them, has the spread that is its error. In one draw the tails
        of all pixels err alike.

        Parameters
        ----------
        n
            Number of draws, with an axis of their own before those of the pixels.
        random_state
            Seed; by default that of the model.
        """
        whole_number("n", n)
        seed = self.random_state if random_state is None else random_state
        shape = (n, self.model.axis.size)
        data = self.per_pixel(
            _drawn, shape, dtype=np.float32, model=self.model, seed=seed, number=n
        )
        data = data.transpose(data.ndim - 2, *range(data.ndim - 2), data.ndim - 1)
        if not self.signal._lazy:
            data = data.compute()
        pixels = self.signal.axes_manager.navigation_shape[::-1]
        data = data.reshape(n, *pixels, self.model.axis.size)
        axes = self.signal.axes_manager.as_dictionary()
        sample = {"_type": "UniformDataAxis", "name": "Draw", "size": n, "navigate": True}
        return type(self.signal)(
            data, axes=[sample, *axes.values()], metadata=self.signal.metadata.as_dictionary()
        )

    def mean_spectrum(self) -> Spectrum:
        """Mean spectrum of the pixels that are not vacuum, their peaks at 0 eV."""
        blocks, centre = self._blocks()
        centre = np.where(self.vacuum_mask.reshape(centre.shape), np.nan, centre)
        return mean_spectrum(blocks, centre, self.model.axis, self.noise)

    def per_pixel(
        self,
        function: Callable[..., np.ndarray],
        shape: tuple[int, ...],
        *maps: np.ndarray,
        dtype: type = np.float64,
        **arguments: Any,
    ) -> da.Array:
        """A function of counts, energies of the peaks and other maps, lazy; pixels first, then `shape`."""
        blocks, centre = self._blocks()
        maps = (centre, *(values.reshape(centre.shape) for values in maps))
        return per_pixel(blocks, function, shape, *maps, dtype=dtype, **arguments)

    def _blocks(self) -> tuple[da.Array, np.ndarray]:
        data = self.signal.data if self.signal.data.ndim > 1 else self.signal.data[np.newaxis]
        return in_blocks(data), self.centre.reshape(data.shape[:-1])

    def save(self, filename: str | Path, **kwargs: Any) -> None:
        """Save the spectra, the peaks and the model in one file that HyperSpy can read.

        Parameters
        ----------
        filename
            Name of the file, ending in ``.hspy`` or ``.zspy``.
        **kwargs
            Passed to :meth:`hyperspy.api.signals.BaseSignal.save`, e.g. ``overwrite=True``.
        """
        signal = self.signal.deepcopy()
        signal.metadata.set_item(
            _NODE,
            {
                "zlp": self.zlp,
                "lower": self.lower,
                "upper": self.upper,
                "model": self.model.as_dictionary(),
                "centre": self.centre,
                "vacuum_mask": self.vacuum_mask,
                "method": self.method,
                "random_state": self.random_state,
                "notes": list(self.notes),
            },
        )
        signal.save(filename, **kwargs)

    @classmethod
    def load(cls, filename: str | Path, lazy: bool = False) -> Self:
        """A result that was saved by :meth:`save`; nothing that stands in the file is run.

        Parameters
        ----------
        filename
            Name of the file.
        lazy
            Leave the spectra in the file until they are needed.

        Raises
        ------
        hyperspy_eelsid.exceptions.UnusableFileError
            If the file cannot be opened, or holds something else.
        """
        try:
            (signal,) = files.load(filename, lazy)
            node = signal.metadata.get_item(_NODE)
            found = cls(
                signal,
                node.zlp,
                node.lower,
                node.upper,
                ZeroLossModel.from_dictionary(node.model.as_dictionary()),
                np.asarray(node.centre),
                np.asarray(node.vacuum_mask),
                node.method,
                node.random_state,
                tuple(node.notes),
            )
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise UnusableFileError(
                f"The file {filename} does not hold zero-loss peaks that were saved: {error}"
            ) from error
        del signal.metadata.EELSID.zero_loss
        return found


def _drawn(
    counts: np.ndarray, centre: np.ndarray, model: ZeroLossModel, seed: int, number: int
) -> np.ndarray:
    return model.draws(counts, centre, number, seed).transpose(1, 0, 2)


def _like(signal: EELSSpectrum, data: np.ndarray | da.Array, title: str) -> EELSSpectrum:
    """A signal with the axes and the metadata of another."""
    result = with_data(signal, data.reshape(signal.data.shape))
    name = signal.metadata.General.title
    result.metadata.General.title = f"{name}, {title}" if name else title
    return result
