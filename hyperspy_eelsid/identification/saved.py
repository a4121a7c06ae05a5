"""Identifications in files: what is written, and what is checked before it is believed."""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from hyperspy.signals import BaseSignal

from hyperspy_eelsid import files
from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.energy_axis import checked_energy
from hyperspy_eelsid.exceptions import UnusableFileError
from hyperspy_eelsid.signals import ElementProbability

NODE = "EELSID.identification"
ENTRIES = ("spectrum", "intensity", "energy", "threshold", "min_fraction", "networks", "masked")


def save(
    probability: ElementProbability, entries: dict[str, Any], filename: str | Path, **kwargs: Any
) -> None:
    """Write an identification into a file of its probabilities, with ``ENTRIES`` in the metadata."""
    signal = probability.deepcopy()
    signal.metadata.set_item(NODE, entries)
    signal.save(filename, **kwargs)


def load(filename: str | Path) -> dict[str, Any]:
    """What an identification is made of.

    Raises
    ------
    UnusableFileError
        If the file cannot be opened, holds something else, or something that no identification is.
    """
    try:
        probability = _only(files.load(filename))
        node = probability.metadata.get_item(NODE)
        missing = [name for name in (*ENTRIES, "candidates") if name not in node]
        if "networks" in missing and "model" in node:  # as older files call them
            missing.remove("networks")
        _expect(not missing, f"{', '.join(missing)} missing")
        found = {name: node.get_item(name) for name in ENTRIES}
        found["networks"] = found["networks"] or node.get_item("model")
        found["oddities"] = node.get_item("oddities")  # None in files of earlier versions
        found |= {"probability": probability, "candidates": tuple(node.candidates)}
        found["energy"] = np.asarray(found["energy"])
        _check(found)
    except (ValueError, TypeError, AttributeError) as error:
        raise UnusableFileError(
            f"The file {filename} does not hold an identification that was saved: {error}"
        ) from error
    del probability.metadata.EELSID.identification
    return found


def _only(signals: list[BaseSignal]) -> ElementProbability:
    (signal,) = signals if len(signals) == 1 else [None]
    _expect(isinstance(signal, ElementProbability), "it is another signal")
    assert signal is not None
    _expect(signal.metadata.has_item(NODE), "it holds probabilities alone")
    return signal


def _check(found: dict[str, Any]) -> None:
    probability, energy = found["probability"], found["energy"]
    values = probability.data
    shape = values.shape[:-1]
    _expect(
        values.shape[-1] == len(ELEMENTS) and values.dtype.kind == "f",
        f"probabilities have the shape {values.shape} and the type {values.dtype}",
    )
    inside = (values >= 0) & (values <= 1)
    one_each = np.isnan(values).all(axis=-1) | inside.all(axis=-1)
    _expect(one_each.all(), "probabilities are not between 0 and 1")
    valid = energy.ndim == 1 and energy.dtype.kind in "fiu" and np.isfinite(energy).all()
    _expect(valid, "the energies are not finite numbers")
    checked_energy(energy)
    steps = np.diff(energy)
    _expect((steps > 0).all() or (steps < 0).all(), "the energies are not in order")
    for name, expected in (("spectrum", energy.shape), ("intensity", shape or (1,))):
        signal = found[name]
        fits = isinstance(signal, BaseSignal) and signal.data.shape == expected
        _expect(fits, f"{name} has not the shape {expected}")
        finite = signal.data.dtype.kind in "fiu" and np.isfinite(signal.data).all()
        _expect(finite, f"{name} is not finite")
    odd = found["oddities"]
    if odd is not None:
        fits = isinstance(odd, BaseSignal) and odd.data.shape == (shape or (1,))
        _expect(
            fits and odd.data.dtype == np.uint8, "oddities are not a whole number for each pixel"
        )
    for name in ("threshold", "min_fraction"):
        value = found[name]
        number = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
        _expect(number and 0 <= value <= 1, f"{name} is {value!r}, not between 0 and 1")
    _expect(isinstance(found["networks"], str), f"networks is {found['networks']!r}, not a name")
    candidates = found["candidates"]
    known = set(candidates) <= set(ELEMENTS) and len(set(candidates)) == len(candidates)
    _expect(known and candidates, f"candidates are {candidates!r}, not symbols of elements")
    masked, pixels = found["masked"], int(np.prod(shape))
    fits = isinstance(masked, Integral) and 0 <= masked <= pixels
    _expect(fits, f"masked is {masked!r}, of {pixels} pixels")


def _expect(condition: object, problem: str) -> None:
    if not condition:
        raise ValueError(problem)
