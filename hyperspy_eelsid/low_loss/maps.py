"""Signals with one value in each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hyperspy.signals import BaseSignal

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum


def pixel_map(signal: EELSSpectrum, values: np.ndarray, title: str) -> BaseSignal:
    """A signal with the pixels of an image and one value in each.

    Parameters
    ----------
    signal
        Spectrum or image.
    values
        As many as it has pixels.
    title
        Title of the map, with the unit of its values, which is also its quantity.
    """
    axes = signal.axes_manager.navigation_axes[::-1]
    if axes:
        shape = [axis.size for axis in axes]
        result = BaseSignal(
            np.asarray(values).reshape(shape), axes=[axis.get_axis_dictionary() for axis in axes]
        ).T
    else:
        result = BaseSignal(np.asarray(values).reshape(1))
    result.metadata.General.title = title
    result.metadata.set_item("Signal.quantity", title)
    return result
