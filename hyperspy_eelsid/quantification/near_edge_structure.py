"""Fine structure of the edges of a model: where it lies, what stands for it in a fit, and what the fit found."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from exspy.components import EELSCLEdge
from exspy.signals import EELSSpectrum

from hyperspy_eelsid import arguments
from hyperspy_eelsid.edges import symbols
from hyperspy_eelsid.edges.fine_structure import FineStructure
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.quantification.linear_model import LinearModel

if TYPE_CHECKING:
    from exspy.models import EELSModel

_logger = logging.getLogger(__name__)

# A free fine structure reaches as far after the onset as single peaks stand out; where it is left out of the fit it is
# narrower, so that more channels tell the amount.
FREE_EV = 40.0
EXCLUDED_EV = 30.0
BEFORE_ONSET_EV = 4.0  # chemical shifts and the width of the onset
# Peaks are narrow at the onset and become wider with the energy, as the lifetime of the electron becomes shorter.
KNOTS_EV = 2.0
WIDE_KNOTS_EV = 4.0
NARROW_PEAKS_EV = 16.0
JUST_BEFORE_EV = 1e-6
BETWEEN_ONSETS_EV = 8.0
NEAR_EV = 24.0  # white lines, and where the first plasmon takes them
LINE_EV = 10.0  # of a fine structure at least a white line belongs to it
MINIMUM_SHARE_OF_CHANNELS = 0.25
STRENGTH_EV, STRENGTH_STEP_EV = 30.0, 0.1
THIN_SHARE = 0.7  # of the atom's intensity there; the errors of backgrounds and cross sections are left to it

MODES = ("free", "excluded")


class Onset(NamedTuple):
    """Onset of a major subshell [eV], its shift included."""

    energy: float
    element: str
    subshell: str


class Region(NamedTuple):
    """Energies of the fine structure after one onset [eV]."""

    onset: Onset
    start: float
    end: float


def mode_and_width(fine_structure: str | float | None) -> tuple[str | None, float]:
    """What the argument of ``auto_model`` asks for.

    Parameters
    ----------
    fine_structure
        ``"free"``, ``"excluded"``, None, or the width [eV] of a free one.

    Returns
    -------
    mode, width
        ``"free"``, ``"excluded"`` or None, and the width [eV].

    Raises
    ------
    ArgumentError
        If it is something else.
    """
    if fine_structure is None:
        return None, 0.0
    if isinstance(fine_structure, str) and fine_structure in MODES:
        return fine_structure, FREE_EV if fine_structure == "free" else EXCLUDED_EV
    if arguments.is_positive(fine_structure):
        return "free", float(fine_structure)
    raise ArgumentError(
        f"fine_structure must be {', '.join(map(repr, MODES))}, None or a positive width [eV], not "
        f"{fine_structure!r}."
    )


def regions(
    energy: np.ndarray,
    onsets: list[Onset],
    window: tuple[float, float],
    width: float,
    convolved: bool = False,
) -> list[Region]:
    """Where the fine structure of each onset lies.

    It shrinks in a narrow window, and before the next onset of another element: the channels between two elements
    tell how much of the first there is. Without them La M, 50 eV above Ba M, takes its place. Where a low loss
    tells the plural scattering of white lines, it goes but half of the way to the next onset, or 24 eV: with few
    channels between, the wiggles of the far fine structure decide. What two elements with neighbouring onsets would
    share belongs to the second.

    Parameters
    ----------
    energy
        Energy axis [eV], shape (n_channels,).
    onsets
        Onsets of the major subshells.
    window
        First and last energy of the fit [eV].
    width
        Width after each onset [eV].
    convolved
        Whether the edges are convolved with a low loss.

    Returns
    -------
    list[Region]
        None if even the narrowest would leave too few channels.
    """
    inside = (energy >= window[0]) & (energy <= window[1])
    while width >= 1:
        found = [_region(onset, onsets, width, convolved) for onset in onsets]
        kept = inside & ~in_regions(energy, found)
        after_all = all((kept & (energy > onset.energy)).any() for onset in onsets)
        if after_all and kept.sum() >= MINIMUM_SHARE_OF_CHANNELS * inside.sum():
            return found
        width /= 2
    return []


def _region(onset: Onset, onsets: list[Onset], width: float, convolved: bool) -> Region:
    others = [o.energy for o in onsets if o.element != onset.element and o.energy >= onset.energy]
    start, end = onset.energy - BEFORE_ONSET_EV, onset.energy + width
    if others:
        before_next = min(others) - BEFORE_ONSET_EV
        room = before_next - onset.energy
        part = room - BETWEEN_ONSETS_EV
        if convolved:
            part = min(part, max(room / 2, NEAR_EV))
        end = min(end, onset.energy + part if part > LINE_EV else before_next)
    return Region(onset, start, max(start, end))


def in_regions(energy: np.ndarray, found: list[Region]) -> np.ndarray:
    """Channels in one of the regions, bool, shape (n_channels,)."""
    result = np.zeros(len(energy), bool)
    for region in found:
        result |= (energy >= region.start) & (energy <= region.end)
    return result


def append_fine_structure(model: EELSModel, found: list[Region]) -> None:
    """Add the fine structure in the regions to a model; those of one shell that touch are one component.

    Parameters
    ----------
    model
        Model with the edges.
    found
        Regions of their fine structure.
    """
    edges = {(c.element, c.subshell): c for c in model if isinstance(c, EELSCLEdge)}
    by_shell: dict[tuple[str, str], list[Region]] = {}
    for region in sorted(found, key=lambda region: region.start):
        by_shell.setdefault((region.onset.element, region.onset.subshell[0]), []).append(region)
    for own in by_shell.values():
        while own:
            first, *own = own
            touching = [first]
            while own and own[0].start <= max(region.end for region in touching):
                touching.append(own.pop(0))
            offsets = knots(touching, model.axis.scale) - first.onset.energy
            if len(offsets) < 3:
                continue
            subshell = first.onset.subshell
            component = FineStructure(f"{first.onset.element}_{subshell}", offsets)
            model.append(component)
            component.onset_energy.twin = edges[first.onset.element, subshell].onset_energy


def knots(touching: list[Region], scale: float) -> np.ndarray:
    """Energies of the knots of a fine structure [eV], narrow after each onset, wide further off.

    At the first onset there are two, so that the intensity may jump there.

    Parameters
    ----------
    touching
        Regions that it covers, in order.
    scale
        Width of a channel [eV]: knots are at least as far apart.

    Returns
    -------
    np.ndarray
        Shape (n_knots,); fewer than three if there is no room.
    """
    narrow, wide = max(KNOTS_EV, scale), max(WIDE_KNOTS_EV, scale)
    first, end = touching[0].onset.energy, max(region.end for region in touching)
    number = max(1, int((first - touching[0].start) / narrow))
    found = [*(first - narrow * np.arange(number, 0, -1)), first - JUST_BEFORE_EV, first]
    while True:
        near = any(
            region.start <= found[-1] < region.onset.energy + NARROW_PEAKS_EV for region in touching
        )
        following = found[-1] + (narrow if near else wide)
        if following > end:
            break
        found.append(following)
    return np.array(found) if found[-1] > first else np.empty(0)


def fine_structure(model: EELSModel, edge: str) -> EELSSpectrum:
    """Near-edge structure that the fit found: what an edge looks like by single scattering alone.

    It is the cross section of the atom times the amount, plus the fitted fine structure, from 4 eV before the onset to
    where the fine structure ends. Without a low loss in the model, plural scattering is part of it.

    Parameters
    ----------
    model
        Model fitted with ``fine_structure="free"``.
    edge
        Element and shell, for instance ``"Ti_L"``, or one of its subshells.

    Returns
    -------
    EELSSpectrum
        A signal with the navigation axes of the image [counts/eV], or of a model with a low loss [1/eV for each
        electron]. The variance is in ``metadata.Signal.Noise_properties.variance``. Where the onsets of the pixels
        differ, all are at the mean onset.

    Raises
    ------
    ArgumentError
        If the model has no fine structure of this edge.
    """
    linear = LinearModel(model)
    shells = {s: f"{s.element}_{s.subshell[0]}" for s in linear.structures}
    element, _, shell = arguments.text("edge", edge).partition("_")
    name = f"{symbols(element)[0]}_{shell[:1].upper()}"
    own = [s for s, other in shells.items() if other == name]
    if not own:
        options = (
            ", ".join(dict.fromkeys(shells.values())) or "none: fit with fine_structure='free'"
        )
        raise ArgumentError(f"The model has no fine structure of {edge!r}, options are {options}.")
    onsets = [float(s.onset_energy.map["values"].mean()) for s in own]
    channels = np.zeros(len(linear.energy), bool)
    for structure, onset in zip(own, onsets, strict=True):
        above = linear.energy - onset
        channels |= (above > structure.offsets[0]) & (above < structure.offsets[-1])
    channels[np.flatnonzero(channels)[0] : np.flatnonzero(channels)[-1]] = True
    energy = linear.energy[channels]

    amount = list(linear.edges).index(own[0].element) + linear.n_background
    places = [amount]
    columns = [linear.cross_section(own[0].edges)[channels]]
    for structure, onset in zip(own, onsets, strict=True):
        places += linear.places(structure)
        columns += list(structure.shapes(energy, onset).T)
    columns = np.stack(columns, axis=1)
    correlation = np.nan_to_num(linear.mean_fit.correlation[np.ix_(places, places)])
    factors, errors = linear.factors[:, places], np.nan_to_num(linear.errors[:, places])

    values = factors @ columns.T
    variance = np.empty(values.shape)
    for channel, column in enumerate(columns):  # of which few are not zero
        there = np.flatnonzero(column)
        scaled = errors[:, there] * column[there]
        variance[:, channel] = ((scaled @ correlation[np.ix_(there, there)]) * scaled).sum(axis=1)
    return _as_signal(model, name, energy, values, np.maximum(variance, 0))


def warn_of_plural_scattering(model: EELSModel) -> None:
    """Log a warning if edges that were fitted without a low loss begin as weakly as those of a thick sample.

    What an atom absorbs in the first 30 eV after an onset is moved about there by its neighbours and joined by
    transitions to bound states, but not lost (sum rule of Bethe). Plural scattering alone takes it further. Of K edges,
    which have no strong lines, the share that is left therefore tells the least thickness that a sample has.

    Parameters
    ----------
    model
        Fitted model without a low loss.
    """
    linear = LinearModel(model)
    factors = np.nanmean(linear.factors, axis=0)
    shares = {}
    for structure in linear.structures:
        amount = factors[list(linear.edges).index(structure.element) + linear.n_background]
        if structure.subshell != "K" or structure.offsets[-1] < STRENGTH_EV or not amount > 0:
            continue
        onset = structure.onset_energy.map["values"].mean()
        offsets = np.arange(structure.offsets[0], STRENGTH_EV, STRENGTH_STEP_EV)
        fine = structure.shapes(onset + offsets, onset) @ factors[linear.places(structure)]
        atom = amount * structure.cross_section(offsets[offsets >= 0])
        share = 1 + fine.sum() / atom.sum()
        if share > 0:  # otherwise there is no edge but noise
            shares[structure.element] = share
    if shares and max(shares.values()) < THIN_SHARE:
        listed = ", ".join(f"{element} K {share:.0%}" for element, share in shares.items())
        _logger.warning(
            "In the first %g eV there is less of the edges than of those of atoms (%s): the sample seems to be thicker "
            "than %.1f mean free paths, and without a low loss ratios of amounts can be wrong by a third. Give "
            "auto_model one.",
            STRENGTH_EV,
            listed,
            -np.log(max(shares.values())),
        )


def _as_signal(
    model: EELSModel, name: str, energy: np.ndarray, values: np.ndarray, variance: np.ndarray
) -> EELSSpectrum:
    navigation = [a.get_axis_dictionary() for a in model.axes_manager.navigation_axes[::-1]]
    axis = model.axis.get_axis_dictionary()
    axis |= {"size": len(energy), "offset": float(energy[0]), "is_binned": False}
    shape = [*(a["size"] for a in navigation), len(energy)]

    def signal(data: np.ndarray) -> EELSSpectrum:
        made = EELSSpectrum(data.reshape(shape), axes=[*navigation, axis])
        made.axes_manager[-1].is_binned = False
        return made

    result = signal(values)
    result.metadata.General.title = f"Near-edge structure of {name}"
    quantity = "Intensity (1/eV/electron)" if model.convolved else "Intensity (counts/eV)"
    result.metadata.set_item("Signal.quantity", quantity)
    result.metadata.set_item("Signal.Noise_properties.variance", signal(variance))
    return result
