"""Opening files of signals, by whatever program they were written, without running what stands in them.

HyperSpy evaluates the expression of a functional axis when it opens a file, by a function of SymPy that runs any
Python code. Here HyperSpy's readers give what a file holds, the expressions are looked at, and only then signals are
made of it.
"""

from __future__ import annotations

import ast
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hyperspy_eelsid.exceptions import NoSpectrumError, UnusableFileError

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from hyperspy.axes import DataAxis
    from hyperspy.signals import BaseSignal

FUNCTIONS = frozenset(
    "Abs Max Min abs acos acosh asin asinh atan atan2 atanh cos cosh erf exp ln log sin sinh sqrt tan tanh".split()
)
LONGEST_EXPRESSION = 500
LARGEST_POWER = 100
# of what is read through them, they run some themselves
REFUSED_READERS = {"netCDF": "files of this format can hold Python code, which its reader runs"}
# of several readers of one ending, the one that wrote what microscopists have
PREFERRED_READERS = {"hdf5": "HSPY", "h5": "HSPY"}
_NODES = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Call,
    ast.Name,
    ast.Constant,
    ast.Load,
    ast.operator,
    ast.unaryop,
)


def load(path: str | Path, lazy: bool = False) -> list[BaseSignal]:
    """The signals in a file that HyperSpy can open.

    Parameters
    ----------
    path
        File, or folder of a ``.zspy`` file.
    lazy
        Leave the data in the file until they are needed.

    Raises
    ------
    UnusableFileError
        If it cannot be opened, or would run code.
    """
    import hyperspy.api as hs

    if not isinstance(path, str | os.PathLike):
        raise UnusableFileError(f"a file is named by a text or a path, not by {path!r:.80}.")
    path = Path(path)
    try:
        there = path.is_file() or path.is_dir()  # a .zspy file is a folder
    except (OSError, ValueError):  # a name too long, or with a null
        there = False
    if not there:
        raise UnusableFileError("no such file.")
    try:
        with _quiet():
            loaded = hs.load(
                path, file_format=_CheckedReader(path), escape_square_brackets=True, lazy=lazy
            )
    except UnusableFileError:
        raise
    except Exception as error:  # readers of broken files raise whatever they stumble over
        raise UnusableFileError(f"cannot be opened ({_first_line(error)}).") from error
    return loaded if isinstance(loaded, list) else [loaded]


def load_eels(path: str | Path, eels: bool = False, assume_ev: bool = False) -> list[EELSSpectrum]:
    """The EELS signals in a file.

    Energies along a navigation axis, as in stacks of images, become the signal axis.

    Parameters
    ----------
    path
        File, or folder of a ``.zspy`` file.
    eels
        Signals without a type are EELS signals.
    assume_ev
        Energy axes without units are in eV, uncalibrated ones too.

    Raises
    ------
    UnusableFileError
        If it cannot be opened, or would run code.
    NoSpectrumError
        If it holds no EELS signal.
    """
    from exspy.signals import EELSSpectrum

    signals = load(path)
    found = [
        _spectra(signal, assume_ev)
        for signal in signals
        if signal.metadata.get_item("Signal.signal_type") == "EELS"
        or eels
        and not signal.metadata.get_item("Signal.signal_type")
    ]
    found = [signal for signal in found if isinstance(signal, EELSSpectrum)]
    if found:
        return found
    advice = ""
    if any(_is_energy(axis) for s in signals for axis in s.axes_manager._axes):
        advice = (
            " It has an energy axis: if it is an EELS signal, say so with --eels, or in Python with"
            " s.set_signal_type('EELS')."
        )
    raise NoSpectrumError(
        f"holds no EELS signal but {', '.join(map(str, signals)) or 'nothing'}.{advice}"
    )


