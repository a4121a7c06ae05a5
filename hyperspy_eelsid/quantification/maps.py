"""What a fitted model says about the elements; for every model of power laws and edges, also a restored one.

Every EELSModel of exspy has them as methods.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import exspy
import numpy as np

from hyperspy_eelsid import arguments
from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.quantification.linear_model import LinearModel
from hyperspy_eelsid.quantification.low_loss_checks import exposure_ratio

if TYPE_CHECKING:
    from exspy.models import EELSModel
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal

_logger = logging.getLogger(__name__)

NM2_PER_BARN = 1e-10
AREAL_DENSITY = "Areal density (atoms/nm²)"
VOLUME_DENSITY = "Density (atoms/nm³)"
EQUALLY_EXPOSED = "Areal density x exposure of core / low loss (atoms/nm² if equally exposed)"
IMPLAUSIBLE_ATOMS_PER_NM2 = 1e5
ROUNDING = 1e-9  # share of the counts that a fit in double precision cannot tell from nothing


def elemental_maps(
    model: EELSModel, electrons: float | BaseSignal | None = None
) -> dict[str, BaseSignal]:
    """Amount of each element in every pixel.

    Parameters
    ----------
    model
        Fitted model.
    electrons
        Number of electrons that reached the spectrometer in the time of one spectrum, in the unit of its counts: a
        number, or a signal with one for each pixel. A low-loss spectrum tells it, where the model has one.

    Returns
    -------
    dict[str, BaseSignal]
        A signal with the navigation axes of the image for each element. Its ``metadata.Signal.quantity`` states what it
        is: the areal density in atoms/nm² where the number of electrons is known; that times the ratio of the exposures
        of core and low loss where these are not; without a low loss the areal density times the number of
        electrons, of which ratios between elements are meaningful. The variance is in
        ``metadata.Signal.Noise_properties.variance``.

    Raises
    ------
    ArgumentError
        If `electrons` are not positive numbers.
    ValueError
        If `electrons` is given for a model with a low-loss spectrum.
    """
    linear = LinearModel(model)
    factor, quantity = 1.0, "Areal density x electrons (1/barn)"
    if electrons is not None:
        if model.convolved:
            raise ValueError("The low-loss spectrum of the model tells the number of electrons.")
        factor = 1 / (NM2_PER_BARN * _positive(electrons, model))
        quantity = AREAL_DENSITY
    elif model.convolved:
        ratio = exposure_ratio(model.signal, model.low_loss)
        factor = (1.0 if ratio is None else ratio) / NM2_PER_BARN
        quantity = AREAL_DENSITY if ratio is not None else EQUALLY_EXPOSED
    maps = {}
    for element, edges in linear.edges.items():
        amount = edges[0].intensity.as_signal() * factor
        error = edges[0].intensity.as_signal(field="std") * factor
        maps[element] = _described(amount, element, quantity, error**2)
    if quantity == AREAL_DENSITY:
        _warn_of_implausible(maps)
    return maps


def _positive(electrons: float | BaseSignal, model: EELSModel) -> float | np.ndarray:
    """Numbers of electrons.

    Raises
    ------
    ArgumentError
        If they are not positive numbers, one or one for each pixel.
    """
    numbers = np.asarray(getattr(electrons, "data", electrons))
    shape = model.chisq.data.shape
    if (
        numbers.dtype.kind not in "iuf"
        or numbers.shape not in ((), (1,), shape)
        or not (np.isfinite(numbers) & (numbers > 0)).all()
    ):
        raise ArgumentError(
            f"electrons must be a positive number, or a signal with one for each of the "
            f"{' x '.join(map(str, shape))} pixels, not {electrons!r}."
        )
    return numbers.astype(float)


def _warn_of_implausible(maps: dict[str, BaseSignal]) -> None:
    """Log a warning of areal densities that no specimen has that an electron goes through."""
    fitted = {e: amount.data[np.isfinite(amount.data)] for e, amount in maps.items()}
    typical = {e: float(np.median(amounts)) for e, amounts in fitted.items() if amounts.size}
    too_much = [f"{e} {n:.2g}" for e, n in typical.items() if n > IMPLAUSIBLE_ATOMS_PER_NM2]
    if too_much:
        _logger.warning(
            "More than %g atoms/nm² (%s) are some micrometres of a solid: check the number of electrons, that is the "
            "exposures of core and low loss, low_loss_exposure_ratio= or electrons=.",
            IMPLAUSIBLE_ATOMS_PER_NM2,
            ", ".join(too_much),
        )


def volume_densities(
    model: EELSModel, thickness: float | BaseSignal, electrons: float | BaseSignal | None = None
) -> dict[str, BaseSignal]:
    """Number of atoms of each element in a volume, in every pixel.

    Parameters
    ----------
    model
        Fitted model.
    thickness
        Thickness [nm], a number or a map as ``s.thickness(low_loss, density=...)`` gives it, whose variance counts.
    electrons
        As in ``m.elemental_maps()``, for a model without a low loss.

    Returns
    -------
    dict[str, BaseSignal]
        A signal with the navigation axes of the image for each element, in atoms/nm³, its variance in
        ``metadata.Signal.Noise_properties.variance``; NaN where there is no thickness above zero.

    Raises
    ------
    ArgumentError
        If the model does not know the number of electrons or the exposures, or `thickness` is in mean free paths, or
        neither one number nor one for each pixel.
    """
    areal = elemental_maps(model, electrons)
    quantity = next(iter(areal.values())).metadata.Signal.quantity
    if quantity != AREAL_DENSITY:
        raise ArgumentError(
            f"Without the number of electrons there are no densities, only '{quantity}': give electrons=, or "
            "auto_model a low loss with its low_loss_exposure_ratio=."
        )
    values, variance = _thickness(thickness, model)
    maps = {}
    for element, amount in areal.items():
        density = amount.data / values
        own = amount.metadata.Signal.Noise_properties.variance.data / values**2
        own = own + variance * (density / values) ** 2
        maps[element] = _described(
            with_data(amount, density), element, VOLUME_DENSITY, with_data(amount, own)
        )
    return maps


def _thickness(
    thickness: float | BaseSignal, model: EELSModel
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Thickness [nm] and its variance, one or with the shape of the pixels; NaN where it is not positive."""
    if arguments.is_positive(thickness):
        return float(thickness), 0.0
    shape = model.chisq.data.shape
    metadata = getattr(thickness, "metadata", None)
    if metadata is not None and "mean free path" in str(metadata.get_item("Signal.quantity")):
        raise ArgumentError(
            "thickness must be in nm, and is in mean free paths: s.thickness(low_loss, density=...) gives it."
        )
    values = np.asarray(getattr(thickness, "data", np.nan), float)
    if values.shape not in ((1,), shape) or not np.nanmax(values, initial=0) > 0:
        raise ArgumentError(
            f"thickness must be a positive number [nm], or a signal with one for each of the "
            f"{' x '.join(map(str, shape))} pixels, not {thickness!r}."
        )
    variance = metadata.get_item("Signal.Noise_properties.variance")
    variance = 0.0 if variance is None else np.asarray(getattr(variance, "data", variance), float)
    return np.where(values > 0, values, np.nan), variance


