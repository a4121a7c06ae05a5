"""Spectrum images from areal densities: cross sections, fine structure, plural scattering, background, counting.

A spectrum is the sum over the elements of areal density times differential cross section (the bundled table plus
near-edge fine structure), convolved with the low loss, on a power-law background, with Poisson noise.
"""

from __future__ import annotations

import hyperspy.api as hs
import numpy as np
from exspy.components import VolumePlasmonDrude
from exspy.signals import EELSSpectrum
from scipy.ndimage import gaussian_filter1d
from scipy.stats import poisson
from tqdm.auto import tqdm

from hyperspy_eelsid.edges import EDGES
from hyperspy_eelsid.edges.component import CoreLossEdge

ENERGY_RESOLUTION_EV = 1.0
BEAM_ENERGY_KEV = 200.0
CONVERGENCE_ANGLE_MRAD = 20.0
COLLECTION_ANGLE_MRAD = 40.0
ELECTRONS_PER_PIXEL = 6e7  # 200 pA for 50 ms

MEAN_FREE_PATH_NM = 100.0
PLASMONS_EV = ((14.0, 6.0, 0.2), (29.0, 16.0, 0.8))  # energy, full width, share
SCATTERING_ORDERS = 5

BACKGROUND_AT_500_EV = 2.5e-7  # per incident electron, eV of energy loss and nm of foil
BACKGROUND_EXPONENT = 3.0
BARN_NM2 = 1e-10

components1D = hs.model.components1D

# A continuum cross section has no transitions to bound states: Gaussians stand for them. For each
# edge: energy above the onset [eV], full width [eV], height in maxima of the continuum.
FINE_STRUCTURE: dict[str, tuple[tuple[float, float, float], ...]] = {
    "N_K": ((0.8, 1.6, 0.9), (3.4, 2.2, 0.8), (11.0, 7.0, 0.5)),
    "O_K": ((1.0, 2.0, 0.5), (4.5, 4.0, 0.45), (11.0, 8.0, 0.4)),
    "Ti_L3": ((1.9, 1.2, 1.0), (4.2, 1.6, 1.6)),
    "Ti_L2": ((1.4, 1.8, 1.6), (3.7, 2.2, 1.8)),
    "Mn_L3": ((2.0, 3.5, 2.5),),
    "Mn_L2": ((2.3, 3.5, 2.2),),
    "Ba_M5": ((4.5, 3.0, 3.0),),
    "Ba_M4": ((4.0, 3.0, 3.5),),
    "La_M5": ((3.0, 3.0, 3.5),),
    "La_M4": ((2.0, 3.0, 4.0),),
}


def simulate(
    title: str,
    energy: np.ndarray,
    density: dict[str, np.ndarray],
    thickness: np.ndarray,
    field_of_view: tuple[float, float],
    rng: np.random.Generator,
    show_progressbar: bool | None = None,
) -> EELSSpectrum:
    """Simulate the spectrum image of a foil.

    Parameters
    ----------
    title
        Title of the signal.
    energy
        Energy axis [eV], shape (n_channels,), uniform.
    density
        Element -> areal density [atoms/nm²], shape (rows, columns).
    thickness
        Foil thickness of each row [nm], shape (rows,).
    field_of_view
        Height and width of the image [nm].
    rng
        Draws the counts.
    show_progressbar
        Show the progress; None takes HyperSpy's preference.

    Returns
    -------
    EELSSpectrum
        Counts, with `density` in ``metadata.Simulation.areal_density``.
    """
    if show_progressbar is None:
        show_progressbar = hs.preferences.General.show_progressbar
    dispersion = energy[1] - energy[0]
    orders = np.arange(SCATTERING_ORDERS)
    plural = plural_scattering(element_spectra(tuple(density), energy), energy, len(orders))
    background = BACKGROUND_AT_500_EV * components1D.PowerLaw(A=1, r=BACKGROUND_EXPONENT).function(
        energy / 500
    )
    atoms = np.stack(tuple(density.values()), axis=-1)
    counts = np.empty((*atoms.shape[:2], energy.size), dtype=np.uint32)
    rows = tqdm(range(len(counts)), desc="Simulating", unit="row", disable=not show_progressbar)
    for row in rows:
        weights = poisson.pmf(orders, thickness[row] / MEAN_FREE_PATH_NM)
        cross_section = np.tensordot(weights, plural, axes=1) * BARN_NM2
        probability = atoms[row] @ cross_section + thickness[row] * background
        counts[row] = rng.poisson(ELECTRONS_PER_PIXEL * dispersion * probability)
    return _signal(title, counts, energy, density, field_of_view)


