"""The signal class of element probabilities, maps, and signals in a form that can be sent to other processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
from hyperspy.signals import BaseSignal, LazySignal1D, Signal1D

from hyperspy_eelsid.edges import ELEMENTS, element_index

if TYPE_CHECKING:
    import numpy as np


class ElementProbability(Signal1D):
    """Probability of each of the 80 elements along the signal axis, which counts them from Be to Bi."""

    _signal_type = "ElementProbability"

    def __getitem__(self, element: str) -> BaseSignal:
        """Map of one element: ``probability["Ti"]``.

        Raises
        ------
        UnknownElementError
            If `element` is not the symbol of one of the 80 elements.
        """
        index = element_index(element)
        chosen = self.isig[index]
        chosen.metadata.General.title = ELEMENTS[index]
        return chosen.T if self.axes_manager.navigation_dimension else chosen

    def __reduce__(self) -> tuple[Any, ...]:
        return unpack, (pack(self),)


class LazyElementProbability(ElementProbability, LazySignal1D):
    """Element probabilities that are computed when they are asked for."""


def pixel_map(
    signal: BaseSignal, values: np.ndarray | da.Array, title: str, quantity: str | None = None
) -> BaseSignal:
    """A map with the pixels of a signal and one value in each, lazy if the values are.

    Parameters
    ----------
    signal
        Spectrum or image.
    values
        As many as it has pixels.
    title
        Title of the map.
    quantity
        What the values are, with their unit; by default the title.
    """
    axes = signal.axes_manager.navigation_axes[::-1]
    if axes:
        values = values.reshape([axis.size for axis in axes])
        result = BaseSignal(values, axes=[axis.get_axis_dictionary() for axis in axes]).T
    else:
        result = BaseSignal(values.reshape(1))
    if isinstance(values, da.Array):
        result = result.as_lazy()
    result.metadata.General.title = title
    result.metadata.set_item("Signal.quantity", title if quantity is None else quantity)
    return result


@dataclass(frozen=True)
class PackedSignal:
    """What a signal is made of; unlike signals of HyperSpy 2.5 it can be pickled.

    Parameters
    ----------
    kind
        Class of the signal.
    data
        Its data, a NumPy or dask array.
    axes
        Descriptions of its axes, in the order of the data.
    metadata
        Its metadata.
    """

    kind: type[BaseSignal]
    data: Any
    axes: list[dict[str, Any]]
    metadata: dict[str, Any]


def pack(signal: BaseSignal) -> PackedSignal:
    """A signal in a form that can be pickled, and so be sent to another process."""
    axes = list(signal.axes_manager.as_dictionary().values())
    return PackedSignal(type(signal), signal.data, axes, signal.metadata.as_dictionary())


def unpack(packed: PackedSignal) -> BaseSignal:
    """The signal that was packed by :func:`pack`."""
    return packed.kind(packed.data, axes=packed.axes, metadata=packed.metadata)
