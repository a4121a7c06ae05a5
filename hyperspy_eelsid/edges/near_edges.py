"""Computed near-edge structures: multiplets of 3d ions and lanthanides, and multiple scattering in crystals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import h5py
import numpy as np

from hyperspy_eelsid import arguments
from hyperspy_eelsid.edges.table import ELEMENTS, OUTSIDE, element_index
from hyperspy_eelsid.shipped import shipped


@dataclass(frozen=True, eq=False)
class NearEdge:
    """One computed spectrum.

    Parameters
    ----------
    name
        Element, edge, and ion or compound, e.g. ``"O/K/MgO"``.
    energy
        Energies from the onset [eV], shape (n,).
    values
        Absorption, shape (n,): of lines in 1/eV and of unit area; of a crystal relative to the atom without
        neighbours, thus 0 below the onset and about 1 far above.
    lines
        Whether the spectrum is of lines (multiplets) without the continuum behind.
    attributes
        What was computed and how: ``element``, ``edge``, ``ion`` or ``compound``, ``program``, ...
    """

    name: str
    energy: np.ndarray
    values: np.ndarray
    lines: bool
    attributes: dict[str, Any]


def computed_near_edges(element: str, edge: str) -> tuple[NearEdge, ...]:
    """Spectra of an edge in the library.

    Parameters
    ----------
    element
        Symbol.
    edge
        K; L, M or N for the multiplets of both subshells together, such as L3 and L2; or a subshell, L3,
        for multiple scattering.

    Returns
    -------
    tuple[NearEdge, ...]
        The spectra, none if the library has nothing of this edge. Their arrays cannot be written to.

    Raises
    ------
    ArgumentError
        If an argument is no text.
    UnknownElementError
        If `element` is not the symbol of one of the 80 elements, thorium or uranium.

    Examples
    --------
    >>> [near_edge.attributes["ten_dq"] for near_edge in computed_near_edges("Ni", "L")]
    [-0.6, 0.5, 1.0, 1.4, 1.8, 2.2]
    """
    outside = isinstance(element, str) and element.capitalize() in OUTSIDE
    symbol = element.capitalize() if outside else ELEMENTS[element_index(element)]
    return _read_edge(symbol, arguments.text("edge", edge))


@cache
def _read_edge(element: str, edge: str) -> tuple[NearEdge, ...]:
    with h5py.File(shipped("edges/near_edges.h5")) as file:
        return tuple(
            NearEdge(
                name=item.name[1:],
                energy=_read(file[item.attrs["axis"]]),
                values=_read(item),
                lines=item.attrs["units"] == "1/eV",
                attributes={name: _plain(value) for name, value in item.attrs.items()},
            )
            for item in file.get(f"{element}/{edge}", {}).values()
        )


def _plain(value: Any) -> Any:
    """HDF5 gives scalars of NumPy."""
    return value.item() if isinstance(value, np.generic) else value


def _read(dataset: h5py.Dataset) -> np.ndarray:
    values = dataset[:].astype(float)
    values.flags.writeable = False
    return values
