"""The command ``eelsid``: identify the elements in files or in a simulated image; look at what is installed."""

from __future__ import annotations

import argparse
import io
import itertools
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperspy_eelsid.exceptions import (
    EelsidError,
    MissingParametersError,
    NoSpectrumError,
    UnusableFileError,
)
from hyperspy_eelsid.files import load_eels

if TYPE_CHECKING:
    import numpy as np
    from exspy.signals import EELSSpectrum

    from hyperspy_eelsid.identification import ElementIdentification
    from hyperspy_eelsid.identification.ensemble import Ensemble
    from hyperspy_eelsid.networks.card import Card
    from hyperspy_eelsid.report import Result

# exit codes
DONE, SOME_UNUSABLE, USAGE = 0, 1, 2
INTERRUPTED = 130  # as shells report it
REPORT_IT = "This is a fault of hyperspy_eelsid: please report it with the file."
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
        Exit code: 0, 1 when a file could not be used or an output not be written, 2 when the command makes no sense, or
    130 when the user stopped the run.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    arguments.usage_error = parser.error

    import matplotlib

    matplotlib.use("agg")  # pictures are written, never shown
    # exspy 0.3 still takes lazy classes from where HyperSpy 2.5 no longer wants them; no user can help it
    warnings.filterwarnings("ignore", message="Importing `Lazy")
    try:
        return arguments.command(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read what is printed has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_UNUSABLE
    except EelsidError as error:
        _complain(arguments.name, error)
        return SOME_UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eelsid", description="Find the elements in core-loss EELS data."
    )
    parser.add_argument("--version", action="version", version=version("hyperspy-eelsid"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    identify = commands.add_parser("identify", help="identify the elements in files")
    identify.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="or folder, whose files are taken"
    )
    identify.add_argument(
        "--threshold", type=_share, help="probability from which an element counts as found"
    )
    identify.add_argument(
        "--min-fraction", type=_share, default=0.01, help="of the pixels of an image (%(default)s)"
    )
    symbols: dict[str, Any] = {"nargs": "+", "metavar": "SYMBOL", "action": "extend"}
    identify.add_argument("--elements", **symbols, help="the only elements that can be there")
    identify.add_argument("--exclude", **symbols, help="elements that cannot be there")
    for name, unit in FIT_PARAMETERS.items():
        identify.add_argument(
            f"--{name}", type=_positive, metavar=unit, help="for the fit; by default from the file"
        )
    identify.add_argument("--networks", help="a name that `eelsid models` lists, or a path")
    identify.add_argument("--eels", action="store_true", help="signals without a type are EELS")
    identify.add_argument(
        "--assume-eV",
        dest="assume_ev",
        action="store_true",
        help="energy axes without units are in eV, even if they only number the channels",
    )
    identify.add_argument(
        "--out", type=Path, metavar="DIR", help="also fit, and write tables and pictures here"
    )
    identify.add_argument(
        "--report", type=Path, metavar="HTML", help="also fit, and write one page that holds it all"
    )
    identify.add_argument(
        "--overwrite", action="store_true", help="replace reports and results that are there"
    )
    identify.add_argument("--json", action="store_true", help="print JSON instead of tables")
    identify.set_defaults(command=_identify, name="identify")

    demo = commands.add_parser("demo", help="simulate a superlattice, identify and map it")
    demo.add_argument("--out", type=Path, default=Path("eelsid_demo"), metavar="DIR")
    demo.add_argument("--shape", type=int, nargs=2, default=(60, 130), metavar=("ROWS", "COLUMNS"))
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument("--overwrite", action="store_true", help="replace results that are there")
    demo.set_defaults(command=_demo, name="demo")

    models = commands.add_parser("models", help="list the networks that are installed")
    models.add_argument("networks", nargs="*", help="names or folders; by default all installed")
    models.add_argument(
        "--verify",
        action="store_true",
        help="check every file, and the networks on a test spectrum",
    )
    models.set_defaults(command=_models, name="models")

    doctor = commands.add_parser("doctor", help="versions, devices and a self-test")
    doctor.set_defaults(command=_doctor, name="doctor")
    return parser


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


def _identify(arguments: argparse.Namespace) -> int:
    import hyperspy.api as hs

    from hyperspy_eelsid.identification import rules
    from hyperspy_eelsid.identification.ensemble import load
    from hyperspy_eelsid.report import as_json, write_folder, write_page

    _sort_arguments(arguments)
    try:  # what holds for all files is told once
        rules.candidates(arguments.elements, arguments.exclude)
        load(arguments.networks)
    except EelsidError as error:
        arguments.usage_error(str(error))
    if arguments.json or not sys.stdout.isatty():
        hs.preferences.General.show_progressbar = False  # bars would stand among the results
    failed = False
    results: dict[str, Result] = {}
    wants_fit = arguments.out is not None or arguments.report is not None
    for path, in_folder in _listed(arguments.files):
        usable = False
        for signal in _signals(path, arguments):
            if signal is None:
                usable = in_folder  # not every file of a folder has to be a spectrum
                continue
            result = _result(path, signal, arguments, results, wants_fit)
            if result is None:
                continue
            usable = True
            results[result.name] = result
            if not arguments.json:
                print(printable(f"{path}: {signal}\n{result.found}\n"))
            failed |= bool(result.no_fit)
            if arguments.out is not None:
                folder = arguments.out / result.name
                failed |= not _written(write_folder, folder, result, arguments.overwrite)
        # beside the core loss of a dual acquisition stands a low loss, in which nothing can be identified
        failed |= not usable
    if arguments.json:
        print(json.dumps([as_json(result) for result in results.values()], indent=1))
    if arguments.report is not None and results:
        page = arguments.report
        failed |= not _written(write_page, page, list(results.values()), arguments.overwrite)
    return SOME_UNUSABLE if failed else DONE


def _sort_arguments(arguments: argparse.Namespace) -> None:
    """Files behind ``--elements`` are files; what cannot be written is told before the work."""
    from hyperspy_eelsid.edges import ELEMENTS

    for option in ("elements", "exclude"):
        words = [
            word for text in getattr(arguments, option) or () for word in text.split(",") if word
        ]
        files = [w for w in words if w.capitalize() not in ELEMENTS and _looks_like_a_file(w)]
        arguments.files += map(Path, files)
        if words:
            setattr(arguments, option, [word for word in words if word not in files])
    if not arguments.files:
        arguments.usage_error("which FILE is to be identified?")
    report, out = arguments.report, arguments.out
    if report is not None and (report.is_dir() or report.exists() and not arguments.overwrite):
        advice = "it is a folder" if report.is_dir() else "--overwrite replaces it"
        arguments.usage_error(f"--report {printable(report)} is there already: {advice}")
    if out is not None and out.exists() and not out.is_dir():
        arguments.usage_error(f"--out {printable(out)} is a file, not a folder")


def _looks_like_a_file(word: str) -> bool:
    return Path(word).exists() or Path(word).suffix != "" or os.sep in word


def _listed(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """The files, and those in the folders, of which that is told."""
    from rsciio import IO_PLUGINS

    readers = (plugin for plugin in IO_PLUGINS if plugin["name"] != "Image")
    endings = {f".{ending.lower()}" for reader in readers for ending in reader["file_extensions"]}
    for path in paths:
        if not path.is_dir() or path.suffix.lower() in endings:
            yield path, False
            continue
        inside = [file for file in sorted(path.iterdir()) if file.suffix.lower() in endings]
        if not inside:
            _complain(path, "holds no file that HyperSpy reads.")
            yield path, False
        for file in inside:
            yield file, True


def _signals(path: Path, arguments: argparse.Namespace) -> Iterator[EELSSpectrum | None]:
    """The signals of a file; None, and a line of why, when there is none to identify."""
    flags = {name: True for name in ("eels", "assume_ev") if getattr(arguments, name)}
    try:
        yield from load_eels(path, **flags)
    except NoSpectrumError as error:
        _complain(path, error)
        yield None
    except UnusableFileError as error:
        _complain(path, error)


def _result(
    path: Path,
    signal: EELSSpectrum,
    arguments: argparse.Namespace,
    taken: Container[str],
    wants_fit: bool,
) -> Result | None:
    """What is found in a signal; None, and a line of why, when it cannot be used."""
    from hyperspy_eelsid.report import Result

    parameters = {name: getattr(arguments, name.replace("-", "_")) for name in FIT_PARAMETERS}
    try:
        found = signal.identify_elements(
            threshold=arguments.threshold,
            min_fraction=arguments.min_fraction,
            elements=arguments.elements,
            exclude=arguments.exclude,
            networks=arguments.networks,
        )
        found.elements  # noqa: B018 (what cannot be judged is told here)
    except EelsidError as error:
        _complain(path, error)
        return None
    except Exception as error:  # one file that nobody thought of does not end the run
        _complain(path, f"cannot be identified ({type(error).__name__}: {error}). {REPORT_IT}")
        return None
    fitted, reason = _fit(path, signal, found, parameters) if wants_fit else ({}, "")
    return Result(_free_name(path.stem, taken), found, fitted, no_fit=reason)


def _written(write: Callable[..., None], path: Path, content: object, overwrite: bool) -> bool:
    """Whether an output could be written; a line of why, when not."""
    try:
        write(path, content, overwrite=overwrite)
    except OSError as error:
        _complain(path, f"was not written ({error.strerror or error}).")
        return False
    return True


def _free_name(stem: str, taken: Container[str]) -> str:
    """The stem of a file as a name for results, with a number if another result has that name."""
    stem = printable(stem).replace("\n", " ").strip(". ") or "signal"
    names = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(1)))
    return next(name for name in names if name not in taken)


