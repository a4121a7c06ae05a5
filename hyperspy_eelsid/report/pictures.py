"""Pictures of a result, in figures that no window and no list of pyplot keeps."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from hyperspy_eelsid.figures import Row, add_scale_bar, draw_map, maps_figure, name_and_unit
from hyperspy_eelsid.identification import ElementIdentification
from hyperspy_eelsid.quantification.plot import plot_sum
from hyperspy_eelsid.report.result import Maps, Result

ELEMENTS_PER_PICTURE = 5  # of maps, so that a printed page holds them


def elements_figure(found: ElementIdentification) -> Figure:
    """Summed spectrum with edges, and periodic table."""
    figure = Figure(figsize=(9, 8))
    found.plot(figure)
    return figure


def fit_figure(result: Result) -> Figure | None:
    """The model over the mean spectrum; None without a fit."""
    if result.model is None:
        return None
    figure = Figure(figsize=(9, 7))
    plot_sum(result.model, figure)
    return figure


def image_figure(result: Result) -> Figure | None:
    """The summed image of a spectrum image; None of other signals."""
    image = result.found.intensity
    if image.axes_manager.signal_dimension != 2:
        return None
    height, width = image.data.shape
    figure = Figure(figsize=(4.2, 4 * min(max(height / width, 0.3), 1.5)), layout="constrained")
    axes = figure.subplots()
    draw_map(axes, image.data, "Counts", colours="gray")
    axes.set(xticks=[], yticks=[])
    add_scale_bar(axes, image)
    return figure


def profiles_figure(result: Result) -> Figure | None:
    """Profiles of a line scan; None of other signals."""
    found = result.found
    if found.probability.axes_manager.navigation_dimension != 1 or not found.elements:
        return None
    figure = Figure(figsize=(9, 4), layout="constrained")
    found.plot_maps(fig=figure)
    return figure


def map_rows(result: Result, columns: list[str]) -> dict[str, Row]:
    """Maps of truth, probability, fitted amount and composition, as far as there are any."""
    found = result.found
    rows = {}
    if result.truth:
        rows["truth"] = Row(result.truth, "atoms/nm²")
    probability: Maps = {element: found.probability[element].data for element in columns}
    rows["probability"] = Row(probability, "", 1.0)
    if result.model is not None:
        amounts = result.amounts
        name, unit = name_and_unit(next(iter(amounts.values())).metadata.Signal.quantity)
        rows[_broken(name.lower())] = Row({e: s.data for e, s in amounts.items()}, unit)
        parts = result.model.composition()
        rows["composition"] = Row({e: 100 * s.data for e, s in parts.items()}, "at.%")
    return rows


def _broken(label: str) -> str:
    """A label of a row in short lines."""
    return label.replace(" x ", "\nx ")


def map_figures(result: Result, per_picture: int = ELEMENTS_PER_PICTURE) -> Iterator[Figure]:
    """Maps of a spectrum image, some elements a picture; none of other signals."""
    found = result.found
    columns = [*found.elements, *(e for e in result.truth if e not in found.elements)]
    if found.probability.axes_manager.navigation_dimension != 2 or not columns:
        return
    rows = map_rows(result, columns)
    for first in range(0, len(columns), per_picture):
        some = columns[first : first + per_picture]
        yield maps_figure(rows, some, found.intensity)
