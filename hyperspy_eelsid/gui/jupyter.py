"""The form in Jupyter, of ipywidgets: settings and periodic table on the left, map and spectrum on the right."""

from __future__ import annotations

import html
import warnings
from importlib.util import find_spec
from typing import Any

import ipywidgets
import matplotlib
from hyperspy_gui_ipywidgets.utils import add_display_arg, labelme
from link_traits import link

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS
from hyperspy_eelsid.figures import as_png
from hyperspy_eelsid.gui.linked import LinkedFigure
from hyperspy_eelsid.gui.tool import IdentificationTool
from hyperspy_eelsid.identification.plot import periodic_place
from hyperspy_eelsid.report.result import spread
from hyperspy_eelsid.report.white_lines import white_lines_table

DOTS_PER_INCH = 90
_COLOURS = {"found": "#2e8b57", "possible": "#eef1f4", "excluded": "#c9736b"}


@add_display_arg
def identify_elements(obj: IdentificationTool, **kwargs: Any) -> dict[str, Any]:
    """Widgets of an :class:`~hyperspy_eelsid.gui.IdentificationTool`."""
    form = _Form(obj)
    return {"widget": form.box, "wdict": form.widgets}


class _Form:
    """The widgets, and what happens when the tool has something new."""

    def __init__(self, tool: IdentificationTool) -> None:
        self.tool = tool
        settings = self._settings()
        buttons = self._buttons()
        self.table = {element: self._element(element) for element in ELEMENTS}
        # the last row has a gap above it, as that of the lanthanides has
        grid = ipywidgets.GridBox(
            list(self.table.values()),
            layout={
                "grid_template_columns": "repeat(18, 24px)",
                "grid_template_rows": "repeat(5, 22px) 6px 24px",
                "grid_gap": "1px",
                "margin": "6px 0",
            },
        )
        self.rivals = ipywidgets.VBox()
        self.message, self.value = ipywidgets.HTML(), ipywidgets.Label()
        self.progress = ipywidgets.FloatProgress(min=0, max=1, layout={"width": "8em"})
        link((tool, "progress"), (self.progress, "value"))
        self.summary = ipywidgets.HTML()
        self.map = ipywidgets.Dropdown(layout={"width": "14em"})
        self.whole = ipywidgets.Button(description="All pixels", layout={"width": "7em"})
        self.linked = LinkedFigure(tool.signal, self._say_value)
        self.canvas, self.pixel = self._canvas()
        left = ipywidgets.VBox(
            [
                buttons,
                ipywidgets.HBox([self.progress, self.message]),
                *settings,
                grid,
                self.rivals,
            ],
            layout={"width": "462px"},
        )
        self.view = ipywidgets.VBox(
            [ipywidgets.HBox([self.map, self.whole, self.value]), self.canvas, *self.pixel],
            layout={"display": "none"},
        )
        right = ipywidgets.VBox([self.view, self.summary], layout={"flex": "1 1 700px"})
        self.box = ipywidgets.HBox([left, right], layout={"flex_flow": "row wrap"})
        tool.observe(self._show, "found")
        tool.observe(self._show, "model")
        tool.observe(self._show_message, "message")
        self.map.observe(self._choose_map, "value")
        self.whole.on_click(lambda _: self._select(None))

    @property
    def widgets(self) -> dict[str, Any]:
        """The widgets by name, for tests and other applications."""
        names = "map", "message", "progress", "rivals", "summary", "table", "value", "view", "whole"
        widgets = {name: getattr(self, name) for name in names}
        return widgets | self.fields | self.actions | {"canvas": self.canvas}

    def _settings(self) -> list[Any]:
        self.fields: dict[str, Any] = {
            "threshold": ipywidgets.FloatSlider(min=0, max=1, step=0.01, continuous_update=False),
            "min_fraction": ipywidgets.FloatSlider(
                min=0, max=1, step=0.01, continuous_update=False
            ),
            "elements": ipywidgets.Text(placeholder="all", continuous_update=False),
            "exclude": ipywidgets.Text(placeholder="none", continuous_update=False),
            "name": ipywidgets.Text(continuous_update=False),
        }
        for name, widget in self.fields.items():
            link((self.tool, name), (widget, "value"))
        return [labelme(self.tool.trait(n).label, widget) for n, widget in self.fields.items()]

    def _buttons(self) -> Any:
        described = {
            "run": ("Identify", "identify", "Run the networks"),
            "fit": ("Fit", "fit", "Amounts of what is found, in all pixels"),
            "save": ("Save", "save", "What is found, and the method, in files"),
            "report": ("Report", "report", "A page to be mailed or printed"),
            "add": ("Add elements", "add_elements", "Declare them on the signal"),
        }
        self.actions = {}
        for name, (label, method, tooltip) in described.items():
            style = "primary" if name == "run" else ""
            button = ipywidgets.Button(description=label, tooltip=tooltip, button_style=style)
            button.layout.width = "auto"
            button.on_click(lambda _, method=method: getattr(self.tool, method)())
            self.actions[name] = button
        return ipywidgets.HBox(list(self.actions.values()))

    def _element(self, element: str) -> Any:
        """The button of an element at its place in the periodic table."""
        row, column = periodic_place(ELEMENT_INDEX[element] + 4)
        button = ipywidgets.Button(description=element, tooltip=f"Exclude {element}")
        button.layout = ipywidgets.Layout(
            width="24px",
            height="22px",
            padding="0",
            grid_area=f"{row - 1} / {column} / auto / auto",
        )
        button.style.button_color = _COLOURS["possible"]
        button.style.font_size = "11px"
        button.on_click(lambda _: self.tool.toggle(element))
        return button

    def _canvas(self) -> tuple[Any, list[Any]]:
        """A live canvas where ipympl is installed; else a picture, and fields for the pixel."""
        if find_spec("ipympl"):
            backend = matplotlib.get_backend()
            from ipympl.backend_nbagg import Canvas, FigureManager

            if matplotlib.get_backend() != backend:  # its import takes over all figures of pyplot
                matplotlib.use(backend)
            canvas = Canvas(self.linked.figure)
            with warnings.catch_warnings():  # of ipympl's own use of traitlets
                warnings.simplefilter("ignore", DeprecationWarning)
                FigureManager(canvas, 0)
            canvas.header_visible = canvas.footer_visible = canvas.toolbar_visible = False
            canvas.resizable = False
            self.linked.listen()
            return canvas, []
        shape = self.tool.signal.axes_manager.navigation_shape
        fields = [
            ipywidgets.BoundedIntText(description=name, min=0, max=size - 1)
            for name, size in zip("xy", shape, strict=False)
        ]
        for field in fields:
            field.observe(lambda _: self._select([f.value for f in fields]), "value")
        return ipywidgets.Image(format="png"), fields

    def _select(self, pixel: list[int] | None) -> None:
        if self.tool.found is None:
            return
        if pixel is None:
            self.linked.select(None, None)
        else:
            x, y = (*pixel, 0)[:2]
            self.linked.select((y, y), (x, x))
        self._refresh()

    def _choose_map(self, event: Any) -> None:
        if event.new in self.linked.maps and event.new != self.linked.shown:
            self.linked.show_map(event.new)
            self._refresh()

    def _refresh(self) -> None:
        """Bring the picture up to date, which a live canvas is by itself."""
        if isinstance(self.canvas, ipywidgets.Image):
            self.canvas.value = as_png(self.linked.figure, DOTS_PER_INCH)

    def _say_value(self, text: str) -> None:
        self.value.value = text

    def _show_message(self, event: Any) -> None:
        self.message.value = f'<span style="line-height:1.3">{html.escape(event.new)}</span>'

    def _show(self, event: Any) -> None:
        tool = self.tool
        if tool.found is None:
            return
        self.linked.show(tool.found, tool.model)
        names = list(self.linked.maps)
        if tuple(names) != self.map.options:
            shown = self.linked.shown
            self.map.options = names
            self.map.value = shown if names else None
        self.map.layout.display = self.whole.layout.display = "" if names else "none"
        self.view.layout.display = ""
        self._refresh()
        self.summary.value = summary(tool)
        self._colour_the_table()
        self._offer_rivals()

    def _colour_the_table(self) -> None:
        found = self.tool.found
        strength = found.strength
        for element, button in self.table.items():
            state = (
                "found"
                if element in found.elements
                else "possible"
                if element in found.candidates
                else "excluded"
            )
            button.style.button_color = _COLOURS[state]
            button.style.text_color = "white" if state != "possible" else "black"
            button.tooltip = f"{element}: {state}, probability {strength[element]:.2f}"

    def _offer_rivals(self) -> None:
        """A choice for each element that another could be in the place of."""
        choices = []
        for element, rivals in self.tool.found.rivals.items():
            if not rivals:
                continue
            choice = ipywidgets.ToggleButtons(
                options=[
                    (f"{element}, not {rivals[0]}", element),
                    *((f"{rival}, not {element}", rival) for rival in rivals),
                ],
                style={"button_width": "auto"},
            )
            choice.observe(lambda event, e=element: self._choose(e, event.new), "value")
            choices.append(choice)
        self.rivals.children = choices

    def _choose(self, element: str, chosen: str) -> None:
        if chosen != element:
            self.tool.prefer(chosen, element)


def summary(tool: IdentificationTool) -> str:
    """What is found and why, at.% where it was fitted, and white lines."""
    composition = ""
    if tool.model is not None:
        parts = ", ".join(
            f"{element} {100 * part.value:.1f} {spread(100 * part.error)}"
            for element, part in tool.model.total_composition().items()
        )
        composition = f"<p><b>Composition [at.%]</b>: {html.escape(parts)}</p>"
    found = tool.found
    content = composition + found._repr_html_() + white_lines_table(found)
    return f'<div style="line-height:1.4">{content}</div>'
