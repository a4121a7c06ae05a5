"""Pictures and tables of an identification, for people without a Python session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from hyperspy_eelsid.edges import EDGES

PANEL_WIDTH_IN = 2.4


def spectrum_figure(energy: np.ndarray, spectrum: np.ndarray, elements: Sequence[str]) -> Figure:
    """Draw a spectrum with the major edges of some elements.

    Parameters
    ----------
    energy : Energy axis [eV], shape (channels,).
    spectrum : Counts, shape (channels,).
    elements : Symbols.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    axes.semilogy(energy, np.where(spectrum > 0, spectrum, np.nan), color="black", lw=1)
    groups: dict[str, list[float]] = {}
    for edge in EDGES:
        inside = energy.min() <= edge.onset_energy <= energy.max()
        if edge.major and edge.element in elements and inside:
            groups.setdefault(f"{edge.element} {edge.group}", []).append(edge.onset_energy)
    for number, (label, onsets) in enumerate(groups.items()):
        style = {"color": f"C{number % 10}"}
        for onset in onsets:
            axes.axvline(onset, ls="--", lw=1, **style)
        axes.text(min(onsets), 1.01, label, transform=axes.get_xaxis_transform(), **style)
    axes.set(xlabel="Energy loss [eV]", ylabel="Counts", xlim=(energy.min(), energy.max()))
    return figure


def maps_figure(rows: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw maps in a grid: a row for each kind of map, a column for each element.

    Parameters
    ----------
    rows : Label of the row -> element -> map, shape (y, x). The first row names the columns; an
        element that another row lacks leaves its place empty.
    """
    elements = list(next(iter(rows.values())))
    height, width = next(iter(rows.values()))[elements[0]].shape
    figure = Figure(
        figsize=(
            PANEL_WIDTH_IN * len(elements),
            (PANEL_WIDTH_IN * height / width + 0.3) * len(rows) + 0.3,
        ),
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