def element_spectra(elements: tuple[str, ...], energy: np.ndarray) -> np.ndarray:
    """Energy-differential cross section of each element's edges with their fine structure.

    Parameters
    ----------
    elements
        Symbols.
    energy
        Energy axis [eV], shape (n_channels,), uniform.

    Returns
    -------
    np.ndarray
        Single-scattering cross sections at the energy resolution [barn/eV], shape
        (n_elements, n_channels); zero for an element without an onset on the axis.
    """
    dispersion = energy[1] - energy[0]
    spectra = np.zeros((len(elements), energy.size))
    for edge in EDGES:
        if edge.element in elements and energy[0] <= edge.onset_energy < energy[-1]:
            component = CoreLossEdge(edge.name)
            component.set_microscope_parameters(
                BEAM_ENERGY_KEV, CONVERGENCE_ANGLE_MRAD, COLLECTION_ANGLE_MRAD, dispersion
            )
            continuum = component.function(energy)
            lines = sum(
                components1D.GaussianHF(
                    height=height * continuum.max(), centre=edge.onset_energy + above, fwhm=fwhm
                ).function(energy)
                for above, fwhm, height in FINE_STRUCTURE.get(edge.name, ())
            )
            spectra[elements.index(edge.element)] += continuum + lines
    return gaussian_filter1d(spectra, ENERGY_RESOLUTION_EV / 2.355 / dispersion, axis=-1)


def plural_scattering(spectra: np.ndarray, energy: np.ndarray, orders: int) -> np.ndarray:
    """Spectra of electrons that also excited 0, 1, 2, ... plasmons.

    Parameters
    ----------
    spectra
        Single-scattering spectra, shape (n_spectra, n_channels).
    energy
        Energy axis [eV], shape (n_channels,), uniform.
    orders
        Number of orders, the first being no plasmon.

    Returns
    -------
    np.ndarray
        Convolutions with powers of the plasmon spectrum, shape (orders, n_spectra,
        n_channels).
    """
    loss = energy - energy[0]
    plasmon = np.zeros_like(loss)
    for position, fwhm, share in PLASMONS_EV:
        peak = VolumePlasmonDrude(plasmon_energy=position, fwhm=fwhm).function(loss)
        plasmon += share * peak / peak.sum()

    convolved = [spectra]
    while len(convolved) < orders:
        convolved.append(np.stack([np.convolve(s, plasmon)[: loss.size] for s in convolved[-1]]))
    return np.stack(convolved)


def _signal(
    title: str,
    counts: np.ndarray,
    energy: np.ndarray,
    density: dict[str, np.ndarray],
    field_of_view: tuple[float, float],
) -> EELSSpectrum:
    pixels = [
        {"name": name, "units": "nm", "size": size, "scale": length / size}
        for name, size, length in zip("yx", counts.shape[:2], field_of_view, strict=True)
    ]
    losses = {
        "name": "Energy loss",
        "units": "eV",
        "size": energy.size,
        "scale": energy[1] - energy[0],
        "offset": energy[0],
    }
    signal = EELSSpectrum(counts, axes=[*pixels, losses])
    signal.metadata.General.title = title
    signal.set_microscope_parameters(
        beam_energy=BEAM_ENERGY_KEV,
        convergence_angle=CONVERGENCE_ANGLE_MRAD,
        collection_angle=COLLECTION_ANGLE_MRAD,
    )
    for element, values in density.items():
        truth = hs.signals.Signal2D(values, axes=pixels)
        truth.metadata.General.title = f"{element} [atoms/nm²]"
        signal.metadata.set_item(f"Simulation.areal_density.{element}", truth)
    return signal
