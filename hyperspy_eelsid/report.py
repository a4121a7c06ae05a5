"""Pictures, tables and pages of an identification and a fit, for people without a Python session."""

from __future__ import annotations

import base64
import csv
import errno
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from hyperspy_eelsid.exceptions import EelsidError

if TYPE_CHECKING:
    from hyperspy_eelsid.identification import ElementIdentification

Maps = Mapping[str, np.ndarray]
"""Element -> map, shape of the scan."""

PROBABILITY = "probability"
PANEL_WIDTH_IN = 2.2
DOTS_PER_INCH = 150
PAGE_DOTS_PER_INCH = 90

_STYLE = """body{font-family:sans-serif;max-width:60em;margin:2em auto;color:#222}
table{border-collapse:collapse}td,th{padding:.2em .8em;border-bottom:1px solid #ccc;text-align:left}
img{max-width:100%}p.small{color:#666;font-size:small}"""


class Result(NamedTuple):
    """What is known of one signal.

    Attributes
    ----------
    name
        Name of the signal or of its file.
    found
        The identification.
    fitted
        Amount of each element that was fitted; may be empty.
    truth
        Amount of each element that is really there, of a simulation.
    no_fit
        Why a fit that was asked for is missing.
    """

    name: str
    found: ElementIdentification
    fitted: Maps
    truth: Maps = {}
    no_fit: str = ""


def write_folder(folder: Path, result: Result, overwrite: bool = False) -> None:
    """Write ``elements.csv``, ``elements.png`` and, for an image or a line scan, ``maps.png``.

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
            _check_free(folder / file.name, overwrite)
        for file in files:
            file.replace(folder / file.name)


def _check_free(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        message = "it is there already; --overwrite, or overwrite=True, replaces it"
        raise FileExistsError(errno.EEXIST, message, str(path))


def _write_files(folder: Path, result: Result) -> None:
    found, fitted = result.found, result.fitted
    _elements_figure(found).savefig(folder / "elements.png", dpi=DOTS_PER_INCH)

    with (folder / "elements.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("element", "share of pixels above threshold", "mean fitted amount"))
        for element in found.elements:
            amount = np.nanmean(fitted[element]) if element in fitted else ""
            table.writerow((element, found.fraction[element], amount))

    if (figure := _result_maps(result)) is not None:
        figure.savefig(folder / "maps.png", dpi=DOTS_PER_INCH)


def write_page(path: Path, results: Iterable[Result], overwrite: bool = False) -> None:
    """Write one HTML page with tables and pictures of all results, which needs no other file.

    Parameters
    ----------
    path
        File to write, which is there whole or as it was before.
    results
        What is known of the signals.
    overwrite
        Replace a file that is there.

    Raises
    ------
    FileExistsError
        If the file is there and is not to be replaced.
    """
    _check_free(path, overwrite)
    body = "".join(_section(result) for result in results)
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".eelsid_") as new:
        page = Path(new) / "page.html"
        page.write_text(
            _PAGE.format(style=_STYLE, body=body, version=version("hyperspy-eelsid")),
            encoding="utf-8",
        )
        page.replace(path)


_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Elements</title>'
    "<style>{style}</style></head><body>{body}"
    '<p class="small">hyperspy_eelsid {version}</p></body></html>'
)


def _section(result: Result) -> str:
    figures = [_elements_figure(result.found), _result_maps(result)]
    pictures = "".join(f"<p>{_picture(figure)}</p>" for figure in figures if figure is not None)
    reason = f"<p>No fit: {html.escape(result.no_fit)}</p>" if result.no_fit else ""
    heading = f"<h1>{html.escape(result.name)}</h1>"
    tables = result.found._repr_html_() + white_lines_table(result.found)
    return f"{heading}{tables}{reason}{pictures}"


def white_lines_table(found: ElementIdentification) -> str:
    """HTML table of the white lines that the summed spectrum shows, empty if none."""
    rows = []
    for element in found.elements:
        try:
            lines = found.oxidation(element)
        except EelsidError:  # no white lines, or not whole in the window
            continue
        ratio, variance = (
            float(signal.data[0])
            for signal in (lines.ratio, lines.ratio.metadata.Signal.Noise_properties.variance)
        )
        if not np.isfinite(ratio):
            continue
        try:
            charge = "" if element == "Fe" else f"{lines.oxidation_state().data[0]:.0f}+"
        except EelsidError:  # one computed ion
            charge = ""
        rows.append((lines.edge.replace("_", "-"), f"{ratio:.2f} ± {variance**0.5:.2f}", charge))
    if not rows:
        return ""
    head = (
        "<tr><th>white lines of the sum</th><th>ratio</th><th>ion with the nearest ratio</th></tr>"
    )
    body = "".join("<tr>" + "".join(f"<td>{x}</td>" for x in row) + "</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def _picture(figure: Figure) -> str:
    """An ``img`` that holds the picture itself."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PAGE_DOTS_PER_INCH)
    return (
        f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
    )


