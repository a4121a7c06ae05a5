"""A map and the spectrum of what is selected in it, in one figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hyperspy_eelsid.energy_axis import energy_axis, in_order
from hyperspy_eelsid.figures import COLOUR_MAP, add_scale_bar, draw_map, name_and_unit
from hyperspy_eelsid.identification.plot import draw_spectrum

if TYPE_CHECKING:
    from exspy.models import EELSModel
    from exspy.signals import EELSSpectrum
    from matplotlib.backend_bases import MouseEvent

    from hyperspy_eelsid.identification import ElementIdentification

SUM = "sum of the counts"


class Map(NamedTuple):
    """What can be shown of a scan: values of its pixels, their unit, the end of the colours, and the colours."""

    values: np.ndarray
    unit: str = ""
    limit: float | None = None
    colours: str = COLOUR_MAP


class LinkedFigure:
    """A map beside the spectrum of the pixels that are clicked or dragged over in it.

    Parameters
    ----------
    signal
        The signal; its spectra are looked at, not kept.
    said
        Is called with what stands under the mouse, a text.

    Attributes
    ----------
    figure
        The figure, which any canvas can show.
    maps
        Name -> what can be shown.
    selection
        First and last row, first and last column of the pixels whose spectrum is shown; None for all.
    """

    def __init__(
        self, signal: EELSSpectrum, said: Callable[[str], None] = lambda text: None
    ) -> None:
        self._signal = in_order(signal)
        self._energy = energy_axis(self._signal)
        self._said = said
        self.figure = Figure(figsize=(7.0, 3.8), layout="constrained")
        self.maps: dict[str, Map] = {}
        self.shown = SUM
        self.selection: tuple[int, int, int, int] | None = None
        self._found: ElementIdentification | None = None
        self._pressed: tuple[int, int] | None = None

    def listen(self) -> None:
        """Follow the mouse on the canvas that the figure has now."""
        for event, function in {
            "button_press_event": self._press,
            "button_release_event": self._release,
            "motion_notify_event": self._hover,
        }.items():
            self.figure.canvas.mpl_connect(event, function)

    def show(self, found: ElementIdentification, model: EELSModel | None) -> None:
        """Take another result."""
        self._found = found
        self.maps = scan_maps(found, model)
        if self.shown not in self.maps:
            self.shown = SUM
        self.draw()

    def show_map(self, name: str) -> None:
        """Show another of the maps."""
        self.shown = name
        self.draw()

    def select(self, rows: tuple[int, int] | None, columns: tuple[int, int] | None) -> None:
        """Show the spectrum of some pixels, first and last included; None for all."""
        if rows is None or columns is None:
            self.selection = None
        else:
            self.selection = (*sorted(rows), *sorted(columns))
        self.draw()

    @property
    def spectrum(self) -> np.ndarray:
        """Sum of the spectra of the selected pixels, shape (n_channels,)."""
        assert self._found is not None
        if self.selection is None:
            return self._found.spectrum.data[:: 1 if self._rising else -1]
        top, bottom, left, right = self.selection
        data = self._signal.data.reshape(*self._shape, -1)[top : bottom + 1, left : right + 1]
        return np.nansum(np.asarray(data, float), axis=(0, 1))

    @property
    def _rising(self) -> bool:
        assert self._found is not None
        return self._found.energy[0] < self._found.energy[-1]

    @property
    def _shape(self) -> tuple[int, int]:
        """Rows and columns; a line scan is one row."""
        scan = self._signal.data.shape[:-1]
        return (scan[0], scan[1]) if len(scan) == 2 else (1, int(np.prod(scan)))

    def draw(self) -> None:
        """Draw everything anew."""
        assert self._found is not None
        self.figure.clear()
        if self.maps:
            left, right = self.figure.subplots(1, 2, width_ratios=(1, 1.5))
            self._draw_map(left)
        else:
            right = self.figure.subplots()
        draw_spectrum(right, self.spectrum, self._energy, self._found.edges)
        right.set_title(self._described, fontsize="small", pad=22)
        if self.figure.canvas is not None:
            self.figure.canvas.draw_idle()

    def _draw_map(self, axes) -> None:
        shown = self.maps[self.shown]
        draw_map(axes, shown.values, shown.unit, shown.limit, shown.colours)
        axes.set(title=self.shown, xticks=[], yticks=[])
        if shown.values.shape[0] == 1:
            axes.set_aspect("auto")
        image = self._found.intensity
        if image.axes_manager.signal_dimension == 2:
            add_scale_bar(axes, image)
        if self.selection is not None:
            top, bottom, left, right = self.selection
            size = (right - left + 1, bottom - top + 1)
            axes.add_patch(Rectangle((left - 0.5, top - 0.5), *size, fill=False, ec="red", lw=2))

    @property
    def _described(self) -> str:
        if self.selection is None:
            return "all pixels" if self.maps else ""
        top, bottom, left, right = self.selection
        if (top, left) != (bottom, right):
            return f"{(bottom - top + 1) * (right - left + 1)} pixels"
        return f"pixel {left}, {top}: {self._elements_of(top, left)}"

    def _elements_of(self, row: int, column: int) -> str:
        probability = self._found.probability.data.reshape(*self._shape, -1)[row, column]
        if not np.isfinite(probability).all():
            return "left out"
        pixel = (column, row) if len(self._signal.data.shape) == 3 else (column,)
        found = self._found.elements_at(*pixel)
        return ", ".join(f"{e} {value:.2f}" for e, value in found.items()) or "nothing found"

    def _pixel(self, event: MouseEvent) -> tuple[int, int] | None:
        """Row and column under the mouse."""
        if not self.maps or event.inaxes is not self.figure.axes[0]:
            return None
        rows, columns = self._shape
        row, column = round(event.ydata), round(event.xdata)
        return min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)

    def _press(self, event: MouseEvent) -> None:
        self._pressed = self._pixel(event)

    def _release(self, event: MouseEvent) -> None:
        end, start = self._pixel(event), self._pressed
        self._pressed = None
        if start is not None and end is not None:
            self.select((start[0], end[0]), (start[1], end[1]))

    def _hover(self, event: MouseEvent) -> None:
        pixel = self._pixel(event)
        if pixel is not None:
            shown = self.maps[self.shown]
            value = shown.values[pixel]
            self._said(f"{self.shown} at {pixel[1]}, {pixel[0]}: {value:.4g} {shown.unit}".strip())


def scan_maps(found: ElementIdentification, model: EELSModel | None) -> dict[str, Map]:
    """What can be shown of an image or a line scan: counts, probabilities, amounts and composition."""
    found.compute()
    scan = found.probability.data.shape[:-1]
    if found.probability.axes_manager.navigation_dimension not in (1, 2):
        return {}
    shape = scan if len(scan) == 2 else (1, *scan)
    maps = {SUM: Map(found.intensity.data.reshape(shape), "counts", colours="gray")}
    for element in found.elements:
        maps[f"{element} probability"] = Map(found[element].data.reshape(shape), "", 1.0)
    if model is not None:
        for element, signal in model.elemental_maps().items():
            unit = name_and_unit(signal.metadata.Signal.quantity)[1]
            maps[f"{element} amount"] = Map(signal.data.reshape(shape), unit)
        for element, signal in model.composition().items():
            maps[f"{element} at.%"] = Map(100 * signal.data.reshape(shape), "at.%")
    return maps
