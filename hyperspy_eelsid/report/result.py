"""What is known of one signal: identification, fit, where it comes from, and what was noticed on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_eelsid.identification import unusual
from hyperspy_eelsid.identification.table import NOTABLE_OFFSET_EV
from hyperspy_eelsid.quantification.second_opinion import SIGNIFICANT

if TYPE_CHECKING:
    import pandas as pd
    from exspy.models import EELSModel

    from hyperspy_eelsid.identification import ElementIdentification
    from hyperspy_eelsid.method import Method

Maps = Mapping[str, np.ndarray]
"""Element -> map, shape of the scan."""


@dataclass(frozen=True, eq=False)
class Result:
    """What is known of one signal.

    Parameters
    ----------
    name
        Name of the signal or of its file.
    found
        The identification.
    model
        The fitted model; None if nothing was fitted.
    truth
        Amount of each element that is really there, of a simulation.
    no_fit
        Why a fit that was asked for is missing.
    file
        File from which the signal comes.
    warnings
        What was said on the way.
    method
        The method; by default that of the identification, with the settings of a fit that are the default ones.
    """

    name: str
    found: ElementIdentification
    model: EELSModel | None = None
    truth: Maps = field(default_factory=dict)
    no_fit: str = ""
    file: str = ""
    warnings: Sequence[str] = ()
    method: Method | None = None

    @cached_property
    def table(self) -> pd.DataFrame:
        """The elements and what speaks for each of them, see ``ElementIdentification.to_dataframe``."""
        return self.found.to_dataframe(self.model)

    @cached_property
    def amounts(self) -> Mapping[str, Any]:
        """Fitted amount of each element, a signal each; empty without a fit."""
        return {} if self.model is None else self.model.elemental_maps()

    @property
    def fitted(self) -> Maps:
        """Fitted amount of each element; empty without a fit."""
        return {element: signal.data for element, signal in self.amounts.items()}

    @property
    def settings(self) -> Method:
        """The method by which it was found."""
        return self.found.to_method() if self.method is None else self.method

    @property
    def doubtful(self) -> list[str]:
        """Elements that the fit does not confirm."""
        if self.model is None:
            return []
        return [e for e in self.model.elements if not self.table["fit"][e] >= SIGNIFICANT]

    @cached_property
    def notes(self) -> list[str]:
        """What a reader must know before using the result, each in a sentence or two."""
        found = self.found
        offset = found.energy_offset or 0.0
        notes = []
        if abs(offset) >= NOTABLE_OFFSET_EV:
            notes.append(
                f"The edges are seen {abs(offset):g} eV {'above' if offset > 0 else 'below'} their tabulated "
                "energies: the energy axis is probably shifted."
            )
        for edge in found.unassigned:
            known = (
                f"{' or '.join(edge.elements)} would have one there"
                if edge.elements
                else "no known element has one there"
            )
            notes.append(
                f"There is an edge at {edge.energy:g} eV ({edge.significance:.0f} standard errors) that no "
                f"element found explains; {known}."
            )
        if found.unusual:
            notes.append(unusual.warning(found.unusual))
        if self.no_fit:
            notes.append(f"There is no fit, and so there are no amounts: {self.no_fit}")
        if self.doubtful:
            notes.append(
                f"The fit does not confirm {', '.join(self.doubtful)}: the amount in the sum of all spectra is less "
                "than three standard errors. Look at the edges before using their maps."
            )
        if self.model is not None and not self.model.convolved:
            notes.append(
                "No low-loss spectrum was used: multiple scattering is not taken into account, and amounts are known "
                "relative to each other only."
            )
        told = ("The fit does not confirm", unusual.BEGINNING)
        return [*notes, *(w for w in self.warnings if not w.startswith(told))]


def plain_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table of elements in types that CSV knows: a cell holds a number or a text."""
    rows = []
    for row in table.reset_index().to_dict("records"):
        element = row["element"]
        row["edges"] = "; ".join(f"{element}-{g} {onset:g} eV" for g, onset in row["edges"].items())
        row["rise"] = "; ".join(f"{element}-{g} {rise:.3g}" for g, rise in row["rise"].items())
        row["rivals"] = "; ".join(row["rivals"])
        row["reasons"] = " | ".join(row["reasons"].values())
        rows.append({name: "" if _is_nan(value) else value for name, value in row.items()})
    return rows


def as_json(result: Result) -> dict[str, Any]:
    """An identification and the mean fitted amounts in types that JSON knows."""
    found = result.found
    table = result.table.reset_index().to_dict("records")
    for row in table:
        row["rise"] = {g: None if _is_nan(rise) else rise for g, rise in row["rise"].items()}
        if row["element"] in result.fitted:
            row["mean fitted amount"] = float(np.nanmean(result.fitted[row["element"]]))
        row |= {name: None for name, value in row.items() if _is_nan(value)}
    settings = {
        "threshold": found.threshold,
        "min_fraction": found.min_fraction,
        "networks": found.networks,
        **({"no_fit": result.no_fit} if result.no_fit else {}),
    }
    return {"name": result.name, **settings, "notes": result.notes, "elements": table}


def spread(error: float) -> str:
    """A standard error in percent, to stand behind its value."""
    return f"± {error:.1f}" if error >= 0.05 else "± < 0.1"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
