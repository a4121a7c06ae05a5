"""How sure a fit is of each element: a second opinion on an identification."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hyperspy_eelsid.edges import visible_groups
from hyperspy_eelsid.quantification.least_squares import robust_ratio
from hyperspy_eelsid.quantification.linear_model import (
    DesignMatrix,
    LinearModel,
    recorded_channels,
)

if TYPE_CHECKING:
    from exspy.models import EELSModel

_logger = logging.getLogger(__name__)

SIGNIFICANT = 3.0
# Whether an edge is there is judged from the channels around it, where the background need not be that of the rest
# of the window, and its fine structure counts as misfit.
BEFORE_ONSET_EV = 100.0
AFTER_ONSET_EV = 130.0
CORRELATED_EV = 30.0  # misfits are as wide as fine structure
MODEL_ERROR = 0.003  # of the counts: gain of the detector, background and cross sections


class Significance(NamedTuple):
    """How sure a fit is of an element.

    Parameters
    ----------
    total
        Fitted amount over its standard error around the clearest edge of the element, in the sum of all spectra; the
        error holds the misfit of the model as well as noise.
    pixels
        Share of the fitted pixels whose own amount is more than three standard errors.
    """

    total: float
    pixels: float


def significance(model: EELSModel) -> dict[str, Significance]:
    """How sure the fit is of each element: a second opinion on an identification.

    In the sum of many spectra it is not noise but the misfit of the model that an absent edge can explain. Each edge
    is therefore fitted once more in the channels around it, fine structure included, with errors that hold the
    misfit there. The edges are those of single scattering also where the model has a low loss: convolved with it they
    rise slowly, and the white lines stand out as a misfit that hides the edge.

    Parameters
    ----------
    model
        Fitted model.
    """
    linear = LinearModel(model)
    channels = recorded_channels(linear.mean)
    spectrum, energy = linear.mean[channels], linear.energy[channels]
    columns = DesignMatrix(linear, linear.mean_onsets)()[channels, : len(linear.parts)]
    correlated = round(CORRELATED_EV / model.axis.scale)
    result = {}
    for part, (element, edges) in enumerate(linear.edges.items(), linear.n_background):
        ratios = []
        for onset in visible_groups(element, energy[0], energy[-1]).values():
            above = energy - onset - linear.mean_shift(element)
            near = (above > -BEFORE_ONSET_EV) & (above < AFTER_ONSET_EV)
            ratios.append(
                robust_ratio(columns[near], spectrum[near], part, correlated, MODEL_ERROR)
            )
        stored = edges[0].intensity.map
        amount, error = stored["values"], stored["std"]
        fitted = np.isfinite(amount) & stored["is_set"]
        share = (amount[fitted] > SIGNIFICANT * error[fitted]).mean() if fitted.any() else np.nan
        result[element] = Significance(max(ratios, default=np.nan), float(share))
    return result


def doubtful(model: EELSModel) -> list[str]:
    """Elements whose amount in the sum of all spectra is less than three standard errors."""
    return list(_doubtful(model))


def _doubtful(model: EELSModel) -> dict[str, Significance]:
    return {
        element: sure
        for element, sure in significance(model).items()
        if not sure.total >= SIGNIFICANT
    }


def warn_of_doubtful(model: EELSModel) -> None:
    """Log a warning that names the elements that the fit cannot confirm."""
    unconfirmed = [
        f"{element} ({total:.1f} standard errors in the sum, significant in {pixels:.0%} of the pixels)"
        for element, (total, pixels) in _doubtful(model).items()
    ]
    if unconfirmed:
        _logger.warning(
            "The fit does not confirm %s. Look at their edges before using their maps, or leave them "
            "out with s.auto_model(elements=[...]).",
            ", ".join(unconfirmed),
        )
