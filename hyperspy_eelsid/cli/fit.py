"""The fit of what was found, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hyperspy_eelsid.cli.say import REPORT_IT, complain
from hyperspy_eelsid.exceptions import EelsidError, MissingParametersError

if TYPE_CHECKING:
    from exspy.models import EELSModel
    from exspy.signals import EELSSpectrum

    from hyperspy_eelsid.identification import ElementIdentification


def fit(
    name: object,
    signal: EELSSpectrum,
    found: ElementIdentification,
    settings: Mapping[str, Any] = {},
) -> tuple[EELSModel | None, str]:
    """The fitted model; and why there is none, in a line that is printed too, when that is so.

    Parameters
    ----------
    name
        Where the signal comes from, for the line.
    signal, found
        The signal and its elements.
    settings
        Arguments of ``auto_model``.
    """
    if not found.elements:
        return None, ""
    try:
        return signal.auto_model(identification=found, **settings), ""
    except MissingParametersError as error:
        reason = (
            f"{str(error).partition('. ')[0]}. Give it by --beam-energy, --convergence-angle and --collection-angle, "
            "or by --microscope and a file that holds them."
        )
    except EelsidError as error:
        reason = str(error)
    except Exception as error:  # what was found is told all the same
        reason = f"{type(error).__name__}: {error}. {REPORT_IT}"
    complain(name, f"no fit: {reason}")
    return None, reason
