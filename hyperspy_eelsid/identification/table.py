"""The table of an identification, as text and as HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.identification.evidence import Jump
from hyperspy_eelsid.identification.unassigned import UnassignedEdge

NOTABLE_OFFSET_EV = 5  # more than chemical shifts make
OVERWHELMING = 1000  # standard errors, of which no digit matters
COLUMNS = (
    "element",
    "probability",
    "pixels found in",
    "edges in the window [eV]",
    "rise [standard errors]",
    "alternatives",
)

Row = tuple[str, ...]


def rows(
    elements: Sequence[str],
    probability: Mapping[str, float],
    fraction: Mapping[str, float],
    edges: Mapping[str, Mapping[str, float]],
    jumps: Mapping[str, Mapping[str, Jump]],
    rivals: Mapping[str, Mapping[str, float]],
) -> list[Row]:
    """A row for each element.

    Parameters
    ----------
    elements
        Symbols, in the order of the rows.
    probability
        Mean probability of each element.
    fraction
        Fraction of the pixels in which each element is found.
    edges
        Edge groups of each element and their onsets [eV].
    jumps
        How the summed spectrum rises at them.
    rivals
        Elements that could be there instead of each one, and their probabilities.
    """
    return [
        (
            element,
            f"{probability[element]:.2f}",
            f"{fraction[element]:.1%}",
            ", ".join(f"{element}-{group} {onset:g}" for group, onset in edges[element].items()),
            ", ".join(map(rise, jumps[element].values())),
            ", ".join(f"{rival} ({value:.2f})" for rival, value in rivals[element].items()),
        )
        for element in elements
    ]


def rise(jump: Jump) -> str:
    """How clearly a spectrum rises at an edge, for a table."""
    if math.isnan(jump.significance):
        return "at the border"
    if not jump.is_seen:
        return "not clear"
    return f"{jump.significance:.0f}" if jump.significance < OVERWHELMING else "over 1000"


def footer(
    threshold: float,
    networks: str,
    image: tuple[float, int] | None,
    n_candidates: int,
    energy_offset: float | None,
    unassigned: Sequence[UnassignedEdge] = (),
    unusual: Sequence[str] = (),
) -> str:
    """What the elements depend on.

    Parameters
    ----------
    threshold
        Probability from which an element counts as found.
    networks
        Name of the networks.
    image
        Smallest fraction of the valid pixels and their number; None for a single spectrum.
    n_candidates
        Number of elements that may be found.
    energy_offset
        How far the energy axis is off [eV], None where that is not known.
    unassigned
        Steps that no element found explains.
    unusual
        What is unlike the spectra that networks learn from.
    """
    pixels = f" in at least {image[0]:.1%} of {image[1]} pixels" if image else ""
    among = f", among {n_candidates} elements" if n_candidates < len(ELEMENTS) else ""
    offset = energy_offset or 0
    hint = f"; the energy axis may be off by {offset:+g} eV"
    steps = ", ".join(
        f"{edge.energy:g} eV ({' or '.join(edge.elements) or 'where no element has one'})"
        for edge in unassigned
    )
    odd = ", ".join(unusual)
    return (
        f"threshold {threshold:g}{pixels}{among}; neural networks {networks!r}"
        f"{hint if abs(offset) >= NOTABLE_OFFSET_EV else ''}"
        f"{f'; an edge of no element found is at {steps}' if steps else ''}"
        f"{f'; unusual: {odd}' if odd else ''}"
    )


def as_text(heading: str, rows: Sequence[Row], footer: str) -> str:
    """The table in lines of aligned columns."""
    cells = [COLUMNS, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(f"{x:<{width}}" for x, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([heading, *lines, footer])


def as_html(rows: Sequence[Row], footer: str) -> str:
    """The table as HTML."""

    def line(cells: Row, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(x)}</{tag}>" for x in cells) + "</tr>"

    end = f"<p>{html.escape(footer)}</p>"
    if not rows:
        return f"<p><b>No element found</b></p>{end}"
    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(COLUMNS, 'th')}</thead><tbody>{body}</tbody></table>{end}"
