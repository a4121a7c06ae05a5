"""A simulated spectrum image of a perovskite superlattice, of which the truth is known.

SrTiO3, LaMnO3 and BaTiO3 layers stand one beside the other in a wedge-shaped foil. A spectrum is
the sum over the elements of areal density times differential cross section (the bundled table plus
near-edge fine structure), convolved with the low loss, on a power-law background, with Poisson
noise.
"""

from __future__ import annotations

from typing import NamedTuple

import hyperspy.api as hs
import numpy as np
from exspy.components import VolumePlasmonDrude
from exspy.signals import EELSSpectrum
from scipy.ndimage import gaussian_filter1d
from scipy.special import erf
from scipy.stats import poisson
from tqdm.auto import tqdm

from hyperspy_eelsid.components import CoreLossEdge
from hyperspy_eelsid.edges import EDGES

ENERGY_START_EV = 380.0  # between the onsets of Sr M1 and Ti L3: no edge of strontium is seen
ENERGY_END_EV = 1000.0
DISPERSION_EV = 0.5
ENERGY_RESOLUTION_EV = 1.0

BEAM_ENERGY_KEV = 200.0
CONVERGENCE_ANGLE_MRAD = 20.0
COLLECTION_ANGLE_MRAD = 40.0
ELECTRONS_PER_PIXEL = 6e7  # 200 pA for 50 ms

FIELD_OF_VIEW_NM = (24.0, 52.0)  # along the layers, across them
INTERFACE_WIDTH_NM = 0.5
INTERFACE_ROUGHNESS_NM = 0.4
FOIL_THICKNESS_NM = (20.0, 40.0)
MEAN_FREE_PATH_NM = 100.0
PLASMONS_EV = ((14.0, 6.0, 0.2), (29.0, 16.0, 0.8))  # energy, full width, share
SCATTERING_ORDERS = 5

BACKGROUND_AT_500_EV = 2.5e-7  # per incident electron, eV of energy loss and nm of foil
BACKGROUND_EXPONENT = 3.0

components1D = hs.model.components1D

BARN_NM2 = 1e-10


class Perovskite(NamedTuple):
    """A cubic perovskite: its pseudo-cubic lattice parameter [nm] and the atoms in one cell."""

    lattice_parameter: float
    atoms: dict[str, int]


SRTIO3 = Perovskite(0.3905, {"Sr": 1, "Ti": 1, "O": 3})
LAMNO3 = Perovskite(0.394, {"La": 1, "Mn": 1, "O": 3})
BATIO3 = Perovskite(0.401, {"Ba": 1, "Ti": 1, "O": 3})
STACK = (SRTIO3, LAMNO3, BATIO3) * 3 + (SRTIO3,)

