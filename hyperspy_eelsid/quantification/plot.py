"""Pictures of a fit: what the model is made of over the mean spectrum, and maps of what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from exspy.models import EELSModel
from matplotlib.figure import Figure

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.figures import (
    Row,
    add_scale_bar,
    draw_map,
    name_and_unit,
    panel_size,
    with_common_scale,
)
from hyperspy_eelsid.quantification.linear_model import LinearModel
from hyperspy_eelsid.quantification.maps import composition, elemental_maps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAPS_PER_ROW = 4
QUANTITIES = ("amount", "fraction")
_COLOURS = plt.get_cmap("tab10").colors


def plot_sum(model: EELSModel, fig: Figure | None = None) -> list[Axes]:
    """Draw the fit over the mean of all spectra: background, edges, fine structure and their sum.

    The lower part shows the same without the background. Channels that are not fitted are shaded.

    Parameters
    ----------
    model
        Fitted model.
    fig
        Figure to draw in, a new one by default.

    Returns
    -------
    list[Axes]
        The matplotlib axes of both parts.
    """
    arguments.instance("fig", fig, Figure, "a matplotlib figure", or_none=True)
    linear = LinearModel(model)
    factors = linear.factors
    fitted = np.isfinite(factors).all(axis=1)
    columns = linear.mean_columns * np.nan_to_num(factors[fitted].mean(axis=0))
    data, energy = linear.mean, linear.energy
    background = columns[:, : linear.n_background].sum(axis=1)
    total = columns.sum(axis=1)
    figure = plt.figure(figsize=(9, 7)) if fig is None else fig
    figure.set_layout_engine("constrained")
    whole, without = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.3))
    ends = energy[[linear.channels[0], linear.channels[-1]]]
    for axes, below in ((whole, 0.0), (without, background)):
        axes.plot(energy, data - below, ".", color="0.45", ms=2.5, label="mean of the spectra")
    whole.plot(energy, background, color="black", lw=1, label="background")
    whole.plot(energy, total, color="crimson", lw=1, label="background + edges")
    lower = np.zeros_like(energy)
    for number, element in enumerate(linear.edges):
        colour = _COLOURS[number % len(_COLOURS)]
        upper = lower + columns[:, linear.n_background + number]
        without.fill_between(energy, lower, upper, color=colour, alpha=0.45, lw=0, label=element)
        lower = upper
    if linear.structures:
        without.plot(energy, lower, color="black", lw=0.8, ls="--", label="edges of atoms")
        label = "edges with fine structure"
    else:
        label = "edges"
    without.plot(energy, total - background, color="crimson", lw=1, label=label)
    _shade_what_is_not_fitted(linear, (whole, without))
    _limit(whole, data, linear.channels)
    _limit(without, data - background, linear.channels)
    whole.set(ylabel="Counts", yscale="log" if (data[linear.channels] > 0).all() else "linear")
    without.set(xlabel="Energy loss (eV)", ylabel="Counts less background", xlim=ends)
    for axes in (whole, without):
        axes.legend(fontsize="small", ncols=2, loc="upper right")
    return [whole, without]


def _shade_what_is_not_fitted(linear: LinearModel, drawn: tuple[Axes, ...]) -> None:
    left_out = np.ones(len(linear.energy), bool)
    left_out[linear.channels] = False
    if not left_out[linear.channels[0] : linear.channels[-1]].any():
        return
    for number, axes in enumerate(drawn):
        axes.fill_between(
            linear.energy,
            0,
            1,
            where=left_out,
            transform=axes.get_xaxis_transform(),
            color="0.92",
            zorder=0,
            label="not fitted" if number == 0 else None,
        )


def _limit(axes: Axes, counts: np.ndarray, channels: np.ndarray) -> None:
    """Let the axis hold the fitted channels and not those that are left out, such as the end of a zero loss."""
    shown = counts[channels]
    low, high = np.nanmin(shown), np.nanmax(shown)
    margin = 0.08 * (high - low)
    axes.set_ylim(low - margin if low <= margin else low * 0.9, high + margin)


def plot_maps(
    model: EELSModel,
    quantity: str = "amount",
    common_scale: bool = False,
    fig: Figure | None = None,
) -> list[Axes]:
    """Draw a map of every element of the fit of an image, with scale bar, colour bars and their unit.

    Parameters
    ----------
    model
        Fitted model.
    quantity
        ``"amount"``, of ``m.elemental_maps()``, or ``"fraction"``, of ``m.composition()``.
    common_scale
        Give all maps the same colours for the same values.
    fig
        Figure to draw in, a new one by default.

    Returns
    -------
    list[Axes]
        The matplotlib axes of the maps.

    Raises
    ------
    ArgumentError
        If `quantity` is none of its values, or the signal of the model is no image.
    """
    arguments.option("quantity", quantity, QUANTITIES)
    arguments.flag("common_scale", common_scale)
    arguments.instance("fig", fig, Figure, "a matplotlib figure", or_none=True)
    arguments.instance("model", model, EELSModel, "an EELS model")
    if model.axes_manager.navigation_dimension != 2:
        raise ArgumentError(
            "Maps are drawn of images; use hs.plot.plot_spectra(list(m.elemental_maps().values())) for a line scan."
        )
    LinearModel(model).parts  # noqa: B018 (a model without edges is told here)
    signals = elemental_maps(model) if quantity == "amount" else composition(model)
    image = next(iter(signals.values()))
    name, unit = name_and_unit(image.metadata.Signal.quantity)
    row = Row({element: signal.data for element, signal in signals.items()}, unit)
    row = with_common_scale(row) if common_scale else row
    columns = min(len(signals), MAPS_PER_ROW)
    rows = -(-len(signals) // columns)
    width, height = panel_size(image.data.shape)
    if fig is None:  # of pyplot, so that it is shown
        fig = plt.figure(figsize=(width * columns, (height + 0.3) * rows + 0.4))
    fig.set_layout_engine("constrained")
    fig.suptitle(name, fontsize="medium")
    grid = fig.subplots(rows, columns, squeeze=False).ravel()
    for axes, (element, values) in zip(grid, row.maps.items(), strict=False):
        draw_map(axes, values, row.unit, row.limit)
        axes.set(title=element, xticks=[], yticks=[])
    for empty in grid[len(signals) :]:
        empty.set_axis_off()
    add_scale_bar(grid[0], image)
    return list(grid[: len(signals)])
