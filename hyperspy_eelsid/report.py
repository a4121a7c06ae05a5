"""Pictures, tables and pages of an identification and a fit, for people without a Python session."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

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
    """

    name: str
    found: ElementIdentification
    fitted: Maps
    truth: Maps = {}


def write_folder(folder: Path, result: Result) -> None:
    """Write ``elements.csv``, ``elements.png`` and, for an image or a line scan, ``maps.png``.

    Parameters
    ----------
    folder
        Where to write; made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
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


def write_page(path: Path, results: Iterable[Result]) -> None:
    """Write one HTML page with tables and pictures of all results, which needs no other file."""
    body = "".join(_section(result) for result in results)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Elements</title>'
        f"<style>{_STYLE}</style></head><body>{body}"
        f'<p class="small">hyperspy_eelsid {version("hyperspy-eelsid")}</p></body></html>',
        encoding="utf-8",
    )


def _section(result: Result) -> str:
    figures = [_elements_figure(result.found), _result_maps(result)]
    pictures = "".join(f"<p>{_picture(figure)}</p>" for figure in figures if figure is not None)
    return f"<h1>{html.escape(result.name)}</h1>{result.found._repr_html_()}{pictures}"


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