# A continuum cross section has no transitions to bound states: Gaussians stand for them. For each
# edge: energy above the onset [eV], full width [eV], height in maxima of the continuum.
FINE_STRUCTURE: dict[str, tuple[tuple[float, float, float], ...]] = {
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


class Superlattice(NamedTuple):
    """A simulated spectrum image and what it was made of.

    Attributes
    ----------
    signal : The spectrum image, counts.
    density : Areal density of every element [atoms/nm²], the invisible Sr included.
    """

    signal: EELSSpectrum
    density: dict[str, hs.signals.Signal2D]


def superlattice(
    shape: tuple[int, int] = (60, 130), seed: int = 0, show_progressbar: bool | None = None
) -> Superlattice:
    """Simulate a spectrum image of a LaMnO3/BaTiO3/SrTiO3 superlattice.

    Parameters
    ----------
    shape : Number of pixels along the layers and across them.
    seed : The same seed gives the same image.
    show_progressbar : Show the progress; None is HyperSpy's preference.

    Returns
    -------
    The spectrum image and the true areal densities, on the same navigation axes.
    """
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape must be two positive numbers of pixels, not {shape!r}.")
    if show_progressbar is None:
        show_progressbar = hs.preferences.General.show_progressbar

    rng = np.random.default_rng(seed)
    thickness = np.linspace(*FOIL_THICKNESS_NM, shape[0])
    density = areal_density(thickness, shape[1], rng)
    energy = np.arange(ENERGY_START_EV, ENERGY_END_EV, DISPERSION_EV)
    edges = element_spectra(tuple(density), energy)
    orders = np.arange(SCATTERING_ORDERS)
    plural = plural_scattering(edges, len(orders))
    background = BACKGROUND_AT_500_EV * components1D.PowerLaw(A=1, r=BACKGROUND_EXPONENT).function(
        energy / 500
    )

    counts = np.empty((*shape, energy.size), dtype=np.uint32)
    atoms = np.stack(tuple(density.values()), axis=-1)
    rows = tqdm(range(shape[0]), desc="Simulating", unit="row", disable=not show_progressbar)
    for row in rows:
        weights = poisson.pmf(orders, thickness[row] / MEAN_FREE_PATH_NM)
        cross_section = np.tensordot(weights, plural, axes=1) * BARN_NM2
        probability = atoms[row] @ cross_section + thickness[row] * background
        counts[row] = rng.poisson(ELECTRONS_PER_PIXEL * DISPERSION_EV * probability)
    return Superlattice(_signal(counts), {name: _map(name, density[name]) for name in density})


def areal_density(
    thickness: np.ndarray, width: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Areal density of each element of the stack, its interfaces rough and diffuse.

    Parameters
    ----------
    thickness : Foil thickness of each row [nm], shape (rows,).
    width : Number of pixels across the layers.
    rng : Draws the roughness of the interfaces.

    Returns
    -------
    Element -> areal density [atoms/nm²], shape (rows, width).
    """
    across = FIELD_OF_VIEW_NM[1]
    position = (np.arange(width) + 0.5) * across / width
    inner = np.linspace(0, across, len(STACK) + 1)[1:-1]
    waves = gaussian_filter1d(
        rng.normal(size=(inner.size, thickness.size)), sigma=thickness.size / 8, mode="wrap"
    )
    interfaces = inner[:, np.newaxis] + INTERFACE_ROUGHNESS_NM * waves / waves.std()
    # Share of the stack that lies beyond each interface: one before the first, none after the last.
    beyond = (1 + erf((position - interfaces[..., np.newaxis]) / INTERFACE_WIDTH_NM)) / 2
    beyond = np.concatenate([np.ones_like(beyond[:1]), beyond, np.zeros_like(beyond[:1])])
    shares = beyond[:-1] - beyond[1:]

    density: dict[str, np.ndarray] = {}
    for layer, share in zip(STACK, shares, strict=True):
        cells = share * thickness[:, np.newaxis] / layer.lattice_parameter**3
        for element, number in layer.atoms.items():
            density[element] = density.get(element, 0.0) + number * cells
    return density


def element_spectra(elements: tuple[str, ...], energy: np.ndarray) -> np.ndarray:
    """Energy-differential cross section of each element's edges with their fine structure.

    Parameters
    ----------
    elements : Symbols.
    energy : Energy axis [eV], shape (channels,), increasing.

    Returns
    -------
    Single-scattering cross sections at the energy resolution [barn/eV], shape (elements, channels);
    zero for an element without an onset on the axis.
    """
    spectra = np.zeros((len(elements), energy.size))
    for edge in EDGES:
        if edge.element in elements and energy[0] <= edge.onset_energy < energy[-1]:
            component = CoreLossEdge(edge.name)
            component.set_microscope_parameters(
                BEAM_ENERGY_KEV, CONVERGENCE_ANGLE_MRAD, COLLECTION_ANGLE_MRAD, DISPERSION_EV
            )
            continuum = component.function(energy)
            lines = sum(
                components1D.GaussianHF(
                    height=height * continuum.max(), centre=edge.onset_energy + above, fwhm=fwhm
                ).function(energy)
                for above, fwhm, height in FINE_STRUCTURE.get(edge.name, ())
            )
            spectra[elements.index(edge.element)] += continuum + lines
    return gaussian_filter1d(spectra, ENERGY_RESOLUTION_EV / 2.355 / DISPERSION_EV, axis=-1)


def plural_scattering(spectra: np.ndarray, orders: int) -> np.ndarray:
    """Spectra of electrons that also excited 0, 1, 2, ... plasmons.

    Parameters
    ----------
    spectra : Single-scattering spectra, shape (spectra, channels).
    orders : Number of orders, the first being no plasmon.

    Returns
    -------
    Convolutions with powers of the plasmon spectrum, shape (orders, spectra, channels).
    """
    loss = np.arange(0, ENERGY_END_EV - ENERGY_START_EV, DISPERSION_EV)
    plasmon = np.zeros_like(loss)
    for position, fwhm, share in PLASMONS_EV:
        peak = VolumePlasmonDrude(plasmon_energy=position, fwhm=fwhm).function(loss)
        plasmon += share * peak / peak.sum()

    convolved = [spectra]
    while len(convolved) < orders:
        convolved.append(np.stack([np.convolve(s, plasmon)[: loss.size] for s in convolved[-1]]))
    return np.stack(convolved)


def _signal(counts: np.ndarray) -> EELSSpectrum:
    signal = EELSSpectrum(
        counts,
        axes=[
            *_navigation_axes(counts.shape[:2]),
            {
                "name": "Energy loss",
                "units": "eV",
                "size": counts.shape[2],
                "scale": DISPERSION_EV,
                "offset": ENERGY_START_EV,
            },
        ],
    )
    signal.metadata.General.title = "Simulated LaMnO3/BaTiO3/SrTiO3 superlattice"
    signal.set_microscope_parameters(
        beam_energy=BEAM_ENERGY_KEV,
        convergence_angle=CONVERGENCE_ANGLE_MRAD,
        collection_angle=COLLECTION_ANGLE_MRAD,
    )
    return signal


def _map(element: str, density: np.ndarray) -> hs.signals.Signal2D:
    signal = hs.signals.Signal2D(density, axes=_navigation_axes(density.shape))
    signal.metadata.General.title = f"{element} [atoms/nm²]"
    return signal


def _navigation_axes(shape: tuple[int, int]) -> list[dict[str, object]]:
    return [
        {"name": name, "units": "nm", "size": size, "scale": width / size}
        for name, size, width in zip("yx", shape, FIELD_OF_VIEW_NM, strict=True)
    ]
