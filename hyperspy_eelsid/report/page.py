"""Pages of results in HTML: one for each signal, which needs no other file, and one that lists them all."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from exspy.models import EELSModel
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from hyperspy_eelsid import arguments
from hyperspy_eelsid.figures import as_png
from hyperspy_eelsid.identification import ElementIdentification
from hyperspy_eelsid.report import pictures
from hyperspy_eelsid.report.folder import check_free, whole_or_not
from hyperspy_eelsid.report.origin import origin, title
from hyperspy_eelsid.report.result import Result, spread
from hyperspy_eelsid.report.white_lines import COLUMNS, white_line_rows

DOTS_PER_INCH = 100
SETTINGS = {
    "low_loss_exposure_ratio": "exposure of the low loss over that of the core loss",
    "GOS": "cross sections",
    "beam_energy": "beam energy [keV]",
    "convergence_angle": "convergence semi-angle [mrad]",
    "collection_angle": "collection semi-angle [mrad]",
    "background": "exponents of the power laws of the background",
    "fine_structure": "fine structure",
    "onset_shift": "edges are moved in energy for each",
}


def write_report(
    filename: str | Path,
    found: ElementIdentification,
    model: EELSModel | None = None,
    overwrite: bool = False,
) -> None:
    """Write a page that can be mailed to a colleague: elements and reasons, amounts, pictures and settings.

    The page holds its pictures and the method; it needs no other file, and prints on paper.

    Parameters
    ----------
    filename
        Name of the file, e.g. ``report.html``.
    found
        What ``s.identify_elements()`` found.
    model
        What ``s.auto_model(found)`` fitted, for the amounts.
    overwrite
        Replace a file that is there.

    Raises
    ------
    FileExistsError
        If the file is there and is not to be replaced.
    """
    path = arguments.path("filename", filename)
    arguments.flag("overwrite", overwrite)
    arguments.instance("found", found, ElementIdentification, "what identify_elements found")
    arguments.instance("model", model, EELSModel, "an EELS model", or_none=True)
    check_free(path, overwrite)
    result = Result(path.stem, found, model)
    with whole_or_not(path) as written:
        written.write_text(page(result), encoding="utf-8")


def page(result: Result) -> str:
    """The page of one result."""
    found = result.found
    table = result.table
    return _template("page.html").render(
        title=title(result),
        origin=origin(result),
        found=found,
        rows=table.to_dict("index"),
        jumps=found.jumps,
        doubtful=result.doubtful,
        has_fit=result.model is not None,
        notes=result.notes,
        white_lines=white_line_rows(found),
        white_line_columns=COLUMNS,
        pictures=list(_pictures(result)),
        method=result.settings,
        names=SETTINGS,
        method_link=_data_link("application/json", result.settings.to_json().encode()),
        n_pixels=found._judgement.found.shape[0],
    )


class Report:
    """Pages of results as they come: that of a single one is the report; with more of them it lists the pages.

    Parameters
    ----------
    path
        File of the report; the pages of several results lie in a folder of the same name without the ending.
    overwrite
        Replace files that are there.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        self.path, self.folder = path, path.with_suffix("")
        self._overwrite = overwrite
        self._first: tuple[str, str] | None = None
        self._summaries: list[dict[str, Any]] = []

    def add(self, result: Result) -> None:
        """Write the page of a result, and what lists it.

        Raises
        ------
        OSError
            If it cannot be written; FileExistsError if a file is there and is not to be replaced.
        """
        text = page(result)
        summary = _summary(result, f"{self.folder.name}/{result.name}.html")
        if not self._summaries:
            self._write(self.path, text)
            self._first = (result.name, text)
        else:
            if self._first is not None:
                self._write(self.folder / f"{self._first[0]}.html", self._first[1])
                self._first = None
            self._write(self.folder / f"{result.name}.html", text)
        self._summaries.append(summary)
        if len(self._summaries) > 1:
            listed = _template("summary.html").render(title=self.path.stem, results=self._summaries)
            self._write(self.path, listed, again=True)

    def _write(self, path: Path, text: str, again: bool = False) -> None:
        check_free(path, self._overwrite or again)
        with whole_or_not(path) as written:
            written.write_text(text, encoding="utf-8")


def _summary(result: Result, link: str) -> dict[str, Any]:
    """The line of a result in the list."""
    return {
        "name": result.name,
        "link": link,
        "file": result.file,
        "title": title(result),
        "elements": {
            element: (row.get("atomic percent"), row.get("error"))
            for element, row in result.table.to_dict("index").items()
        },
        "doubtful": result.doubtful,
        "date": result.found.spectrum.metadata.get_item("General.date", ""),
        "notes": result.notes,
        "no_fit": result.no_fit,
    }


def _pictures(result: Result) -> Iterator[dict[str, str]]:
    """Heading, explanation and address of each picture."""

    def picture(part: str, text: str, figure: Figure | None) -> Iterator[dict[str, str]]:
        if figure is not None:
            source = _data_link("image/png", as_png(figure, DOTS_PER_INCH))
            yield {"part": part, "text": text, "source": source}

    yield from picture(
        "spectrum",
        "Sum of all spectra with the edges of the elements found, at their tabulated energies; below it the "
        "probability of each element, framed where it is found.",
        pictures.elements_figure(result.found),
    )
    yield from picture(
        "fit",
        "The fit over the mean of all spectra. Below, both without the background: coloured areas are the edges of "
        "atoms, the red line has their fine structure too.",
        pictures.fit_figure(result),
    )
    yield from picture("maps", "Sum of the counts in each pixel.", pictures.image_figure(result))
    yield from picture(
        "maps", "Probability of each element along the line.", pictures.profiles_figure(result)
    )
    for figure in pictures.map_figures(result):
        yield from picture(
            "maps",
            "Maps of what is named on the left. Each colour bar begins at zero; grey pixels have no value.",
            figure,
        )


def _data_link(kind: str, content: bytes) -> str:
    """An address that is the content itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@cache
def _template(name: str) -> Any:
    loader = PackageLoader("hyperspy_eelsid.report", "templates")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["spread"] = spread
    return environment.get_template(name)
