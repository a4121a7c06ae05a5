"""The white lines of a summed spectrum, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid.exceptions import EelsidError

if TYPE_CHECKING:
    from hyperspy_eelsid.identification import ElementIdentification

COLUMNS = ("white lines of the sum", "ratio", "ion with the nearest ratio")


def white_line_rows(found: ElementIdentification) -> list[tuple[str, str, str]]:
    """Edge, ratio and nearest computed ion of the elements whose white lines the summed spectrum shows."""
    rows = []
    for element in found.elements:
        try:
            lines = found.oxidation(element)
        except EelsidError:  # no white lines, or not whole in the window
            continue
        ratio, variance = (
            float(signal.data[0])
            for signal in (lines.ratio, lines.ratio.metadata.Signal.Noise_properties.variance)
        )
        if not np.isfinite(ratio):
            continue
        try:
            charge = "" if element == "Fe" else f"{lines.oxidation_state().data[0]:.0f}+"
        except EelsidError:  # one computed ion
            charge = ""
        rows.append((lines.edge.replace("_", "-"), f"{ratio:.2f} ± {variance**0.5:.2f}", charge))
    return rows


def white_lines_table(found: ElementIdentification) -> str:
    """HTML table of the white lines that the summed spectrum shows, empty if none."""
    if not (rows := white_line_rows(found)):
        return ""
    head = "<tr>" + "".join(f"<th>{name}</th>" for name in COLUMNS) + "</tr>"
    body = "".join("<tr>" + "".join(f"<td>{x}</td>" for x in row) + "</tr>" for row in rows)
    return f"<table>{head}{body}</table>"