def composition(model: EELSModel, weight: bool = False) -> dict[str, BaseSignal]:
    """Atomic fraction of each element in every pixel, of the elements in the model, or its share of their mass.

    Parameters
    ----------
    model
        Fitted model.
    weight
        Give the share of the mass, weight percent over 100, instead of that of the atoms.

    Returns
    -------
    dict[str, BaseSignal]
        A signal with the navigation axes of the image for each element, between 0 and 1; NaN where the sum of the
        amounts is below its own standard error or the rounding errors of the fit, or nothing was fitted. The variance,
        in ``metadata.Signal.Noise_properties.variance``, is propagated to first order from the errors of the amounts,
        with their correlations in the fit of the mean spectrum.

    Notes
    -----
    Errors of the cross sections, of 5 to 20 %, and of the microscope parameters are not part of the variance.
    """
    arguments.flag("weight", weight)
    linear = LinearModel(model)
    amounts_of = slice(linear.n_background, len(linear.parts))
    maps = elemental_maps(model)
    if weight:
        for element, amount in maps.items():
            mass = exspy.material.elements[element].General_properties.atomic_weight
            noise = amount.metadata.Signal.Noise_properties.variance
            maps[element] = _described(amount * mass, element, "", noise * mass**2)
    amounts = np.stack([amount.data for amount in maps.values()])
    variances = [m.metadata.Signal.Noise_properties.variance.data for m in maps.values()]
    total = amounts.sum(axis=0)
    correlation = linear.mean_fit.correlation[amounts_of, amounts_of]
    errors = np.sqrt(np.stack(variances))
    # of a total below its own standard error, which noise alone can make, no fraction means anything
    noise = np.sqrt(np.maximum(np.einsum("i...,ij,j...->...", errors, correlation, errors), 0))
    counts = linear.factors * linear.mean_columns[linear.channels].sum(axis=0)
    counts = counts[:, : len(linear.parts)]
    share = counts[:, amounts_of].sum(axis=1) / np.maximum(counts.sum(axis=1), 1e-300)
    # without noise there are amounts of rounding errors, whose own standard errors are as small
    found = (total >= noise) & (share.reshape(total.shape) > ROUNDING)
    total = np.where(found, total, np.nan)
    weighted = errors / total
    result = {}
    for number, (element, amount) in enumerate(maps.items()):
        fraction = amounts[number] / total
        own = (np.arange(len(maps)) == number).reshape(-1, *[1] * fraction.ndim)
        slopes = (own - fraction) * weighted
        variance = np.einsum("i...,ij,j...->...", slopes, correlation, slopes)
        result[element] = _described(
            with_data(amount, fraction),
            element,
            "Weight fraction" if weight else "Atomic fraction",
            with_data(amount, np.maximum(variance, 0)),
        )
    return result


def residual(model: EELSModel) -> EELSSpectrum:
    """Signal less the model, in all channels; where the fine structure is left out of the fit it shows it.

    Parameters
    ----------
    model
        Fitted model.

    Returns
    -------
    EELSSpectrum
        A signal like that of the model, lazy if it is; NaN in pixels that were not fitted.
    """
    expected = LinearModel(model).expected()
    result = with_data(model.signal, model.signal.data - expected)
    result.metadata.General.title = f"{model.signal.metadata.General.title} residual".strip()
    return result


def _described(signal: BaseSignal, element: str, quantity: str, variance: BaseSignal) -> BaseSignal:
    signal.metadata.General.title = element
    signal.metadata.set_item("Signal.quantity", quantity)
    signal.metadata.set_item("Signal.Noise_properties.variance", variance)
    return signal
