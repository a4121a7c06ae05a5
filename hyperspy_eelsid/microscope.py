"""Microscope parameters in the metadata of a signal, as exspy keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperspy_eelsid.exceptions import MissingParametersError

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal

# name -> where it stands in the metadata, and its unit
PARAMETERS = {
    "beam_energy": ("Acquisition_instrument.TEM.beam_energy", "keV"),
    "convergence_angle": ("Acquisition_instrument.TEM.convergence_angle", "mrad"),
    "collection_angle": ("Acquisition_instrument.TEM.Detector.EELS.collection_angle", "mrad"),
}
_EXAMPLES = {"beam_energy": 200, "convergence_angle": 20, "collection_angle": 40}  # for messages


def required_parameters(
    signal: BaseSignal, names: tuple[str, ...], also: str = ""
) -> dict[str, float]:
    """Parameters of the microscope, by name.

    Parameters
    ----------
    signal
        Its metadata hold them.
    names
        Which are needed.
    also
        Other way to give them, for the message.

    Raises
    ------
    MissingParametersError
        If one is not in the metadata.
    """
    values = {name: signal.metadata.get_item(PARAMETERS[name][0]) for name in names}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        listed = ", ".join(f"{name} [{PARAMETERS[name][1]}]" for name in missing)
        example = ", ".join(f"{name}={_EXAMPLES[name]}" for name in missing)
        raise MissingParametersError(
            f"{listed} {'is' if len(missing) == 1 else 'are'} not in the metadata. Set what your "
            f"microscope has, e.g. s.set_microscope_parameters({example}){also}."
        )
    return values
