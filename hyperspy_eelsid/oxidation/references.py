"""Computed reference spectra of ions, from the library of near edges."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np
from scipy.ndimage import gaussian_filter1d

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import UnknownElementError
from hyperspy_eelsid.oxidation.edge import BACKGROUND_EV, TAIL_EV, WhiteLineEdge
from hyperspy_eelsid.shipped import shipped

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

FWHM_PER_SIGMA = 2.3548
# L3 of an ion lies so much higher for each electron that it has lost: 1.6 eV from Mn2+ to Mn3+ and from Fe2+ to Fe3+,
# less where oxygen gives electrons back (H. Tan et al., Ultramicroscopy 116, 24 (2012)). The library has no absolute
# energies.
CHEMICAL_SHIFT_EV = 1.5
# Octahedral fields of oxides [eV]; ions without d electrons in the field of a tetrahedron have the highest charges.
TEN_DQ_EV = {2: 1.0, 3: 1.4, 4: 1.8, 5: 1.8, 6: -0.6}
# Continuum behind the second line, in parts of the area of both lines over the number of holes [1/eV].
CONTINUUM_PER_HOLE = 0.2
STEP_WIDTH_EV = 1.0
SHARE_OF_FIRST = 2 / 3  # by the number of electrons with j = 3/2 and 1/2
MARGIN_EV = 15.0
PLASMON_EV = (22.0, 15.0)  # place and full width


class Ion(NamedTuple):
    """Entry of the library: lines of unit area on `energy`, which counts from the onset [eV]."""

    charge: int
    ten_dq: float
    distorted: bool
    holes: float
    energy: np.ndarray
    lines: np.ndarray


def references(
    element: str,
    dispersion: float,
    resolution: float,
    ten_dq: float | None = None,
    thickness: float = 0.0,
) -> list[EELSSpectrum]:
    """Computed spectra of the ions of an element, one for each oxidation state.

    They are atomic multiplets in a crystal field, with two steps of the continuum and without background,
    hybridisation, charge transfer and plural scattering: shapes of white lines come out, details of compounds do
    not. Energies are those of the table of edges, and 1.5 eV higher for every further electron that is missing.

    Parameters
    ----------
    element
        Symbol: Sc to Cu have L2,3, the lanthanides M4,5.
    dispersion
        Width of the channels [eV].
    resolution
        Full width at half maximum of the energy resolution [eV].
    ten_dq
        Crystal field 10Dq [eV] of all ions, one of those in the library (-0.6, which is a tetrahedron's, 0.5, 1.0, 1.4,
        1.8 and 2.2); None takes 1.0 for charge 2, 1.4 for 3, 1.8 for 4 and 5, -0.6 for 6, and for Mn3+ and Cu2+ a field
        stretched along one axis.
    thickness
        In mean free paths; so much of the spectrum is added again 22 eV higher, as the plasmons of oxides do.

    Returns
    -------
    list[EELSSpectrum]
        Spectra of unit area, the lowest charge first. ``metadata.Signal.reference`` holds ``element``, ``edge``,
        ``charge``, ``ten_dq`` and ``computed`` (True).

    Raises
    ------
    UnknownElementError
        If the library has no ion of the element, or not this crystal field.
    ArgumentError
        If a number is none, or too small.

    Examples
    --------
    >>> [ion.metadata.General.title for ion in references("Mn", dispersion=0.1, resolution=0.8)]
    ['Mn2+ (computed)', 'Mn3+ (computed)', 'Mn4+ (computed)']
    """
    arguments.positive("dispersion", dispersion)
    arguments.positive("resolution", resolution)
    arguments.number("thickness", thickness, least=0)
    if ten_dq is not None:
        arguments.number("ten_dq", ten_dq)
    edge = WhiteLineEdge.of(element)
    known = ions(edge.element)
    lowest = min(ion.charge for ion in known)
    energy = np.arange(edge.onsets[0] - BACKGROUND_EV, edge.onsets[1] + TAIL_EV, dispersion)
    return [
        _signal(edge, ion, energy, ion_spectrum(edge, ion, energy, resolution, lowest, thickness))
        for ion in (_chosen(known, charge, ten_dq) for charge in sorted({i.charge for i in known}))
    ]


@cache
def ions(element: str) -> tuple[Ion, ...]:
    """All entries of the library for the white lines of an element."""
    edge = WhiteLineEdge.of(element)
    with h5py.File(shipped("edges/near_edges.h5")) as file:
        entries = file[f"{edge.element}/{edge.lines[0][0]}"]
        energy = file["energy"][:].astype(float)
        return tuple(
            Ion(
                charge=int(entry.attrs["charge"]),
                ten_dq=float(entry.attrs["ten_dq"]),
                distorted=bool(entry.attrs["ds"]),
                holes=float(entry.attrs["strength"]),
                energy=energy,
                lines=entry[:].astype(float),
            )
            for entry in entries.values()
        )


def _chosen(known: tuple[Ion, ...], charge: int, ten_dq: float | None) -> Ion:
    of_charge = [ion for ion in known if ion.charge == charge]
    if len(of_charge) == 1:  # no crystal field
        return of_charge[0]
    if ten_dq is None:
        distorted = [ion for ion in of_charge if ion.distorted]
        if distorted:
            return distorted[0]
        ten_dq = TEN_DQ_EV[charge]
    fitting = [ion for ion in of_charge if not ion.distorted and abs(ion.ten_dq - ten_dq) < 0.01]
    if not fitting:
        options = ", ".join(f"{ion.ten_dq:g}" for ion in of_charge if not ion.distorted)
        raise UnknownElementError(
            f"Unknown crystal field ten_dq={ten_dq:g} eV, options are {options}."
        )
    return fitting[0]


def ion_spectrum(
    edge: WhiteLineEdge,
    ion: Ion,
    energy: np.ndarray,
    resolution: float,
    lowest_charge: int,
    thickness: float = 0.0,
) -> np.ndarray:
    """Lines and continuum of an ion at a resolution, of unit area on `energy`."""
    step = ion.energy[1] - ion.energy[0]
    fine = np.arange(ion.energy[0] - MARGIN_EV, ion.energy[-1] + MARGIN_EV, step)
    lines = np.interp(fine, ion.energy, ion.lines, left=0, right=0)
    first, second = _maxima(fine, lines, edge)
    spectrum = lines + CONTINUUM_PER_HOLE / ion.holes * continuum(fine, first, second)
    if thickness:
        spectrum += thickness * np.convolve(spectrum, _plasmon(step))[: len(spectrum)]
    spectrum = gaussian_filter1d(spectrum, resolution / FWHM_PER_SIGMA / step, mode="nearest")
    place = edge.onsets[0] + CHEMICAL_SHIFT_EV * (ion.charge - lowest_charge) - first
    spectrum = np.interp(energy, fine + place, spectrum)
    return spectrum / spectrum.sum() / (energy[1] - energy[0])


def _plasmon(step: float) -> np.ndarray:
    """Energy losses by one plasmon, of unit sum, on an axis from zero."""
    loss = np.arange(0, PLASMON_EV[0] + 3 * PLASMON_EV[1], step)
    peak = np.exp(-0.5 * ((loss - PLASMON_EV[0]) * FWHM_PER_SIGMA / PLASMON_EV[1]) ** 2)
    return peak / peak.sum()


def _maxima(energy: np.ndarray, lines: np.ndarray, edge: WhiteLineEdge) -> tuple[float, float]:
    """Maxima of both lines; the distances of the library are up to 15 % larger than those of the table."""
    blurred = gaussian_filter1d(lines, 1.0 / FWHM_PER_SIGMA / (energy[1] - energy[0]))
    pair = blurred + np.interp(energy + 1.1 * edge.distance, energy, blurred, right=0)
    first = energy[pair.argmax()]
    near = np.abs(energy - first) < edge.distance / 2
    first = energy[near][blurred[near].argmax()]
    above = (energy > first + 0.6 * edge.distance) & (energy < first + 1.4 * edge.distance)
    second = energy[above][blurred[above].argmax()]
    return float(first), float(second)


def continuum(energy: np.ndarray, first: float, second: float) -> np.ndarray:
    """Two steps at the maxima of the lines, two thirds and one third of one together."""
    return sum(
        share * (0.5 + np.arctan((energy - place) / (STEP_WIDTH_EV / 2)) / np.pi)
        for share, place in ((SHARE_OF_FIRST, first), (1 - SHARE_OF_FIRST, second))
    )


def _signal(
    edge: WhiteLineEdge, ion: Ion, energy: np.ndarray, spectrum: np.ndarray
) -> EELSSpectrum:
    from exspy.signals import EELSSpectrum

    axis = {
        "name": "Energy loss",
        "units": "eV",
        "offset": energy[0],
        "scale": energy[1] - energy[0],
        "size": len(energy),
    }
    signal = EELSSpectrum(spectrum, axes=[axis])
    signal.metadata.General.title = f"{edge.element}{ion.charge}+ (computed)"
    signal.metadata.set_item(
        "Signal.reference",
        {
            "element": edge.element,
            "edge": edge.name,
            "charge": ion.charge,
            "ten_dq": ion.ten_dq,
            "computed": True,
        },
    )
    return signal
