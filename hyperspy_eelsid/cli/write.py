"""Outputs, of which a line says why one could not be written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container
from pathlib import Path

from hyperspy_eelsid.cli.say import complain, printable


def written(write: Callable[[], None], path: Path) -> bool:
    """Whether an output could be written; a line of why, when not."""
    try:
        write()
    except OSError as error:
        place = error.filename if isinstance(error, FileExistsError) else path
        complain(place, f"was not written ({error.strerror or error}).")
        return False
    return True


def free_name(stem: str, taken: Container[str]) -> str:
    """The stem of a file as a name for results, with a number if another result has that name."""
    stem = printable(stem).replace("\n", " ").strip(". ") or "signal"
    names = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(1)))
    return next(name for name in names if name not in taken)
