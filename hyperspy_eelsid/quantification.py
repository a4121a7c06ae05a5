"""What a fitted model says about the elements; for every model of power laws and edges, also a restored one.

:class:`~hyperspy_eelsid.modelling.ElementModel` has all these functions as methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import dask.array as da
import numpy as np

from hyperspy_eelsid.linear_fit import (
    DesignMatrix,
    LinearFit,
    edges_of,
    linear_parts,
    mean_spectrum,
    scale_parameter,
)

if TYPE_CHECKING:
    from exspy.models import EELSModel
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal

NM2_PER_BARN = 1e-10
SIGNIFICANT = 3.0


class Significance(NamedTuple):
    """How sure a fit is of an element.

    Parameters
    ----------
    total : Fitted amount over its standard error, for the sum of all spectra.
    pixels : Share of the fitted pixels whose own amount is more than three standard errors.
    """

    total: float
    pixels: float


def elemental_maps(model: EELSModel) -> dict[str, BaseSignal]:
    """Amount of each element in every pixel.

    Parameters
    ----------
    model : Fitted model.

    Returns
    -------
    A signal with the navigation axes of the image for each element. Its ``metadata.Signal.quantity`` states what
    it is: the areal density in atoms/nm² for a model with a low-loss spectrum; otherwise the areal density
    times the number of electrons, of which ratios between elements are meaningful. The variance is in
    ``metadata.Signal.Noise_properties.variance``.
    """
    if model.low_loss is None:
        factor, quantity = 1 / model.axis.scale, "Areal density x electrons (1/barn)"
    else:
        factor = 1 / model.axis.scale / NM2_PER_BARN
        quantity = "Areal density (atoms/nm²)"
    maps = {}
    for element, edges in edges_of(model).items():
        amount = edges[0].intensity.as_signal() * factor
        error = edges[0].intensity.as_signal(field="std") * factor
        maps[element] = _described(amount, element, quantity, error**2)
    return maps


def composition(model: EELSModel) -> dict[str, BaseSignal]:
    """Atomic fraction of each element in every pixel, of the elements in the model.

    Parameters
    ----------
    model : Fitted model.

    Returns
    -------
    A signal with the navigation axes of the image for each element, between 0 and 1; NaN where nothing was found
    or fitted. The variance, in ``metadata.Signal.Noise_properties.variance``, is propagated to first order
    from the errors of the amounts, with their correlations in the fit of the mean spectrum.

    Notes
    -----
    Errors of the cross sections, of 5 to 20 %, and of the microscope parameters are not part of the variance.
    """
    maps = elemental_maps(model)
    amounts = np.stack([amount.data for amount in maps.values()])
    variances = [m.metadata.Signal.Noise_properties.variance.data for m in maps.values()]
    total = amounts.sum(axis=0)
    total = np.where(total > 0, total, np.nan)
    correlation = _mean_fit(model)[0].correlation[-len(maps) :, -len(maps) :]
    weighted = np.sqrt(np.stack(variances)) / total
    result = {}
    for number, (element, amount) in enumerate(maps.items()):
        fraction = amounts[number] / total
        own = (np.arange(len(maps)) == number).reshape(-1, *[1] * fraction.ndim)
        slopes = (own - fraction) * weighted
        variance = np.einsum("i...,ij,j...->...", slopes, correlation, slopes)
        result[element] = _described(
            amount._deepcopy_with_new_data(fraction),
            element,
            "Atomic fraction",
            amount._deepcopy_with_new_data(np.maximum(variance, 0)),
        )
    return result


def significance(model: EELSModel) -> dict[str, Significance]:
    """How sure the fit is of each element: a second opinion on an identification.

    Parameters
    ----------
    model : Fitted model.
    """
    fit, expected = _mean_fit(model)
    factors, errors, _, _ = fit.solve(expected[None])
    ratios = (factors / errors)[0, -len(edges_of(model)) :]
    result = {}
    for (element, edges), ratio in zip(edges_of(model).items(), ratios, strict=True):
        stored = edges[0].intensity.map
        amount, error = stored["values"], stored["std"]
        fitted = np.isfinite(amount) & stored["is_set"]
        share = (amount[fitted] > SIGNIFICANT * error[fitted]).mean() if fitted.any() else np.nan
        result[element] = Significance(float(ratio), float(share))
    return result


def residual(model: EELSModel) -> EELSSpectrum:
    """Signal less the model, in all channels; where the fine structure is left out of the fit it shows it.

    Parameters
    ----------
    model : Fitted model.

    Returns
    -------
    A signal like that of the model, lazy if it is; NaN in pixels that were not fitted.
    """
    design = DesignMatrix(model)
    factors = np.stack(
        [scale_parameter(part[0]).map["values"].ravel() for part in linear_parts(model)], axis=1
    )
    data = model.signal.data
    if model.low_loss is None:
        columns = design()
        if model.signal._lazy:
            factors = da.from_array(factors.reshape(*data.shape[:-1], -1))
        fitted = (factors @ columns.T).reshape(data.shape)
    else:
        low_loss = np.asarray(model.low_loss.data).reshape(len(factors), -1)
        rows = [design(ll) @ row for row, ll in zip(factors, low_loss, strict=True)]
        fitted = np.stack(rows).reshape(data.shape)
    result = model.signal._deepcopy_with_new_data(data - fitted)
    result.metadata.General.title = f"{model.signal.metadata.General.title} residual".strip()
    return result


def _mean_fit(model: EELSModel) -> tuple[LinearFit, np.ndarray]:
    """Fit of the mean spectrum and that spectrum, in the fitted channels."""
    channels = np.flatnonzero(model._channel_switches)
    expected = mean_spectrum(model.signal.data[..., channels])
    low_loss = None if model.low_loss is None else mean_spectrum(model.low_loss.data)
    return LinearFit(DesignMatrix(model)(low_loss)[channels], expected), expected


def _described(signal: BaseSignal, element: str, quantity: str, variance: BaseSignal) -> BaseSignal:
    signal.metadata.General.title = element
    signal.metadata.set_item("Signal.quantity", quantity)
    signal.metadata.set_item("Signal.Noise_properties.variance", variance)
    return signal
