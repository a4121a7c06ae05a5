"""Exit codes, and what is said on the terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

DONE, SOME_UNUSABLE, USAGE, NO_FIT = 0, 1, 2, 3
INTERRUPTED = 130  # as shells report it
REPORT_IT = "This is a fault of hyperspy_eelsid: please report it with the file."


def complain(name: object, problem: object) -> None:
    """One line on the error stream, of whatever several lines the problem has."""
    print(" ".join(printable(f"eelsid: {name}: {problem}").split()), file=sys.stderr)


def printable(text: object) -> str:
    """Text without what would drive a terminal or is no text, in its place the numbers of the characters."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape", "surrogatepass").decode()
        for c in str(text)
    )


def on_a_terminal() -> bool:
    """Whether somebody looks at what is printed, so that progress bars make sense."""
    return sys.stdout.isatty() and sys.stderr.isatty()


@contextmanager
def heard(name: object) -> Iterator[list[str]]:
    """What the package warns of meanwhile, which is told in lines that name the file."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())
            complain(name, said[-1])

    logger, listener = logging.getLogger("hyperspy_eelsid"), Listener(logging.WARNING)
    before, logger.propagate = logger.propagate, False  # else it is told twice
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)
        logger.propagate = before
