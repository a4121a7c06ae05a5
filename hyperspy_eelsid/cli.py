"""The command ``eelsid``: identify the elements in files or in a simulated image; look at what is installed."""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import sys
import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from exspy.signals import EELSSpectrum

    from hyperspy_eelsid.identification import ElementIdentification
    from hyperspy_eelsid.identification.ensemble import Ensemble
    from hyperspy_eelsid.networks.card import Card

INTERRUPTED = 130  # as shells report it
FIT_PARAMETERS = {"beam-energy": "keV", "convergence-angle": "mrad", "collection-angle": "mrad"}


class UnusableFileError(Exception):
    """A file that cannot be opened, or that holds no EELS signal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit code: 0, 1 when a file could not be used, or 130 when the user stopped the run.
    """
    arguments = _parser().parse_args(argv)

    import matplotlib

    matplotlib.use("agg")  # pictures are written, never shown
    # exspy 0.3 still takes lazy classes from where HyperSpy 2.5 no longer wants them; no user can help it
    warnings.filterwarnings("ignore", message="Importing `Lazy")
    try:
        return arguments.command(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


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
        "--min-fraction", type=_share, default=0.01, help="of the pixels of an image (%(default)s)"
    )
    symbols: dict[str, Any] = {"nargs": "+", "metavar": "SYMBOL", "action": "extend"}
    identify.add_argument("--elements", **symbols, help="the only elements that can be there")
    identify.add_argument("--exclude", **symbols, help="elements that cannot be there")
    for name, unit in FIT_PARAMETERS.items():
        identify.add_argument(
            f"--{name}", type=float, metavar=unit, help="for the fit; by default from the file"
        )
    identify.add_argument("--networks", help="a name that `eelsid models` lists, or a path")
    identify.add_argument(
        "--out", type=Path, metavar="DIR", help="also fit, and write tables and pictures here"
    )
    identify.add_argument(
        "--report", type=Path, metavar="HTML", help="also fit, and write one page that holds it all"
    )
    identify.add_argument("--json", action="store_true", help="print JSON instead of tables")
    identify.set_defaults(command=_identify)

    demo = commands.add_parser("demo", help="simulate a superlattice, identify and map it")
    demo.add_argument("--out", type=Path, default=Path("eelsid_demo"), metavar="DIR")
    demo.add_argument("--shape", type=int, nargs=2, default=(60, 130), metavar=("ROWS", "COLUMNS"))
    demo.add_argument("--seed", type=int, default=0)
    demo.set_defaults(command=_demo)

    models = commands.add_parser("models", help="list the networks that are installed")
    models.add_argument("networks", nargs="*", help="names or folders; by default all installed")
    models.add_argument(
        "--verify",
        action="store_true",
        help="check every file, and the networks on a test spectrum",
    )
    models.set_defaults(command=_models)

    doctor = commands.add_parser("doctor", help="versions, devices and a self-test")
    doctor.set_defaults(command=_doctor)
    return parser


def _share(text: str) -> float:
    """A number between 0 and 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, not {text}")
    return value


def _identify(arguments: argparse.Namespace) -> int:
    import hyperspy.api as hs

    from hyperspy_eelsid.exceptions import EelsidError
    from hyperspy_eelsid.report import Result, as_json, write_folder, write_page

    if arguments.json or not sys.stdout.isatty():
        hs.preferences.General.show_progressbar = False  # bars would stand among the results
    failed = False
    results: dict[str, Result] = {}
    wants_fit = arguments.out is not None or arguments.report is not None
    names = [name.replace("-", "_") for name in FIT_PARAMETERS]
    parameters = {name: getattr(arguments, name) for name in names}
    for path in arguments.files:
        usable = False
        try:
            signals = load_eels(path)
        except UnusableFileError as error:
            signals = []
            print(f"eelsid: {path}: {error}", file=sys.stderr)
        for signal in signals:
            try:
                found = signal.identify_elements(
                    threshold=arguments.threshold,
                    min_fraction=arguments.min_fraction,
                    elements=arguments.elements,
                    exclude=arguments.exclude,
                    networks=arguments.networks,
                )
            except EelsidError as error:
                print(f"eelsid: {path}: {error}", file=sys.stderr)
                continue
            usable = True
            name = _free_name(path.stem, results)
            results[name] = Result(
                name, found, _fit(signal, found, parameters) if wants_fit else {}
            )
            if not arguments.json:
                print(f"{path}: {signal}\n{found}\n")
            if arguments.out is not None:
                write_folder(arguments.out / name, results[name])
        # beside the core loss of a dual acquisition stands a low loss, in which nothing can be identified
        failed |= not usable
    if arguments.json:
        print(json.dumps([as_json(result) for result in results.values()], indent=1))
    if arguments.report is not None and results:
        write_page(arguments.report, results.values())
    return int(failed)


def _free_name(stem: str, taken: Container[str]) -> str:
    """The stem of a file, with a number if another result has that name."""
    names = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(1)))
    return next(name for name in names if name not in taken)


def _demo(arguments: argparse.Namespace) -> int:
    import numpy as np

    from hyperspy_eelsid.data import superlattice
    from hyperspy_eelsid.report import Result, write_folder

    signal = superlattice(tuple(arguments.shape), arguments.seed)
    found = signal.identify_elements()
    print(found)
    fitted = _fit(signal, found)
    truth = {e: density.data for e, density in signal.metadata.Simulation.areal_density}
    print("\ncorrelation of the fitted and the true maps over the pixels:")
    for element, amount in fitted.items():
        if element in truth:
            print(f"{element:>4} {np.corrcoef(amount.ravel(), truth[element].ravel())[0, 1]:.3f}")
    write_folder(arguments.out, Result("demo", found, fitted, truth))
    print(f"\nPictures and table are in {arguments.out}")
    return 0


def _models(arguments: argparse.Namespace) -> int:
    from hyperspy_eelsid.exceptions import EelsidError
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
    from hyperspy_eelsid.exceptions import EelsidError
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
    signal: EELSSpectrum, found: ElementIdentification, parameters: Mapping[str, float | None] = {}
) -> dict[str, np.ndarray]:
    """Fitted amount of each element; empty, with a word of why, when the signal cannot be fitted."""
    from hyperspy_eelsid.exceptions import EelsidError, MissingParametersError

    try:
        maps = signal.auto_model(identification=found, **parameters).elemental_maps()
    except MissingParametersError as error:
        options = ", ".join(f"--{name}" for name in FIT_PARAMETERS)
        print(f"No fit: {error} On the command line: {options}.", file=sys.stderr)
        return {}
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


def _complain(name: object, problem: object) -> None:
    """One line on the error stream, of whatever several lines the problem has."""
    text = " ".join(f"eelsid: {name}: {problem}".split())
    print("".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text), file=sys.stderr)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
