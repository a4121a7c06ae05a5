"""A model of background and edges for the elements that were found, fitted in all pixels at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from exspy.components import EELSCLEdge
from exspy.models import EELSModel
from hyperspy.components1d import PowerLaw

from hyperspy_eelsid import arguments
from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.edges import Edge, edges_in_window, symbols, visible_groups
from hyperspy_eelsid.edges.component import CoreLossEdge
from hyperspy_eelsid.edges.fine_structure import FineStructure
from hyperspy_eelsid.energy_axis import (
    check_eels,
    edge_range,
    in_order,
    measured_window,
    on_a_uniform_axis,
)
from hyperspy_eelsid.exceptions import ArgumentError, InstallationError, UnknownElementError
from hyperspy_eelsid.low_loss import ZeroLossPeak
from hyperspy_eelsid.microscope import PARAMETERS, required_parameters
from hyperspy_eelsid.quantification.image_shifts import onset_shifts
from hyperspy_eelsid.quantification.linear_model import (
    LinearModel,
    averages,
    fit_linear,
    recorded_channels,
    scale_parameter,
)
from hyperspy_eelsid.quantification.low_loss_checks import (
    check_shape,
    check_zero_loss,
    warn_of_thickness,
    with_exposure_ratio,
)
from hyperspy_eelsid.quantification.near_edge_structure import (
    LINE_EV,
    Onset,
    append_fine_structure,
    in_regions,
    mode_and_width,
    regions,
    warn_of_plural_scattering,
)
from hyperspy_eelsid.quantification.pixel_shifts import (
    estimate_onset_shifts,
    fit_with_onset_shifts,
)
from hyperspy_eelsid.quantification.second_opinion import warn_of_doubtful

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

    from hyperspy_eelsid.identification import ElementIdentification

_logger = logging.getLogger(__name__)

BUNDLED_GOS = "bundled"
DOWNLOADED_GOS = ("dft", "dirac")
# A sum of power laws with these exponents follows the background of any thickness and collection angle to a small
# part of the edges over some hundred eV, and makes the whole model linear (Van den Broek, Jannis and Verbeeck,
# Ultramicroscopy 2023, on linear background models).
BACKGROUND_EXPONENTS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
BEFORE_ONSET_EV = 5.0  # where at least there must be background


def auto_model(
    signal: EELSSpectrum,
    identification: ElementIdentification | None = None,
    elements: Iterable[str] | None = None,
    low_loss: EELSSpectrum | ZeroLossPeak | None = None,
    low_loss_exposure_ratio: float | None = None,
    GOS: str = BUNDLED_GOS,
    beam_energy: float | None = None,
    convergence_angle: float | None = None,
    collection_angle: float | None = None,
    background: Iterable[float] = BACKGROUND_EXPONENTS,
    fine_structure: str | float | None = "free",
    onset_shift: str | None = "image",
    fit: bool = True,
    show_progressbar: bool | None = None,
) -> EELSModel:
    """Model of the background and of the edges of the elements that are found.

    The model holds a sum of power laws with fixed exponents and one edge for every subshell with its onset in the
    window, major or minor; the intensities of all edges of an element are one, as in exspy. Onsets are those of the
    table, moved to where the mean spectrum rises. The fine structure after each major onset is part of the fit, linear
    as all the rest. The signal itself is not changed.

    Of elements that cannot be told apart in the window only the one that the identification names is fitted,
    not its rivals: nothing in the spectrum could divide the edge between them. An element that the fit cannot
    confirm stays in the model, and a warning names it.

    Parameters
    ----------
    identification
        Result of ``identify_elements``; by default the elements are identified first.
    elements
        Symbols of the elements to fit, instead of an identification.
    low_loss
        Low-loss spectrum, for multiple scattering and absolute areal densities: one for all pixels, or one for each.
        Or what ``model_zero_loss_peak`` made of it: pixels that were left out there, as those of a saturated peak, are
        NaN here.
    low_loss_exposure_ratio
        Exposure of a spectrum of the low loss, all its frames, over that of one of the core loss, which scales the
        number of electrons; by default from the exposures, dwell times and numbers of frames in the metadata.
    GOS
        Cross sections: ``"bundled"``, those of this package; ``"dft"`` or ``"dirac"``, exspy's tables, which are
        downloaded; or the path of a GOSH file.
    beam_energy
        Beam energy [keV]; by default, and for the next two, from the metadata.
    convergence_angle, collection_angle
        Semi-angles [mrad].
    background
        Exponents of the power laws of which the background is the sum.
    fine_structure
        What becomes of the fine structure after each major onset: ``"free"`` fits it, over 40 eV or the width [eV]
        that is given instead, so that the amounts rest on what follows, and on where plural scattering takes it
        (see ``m.fine_structure("Ti_L")``); ``"excluded"`` leaves 30 eV out of the fit; None fits the cross
        sections of atoms in all channels.
    onset_shift
        ``"image"`` moves the edges of each element, by 11.5 eV at most, to where the mean spectrum rises; ``"pixel"``
        then also those of each pixel, by 4 eV at most, see ``m.estimate_onset_shifts()``; None keeps the table. The
        shift is ``edge.onset_energy.value - edge.GOS.onset_energy``.
    fit
        Fit the model in all pixels.
    show_progressbar
        Show progress bars; None takes HyperSpy's preference.

    Returns
    -------
    EELSModel
        The model, an exspy EELSModel.

    Raises
    ------
    MissingParametersError
        If a microscope parameter is neither in the metadata nor given.
    UnknownElementError
        If an element is unknown or has no edge in the window, or no element was found.
    EnergyAxisError
        If the energy axis is not uniform, or not one of energies.
    ArgumentError
        If an argument or a parameter of the microscope is none of its values, or if the low loss has another shape,
        no zero-loss peak at zero, or a saturated one.
    """
    mode, width = mode_and_width(fine_structure)
    _check_gos(GOS)
    exponents = arguments.numbers("background", background)
    arguments.option("onset_shift", onset_shift, ("image", "pixel"), or_none=True)
    arguments.flag("fit", fit)
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    if low_loss_exposure_ratio is not None:
        arguments.positive("low_loss_exposure_ratio", low_loss_exposure_ratio)
    signal, energy = on_a_uniform_axis(signal)
    if isinstance(low_loss, ZeroLossPeak):
        # both parts, NaN where a saturated or missing peak tells no number of electrons
        low_loss = low_loss.zlp + low_loss.inelastic
    if low_loss is not None:
        check_eels(low_loss, "low_loss")
        low_loss = in_order(low_loss)
        check_shape(signal, low_loss)
        low_loss = with_exposure_ratio(signal, low_loss, low_loss_exposure_ratio)
    signal = _with_parameters(
        signal,
        beam_energy=beam_energy,
        convergence_angle=convergence_angle,
        collection_angle=collection_angle,
    )
    if identification is not None:
        from hyperspy_eelsid.identification import ElementIdentification

        found = "what identify_elements found"
        arguments.instance("identification", identification, ElementIdentification, found)
    if elements is None:
        if identification is None:
            from hyperspy_eelsid.identification import identify_elements

            identification = identify_elements(signal, show_progressbar=show_progressbar)
        elements = identification.elements
    elements = symbols(elements)
    known = averages(signal.data)
    mean = known.mean
    recorded = recorded_channels(mean)
    window = measured_window(energy[recorded])
    # of each element the major edges that an identification can see
    start, end = edge_range(energy[recorded])
    groups = {e: list(visible_groups(e, start, end).values()) for e in elements}
    shifts = dict.fromkeys(groups, 0.0)
    if onset_shift is not None:
        shifts = onset_shifts(energy, np.interp(energy, energy[recorded], mean[recorded]), groups)
    shifts = _fittable(shifts, groups, window)

    if low_loss is not None and low_loss.axes_manager.navigation_dimension == 0:
        low_loss = _in_all_pixels(low_loss, signal)
    model = EELSModel(signal, auto_background=False, auto_add_edges=False, low_loss=low_loss)
    linear = LinearModel(model)
    linear.remember(known)
    if low_loss is not None:
        check_zero_loss(low_loss.axes_manager[-1].axis, linear.mean_low_loss)
        warn_of_thickness(low_loss.axes_manager[-1].axis, linear.mean_low_loss)
    for exponent in exponents:
        power_law = PowerLaw(r=exponent)
        power_law.name = f"Background_r{exponent:g}"
        power_law.r.free = False
        power_law.A.bmin = 0.0
        power_law.isbackground = True
        model.append(power_law)
    for element, shift in shifts.items():
        _append_edges(model, element, shift, window, GOS)
    onsets = [
        Onset(edge.onset_energy + shift, element, edge.subshell)
        for element, shift in shifts.items()
        for edge in _edges_in(element, shift, window)
        if edge.major
    ]
    structures = regions(energy, onsets, window, width)
    fitted = recorded & (energy >= window[0]) & (energy <= window[1])
    if mode == "excluded":
        fitted &= ~in_regions(energy, structures)
    elif mode == "free":
        append_fine_structure(model, structures)
    model.set_signal_range_from_mask(fitted)
    _hold_in_all_pixels(model)
    if onset_shift == "pixel":
        (fit_with_onset_shifts if fit else estimate_onset_shifts)(model, show_progressbar)
    elif fit:
        fit_linear(model, show_progressbar)
    if fit:
        warn_of_doubtful(model)
        if low_loss is None:
            warn_of_plural_scattering(model)
    return model


def _with_parameters(signal: EELSSpectrum, **given: float | None) -> EELSSpectrum:
    """The signal, or with parameters given in the call a copy that shares the data and has them in its metadata."""
    if any(value is not None for value in given.values()):
        signal = with_data(signal, signal.data)
        for name, value in given.items():
            if value is not None:
                signal.metadata.set_item(PARAMETERS[name][0], value)
    required_parameters(signal, tuple(PARAMETERS), ", or give it to auto_model()")
    return signal


def _in_all_pixels(low_loss: EELSSpectrum, signal: EELSSpectrum) -> EELSSpectrum:
    """One spectrum as an image with the navigation axes of another, all pixels of which share its memory."""
    navigation = signal.axes_manager.navigation_axes[::-1]
    axes = [a.get_axis_dictionary() for a in (*navigation, low_loss.axes_manager[-1])]
    data = np.broadcast_to(low_loss.data, (*(a.size for a in navigation), axes[-1]["size"]))
    return type(low_loss)(data, axes=axes, metadata=low_loss.metadata.as_dictionary())


def _fittable(
    shifts: dict[str, float], groups: dict[str, list[float]], window: tuple[float, float]
) -> dict[str, float]:
    """Shifts of the elements with an edge that has background before it; a warning names the others.

    Raises
    ------
    UnknownElementError
        If nothing is left.
    """
    if not groups:
        raise UnknownElementError(
            "No element was found that could be modelled. Give the elements, e.g. "
            "s.auto_model(elements=['Fe', 'O']), or identify with a lower threshold."
        )
    first, last = window[0] + BEFORE_ONSET_EV, window[1] - LINE_EV
    left_out = [
        element
        for element, onsets in groups.items()
        if not any(first <= onset + shifts[element] <= last for onset in onsets)
    ]
    if not left_out:
        return shifts
    reason = (
        f"{', '.join(left_out)} {'has' if len(left_out) == 1 else 'have'} no major edge between "
        f"{first:g} and {last:g} eV, with channels before and after it,"
    )
    if len(left_out) == len(groups):
        raise UnknownElementError(f"{reason} and cannot be fitted.")
    _logger.warning("%s and is left out of the fit.", reason)
    return {element: shift for element, shift in shifts.items() if element not in left_out}


def _edges_in(element: str, shift: float, window: tuple[float, float]) -> tuple[Edge, ...]:
    """Edges of an element with their shifted onset in the window."""
    return edges_in_window(element, window[0] - shift, window[1] - shift)


def _append_edges(
    model: EELSModel, element: str, shift: float, window: tuple[float, float], GOS: str
) -> None:
    """Add the edges of an element, those after the first with the intensity and the shift of the first."""
    master = None
    for edge in sorted(
        _edges_in(element, shift, window), key=lambda e: (not e.major, e.onset_energy)
    ):
        component = _edge_component(edge.name, GOS)
        model.append(component)
        if master is None:
            master = component
            master.onset_energy.value += shift
        else:
            component.intensity.twin = master.intensity
            component.onset_energy.twin = master.onset_energy
            difference = component.GOS.onset_energy - master.GOS.onset_energy
            component.onset_energy.twin_function_expr = f"x + {difference}"


def _hold_in_all_pixels(model: EELSModel) -> None:
    """Set what the linear fit holds in every pixel; HyperSpy refuses to draw a model with unset values."""
    for component in model:
        for parameter in component.parameters:
            if isinstance(component, FineStructure) or parameter is not scale_parameter(component):
                parameter.assign_current_value_to_all()


def _edge_component(name: str, GOS: str) -> EELSCLEdge:
    if GOS == BUNDLED_GOS:
        return CoreLossEdge(name)
    if GOS in DOWNLOADED_GOS:
        try:
            return EELSCLEdge(name, GOS=GOS)
        except (
            OSError,
            ValueError,
        ) as error:  # no network, or a server that answers something else
            raise InstallationError(
                f"The cross sections {GOS!r} could not be had for {name} ({error}). eXSpy downloads them on "
                f"first use; GOS='bundled' needs no network."
            ) from error
    return EELSCLEdge(name, GOS="dft", gos_file_path=str(GOS))


def _check_gos(GOS: str) -> None:
    if GOS in (BUNDLED_GOS, *DOWNLOADED_GOS):
        return
    if not isinstance(GOS, str | Path) or not Path(GOS).is_file():
        raise ArgumentError(
            f"GOS must be 'bundled', 'dft', 'dirac' or the path of a GOSH file, not {GOS!r}."
        )
