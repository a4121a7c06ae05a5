"""Maps of oxidation states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NO_STATE = "lightgrey"


def plot_states(
    state: BaseSignal,
    probability: np.ndarray,
    accepted: np.ndarray,
    agrees_with_ratio: np.ndarray,
    labels: tuple[str, ...],
    element: str,
) -> Figure:
    """State of each pixel with a legend, its probability, and where the ratio of the white lines agrees."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), layout="constrained")
    draw_states(axes[0], state, labels)
    axes[0].set_title(f"{element} state")
    shown = _draw(axes[1], probability, state, cmap="viridis", vmin=1 / len(labels), vmax=1)
    axes[1].set_title("Probability of the state")
    if shown is not None:
        figure.colorbar(shown, ax=axes[1])
    agrees = np.where(accepted, agrees_with_ratio, np.nan)
    colours = ["tab:orange", "tab:blue"]
    _draw(axes[2], agrees, state, cmap=ListedColormap(colours), vmin=0, vmax=1)
    axes[2].set_title("Ratio of the white lines")
    names = ("says another state", "agrees", "no answer")
    _legend(axes[2], zip(names, [*colours, NO_STATE], strict=True))
    return figure


def draw_states(axes: Axes, state: BaseSignal, labels: tuple[str, ...]) -> None:
    """A map of states by their numbers, with a legend."""
    colours = [plt.get_cmap("tab10")(i) for i in range(len(labels))]
    _draw(axes, state.data, state, cmap=ListedColormap(colours), vmin=-0.5, vmax=len(labels) - 0.5)
    _legend(axes, zip([*labels, "none"], [*colours, NO_STATE], strict=True))


def _draw(axes: Axes, data: np.ndarray, signal: BaseSignal, **how):
    """An image, or points along a line scan; both on the axes of the signal."""
    if data.ndim == 2:
        x, y = signal.axes_manager.signal_axes
        axes.set_facecolor(NO_STATE)
        axes.set(xlabel=f"{x.name} ({x.units})", ylabel=f"{y.name} ({y.units})")
        left, top = (axis.low_value - axis.scale / 2 for axis in (x, y))
        extent = (left, left + x.size * x.scale, top + y.size * y.scale, top)
        return axes.imshow(
            np.ma.masked_invalid(data), interpolation="nearest", extent=extent, **how
        )
    axes.scatter(np.arange(data.size), data.ravel(), c=data.ravel(), s=12, **how)
    return None


def _legend(axes: Axes, names) -> None:
    handles = [Patch(color=colour, label=name) for name, colour in names]
    axes.legend(
        handles=handles, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2
    )