def as_json(result: Result) -> dict[str, Any]:
    """An identification and the mean fitted amounts in types that JSON knows."""
    found = result.found
    table = found.to_dataframe().reset_index().to_dict("records")
    for row in table:
        if row["element"] in result.fitted:
            row["mean fitted amount"] = float(np.nanmean(result.fitted[row["element"]]))
    settings = {
        "threshold": found.threshold,
        "min_fraction": found.min_fraction,
        "networks": found.networks,
        "unusual": found.unusual,
        **({"no_fit": result.no_fit} if result.no_fit else {}),
    }
    return {"name": result.name, **settings, "elements": table}


def _elements_figure(found: ElementIdentification) -> Figure:
    """Spectrum and periodic table, in a figure that no window and no list of pyplot keeps."""
    figure = Figure(figsize=(9, 8))
    found.plot(figure)
    return figure


def _result_maps(result: Result) -> Figure | None:
    """Maps of truth, probability and fit of an image, profiles of a line scan; None when there are none."""
    found = result.found
    columns = [*found.elements, *(e for e in result.truth if e not in found.elements)]
    dimension = found.probability.axes_manager.navigation_dimension
    if dimension == 1 and found.elements:
        figure = Figure(figsize=(9, 4), layout="constrained")
        found.plot_maps(fig=figure)
        return figure
    if dimension != 2 or not columns:
        return None
    rows = {
        "truth": result.truth,
        PROBABILITY: {element: found.probability[element].data for element in columns},
        "model fit": result.fitted,
    }
    return maps_figure({label: maps for label, maps in rows.items() if maps}, columns)


def maps_figure(rows: Mapping[str, Maps], elements: Sequence[str]) -> Figure:
    """Draw maps in a grid: a row for each kind of map, a column for each element.

    Parameters
    ----------
    rows
        Label of the row -> element -> map, shape (y, x). An element that a row lacks leaves
        its place empty. Colours begin at zero; those of ``"probability"`` end at one,
        others at the largest value.
    elements
        Symbols, in the order of the columns.
    """
    height, width = next(iter(next(iter(rows.values())).values())).shape
    panel_height = PANEL_WIDTH_IN * height / width
    figure = Figure(
        figsize=(PANEL_WIDTH_IN * len(elements), panel_height * len(rows) + 0.4),
        layout="constrained",
    )
    grid = figure.subplots(len(rows), len(elements), squeeze=False)
    for line, (label, maps) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
        for axes, element in zip(line, elements, strict=True):
            axes.set(xticks=[], yticks=[])
            if element in maps:
                axes.imshow(maps[element], vmin=0, vmax=1 if label == PROBABILITY else None)
            else:
                axes.set_frame_on(False)
    for axes, element in zip(grid[0], elements, strict=True):
        axes.set_title(element)
    return figure