def _demo(arguments: argparse.Namespace) -> int:
    import numpy as np

    from hyperspy_eelsid.data import superlattice
    from hyperspy_eelsid.report import Result, write_folder

    signal = superlattice(tuple(arguments.shape), arguments.seed)
    found = signal.identify_elements()
    print(found)
    fitted, _ = _fit("demo", signal, found)
    truth = {e: density.data for e, density in signal.metadata.Simulation.areal_density}
    print("\ncorrelation of the fitted and the true maps over the pixels:")
    for element, amount in fitted.items():
        if element in truth:
            print(f"{element:>4} {np.corrcoef(amount.ravel(), truth[element].ravel())[0, 1]:.3f}")
    result = Result("demo", found, fitted, truth)
    if not _written(write_folder, arguments.out, result, arguments.overwrite):
        return SOME_UNUSABLE
    print(printable(f"\nPictures and table are in {arguments.out}"))
    return DONE


def _models(arguments: argparse.Namespace) -> int:
    from hyperspy_eelsid.identification.ensemble import load, models

    failed = False
    for name in arguments.networks or models():
        try:
            networks = load(name)
            lines = _verified(networks) if arguments.verify else _described(networks.card)
        except EelsidError as error:
            failed = True
            _complain(name, error)
            continue
        print(f"{name}: {networks.name}, threshold {networks.threshold:g}")
        for line in lines:
            print(f"  {line}")
    return int(failed)


