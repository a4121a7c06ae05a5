"""Pictures and a table of an identification and a fit, written for people without a Python session."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from hyperspy_eelsid.identification import ElementIdentification

Maps = Mapping[str, np.ndarray]
"""Element -> map, shape of the scan."""

PANEL_WIDTH_IN = 2.2
DOTS_PER_INCH = 150


def write_report(
    folder: Path, found: ElementIdentification, fitted: Maps, truth: Maps | None = None
) -> None:
    """Write ``elements.csv``, ``elements.png`` and, for an image, ``maps.png``.

    Parameters
    ----------
    folder : Where to write; made if it is not there.
    found : The identification.
    fitted : Amount of each element that was fitted; may be empty.
    truth : Amount of each element that is really there, of a simulation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found.plot().savefig(folder / "elements.png", dpi=DOTS_PER_INCH)

    with (folder / "elements.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("element", "share of pixels above threshold", "mean fitted amount"))
        for element in found.elements:
            amount = fitted[element].mean() if element in fitted else ""
            table.writerow((element, found.fraction[element], amount))

    columns = [
        *found.elements,
        *(element for element in truth or () if element not in found.elements),
    ]
    if found.probability.axes_manager.navigation_dimension == 2 and columns:
        rows = {
            "truth": truth or {},
            "probability": {element: found.probability[element].data for element in columns},
            "model fit": fitted,
        }
        figure = maps_figure({label: maps for label, maps in rows.items() if maps}, columns)
        figure.savefig(folder / "maps.png", dpi=DOTS_PER_INCH)


def maps_figure(rows: Mapping[str, Maps], elements: Sequence[str]) -> Figure:
    """Draw maps in a grid: a row for each kind of map, a column for each element.

    Parameters
    ----------
    rows : Label of the row -> element -> map, shape (y, x). An element that a row lacks leaves its
        place empty.
    elements : Symbols, in the order of the columns.
    """
    height, width = next(iter(next(iter(rows.values())).values())).shape
    panel_height = PANEL_WIDTH_IN * height / width
    figure = Figure(
        figsize=(PANEL_WIDTH_IN * len(elements), panel_height * len(rows) + 0.4),
        layout="constrained",
    )
    grid = figure.subplots(len(rows), len(elements), squeeze=False)
    for line, (label, maps) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(label)
        for axes, element in zip(line, elements, strict=True):
            axes.set(xticks=[], yticks=[])
            if element in maps:
                axes.imshow(maps[element], vmin=0)
            else:
                axes.set_frame_on(False)
    for axes, element in zip(grid[0], elements, strict=True):
        axes.set_title(element)
    return figure
