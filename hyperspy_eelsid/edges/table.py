"""The 80 elements (Be to Bi) and their inner-shell ionisation edges between 75 and 3071 eV.

The table ``edges.csv`` is the only place where edges are listed. An edge *group* is the set of major
subshells of one shell (Fe L = Fe L3 and Fe L2) and is what makes an element visible: an element can be
identified in a window when one of its 107 groups has its onset there. Minor subshells (L1, M1-M3, N1-N3 and the
weak N, O levels of heavy elements) accompany the major ones in simulated spectra and in model fits.

Onset energies are those of exspy's element table; subshells it lacks have the binding energies of Elam, Ravel and
Sieber, Radiat. Phys. Chem. 63, 121 (2002), and S K, Cl K and Ru L2,3 those of the EELS atlas (Ahn, 2004).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import ArgumentError, UnknownElementError
from hyperspy_eelsid.shipped import shipped

ENERGY_MIN_EV = 75
ENERGY_MAX_EV = 3071
# Onsets [eV] of elements outside the 80 (A. Thompson et al., X-ray Data Booklet (2009), table 1-1)
OUTSIDE = {
    "Th": {"O5": 85.4, "O4": 92.5, "N7": 333.1, "N6": 342.4, "N5": 675.2, "N4": 712.1},
    "U": {"O5": 94.2, "O4": 102.8, "N7": 377.4, "N6": 388.2, "N5": 736.2, "N4": 778.3},
}


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge: the onset of the excitation of one subshell of an element.

    Parameters
    ----------
    element, atomic_number
        Symbol and number of the element.
    group
        Group of edges that belong together, e.g. ``"L"``.
    subshell
        Name of the subshell, e.g. ``"L3"``.
    onset_energy
        Energy at which it begins [eV].
    major
        Whether it is one of the edges by which elements are identified.
    """

    element: str
    atomic_number: int
    group: str
    subshell: str
    onset_energy: float
    major: bool

    @property
    def name(self) -> str:
        """Name in HyperSpy's notation, e.g. ``"Fe_L3"``."""
        return f"{self.element}_{self.subshell}"


def _read_edges() -> tuple[Edge, ...]:
    with shipped("edges/edges.csv").open(encoding="utf-8") as file:
        return tuple(
            Edge(
                element=row["element"],
                atomic_number=int(row["atomic_number"]),
                group=row["group"],
                subshell=row["subshell"],
                onset_energy=float(row["onset_energy"]),
                major=row["relevance"] == "major",
            )
            for row in csv.DictReader(file)
        )


EDGES: tuple[Edge, ...] = _read_edges()
ELEMENTS: tuple[str, ...] = tuple(dict.fromkeys(edge.element for edge in EDGES))
ELEMENT_INDEX: dict[str, int] = {element: index for index, element in enumerate(ELEMENTS)}


def symbols(elements: str | Iterable[str], name: str = "elements") -> list[str]:
    """Symbols of elements as the table writes them, each once.

    Parameters
    ----------
    elements
        Symbols in whatever case; one alone may be given as it is.
    name
        Name of the argument, for errors.

    Raises
    ------
    ArgumentError
        If it is neither a symbol nor a list of them.
    UnknownElementError
        If one of them is not the symbol of one of the 80 elements.
    """
    given = arguments.texts(name, elements)
    written = [symbol.strip().capitalize() for symbol in given]
    unknown = [
        repr(symbol)
        for symbol, element in zip(given, written, strict=True)
        if element not in ELEMENT_INDEX
    ]
    if unknown:
        where = "" if name == "elements" else f" in {name}"
        raise UnknownElementError(
            f"Unknown element{'s' if len(unknown) > 1 else ''} {', '.join(unknown)}{where}, options are "
            f"{', '.join(ELEMENTS)}."
        )
    return list(dict.fromkeys(written))


def element_index(element: str) -> int:
    """Place of an element among the 80.

    Parameters
    ----------
    element
        Symbol.

    Raises
    ------
    ArgumentError
        If it is no text.
    UnknownElementError
        If `element` is not the symbol of one of the 80 elements.
    """
    (symbol,) = symbols(arguments.text("element", element))
    return ELEMENT_INDEX[symbol]


def element_edges(element: str) -> tuple[Edge, ...]:
    """All edges of an element, major and minor, in the order K, L1, L2, ...

    Parameters
    ----------
    element
        Symbol.

    Raises
    ------
    ArgumentError
        If it is no text.
    UnknownElementError
        If `element` is not one of the 80 elements.
    """
    return _edges_by_element()[element_index(element)]


@cache
def _edges_by_element() -> list[tuple[Edge, ...]]:
    return [tuple(edge for edge in EDGES if edge.element == element) for element in ELEMENTS]


def edge_groups(element: str) -> dict[str, float]:
    """Major edge groups of an element and their onset energies [eV], in order of increasing onset.

    Parameters
    ----------
    element
        Symbol.
    """
    onsets: dict[str, float] = {}
    for edge in element_edges(element):
        if edge.major:
            onsets[edge.group] = min(edge.onset_energy, onsets.get(edge.group, edge.onset_energy))
    return dict(sorted(onsets.items(), key=lambda item: item[1]))


def edges_in_window(element: str, start: float, end: float) -> tuple[Edge, ...]:
    """Edges of an element with an onset in a window.

    Parameters
    ----------
    element
        Symbol.
    start, end
        First and last energy of the window [eV].
    """
    _check_window(start, end)
    return tuple(edge for edge in element_edges(element) if start <= edge.onset_energy <= end)


def visible_groups(element: str, start: float, end: float) -> dict[str, float]:
    """Major edge groups of an element with an onset in a window, and their onsets [eV].

    Parameters
    ----------
    element
        Symbol.
    start, end
        First and last energy of the window [eV].
    """
    _check_window(start, end)
    return {g: onset for g, onset in edge_groups(element).items() if start <= onset <= end}


def _check_window(start: float, end: float) -> None:
    arguments.number("start", start)
    arguments.number("end", end)


def subshell(name: str) -> tuple[str, str]:
    """Element and subshell of a name in HyperSpy's notation, such as ``"Fe_L3"``.

    Raises
    ------
    ArgumentError
        If it is no such name.
    """
    parts = name.split("_") if isinstance(name, str) else []
    if len(parts) != 2 or not all(parts):
        raise ArgumentError(
            f"element_subshell must be an element and a subshell such as 'Fe_L3', not {name!r:.80}."
        )
    return parts[0], parts[1]
