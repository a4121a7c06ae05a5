"""Names of HyperSpy and exspy that are private or about to move, each with the reason why it is used.

Everything else in the package keeps to public names. A release that moves one of these breaks this
module alone, and the tests that run on the development versions say so before.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import exspy.models  # noqa: F401 (exspy's components need it to be imported)
import numpy as np

try:  # the class that reads GOSH files has no public name
    from exspy._misc.eels.gosh_gos import GoshGOS as GoshGOS
except ImportError as error:  # pragma: no cover
    raise ImportError("This version of exspy keeps its GOSH reader in another place.") from error

if TYPE_CHECKING:
    from exspy.models import EELSModel
    from hyperspy.component import Component
    from hyperspy.signals import BaseSignal


def suppressed(event: Any) -> AbstractContextManager:
    """Context in which an event calls nobody.

    HyperSpy 3 takes its events from psygnal, where ``suppress`` is called ``blocked``.
    """
    return event.blocked() if hasattr(type(event), "blocked") else event.suppress()


def rebuilt_from(component: Component, **arguments: Any) -> None:
    """Let stored models make a component anew from these arguments of its constructor.

    There is no public way to change the arguments that a base class has noted.
    """
    noted = component._whitelist
    for name in [name for name, value in noted.items() if value and value[0] == "init"]:
        del noted[name]
    noted.update({name: ("init", value) for name, value in arguments.items()})


def is_one_spectrum(component: Component) -> bool:
    """Whether the model of a component is of a single spectrum; its maps do not tell it from one pixel."""
    return not component._is_navigation_multidimensional


def fitted_channels(model: EELSModel) -> np.ndarray:
    """Channels of a model that are fitted, bool, shape (n_channels,); they can be set but not asked for."""
    return np.asarray(model._channel_switches)


def convolution_energies(model: EELSModel) -> np.ndarray:
    """Energies [eV] at which a model is evaluated before it is convolved with its low loss.

    exspy has made its ``convolution_axis`` private, and warns of the old name.
    """
    return np.asarray(model._convolution_axis)


def with_data(signal: BaseSignal, data: Any) -> BaseSignal:
    """A copy of a signal with other data; ``deepcopy`` would copy those that are replaced."""
    return signal._deepcopy_with_new_data(data)
