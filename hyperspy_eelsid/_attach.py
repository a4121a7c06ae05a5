"""The methods that exspy's EELSSpectrum gains; the only module that touches a class of another package.

The methods are attached right after the module that defines the class has run, whatever is imported
first. They import what they need when they are called, so that importing HyperSpy stays fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wrapt import when_imported

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from exspy.models import EELSModel
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal

    from hyperspy_eelsid.identification import ElementIdentification

# where exspy defines EELSSpectrum: up to 0.3, and later
_DEFINING_MODULES = ("exspy.signals.eels", "exspy.signals._eels")


def arrange() -> None:
    """Attach the methods now or when EELSSpectrum comes into being."""
    for name in _DEFINING_MODULES:
        when_imported(name)(_attach)


def _attach(module: ModuleType) -> None:
    signal_class = getattr(module, "EELSSpectrum", None)
    if signal_class is not None:
        signal_class.identify_elements = identify_elements
        signal_class.identify_elements_gui = identify_elements_gui
        signal_class.auto_model = auto_model


def identify_elements(
    self: EELSSpectrum,
    threshold: float | None = None,
    min_fraction: float = 0.01,
    elements: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    networks: str | Path | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    navigation_mask: BaseSignal | np.ndarray | None = None,
    add_elements: bool = False,
    show_progressbar: bool | None = None,
) -> ElementIdentification:
    """Find the elements whose core-loss edges are in the spectrum, in every pixel.

    The spectra are brought to a 1 eV axis, of which the part between 75 and 3071 eV is used, and an
    ensemble of neural networks gives the probability of 80 elements (Be to Bi). The signal itself
    is not changed. For a lazy signal nothing is computed before the result is asked for something.

    Parameters
    ----------
    threshold : Probability from which an element counts as found in a pixel, between 0 and 1. By
        default the one that belongs to the networks.
    min_fraction : Smallest share of the pixels in which an element must be found to be reported.
    elements : Symbols of the only elements that can be there, when that is known. An edge that another
        element claims as well then belongs to one of these.
    exclude : Symbols of elements that cannot be there.
    networks : Name of an installed ensemble, see ``eelsid models``; or path of a folder with a
        ``card.json``. By default the ensemble that is shipped.
    device : ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU when there is one.
    batch_size : Number of spectra that a network sees at once; None is the fastest on the CPU.
    navigation_mask : True for pixels that are left out, boolean, navigation shape.
    add_elements : Declare the elements that are found on the signal, so that
        ``s.plot(plot_edges=True)`` shows their edges.
    show_progressbar : Show a progress bar; None takes HyperSpy's preference.

    Returns
    -------
    The elements, their probabilities and maps: an
    :class:`~hyperspy_eelsid.identification.ElementIdentification`.

    Raises
    ------
    hyperspy_eelsid.exceptions.EnergyAxisError
        If the energy axis is not one of energies, or its window holds nothing to identify.
    hyperspy_eelsid.exceptions.InvalidSpectraError
        If there is no pixel with positive, finite counts.
    hyperspy_eelsid.exceptions.UnknownElementError
        If a symbol is not one of the 80 elements, or no element is left.
    hyperspy_eelsid.exceptions.WeightsError
        If the networks are missing or altered.
    hyperspy_eelsid.exceptions.DeviceError
        If the networks cannot run on the GPU that was asked for.
    ValueError
        If another argument is out of its range, or the mask has another shape.

    Examples
    --------
    >>> from hyperspy_eelsid.data import superlattice
    >>> s = superlattice(shape=(4, 65))
    >>> s.identify_elements().elements  # doctest: +SKIP
    ['O', 'Ti', 'Mn', 'La', 'Ba']
    """
    from hyperspy_eelsid.identification import identify_elements

    return identify_elements(
        self,
        threshold=threshold,
        min_fraction=min_fraction,
        elements=elements,
        exclude=exclude,
        networks=networks,
        device=device,
        batch_size=batch_size,
        navigation_mask=navigation_mask,
        add_elements=add_elements,
        show_progressbar=show_progressbar,
    )


def identify_elements_gui(
    self: EELSSpectrum, display: bool = True, toolkit: str | None = None
) -> dict[str, Any] | None:
    """Identify elements in an interactive form: run the networks, then judge with other settings.

    Parameters
    ----------
    display : Display the form; if False, return its widgets in a dictionary instead.
    toolkit : ``"ipywidgets"`` or ``"traitsui"``; None for all that are installed and enabled.

    Raises
    ------
    ImportError
        If no toolkit is installed and enabled.
    """
    from hyperspy_eelsid.gui.tool import show

    return show(self, display, toolkit)


def auto_model(self: EELSSpectrum, *args: Any, **kwargs: Any) -> EELSModel:
    """Model of the background and of the edges of the elements that are found.

    Takes the arguments of :func:`hyperspy_eelsid.quantification.auto_model.auto_model`.
    """
    from hyperspy_eelsid.quantification.auto_model import auto_model

    return auto_model(self, *args, **kwargs)
