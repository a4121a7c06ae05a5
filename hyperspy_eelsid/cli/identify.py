"""The commands that identify files: ``eelsid identify``, ``eelsid repeat`` and ``eelsid watch``."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperspy_eelsid.cli.fit import fit
from hyperspy_eelsid.cli.say import (
    DONE,
    NO_FIT,
    REPORT_IT,
    SOME_UNUSABLE,
    complain,
    heard,
    printable,
)
from hyperspy_eelsid.cli.write import free_name, written
from hyperspy_eelsid.exceptions import EelsidError, NoSpectrumError, UnusableFileError
from hyperspy_eelsid.files import load_eels

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

    from hyperspy_eelsid.report.result import Result

# options that are arguments of identify_elements and of auto_model
IDENTIFICATION = ("threshold", "min_fraction", "elements", "exclude", "networks")
FIT = ("beam_energy", "convergence_angle", "collection_angle")
READING = ("eels", "assume_ev")


def identify(arguments: argparse.Namespace) -> int:
    """Identify the elements in files and folders."""
    _sort_arguments(arguments)
    _check_outputs(arguments)
    run = Run(arguments, _settings(arguments))
    for path, in_folder in _listed(arguments.files):
        run.take(path, in_folder)
    return run.end()


def repeat(arguments: argparse.Namespace) -> int:
    """Identify by the method of another result and by nothing else."""
    for name in (*IDENTIFICATION, *FIT, "microscope"):
        setattr(arguments, name, None)
    for name in READING:
        setattr(arguments, name, False)
    if not arguments.files:
        arguments.usage_error("which FILE is to be identified?")
    return identify(arguments)


def watch(arguments: argparse.Namespace) -> int:
    """Identify the files of a folder, those that are there and those that arrive, until the user stops it."""
    if not arguments.folder.is_dir():
        arguments.usage_error(f"{printable(arguments.folder)} is no folder")
    arguments.files = []
    _check_outputs(arguments)
    run = Run(arguments, _settings(arguments))
    sizes: dict[Path, int] = {}
    done: set[Path] = set()
    if not arguments.json:
        print(printable(f"Watching {arguments.folder}; Ctrl+C ends it."), flush=True)
    try:
        while True:
            for path in _readable(arguments.folder):
                size, before = path.stat().st_size, sizes.get(path)
                sizes[path] = size
                if path not in done and size and size == before:  # nobody writes it any more
                    done.add(path)
                    run.take(path, True)
            time.sleep(arguments.every)
    except KeyboardInterrupt:
        return run.end()


@dataclass(frozen=True)
class Settings:
    """What decides the results of a run: arguments of ``identify_elements``, ``auto_model`` and ``load_eels``."""

    identification: dict[str, Any]
    fit: dict[str, Any]
    reading: dict[str, bool]
    instrument: str = ""


def _settings(arguments: argparse.Namespace) -> Settings:
    """Options, before those of the microscope's file, before those of the method; what makes no sense is told."""
    from hyperspy_eelsid.identification import rules
    from hyperspy_eelsid.identification.ensemble import load
    from hyperspy_eelsid.method import Method
    from hyperspy_eelsid.microscope import read_microscope

    def given(names: Sequence[str]) -> dict[str, Any]:
        return {n: value for n in names if (value := getattr(arguments, n)) not in (None, False)}

    identification, fit_settings, reading, instrument = {}, {}, {}, ""
    try:
        if arguments.method is not None:
            method = Method.load(arguments.method)
            identification |= method.identification
            fit_settings |= method.fit
            reading |= method.reading
            _tell_other_versions(arguments.method, method)
        if arguments.microscope is not None:
            microscope = read_microscope(arguments.microscope)
            instrument = microscope.pop("name", "")
            fit_settings |= microscope
        identification |= given(IDENTIFICATION)
        fit_settings |= given(FIT)
        reading |= given(READING)
        # what holds for all files is told once
        rules.candidates(identification.get("elements"), identification.get("exclude"))
        networks = load(identification.get("networks"))
        if arguments.method is not None and not arguments.networks:
            method.check_weights({file.file: file.sha256 for file in networks.card.files})
    except EelsidError as error:
        arguments.usage_error(str(error))
    return Settings(identification, fit_settings, reading, instrument)


def _tell_other_versions(path: Path, method: Any) -> None:
    others = method.other_versions()
    if others:
        differences = ", ".join(
            f"{name} {then} (now {now})" for name, (then, now) in others.items()
        )
        complain(path, f"was written with {differences}; results can differ.")


