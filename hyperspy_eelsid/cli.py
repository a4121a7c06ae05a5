"""The command ``eelsid``: identify the elements in files, or in a simulated spectrum image."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from exspy.signals import EELSSpectrum

    from hyperspy_eelsid.identification import ElementIdentification


class UnusableFileError(Exception):
    """A file that cannot be opened, or that holds no EELS signal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : Arguments without the program's name; None takes those of the process.

    Returns
    -------
    Exit code: 0, or 1 when a file could not be used.
    """
    arguments = _parser().parse_args(argv)

    import matplotlib

    matplotlib.use("agg")  # pictures are written, never shown
    # exspy 0.3 still takes lazy classes from where HyperSpy 2.5 no longer wants them; no user can help it
    warnings.filterwarnings("ignore", message="Importing `Lazy")
    return arguments.command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eelsid", description="Find the elements in core-loss EELS data."
    )
    parser.add_argument("--version", action="version", version=version("hyperspy-eelsid"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    identify = commands.add_parser("identify", help="identify the elements in files")
    identify.add_argument("files", nargs="+", type=Path, metavar="FILE")
    identify.add_argument(
        "--threshold", type=_share, help="probability from which an element counts as found"
    )
    identify.add_argument(
        "--out", type=Path, metavar="DIR", help="also fit, and write tables and pictures here"
    )
    identify.set_defaults(command=_identify)

    demo = commands.add_parser("demo", help="simulate a superlattice, identify and map it")
    demo.add_argument("--out", type=Path, default=Path("eelsid_demo"), metavar="DIR")
    demo.add_argument("--shape", type=int, nargs=2, default=(60, 130), metavar=("ROWS", "COLUMNS"))
    demo.add_argument("--seed", type=int, default=0)
    demo.set_defaults(command=_demo)
    return parser


def _share(text: str) -> float:
    """A number between 0 and 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, not {text}")
    return value


def _identify(arguments: argparse.Namespace) -> int:
    from hyperspy_eelsid.exceptions import EelsidError
    from hyperspy_eelsid.report import write_report

    failed = False
    for path in arguments.files:
        try:
            for number, signal in enumerate(load_eels(path)):
                found = signal.identify_elements(threshold=arguments.threshold)
                print(f"{path}: {signal}\n{found}\n")
                if arguments.out is not None:
                    name = f"{path.stem}_{number}" if number else path.stem
                    write_report(arguments.out / name, found, _fit(signal, found))
        except (UnusableFileError, EelsidError) as error:
            print(f"eelsid: {path}: {error}", file=sys.stderr)
            failed = True
    return int(failed)


def _demo(arguments: argparse.Namespace) -> int:
    import numpy as np

    from hyperspy_eelsid.demo import superlattice
    from hyperspy_eelsid.report import write_report

    simulated = superlattice(tuple(arguments.shape), arguments.seed)
    found = simulated.signal.identify_elements()
    print(found)
    fitted = _fit(simulated.signal, found)
    truth = {element: density.data for element, density in simulated.density.items()}
    print("\ncorrelation of the fitted and the true maps over the pixels:")
    for element, amount in fitted.items():
        if element in truth:
            print(f"{element:>4} {np.corrcoef(amount.ravel(), truth[element].ravel())[0, 1]:.3f}")
    write_report(arguments.out, found, fitted, truth)
    print(f"\nPictures and table are in {arguments.out}")
    return 0


def _fit(signal: EELSSpectrum, found: ElementIdentification) -> dict[str, np.ndarray]:
    """Fitted amount of each element; empty, with a word of why, when the signal cannot be fitted."""
    from hyperspy_eelsid.exceptions import EelsidError

    try:
        maps = signal.auto_model(identification=found).elemental_maps()
    except EelsidError as error:
        print(f"No fit: {error}", file=sys.stderr)
        return {}
    return {element: amount.data for element, amount in maps.items()}


def load_eels(path: Path) -> list[EELSSpectrum]:
    """Open a file and keep its EELS signals.

    Raises
    ------
    UnusableFileError
        When HyperSpy cannot open the file, or finds no EELS signal in it.
    """
    import hyperspy.api as hs
    from exspy.signals import EELSSpectrum

    if not path.is_file() and not path.is_dir():  # .zspy is a folder
        raise UnusableFileError("no such file.")
    try:
        with _quiet():
            loaded = hs.load(path, escape_square_brackets=True)
    except Exception as error:  # readers of broken files raise whatever they stumble over
        raise UnusableFileError(f"cannot be opened ({_first_line(error)})") from error
    signals = loaded if isinstance(loaded, list) else [loaded]
    found = [signal for signal in signals if isinstance(signal, EELSSpectrum)]
    if found:
        return found
    advice = ""
    if any(axis.units in ("eV", "keV") for s in signals for axis in s.axes_manager.signal_axes):
        advice = (
            " It has an energy axis: if it is an EELS signal, say so with"
            " s.set_signal_type('EELS') and save it as .hspy."
        )
    raise UnusableFileError(f"holds no EELS signal but {', '.join(map(str, signals))}.{advice}")


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
