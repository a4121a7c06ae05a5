"""The form in a window of its own, of traitsui; its figures are windows of matplotlib, as everywhere in HyperSpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import traits.api as t
import traitsui.api as tu
from hyperspy_gui_traitsui.utils import add_display_arg
from matplotlib.figure import Figure

from hyperspy_eelsid.gui.tool import IdentificationTool, has_maps
from hyperspy_eelsid.report.white_lines import white_lines_table

_STYLE = "<style>td, th {padding-right: 1em; text-align: left}</style>"


class _Window(tu.Controller):
    """Adds buttons, the table, and two figures that are drawn again whenever the result changes."""

    run = t.Button("Identify")
    fit = t.Button("Fit")
    save = t.Button("Save")
    report = t.Button("Report")
    add = t.Button("Add elements")
    percent = t.Int()
    table = t.Str()
    periodic_table = t.Instance(Figure)
    maps = t.Instance(Figure)

    def _run_fired(self) -> None:
        self.model.identify()

    def _fit_fired(self) -> None:
        self.model.fit()

    def _save_fired(self) -> None:
        self.model.save()

    def _report_fired(self) -> None:
        self.model.report()

    def _add_fired(self) -> None:
        self.model.add_elements()

    @t.observe("model:progress")
    def _count(self, event: Any) -> None:
        self.percent = round(100 * event.new)

    @t.observe("model:found")
    def _show(self, event: Any) -> None:
        found = event.new
        self.table = _STYLE + found._repr_html_() + white_lines_table(found)
        with plt.ioff():  # else interactive backends show the figures before they are drawn
            self.periodic_table = _drawn(self.periodic_table, found.plot, (9, 8))
            if has_maps(found):
                self.maps = _drawn(self.maps, found.plot_maps, (11, 5))
            elif self.maps is not None:
                self.maps.clear()
                self.maps.canvas.draw_idle()


def _drawn(figure: Figure | None, draw: Callable[..., Any], size: tuple[float, float]) -> Figure:
    """The figure drawn anew; another one if there is none or if the user has closed it."""
    if figure is None or not plt.fignum_exists(figure.number):
        figure = plt.figure(figsize=size)
        figure.show(warn=False)
    figure.clear()
    draw(fig=figure)
    figure.canvas.draw_idle()
    return figure


def _view() -> tu.View:
    names = ("threshold", "min_fraction", "elements", "exclude", "name")
    settings = (
        tu.Item(name, label=IdentificationTool.class_traits()[name].label) for name in names
    )
    # the bar lets the window react while the networks run
    buttons = (
        tu.Item(f"handler.{name}", show_label=False, enabled_when="not object.busy")
        for name in ("run", "fit", "save", "report", "add")
    )
    progress = tu.Item(
        "handler.percent", editor=tu.ProgressEditor(min=0, max=100), show_label=False, springy=True
    )
    return tu.View(
        tu.Group(*settings),
        tu.HGroup(*buttons, progress),
        tu.Item("message", style="readonly", show_label=False),
        tu.Item("handler.table", editor=tu.HTMLEditor(), show_label=False),
        title="Identify elements",
        resizable=True,
        width=800,
        height=500,
    )


@add_display_arg
def identify_elements(obj: IdentificationTool, **kwargs: Any) -> tuple[IdentificationTool, dict]:
    """The window of an :class:`~hyperspy_eelsid.gui.IdentificationTool`."""
    return obj, {"handler": _Window(obj), "view": _view()}
