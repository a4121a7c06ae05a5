"""The composition of everything that was recorded, as one number for each element."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hyperspy_eelsid.quantification.linear_model import LinearModel

if TYPE_CHECKING:
    from exspy.models import EELSModel


class AtomicFraction(NamedTuple):
    """Share of an element among the atoms of all pixels.

    Parameters
    ----------
    value
        Between 0 and 1; NaN if no element has an amount.
    error
        Its standard error, by noise and by the misfit of the model; without the errors of the cross sections, of 5 to
        20 %.
    """

    value: float
    error: float


def total_composition(model: EELSModel) -> dict[str, AtomicFraction]:
    """Atomic fraction of each element in all pixels together, with standard errors.

    Amounts and their variances are added over the pixels that were fitted; errors are propagated to first order, with
    the correlations of the amounts in the fit of the mean spectrum.

    Parameters
    ----------
    model
        Fitted model.
    """
    linear = LinearModel(model)
    amounts_of = slice(linear.n_background, len(linear.parts))
    amounts, errors = linear.factors[:, amounts_of], linear.errors[:, amounts_of]
    fitted = np.isfinite(amounts).all(axis=1)
    total = amounts[fitted].sum(axis=0)
    error = np.sqrt((errors[fitted] ** 2).sum(axis=0))
    everything = total.sum()
    if not everything > 0:
        return dict.fromkeys(linear.edges, AtomicFraction(np.nan, np.nan))
    fraction = total / everything
    slopes = (np.eye(len(total)) - fraction[:, None]) * (error / everything)
    correlation = linear.mean_fit.correlation[amounts_of, amounts_of]
    variance = np.einsum("ij,jk,ik->i", slopes, correlation, slopes)
    return {
        element: AtomicFraction(float(value), float(spread))
        for element, value, spread in zip(
            linear.edges, fraction, np.sqrt(np.maximum(variance, 0)), strict=True
        )
    }
