"""The form in Jupyter, of ipywidgets."""

from __future__ import annotations

from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
from hyperspy_gui_ipywidgets.utils import add_display_arg, labelme
from link_traits import link

from hyperspy_eelsid.gui.tool import IdentificationTool, as_png, has_maps
from hyperspy_eelsid.report.white_lines import white_lines_table


@add_display_arg
def identify_elements(obj: IdentificationTool, **kwargs: Any) -> dict[str, Any]:
    """Widgets of an :class:`~hyperspy_eelsid.gui.IdentificationTool`."""
    widgets = {
        "threshold": ipywidgets.FloatSlider(min=0, max=1, step=0.01, continuous_update=False),
        "min_fraction": ipywidgets.BoundedFloatText(min=0, max=1, step=0.01),
        "elements": ipywidgets.Text(placeholder="all", continuous_update=False),
        "exclude": ipywidgets.Text(placeholder="none", continuous_update=False),
    }
    for name, widget in widgets.items():
        link((obj, name), (widget, "value"))
    rows = [labelme(obj.trait(name).label, widget) for name, widget in widgets.items()]
    run = ipywidgets.Button(description="Identify", button_style="primary")
    add = ipywidgets.Button(description="Add elements", tooltip="Declare them on the signal")
    progress = ipywidgets.FloatProgress(min=0, max=1)
    message = ipywidgets.Label()
    table = ipywidgets.HTML()
    picture, maps = ipywidgets.Image(format="png"), ipywidgets.Image(format="png")
    link((obj, "progress"), (progress, "value"))
    link((obj, "message"), (message, "value"))
    maps.layout.display = "none"

    def show(event: Any) -> None:
        found = event.new
        table.value = found._repr_html_() + white_lines_table(found)
        with plt.ioff():  # else inline backends show every figure as well
            picture.value = as_png(found.plot()[0].figure)
            maps.layout.display = "" if has_maps(found) else "none"
            if has_maps(found):
                drawn = found.plot_maps()
                axes = drawn[0] if isinstance(drawn, list) else drawn
                maps.value = as_png(axes.figure)

    obj.observe(show, "found")
    run.on_click(lambda _: obj.identify())
    add.on_click(lambda _: obj.add_elements())
    buttons = ipywidgets.HBox([run, add, progress])
    form = ipywidgets.VBox([*rows, buttons, message], layout={"max_width": "40em"})
    box = ipywidgets.VBox([form, table, picture, maps])
    outputs = {"progress": progress, "message": message, "table": table}
    outputs |= {"picture": picture, "maps": maps}
    return {"widget": box, "wdict": widgets | outputs | {"run": run, "add": add}}
