"""The command ``eelsid``: identify the elements in files or in a simulated image; look at what is installed."""

# PYTHON_ARGCOMPLETE_OK
from __future__ import annotations

import argparse
import io
import math
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hyperspy_eelsid.cli import demo, identify, installed
from hyperspy_eelsid.cli.say import INTERRUPTED, SOME_UNUSABLE, complain, on_a_terminal
from hyperspy_eelsid.exceptions import EelsidError

FIT_PARAMETERS = {"beam-energy": "keV", "convergence-angle": "mrad", "collection-angle": "mrad"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit code: 0; 1 when a file could not be used or an output not be written; 2 when the command makes no sense; 3
        when nothing but a fit is missing; or 130 when the user stopped the run.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    _offer_completion(parser)
    arguments = parser.parse_args(argv)
    arguments.usage_error = parser.error

    import matplotlib

    matplotlib.use("agg")  # pictures are written, never shown
    # exspy 0.3 still takes lazy classes from where HyperSpy 2.5 no longer wants them; no user can help it
    warnings.filterwarnings("ignore", message="Importing `Lazy")
    if not on_a_terminal():
        import hyperspy.api as hs

        hs.preferences.General.show_progressbar = False
    try:
        return arguments.command(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read what is printed has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_UNUSABLE
    except EelsidError as error:
        complain(arguments.name, error)
        return SOME_UNUSABLE


def _offer_completion(parser: argparse.ArgumentParser) -> None:
    """Let a shell complete options and files, where argcomplete is installed."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eelsid", description="Find the elements in core-loss EELS data."
    )
    parser.add_argument("--version", action="version", version=version("hyperspy-eelsid"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("identify", help="identify the elements in files")
    _add_files(command)
    _add_settings(command)
    _add_outputs(command)
    command.set_defaults(command=identify.identify, name="identify")

    command = commands.add_parser("repeat", help="identify by the method of another result")
    command.add_argument(
        "method", type=Path, metavar="METHOD", help="method.json of a report or of --out"
    )
    _add_files(command)
    _add_outputs(command)
    command.set_defaults(command=identify.repeat, name="repeat")

    command = commands.add_parser("watch", help="identify files of a folder as they arrive")
    command.add_argument("folder", type=Path, metavar="FOLDER", help="Ctrl+C ends the watch")
    _add_settings(command)
    _add_outputs(command)
    command.add_argument(
        "--every", type=_positive, default=2.0, metavar="SECONDS", help="look again (%(default)s)"
    )
    command.set_defaults(command=identify.watch, name="watch")

    command = commands.add_parser("demo", help="simulate a superlattice, identify and map it")
    command.add_argument("--out", type=Path, default=Path("eelsid_demo"), metavar="DIR")
    command.add_argument(
        "--shape", type=int, nargs=2, default=(60, 130), metavar=("ROWS", "COLUMNS")
    )
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--overwrite", action="store_true", help="replace results that are there")
    command.set_defaults(command=demo.demo, name="demo")

    command = commands.add_parser("models", help="list the networks that are installed")
    command.add_argument("networks", nargs="*", help="names or folders; by default all installed")
    command.add_argument(
        "--verify",
        action="store_true",
        help="check every file, and the networks on a test spectrum",
    )
    command.set_defaults(command=installed.models, name="models")

    command = commands.add_parser("doctor", help="versions, devices and a self-test")
    command.set_defaults(command=installed.doctor, name="doctor")
    return parser


def _add_files(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="or folder, whose files are taken"
    )


def _add_settings(command: argparse.ArgumentParser) -> None:
    """What decides the result; None where the method or the default does."""
    command.add_argument(
        "--threshold", type=_share, help="probability from which an element counts as found"
    )
    command.add_argument("--min-fraction", type=_share, help="of the pixels of an image (0.01)")
    symbols: dict[str, Any] = {"nargs": "+", "metavar": "SYMBOL", "action": "extend"}
    command.add_argument("--elements", **symbols, help="the only elements that can be there")
    command.add_argument("--exclude", **symbols, help="elements that cannot be there")
    for name, unit in FIT_PARAMETERS.items():
        command.add_argument(
            f"--{name}", type=_positive, metavar=unit, help="for the fit; by default from the file"
        )
    command.add_argument(
        "--microscope", type=Path, metavar="TOML", help="file that holds these three"
    )
    command.add_argument("--networks", help="a name that `eelsid models` lists, or a path")
    command.add_argument(
        "--method", type=Path, metavar="JSON", help="settings of another result, where not given"
    )
    command.add_argument("--eels", action="store_true", help="signals without a type are EELS")
    command.add_argument(
        "--assume-eV",
        dest="assume_ev",
        action="store_true",
        help="energy axes without units are in eV, even if they only number the channels",
    )


def _add_outputs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="also fit, and write tables and pictures here"
    )
    command.add_argument(
        "--report", type=Path, metavar="HTML", help="also fit, and write a page that holds it all"
    )
    command.add_argument(
        "--overwrite", action="store_true", help="replace reports and results that are there"
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")


def _share(text: str) -> float:
    """A number between 0 and 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, not {text}")
    return value


def _positive(text: str) -> float:
    """A finite number above zero."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text}")
    return value
