"""Chemical compositions: which elements stand together in real compounds, and how much of each.

The published data set draws its compositions from the Materials Project. Its 34,630 formulas of the transport data
set (Ricci et al., Sci. Data 4, 170085, 2017) stand in the wheel of ``matminer`` and are read without a download.
"""

from __future__ import annotations

import csv
import io
import logging
import os
import re
import tarfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS

_logger = logging.getLogger(__name__)

KEY_VARIABLE = "MP_API_KEY"
_MATMINER_TABLE = "matminer/utils/data_files/mp_transport/transport_database.tar.xz"
_TOKEN = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)|(\()|\)(\d*\.?\d*)")


def parse_formula(formula: str) -> dict[str, float]:
    """Number of atoms of each element in a formula such as ``"Ca3(PO4)2"``."""
    stack: list[dict[str, float]] = [{}]
    position = 0
    for match in _TOKEN.finditer(formula):
        if match.start() != position:
            break
        position = match.end()
        element, count, opening, factor = match.groups()
        if opening:
            stack.append({})
            continue
        if element:
            group, multiple = {element: 1.0}, float(count or 1)
        elif len(stack) > 1:
            group, multiple = stack.pop(), float(factor or 1)
        else:
            break
        for symbol, atoms in group.items():
            stack[-1][symbol] = stack[-1].get(symbol, 0.0) + atoms * multiple
    if position != len(formula) or len(stack) != 1 or not formula:
        raise ValueError(f"Cannot read the chemical formula {formula!r}.")
    return stack[0]


def materials_project_formulas() -> list[str]:
    """Formulas of the Materials Project.

    All of today's when a key to its interface is in the environment variable ``MP_API_KEY``; otherwise those that the
    ``matminer`` wheel holds, which are always the same.

    Raises
    ------
    ImportError
        If neither matminer nor, with a key, mp-api is installed; ``pip install --no-deps matminer`` is enough.
    """
    if KEY_VARIABLE in os.environ:
        return _asked_formulas(os.environ[KEY_VARIABLE])
    try:
        path = distribution("matminer").locate_file(_MATMINER_TABLE)
    except PackageNotFoundError as error:
        raise ImportError(
            "The Materials Project formulas are read from the files of matminer, which is not "
            "installed. Install it with `pip install --no-deps matminer`, or give a text file with "
            "one formula a line."
        ) from error
    with tarfile.open(path) as archive:
        table = archive.extractfile("transport_database.csv")
        rows = csv.DictReader(io.TextIOWrapper(table, encoding="utf-8"))
        return [row["pretty_formula"] for row in rows]


def _asked_formulas(key: str) -> list[str]:
    from mp_api.client import MPRester

    with MPRester(key) as client:
        entries = client.materials.summary.search(fields=["formula_pretty"], deprecated=False)
    formulas = sorted({entry.formula_pretty for entry in entries})
    _logger.info("%d formulas from the interface of the Materials Project", len(formulas))
    return formulas


def read_formulas(path: str | Path) -> list[str]:
    """Formulas of a text file with one formula a line; empty lines and lines starting with # are skipped."""
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class Compositions:
    """Atomic fractions of compounds, and for each element the compounds that hold it.

    Parameters
    ----------
    formulas
        Chemical formulas. Elements outside of the 80 (H, He, Li and beyond Bi) leave no edge in the spectra and are
        dropped; each of the 80 elements also stands alone once, so that every element can be drawn.

    Attributes
    ----------
    fractions
        Atomic fractions, shape (n_compounds, 80), rows of sum 1.
    """

    def __init__(self, formulas: list[str]) -> None:
        unique = dict.fromkeys([*ELEMENTS, *formulas])
        fractions = np.zeros((len(unique), len(ELEMENTS)), np.float32)
        for row, formula in zip(fractions, unique, strict=True):
            for symbol, atoms in parse_formula(formula).items():
                if symbol in ELEMENT_INDEX:
                    row[ELEMENT_INDEX[symbol]] = atoms
        total = fractions.sum(axis=1, keepdims=True)
        kept = total[:, 0] > 0
        self.fractions = fractions[kept] / total[kept]
        self._holding = [np.flatnonzero(column) for column in self.fractions.T]

    def draw(self, rng: np.random.Generator, query: np.ndarray) -> np.ndarray:
        """Atomic fractions of one random compound for each query element.

        Parameters
        ----------
        query
            Index of the element that the compound must hold, shape (n,).

        Returns
        -------
        np.ndarray
            Atomic fractions, shape (n, 80).
        """
        position = rng.random(len(query))
        rows = [
            self._holding[q][int(p * len(self._holding[q]))]
            for q, p in zip(query, position, strict=True)
        ]
        return self.fractions[rows]
