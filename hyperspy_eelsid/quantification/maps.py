"""What a fitted model says about the elements; for every model of power laws and edges, also a restored one.

Every EELSModel of exspy has them as methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.quantification.linear_model import LinearModel

if TYPE_CHECKING:
    from exspy.models import EELSModel
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal

NM2_PER_BARN = 1e-10
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
        is: the areal density in atoms/nm² where the number of electrons is known; otherwise the areal density times
        that number, of which ratios between elements are meaningful. The variance is in
        ``metadata.Signal.Noise_properties.variance``.

    Raises
    ------
    ValueError
        If `electrons` is given for a model with a low-loss spectrum.
    """
    factor, quantity = 1.0, "Areal density x electrons (1/barn)"
    if model.convolved or electrons is not None:
        factor, quantity = 1 / NM2_PER_BARN, "Areal density (atoms/nm²)"
    if electrons is not None:
        if model.convolved:
            raise ValueError("The low-loss spectrum of the model tells the number of electrons.")
        factor = factor / np.asarray(getattr(electrons, "data", electrons))
    maps = {}
    for element, edges in LinearModel(model).edges.items():
        amount = edges[0].intensity.as_signal() * factor
        error = edges[0].intensity.as_signal(field="std") * factor
        maps[element] = _described(amount, element, quantity, error**2)
    return maps


def composition(model: EELSModel) -> dict[str, BaseSignal]:
    """Atomic fraction of each element in every pixel, of the elements in the model.

    Parameters
    ----------
    model
        Fitted model.

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
    maps = elemental_maps(model)
    amounts = np.stack([amount.data for amount in maps.values()])
    variances = [m.metadata.Signal.Noise_properties.variance.data for m in maps.values()]
    total = amounts.sum(axis=0)
    linear = LinearModel(model)
    amounts_of = slice(linear.n_background, len(linear.parts))
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
            "Atomic fraction",
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
    result = with_data(model.signal, model.signal.data - LinearModel(model).expected())
    result.metadata.General.title = f"{model.signal.metadata.General.title} residual".strip()
    return result


def _described(signal: BaseSignal, element: str, quantity: str, variance: BaseSignal) -> BaseSignal:
    signal.metadata.General.title = element
    signal.metadata.set_item("Signal.quantity", quantity)
    signal.metadata.set_item("Signal.Noise_properties.variance", variance)
    return signal
