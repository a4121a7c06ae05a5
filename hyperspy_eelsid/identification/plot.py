"""Pictures of an identification: spectrum with edges, periodic table, maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
from hyperspy.signals import BaseSignal
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hyperspy_eelsid.edges import ELEMENT_INDEX
from hyperspy_eelsid.energy_axis import measured_window
from hyperspy_eelsid.exceptions import ArgumentError

COLOUR_MAP = "viridis"
MAPS_PER_ROW = 4
MAP_WIDTH_IN = 2.2
_LANTHANIDES_FROM, _LANTHANIDES_TO = 57, 71
_ROW_ENDS = (2, 10, 18, 36, 54, 86)  # noble gases


def periodic_place(atomic_number: int) -> tuple[int, int]:
    """Row and column of an element in the periodic table; lanthanides stand in row 8 below it."""
    if _LANTHANIDES_FROM <= atomic_number <= _LANTHANIDES_TO:
        return 8, 3 + atomic_number - _LANTHANIDES_FROM
    row = next(i for i, end in enumerate(_ROW_ENDS, start=1) if atomic_number <= end)
    place = atomic_number - (0, *_ROW_ENDS)[row - 1]
    from_end = _ROW_ENDS[row - 1] - atomic_number
    block = {2: 2, 3: 2}.get(row, 3)
    return row, place if place < block or (place == 2 and block == 2) else 18 - from_end


def plot_identification(
    counts: np.ndarray,
    energy: np.ndarray,
    edges: Mapping[str, Mapping[str, float]],
    probability: Mapping[str, float],
    figure: Figure | None = None,
) -> list[Axes]:
    """Draw a spectrum with the edges of the elements found, above a periodic table.

    Parameters
    ----------
    counts
        Spectrum, shape (n_channels,).
    energy
        Energies of the channels [eV], shape (n_channels,).
    edges
        Edge groups and their onsets [eV] of each element that is found.
    probability
        Probability of each element.
    figure
        Figure to draw in, a new one by default.
    """
    if figure is None:
        figure = plt.figure(figsize=(9, 8))
    figure.set_layout_engine("constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(1, 1.1))
    draw_spectrum(top, counts, energy, edges)
    _draw_periodic_table(bottom, probability, set(edges))
    # axes and not the figure, which notebooks would show a second time
    return [top, bottom]


def draw_spectrum(
    axes: Axes,
    counts: np.ndarray,
    energy: np.ndarray,
    edges: Mapping[str, Mapping[str, float]],
) -> None:
    """Draw a spectrum with the edges of some elements.

    Parameters
    ----------
    axes
        Where to draw.
    counts
        Shape (n_channels,).
    energy
        Energies of the channels [eV], shape (n_channels,).
    edges
        Edge groups and their onsets [eV] of each element.
    """
    start, end = measured_window(energy)
    inside = (energy >= start) & (energy <= end)
    counts = np.where(counts > 0, counts, np.nan)[inside]
    axes.semilogy(energy[inside], counts, color="black", lw=1)
    axes.set(xlabel="Energy loss (eV)", ylabel="Counts", xlim=(start, end))
    last = -np.inf
    level = 0
    marks = [
        (onset, f"{element}-{group}", f"C{number % 10}")
        for number, (element, groups) in enumerate(edges.items())
        for group, onset in groups.items()
    ]
    for onset, label, colour in sorted(marks):
        # labels that would overlap climb in steps
        level = level + 1 if onset - last < 0.06 * (end - start) else 0
        last = onset
        axes.axvline(onset, color=colour, ls="--", lw=1)
        axes.annotate(
            label,
            (onset, 1.01 + 0.065 * (level % 4)),
            xycoords=("data", "axes fraction"),
            color=colour,
            ha="center",
            fontsize="small",
        )


def _draw_periodic_table(axes: Axes, probability: Mapping[str, float], chosen: set[str]) -> None:
    """Shade every element by its probability, and frame those that are chosen."""
    colours = plt.get_cmap(COLOUR_MAP)
    for element, value in probability.items():
        row, column = periodic_place(ELEMENT_INDEX[element] + 4)
        shade = colours(float(value))
        axes.add_patch(
            Rectangle(
                (column, row),
                0.94,
                0.94,
                facecolor=shade,
                edgecolor="crimson" if element in chosen else "none",
                lw=2,
            )
        )
        dark = sum(shade[:3]) < 1.5
        axes.text(
            column + 0.47,
            row + 0.47,
            element,
            ha="center",
            va="center",
            color="white" if dark else "black",
            fontweight="bold" if element in chosen else "normal",
        )
    axes.set(xlim=(0.9, 19), ylim=(9.05, 1.9), aspect="equal")
    axes.set_axis_off()
    scale = plt.cm.ScalarMappable(cmap=COLOUR_MAP)
    scale.set_clim(0, 1)
    axes.figure.colorbar(scale, ax=axes, label="Probability", shrink=0.8)


def plot_maps(
    intensity: BaseSignal, maps: Mapping[str, BaseSignal], **kwargs: Any
) -> list[Axes] | Axes:
    """Draw the summed intensity and the probability map of every element found.

    Parameters
    ----------
    intensity
        Sum over the energy axis, an image or a profile.
    maps
        Probability map of each element that is found.
    **kwargs
        Passed to :func:`hyperspy.api.plot.plot_images`, or ``plot_spectra`` for a line scan.

    Raises
    ------
    ArgumentError
        If there is nothing to draw.
    """
    dimension = intensity.axes_manager.signal_dimension
    if dimension not in (1, 2):
        raise ArgumentError(
            f"There are no maps of a {'single spectrum' if dimension == 0 else 'volume'}; "
            "use plot() to see its probabilities, or found.probability['Fe'] for an element."
        )
    if not maps:
        raise ArgumentError(
            "No element was found; with_threshold() with a lower threshold may help."
        )
    if dimension == 1:
        axes = hs.plot.plot_spectra(list(maps.values()), legend=list(maps), **kwargs)
        axes.set(ylabel="Probability", ylim=(-0.02, 1.05))
        return axes
    columns = min(len(maps) + 1, MAPS_PER_ROW)
    rows = -(-(len(maps) + 1) // MAPS_PER_ROW)
    height, width = intensity.data.shape
    panel_height = min(max(MAP_WIDTH_IN * height / width, 1), 2 * MAP_WIDTH_IN) + 0.5
    options = {
        "cmap": ["gray"] + [COLOUR_MAP] * len(maps),
        "vmin": [None] + [0] * len(maps),
        "vmax": [None] + [1] * len(maps),
        "label": ["Sum", *maps],
        "suptitle": False,
        "axes_decor": None,  # a frame, so that bright pixels do not look like paper
        "per_row": columns,
        "tight_layout": True,
    }
    if all(axis.units for axis in intensity.axes_manager.signal_axes):
        options |= {"scalebar": [0], "scalebar_color": "crimson"}
    if "fig" not in kwargs and "ax" not in kwargs:
        options["fig"] = plt.figure(figsize=(1.4 * MAP_WIDTH_IN * columns, rows * panel_height))
    drawn = hs.plot.plot_images([intensity, *maps.values()], **options | kwargs)
    for axes, label in zip(drawn, ["Counts", *["Probability"] * len(maps)], strict=True):
        for image in axes.images:
            if image.colorbar is not None:
                image.colorbar.set_label(label)
        if "axes_decor" not in kwargs:
            axes.set(xticks=[], yticks=[])
    if "fig" in options:
        options["fig"].tight_layout()
    return drawn
