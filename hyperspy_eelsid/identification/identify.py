"""The entry: from a signal and what is known of the specimen to an identification."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
from hyperspy.signals import BaseSignal, LazySignal

from hyperspy_eelsid import arguments
from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.energy_axis import check_eels, energy_axis, in_order
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.identification import rules, unusual
from hyperspy_eelsid.identification.predict import NetworkSettings, predict_signal
from hyperspy_eelsid.identification.result import ElementIdentification, computed
from hyperspy_eelsid.signals import ElementProbability, LazyElementProbability

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum


def identify_elements(
    signal: EELSSpectrum,
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
    threshold
        Probability from which an element counts as found in a pixel, between 0 and 1. By
        default the one that belongs to the networks.
    min_fraction
        Smallest share of the pixels in which an element must be found to be reported.
    elements
        Symbols of the only elements that can be there, when that is known. An edge that another
        element claims as well then belongs to one of these.
    exclude
        Symbols of elements that cannot be there.
    networks
        Name of an installed ensemble, see ``eelsid models``; or path of a folder with a
        ``card.json``. By default the ensemble that is shipped.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU when there is one.
    batch_size
        Number of spectra that a network sees at once; None is the fastest on the CPU.
    navigation_mask
        True for pixels that are left out, boolean, navigation shape.
    add_elements
        Declare the elements that are found on the signal, so that
        ``s.plot(plot_edges=True)`` shows their edges.
    show_progressbar
        Show a progress bar; None takes HyperSpy's preference.

    Returns
    -------
    ElementIdentification
        The elements, their probabilities and maps.

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

    Notes
    -----
    Pixels whose counts are not finite, or nowhere positive, are left out: their probability is NaN
    and they do not count in any fraction.

    Examples
    --------
    >>> from hyperspy_eelsid.data import superlattice
    >>> s = superlattice(shape=(4, 65))
    >>> s.identify_elements().elements  # doctest: +SKIP
    ['O', 'Ti', 'Mn', 'La', 'Ba']
    """
    arguments.share("min_fraction", min_fraction)
    if threshold is not None:
        arguments.share("threshold", threshold)
    if batch_size is not None:
        arguments.whole_number("batch_size", batch_size)
    arguments.flag("add_elements", add_elements)
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    check_eels(signal)
    candidates = rules.candidates(elements, exclude)
    ordered = in_order(signal)
    energy = energy_axis(ordered)
    runtime = NetworkSettings(networks, device, batch_size)
    mask = _pixel_mask(navigation_mask, ordered)
    masked = 0 if mask is None else int(np.count_nonzero(mask))
    arrays: Sequence[np.ndarray | da.Array] = predict_signal(ordered.data, energy, runtime, mask)
    if not isinstance(ordered, LazySignal):
        # data in memory are not sent to the workers of a cluster
        with dask.config.set(scheduler="threads"):
            arrays = computed(arrays, energy, masked, show_progressbar)
    probability, spectrum, intensity, oddities = arrays
    ensemble = runtime.load()
    found = ElementIdentification(
        probability=_probability_signal(probability, ordered),
        spectrum=_spectrum_signal(spectrum, ordered),
        intensity=_image_signal(intensity, ordered),
        oddities=_image_signal(oddities, ordered),
        energy=energy,
        threshold=ensemble.threshold if threshold is None else threshold,
        min_fraction=min_fraction,
        networks=ensemble.name if networks is None else str(networks),
        candidates=candidates,
        masked=masked,
    )
    if not isinstance(ordered, LazySignal):
        unusual.warn(found.unusual)
    if add_elements:
        signal.add_elements(tuple(found.elements))
    return found


def _pixel_mask(mask: BaseSignal | np.ndarray | None, signal: EELSSpectrum) -> np.ndarray | None:
    """Which pixels to leave out, bool, navigation shape."""
    if mask is None:
        return None
    # HyperSpy shapes signals like their data, and plain arrays like `navigation_shape`
    try:
        masked = np.asarray(mask.data) if isinstance(mask, BaseSignal) else np.asarray(mask).T
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"navigation_mask must be a boolean array ({error}).") from error
    shape = signal.axes_manager.navigation_shape[::-1]
    if masked.shape != (shape or (1,)) or masked.dtype != bool:
        raise ArgumentError(
            f"navigation_mask must be boolean and have the navigation shape {shape[::-1] or (1,)}, "
            f"not {masked.dtype} and {masked.shape[::-1]}."
        )
    return masked.reshape(shape)


def _navigation_axes(signal: EELSSpectrum) -> list[dict[str, Any]]:
    """Descriptions of the navigation axes, in the order of the data."""
    return [axis.get_axis_dictionary() for axis in signal.axes_manager.navigation_axes[::-1]]


def _probability_signal(data: np.ndarray | da.Array, signal: EELSSpectrum) -> ElementProbability:
    element_axis = {"name": "Element", "size": len(ELEMENTS), "navigate": False}
    kind = LazyElementProbability if isinstance(signal, LazySignal) else ElementProbability
    probability = kind(data, axes=[*_navigation_axes(signal), element_axis])
    probability.metadata.General.title = signal.metadata.General.title
    probability.metadata.set_item("EELSID.elements", list(ELEMENTS))
    return probability


def _image_signal(data: np.ndarray | da.Array, signal: EELSSpectrum) -> BaseSignal:
    """An image with the navigation axes of a signal; one number for a single spectrum."""
    kind = LazySignal if isinstance(signal, LazySignal) else BaseSignal
    axes = _navigation_axes(signal)
    return kind(data, axes=axes).T if axes else kind(data[np.newaxis])


def _spectrum_signal(counts: np.ndarray | da.Array, signal: EELSSpectrum) -> EELSSpectrum:
    """A spectrum with the energy axis of a signal, and what its metadata say of sample and microscope."""
    metadata = {
        name: node.as_dictionary()
        for name in ("General", "Sample", "Acquisition_instrument")
        if (node := signal.metadata.get_item(name)) is not None
    }
    axis = signal.axes_manager.signal_axes[0].get_axis_dictionary()
    return type(signal)(counts, axes=[axis], metadata=metadata)
