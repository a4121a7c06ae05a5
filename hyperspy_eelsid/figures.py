"""Maps in grids with colour bars, units and a scale bar; and pictures as bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from hyperspy.signals import BaseSignal
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

PANEL_WIDTH_IN = 2.2
COLOUR_BAR_IN = 0.55
SCALE_BAR = 0.3  # largest share of the width
COLOUR_MAP = "viridis"


class Row(NamedTuple):
    """Maps of one quantity.

    Parameters
    ----------
    maps
        Element -> map, shape (y, x).
    unit
        Label of the colour bars.
    limit
        End of the colours of all maps; None ends each at its own largest value.
    """

    maps: Mapping[str, np.ndarray]
    unit: str = ""
    limit: float | None = None


def with_common_scale(row: Row) -> Row:
    """The row with the largest value of all its maps as the end of the colours of each."""
    largest = [np.nanmax(m, initial=0) for m in row.maps.values() if np.isfinite(m).any()]
    return row._replace(limit=float(max(largest, default=1.0)) or 1.0)


def maps_figure(
    rows: Mapping[str, Row],
    elements: Sequence[str],
    image: BaseSignal | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Draw maps in a grid: a row for each quantity, a column for each element.

    Parameters
    ----------
    rows
        Label of the row -> its maps. An element that a row lacks leaves its place empty. Colours begin at zero.
    elements
        Symbols, in the order of the columns.
    image
        A signal with the axes of the maps, for the scale bar.
    figure
        Figure to draw in, a new one by default, which no list of pyplot keeps.
    """
    width, height = panel_size(next(iter(next(iter(rows.values())).maps.values())).shape)
    if figure is None:
        size = (width * len(elements) + 0.9, (height + 0.15) * len(rows) + 0.4)
        figure = Figure(figsize=size)
    figure.set_layout_engine("constrained")
    grid = figure.subplots(len(rows), len(elements), squeeze=False)
    for line, (label, row) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
        for axes, element in zip(line, elements, strict=True):
            axes.set(xticks=[], yticks=[])
            if element not in row.maps:
                axes.set_frame_on(False)
                continue
            draw_map(axes, row.maps[element], row.unit, row.limit)
            if axes is line[0] and image is not None:
                add_scale_bar(axes, image)
    for axes, element in zip(grid[0], elements, strict=True):
        axes.set_title(element)
    return figure


def panel_size(shape: tuple[int, ...]) -> tuple[float, float]:
    """Width and height of a drawn map with its colour bar [inch]; thin images get room for the bar and its name."""
    return PANEL_WIDTH_IN + COLOUR_BAR_IN, PANEL_WIDTH_IN * min(max(shape[0] / shape[1], 0.45), 2.5)


def name_and_unit(quantity: str) -> tuple[str, str]:
    """A quantity such as ``"Areal density (atoms/nm²)"`` in its two parts; the unit may be empty."""
    name, _, unit = quantity.partition(" (")
    return name, unit.rstrip(")")


def draw_map(
    axes: Axes,
    values: np.ndarray,
    unit: str = "",
    limit: float | None = None,
    colours: str = COLOUR_MAP,
) -> None:
    """Draw one map with a colour bar; colours begin at zero, pixels without a value are light grey."""
    if limit is None and not np.nanmax(values, initial=0) > 0:
        limit = 1.0  # a map of nothing is dark, not of the colours of rounding errors
    axes.set_facecolor("0.9")
    drawn = axes.imshow(values, vmin=0, vmax=limit, cmap=colours, interpolation="nearest")
    axes.figure.colorbar(drawn, ax=axes, label=unit, fraction=0.06, pad=0.02)


def add_scale_bar(axes: Axes, image: BaseSignal) -> None:
    """Add a bar of a round length to a drawn image; none if its axis has no unit.

    Parameters
    ----------
    axes
        Axes in which it is drawn, one unit a pixel.
    image
        Signal whose signal axes are those of the image.
    """
    axis = image.axes_manager.signal_axes[0]
    unit = str(axis.units)
    if not axis.is_uniform or unit in ("", "<undefined>", "px"):
        return
    length = round_length(SCALE_BAR * axis.size * abs(axis.scale))
    bar = AnchoredSizeBar(
        axes.transData,
        length / abs(axis.scale),
        f"{length:g} {unit}",
        loc="lower left",
        color="white",
        frameon=True,
        size_vertical=max(image.data.shape) / 80,
        pad=0.3,
        borderpad=0.3,
    )
    bar.patch.set(facecolor="black", alpha=0.5, edgecolor="none")
    axes.add_artist(bar)


def round_length(largest: float) -> float:
    """The largest of 1, 2, 5, 10, 20, ... that is not above a length."""
    power = 10.0 ** np.floor(np.log10(largest))
    return float(max(factor * power for factor in (1, 2, 5) if factor * power <= largest))


def as_png(figure: Figure, dots_per_inch: int) -> bytes:
    """The picture of a figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch)
    return buffer.getvalue()