def _verified(networks: Ensemble) -> Iterator[str]:
    """What was checked of networks that could be loaded."""
    for file in networks.card.files:
        yield f"{file.file}: sha256 {file.sha256}, as the card says"
    difference = networks.test_difference()
    if difference is None:
        yield "a probability for each element of the test spectrum; the card has none to compare with"
    else:
        yield f"test spectrum: as the card says, within {difference:.1g}"


def _described(card: Card) -> Iterator[str]:
    """What the card says of networks and scores."""
    for member in card.members:
        yield f"{member.network.file}, weight {member.weight:g}"
    for label, scores in dict(card.entries.get("scores") or {}).items():
        if isinstance(scores, dict):
            numbers = {key: value for key, value in scores.items() if isinstance(value, float)}
            yield f"{label}: {', '.join(f'{key} {value:.3g}' for key, value in numbers.items())}"


def _doctor(arguments: argparse.Namespace) -> int:
    import platform
    import time

    import hyperspy.api as hs
    import onnxruntime

    from hyperspy_eelsid.data import superlattice
    from hyperspy_eelsid.identification.ensemble import load

    print(f"Python {platform.python_version()}, {platform.platform()}")
    for name in ("hyperspy-eelsid", "hyperspy", "exspy", "numpy", "scipy", "dask"):
        print(f"{name} {version(name)}")
    print(f"onnxruntime {onnxruntime.__version__}: {onnxruntime.get_available_providers()}")
    hs.preferences.General.show_progressbar = False
    try:
        print(f"networks {load().name} run by {load().provider}")
        signal = superlattice((4, 65))
        signal.identify_elements()  # the first run is slower
        start = time.perf_counter()
        found = signal.identify_elements()
        rate = signal.axes_manager.navigation_size / (time.perf_counter() - start)
        fitted = signal.auto_model(identification=found).elements
    except EelsidError as error:
        print(f"self-test failed: {error}", file=sys.stderr)
        return 1
    good = {"Ti", "O", "La"} <= set(found.elements) and fitted == found.elements
    print(f"self-test {'passed' if good else 'failed'}: {', '.join(fitted)}, {rate:.0f} spectra/s")
    return int(not good)


def _fit(
    path: object,
    signal: EELSSpectrum,
    found: ElementIdentification,
    parameters: Mapping[str, float | None] = {},
) -> tuple[dict[str, np.ndarray], str]:
    """Fitted amount of each element; and why there is none, in a line that is printed too, when that is so."""
    if not found.elements:
        return {}, ""
    given = {name.replace("-", "_"): value for name, value in parameters.items()}
    try:
        maps = signal.auto_model(identification=found, **given).elemental_maps()
        return {element: amount.data for element, amount in maps.items()}, ""
    except MissingParametersError as error:
        options = ", ".join(f"--{name}" for name in FIT_PARAMETERS)
        reason = f"{error} On the command line: {options}."
    except EelsidError as error:
        reason = str(error)
    except Exception as error:  # what was found is told all the same
        reason = f"{type(error).__name__}: {error}. {REPORT_IT}"
    _complain(path, f"no fit: {reason}")
    return {}, reason


def _complain(name: object, problem: object) -> None:
    """One line on the error stream, of whatever several lines the problem has."""
    print(" ".join(printable(f"eelsid: {name}: {problem}").split()), file=sys.stderr)


def printable(text: object) -> str:
    """Text without what would drive a terminal or is no text, in its place the numbers of the characters."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape", "surrogatepass").decode()
        for c in str(text)
    )
