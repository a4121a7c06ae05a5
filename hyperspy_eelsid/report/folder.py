"""A folder of a table and pictures; and how files are written whole or not at all."""

from __future__ import annotations

import csv
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hyperspy_eelsid.report.pictures import (
    elements_figure,
    fit_figure,
    map_figures,
    profiles_figure,
)
from hyperspy_eelsid.report.result import Result, plain_rows

DOTS_PER_INCH = 150


def write_folder(folder: Path, result: Result, overwrite: bool = False) -> None:
    """Write ``elements.csv``, ``elements.png``, ``method.json``, with a fit ``fit.png``, and maps or profiles.

    The files are there together when all are written, or as they were before.

    Parameters
    ----------
    folder
        Where to write; made if it is not there.
    result
        What is known of the signal.
    overwrite
        Replace files that are there.

    Raises
    ------
    FileExistsError
        If a file is there and is not to be replaced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".eelsid_") as new:
        _write_files(Path(new), result)
        folder.mkdir(exist_ok=True)
        files = list(Path(new).iterdir())
        for file in files:
            check_free(folder / file.name, overwrite)
        for file in files:
            file.replace(folder / file.name)


def check_free(path: Path, overwrite: bool) -> None:
    """Raise a FileExistsError if a file is there that is not to be replaced."""
    if path.exists() and not overwrite:
        message = "it is there already; --overwrite, or overwrite=True, replaces it"
        raise FileExistsError(errno.EEXIST, message, str(path))


@contextmanager
def whole_or_not(path: Path) -> Iterator[Path]:
    """Where to write a file, which then takes the place of another one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".eelsid_") as new:
        written = Path(new) / path.name
        yield written
        written.replace(path)


def _write_files(folder: Path, result: Result) -> None:
    figures = {"elements": elements_figure(result.found), "fit": fit_figure(result)}
    maps = list(map_figures(result, per_picture=12))
    numbered = {f"maps{f'_{i}' * bool(i)}": figure for i, figure in enumerate(maps)}
    figures |= numbered or {"maps": profiles_figure(result)}
    for name, figure in figures.items():
        if figure is not None:
            figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)
    with (folder / "elements.csv").open("w", newline="", encoding="utf-8") as file:
        rows = plain_rows(result.table)
        writer = csv.DictWriter(file, ["element", *result.table.columns])
        writer.writeheader()
        writer.writerows(rows)
    result.settings.save(folder / "method.json")