def _spectra(signal: BaseSignal, assume_ev: bool) -> BaseSignal:
    """A signal as EELS spectra, with the energies, wherever they are, as its signal axis."""
    axes = signal.axes_manager._axes
    energies = [axis for axis in axes if _is_energy(axis)]
    signal_axes = signal.axes_manager.signal_axes
    if len(energies) == 1:
        (energy,) = energies
    elif len(signal_axes) == 1:
        (energy,) = signal_axes
    else:
        return signal
    if len(signal_axes) != 1 or energy is not signal_axes[0]:
        signal = signal.transpose(signal_axes=[energy])
    signal.set_signal_type("EELS")
    axis = signal.axes_manager.signal_axes[0]
    if assume_ev and not isinstance(axis.units, str):
        axis.units = "eV"
    return signal


def _is_energy(axis: DataAxis) -> bool:
    from hyperspy_eelsid.energy_axis import is_energy

    return is_energy(axis.units)


class _CheckedReader:
    """The reader that HyperSpy would take for a file, with a look at what it gives."""

    def __init__(self, path: Path) -> None:
        from rsciio import IO_PLUGINS

        ending = path.suffix[1:].lower()
        plugins = {p["name"]: p for p in IO_PLUGINS if ending in p["file_extensions"]}
        if not plugins:
            raise UnusableFileError(
                f"cannot be opened (no format that HyperSpy reads ends in {path.suffix!r})."
            )
        name = PREFERRED_READERS.get(ending)
        name = name if name in plugins else next(iter(plugins))
        if name in REFUSED_READERS:
            raise UnusableFileError(f"is not opened ({REFUSED_READERS[name]}).")
        self.__loader__ = SimpleNamespace(name=plugins[name]["api"])  # what HyperSpy notes of it
        self._read = import_module(plugins[name]["api"]).file_reader

    def file_reader(self, filename: str, **options: Any) -> list[dict[str, Any]]:
        read = self._read(filename, **options)
        for expression in _expressions(read):
            check_expression(expression)
        return read


def _expressions(held: Any) -> Iterator[Any]:
    """The expressions of all axes, of signals in the metadata of signals too."""
    if isinstance(held, Mapping):
        for name, value in held.items():
            if name == "expression":
                yield value
            else:
                yield from _expressions(value)
    elif isinstance(held, Sequence) and not isinstance(held, str | bytes):
        for value in held:
            yield from _expressions(value)


def check_expression(expression: Any) -> None:
    """See that the expression of an axis is nothing but arithmetic, before SymPy evaluates it.

    Parameters
    ----------
    expression
        In HyperSpy's notation: an expression, and substitutions behind semicolons.

    Raises
    ------
    UnusableFileError
        If it is something else.
    """
    problem = f"is not opened (an axis has the expression {str(expression)[:80]!r}, which "
    if not isinstance(expression, str) or len(expression) > LONGEST_EXPRESSION:
        raise UnusableFileError(f"{problem}is no short text).")
    formula, *substitutions = expression.split(";")
    parts = [formula, *(side for s in substitutions for side in s.split("="))]
    try:
        for part in parts:
            for node in ast.walk(ast.parse(part.strip(), mode="eval")):
                _check_node(node)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnusableFileError(f"{problem}is more than a formula: {error}).") from error


def _check_node(node: ast.AST) -> None:
    if not isinstance(node, _NODES):
        raise ValueError(f"{type(node).__name__.lower()} is not allowed")
    if isinstance(node, ast.Call):
        known = isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
        if not known or node.keywords:
            raise ValueError(f"a function is not one of {', '.join(sorted(FUNCTIONS))}")
    if isinstance(node, ast.Name) and "__" in node.id:
        raise ValueError(f"{node.id} is no name of a parameter")
    if isinstance(node, ast.Constant) and not isinstance(node.value, int | float):
        raise ValueError("a constant is no number")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        _check_power(node.right)


def _check_power(exponent: ast.expr) -> None:
    """Powers of powers of numbers would take for ever."""
    inner = list(ast.walk(exponent))
    numbers = [n.value for n in inner if isinstance(n, ast.Constant)]
    if any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow | ast.Mult) for n in inner) or any(
        not isinstance(n, int | float) or abs(n) > LARGEST_POWER for n in numbers
    ):
        raise ValueError("a power is too high")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep HyperSpy from logging an error that is about to be told in one line."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
