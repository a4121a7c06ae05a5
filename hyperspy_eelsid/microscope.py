"""Microscope parameters in the metadata of a signal, as exspy keeps them."""

from __future__ import annotations

import tomllib
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

from hyperspy_eelsid.exceptions import ArgumentError, MissingParametersError, UnusableFileError

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal

# name -> where it stands in the metadata, and its unit
PARAMETERS = {
    "beam_energy": ("Acquisition_instrument.TEM.beam_energy", "keV"),
    "convergence_angle": ("Acquisition_instrument.TEM.convergence_angle", "mrad"),
    "collection_angle": ("Acquisition_instrument.TEM.Detector.EELS.collection_angle", "mrad"),
}
# least and largest value of microscopes that there are; a parallel beam has no convergence, and a collection angle in
# radians is not taken for one in mrad
_RANGES = {
    "beam_energy": (10.0, 1500.0),
    "convergence_angle": (0.0, 200.0),
    "collection_angle": (0.2, 200.0),
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
    ArgumentError
        If one is not a number that a microscope can have.
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
    for name, value in values.items():
        _check(name, value)
    return values


def read_microscope(path: Path) -> dict[str, float | str]:
    """Parameters of a microscope in a TOML file: ``beam_energy`` [keV], both angles [mrad], and its ``name``.

    Parameters
    ----------
    path
        The file; what it leaves out is taken from the data.

    Raises
    ------
    UnusableFileError
        If it cannot be read, or holds something else.
    ArgumentError
        If a value is not one that a microscope can have.
    """
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableFileError(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise UnusableFileError(f"{path} is no TOML file: {error}.") from error
    for name, value in held.items():
        if name == "name" and isinstance(value, str):
            continue
        if name not in PARAMETERS:
            options = ", ".join((*PARAMETERS, "name"))
            raise UnusableFileError(f"{path} has an entry {name!r}, options are {options}.")
        _check(name, value)
    return held


def _check(name: str, value: object) -> None:
    least, largest = _RANGES[name]
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not least <= value <= largest:
        unit = PARAMETERS[name][1]
        raise ArgumentError(
            f"{name} must be between {least:g} and {largest:g} {unit}, not {value!r}."
        )