class Run:
    """Results of one command: printed and written as they come.

    Parameters
    ----------
    arguments
        Options of the command.
    settings
        What decides the results.
    """

    def __init__(self, arguments: argparse.Namespace, settings: Settings) -> None:
        from hyperspy_eelsid.report.page import Report

        self._arguments, self._settings = arguments, settings
        report = arguments.report
        self._report = None if report is None else Report(report, arguments.overwrite)
        self._failed = self._lacks_fit = False
        self._names: set[str] = set()
        self._json: list[dict[str, Any]] = []

    def take(self, path: Path, in_folder: bool) -> None:
        """Identify the signals of a file; not every file of a folder has to be a spectrum."""
        usable = False
        for signal in self._signals(path):
            if signal is None:
                usable = in_folder
                continue
            result = self._result(path, signal)
            if result is not None:
                usable = True
                self._keep(path, signal, result)
        # beside the core loss of a dual acquisition stands a low loss, in which nothing can be identified
        self._failed |= not usable

    def end(self) -> int:
        """Print what is printed at the end, and say how it went."""
        if self._arguments.json:
            print(json.dumps(self._json, indent=1))
        return SOME_UNUSABLE if self._failed else NO_FIT if self._lacks_fit else DONE

    def _signals(self, path: Path) -> Iterator[EELSSpectrum | None]:
        """The signals of a file; None, and a line of why, when there is none to identify."""
        try:
            yield from load_eels(path, **self._settings.reading)
        except NoSpectrumError as error:
            complain(path, error)
            yield None
        except UnusableFileError as error:
            complain(path, error)

    def _result(self, path: Path, signal: EELSSpectrum) -> Result | None:
        """What is found in a signal; None, and a line of why, when it cannot be used."""
        from hyperspy_eelsid.report.result import Result

        place = "Acquisition_instrument.TEM.microscope"
        if self._settings.instrument and not signal.metadata.has_item(place):
            signal.metadata.set_item(place, self._settings.instrument)
        model, reason = None, ""
        with heard(path) as warnings:
            try:
                found = signal.identify_elements(**self._settings.identification)
                found.elements  # noqa: B018 (what cannot be judged is told here)
            except EelsidError as error:
                complain(path, error)
                return None
            except Exception as error:  # one file that nobody thought of does not end the run
                problem = f"cannot be identified ({type(error).__name__}: {error}). {REPORT_IT}"
                complain(path, problem)
                return None
            if self._arguments.out is not None or self._report is not None:
                model, reason = fit(path, signal, found, self._settings.fit)
        method = replace(
            found.to_method(**self._settings.fit), reading=dict(self._settings.reading)
        )
        name = free_name(path.stem, self._names)
        return Result(name, found, model, {}, reason, printable(path), tuple(warnings), method)

    def _keep(self, path: Path, signal: EELSSpectrum, result: Result) -> None:
        """Print a result and write what was asked for."""
        from hyperspy_eelsid.report.folder import write_folder
        from hyperspy_eelsid.report.result import as_json

        arguments = self._arguments
        self._names.add(result.name)
        self._lacks_fit |= bool(result.no_fit)
        if arguments.json:
            self._json.append(as_json(result))
        else:
            no_fit = f"\nno fit: {result.no_fit}" if result.no_fit else ""
            print(printable(f"{path}: {signal}\n{result.found}{no_fit}\n"), flush=True)
        if arguments.out is not None:
            folder = arguments.out / result.name
            self._failed |= not written(
                partial(write_folder, folder, result, arguments.overwrite), folder
            )
        if self._report is not None:
            self._failed |= not written(partial(self._report.add, result), arguments.report)


def _sort_arguments(arguments: argparse.Namespace) -> None:
    """Files behind ``--elements`` are files."""
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


def _check_outputs(arguments: argparse.Namespace) -> None:
    """What cannot be written is told before the work."""
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
    for path in paths:
        if not path.is_dir() or path.suffix.lower() in _endings():
            yield path, False
            continue
        inside = _readable(path)
        if not inside:
            complain(path, "holds no file that HyperSpy reads.")
            yield path, False
        for file in inside:
            yield file, True


def _readable(folder: Path) -> list[Path]:
    """Files of a folder that HyperSpy reads, by their endings."""
    endings = _endings()
    return [file for file in sorted(folder.iterdir()) if file.suffix.lower() in endings]


def _endings() -> set[str]:
    from rsciio import IO_PLUGINS

    readers = (plugin for plugin in IO_PLUGINS if plugin["name"] != "Image")
    return {f".{ending.lower()}" for reader in readers for ending in reader["file_extensions"]}
