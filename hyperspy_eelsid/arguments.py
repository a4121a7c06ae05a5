"""Arguments of public functions: each check names the argument, what it was, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from hyperspy_eelsid.exceptions import ArgumentError, UnknownLabelError


def share(name: str, value: Any) -> None:
    """Raise an ArgumentError if an argument is not a number between 0 and 1."""
    if not _is(value, Real) or not 0 <= value <= 1:
        raise ArgumentError(f"{name} must be between 0 and 1, not {_shown(value)}.")


def positive(name: str, value: Any) -> None:
    """Raise an ArgumentError if an argument is not a finite number above zero."""
    if not is_positive(value):
        raise ArgumentError(f"{name} must be a number above zero, not {_shown(value)}.")


def number(name: str, value: Any, least: float = -np.inf) -> None:
    """Raise an ArgumentError if an argument is not a finite number, or too small."""
    if not _is(value, Real) or not least <= value < np.inf or value == -np.inf:
        allowed = "a finite number" if least == -np.inf else f"a number from {least:g}"
        raise ArgumentError(f"{name} must be {allowed}, not {_shown(value)}.")


def items(name: str, value: Any) -> list[Any]:
    """Several things as a list.

    Raises
    ------
    ArgumentError
        If it is a single one.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ArgumentError(f"{name} must be a list, not {_shown(value)}.")
    return list(value)


def path(name: str, value: Any) -> Path:
    """A path.

    Raises
    ------
    ArgumentError
        If it is neither a path nor a text, or empty.
    """
    if not isinstance(value, str | PathLike) or not str(value):
        raise ArgumentError(f"{name} must be a path, not {_shown(value)}.")
    return Path(value)


def whole_number(name: str, value: Any, least: int = 1) -> None:
    """Raise an ArgumentError if an argument is not a whole number, or too small."""
    if not _is(value, Integral) or value < least:
        allowed = "a positive whole number" if least == 1 else f"a whole number from {least}"
        raise ArgumentError(f"{name} must be {allowed}, not {_shown(value)}.")


def two_whole_numbers(name: str, value: Any) -> None:
    """Raise an ArgumentError if an argument is not two positive whole numbers."""
    items = list(value) if isinstance(value, Iterable) else []
    if len(items) != 2 or not all(_is(item, Integral) and item > 0 for item in items):
        raise ArgumentError(
            f"{name} must be two positive numbers without fractions, not {_shown(value)}."
        )


def window(name: str, value: Any) -> tuple[float, float]:
    """A first and a last energy.

    Raises
    ------
    ArgumentError
        If they are not two finite numbers, the second one larger.
    """
    ends = list(value) if isinstance(value, Iterable) else []
    if (
        len(ends) != 2
        or not all(_is(e, Real) and np.isfinite(e) for e in ends)
        or ends[0] >= ends[1]
    ):
        raise ArgumentError(f"{name} must be a first and a last energy [eV], not {_shown(value)}.")
    return ends[0], ends[1]


def option(name: str, value: Any, options: Iterable[str], or_none: bool = False) -> None:
    """Raise an ArgumentError if an argument is none of the texts that are known, nor None where that is allowed."""
    known = list(options)
    if not (isinstance(value, str) and value in known) and not (or_none and value is None):
        allowed = ", ".join(map(repr, known)) + (" or None" if or_none else "")
        raise ArgumentError(f"{name} is one of {allowed}, not {_shown(value)}.")


def label(name: str, value: Any, options: Iterable[str]) -> None:
    """Raise an UnknownLabelError if a result has nothing of this name."""
    known = list(options)
    if not isinstance(value, str) or value not in known:
        raise UnknownLabelError(
            f"Unknown {name} {_shown(value)}, options are {', '.join(map(repr, known))}."
        )


def flag(name: str, value: Any, or_none: bool = False) -> None:
    """Raise an ArgumentError if an argument is not True or False, nor None where that is allowed."""
    if not isinstance(value, bool | np.bool_) and not (or_none and value is None):
        allowed = "True, False or None" if or_none else "True or False"
        raise ArgumentError(f"{name} must be {allowed}, not {_shown(value)}.")


def text(name: str, value: Any) -> str:
    """A text.

    Raises
    ------
    ArgumentError
        If it is something else.
    """
    if not isinstance(value, str):
        raise ArgumentError(f"{name} must be a text, not {_shown(value)}.")
    return value


def texts(name: str, value: Any) -> list[str]:
    """A text, or several, as a list.

    Raises
    ------
    ArgumentError
        If it is something else.
    """
    items = [value] if isinstance(value, str) else value
    items = list(items) if isinstance(items, Iterable) and not isinstance(items, bytes) else [items]
    if not all(isinstance(item, str) for item in items):
        raise ArgumentError(f"{name} must be a text or a list of texts, not {_shown(value)}.")
    return items


def energies(name: str, value: Any) -> np.ndarray:
    """Energies of channels as an array.

    Raises
    ------
    ArgumentError
        If they are not finite numbers in increasing or decreasing order.
    """
    try:
        array = np.asarray(value, float)
        steps = np.diff(array) if array.ndim == 1 else np.array([np.nan])
    except (TypeError, ValueError):
        steps = np.array([np.nan])
    if not steps.size or not ((steps > 0).all() or (steps < 0).all()) or np.isinf(array).any():
        raise ArgumentError(
            f"{name} must be the energies of the channels [eV] in order, not {_shown(value)}."
        )
    return array


def numbers(name: str, value: Any) -> list[float]:
    """Finite numbers as a list.

    Raises
    ------
    ArgumentError
        If it is something else.
    """
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes)
    given = list(value) if several else [None]
    if not all(_is(item, Real) and np.isfinite(item) for item in given):
        raise ArgumentError(f"{name} must be a list of finite numbers, not {_shown(value)}.")
    return [float(item) for item in given]


def instance(name: str, value: Any, kind: type, described: str, or_none: bool = False) -> None:
    """Raise an ArgumentError if an argument is not of a class, nor None where that is allowed.

    Parameters
    ----------
    described
        The class in words, for the message: ``"a matplotlib figure"``.
    """
    if not isinstance(value, kind) and not (or_none and value is None):
        raise ArgumentError(f"{name} must be {described}, not {_shown(value)}.")


def is_positive(value: Any) -> bool:
    """Whether a value is a finite number above zero."""
    return _is(value, Real) and 0 < value < np.inf


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
