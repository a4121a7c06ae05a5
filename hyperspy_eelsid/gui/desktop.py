"""The form in a window of its own, of traitsui."""

from __future__ import annotations

from typing import Any

import traits.api as t
import traitsui.api as tu
from hyperspy_gui_traitsui.utils import add_display_arg

from hyperspy_eelsid.gui import IdentificationTool


class _Window(tu.Controller):
    """Adds buttons, the table as text and figures that follow the settings."""

    run = t.Button("Identify")
    add = t.Button("Add elements")
    plot = t.Button("Plot")
    text = t.Str()

    def _run_fired(self) -> None:
        self.model.identify()

    def _add_fired(self) -> None:
        self.model.add_elements()

    def _plot_fired(self) -> None:
        if self.model.found is not None:
            self.model.found.plot().show()

    @t.observe("model:found")
    def _show(self, event: Any) -> None:
        if event.new is not None:
            self.text = repr(event.new)


def _view() -> tu.View:
    names = ("threshold", "min_fraction", "elements", "exclude")
    settings = (
        tu.Item(name, label=IdentificationTool.class_traits()[name].label) for name in names
    )
    buttons = (tu.Item(f"handler.{name}", show_label=False) for name in ("run", "add", "plot"))
    return tu.View(
        tu.Group(*settings),
        tu.HGroup(*buttons),
        tu.Item("message", style="readonly", show_label=False),
        tu.Item("handler.text", style="readonly", show_label=False, springy=True),
        title="Identify elements",
        resizable=True,
        width=800,
        height=400,
    )


@add_display_arg
def identify_elements(obj: IdentificationTool, **kwargs: Any) -> tuple[IdentificationTool, dict]:
    """The window of an :class:`~hyperspy_eelsid.gui.IdentificationTool`."""
    return obj, {"handler": _Window(obj), "view": _view()}
