"""Example spectrum images, simulated in a second or so, whose truth is known; and the tables of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import erf

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

__all__ = ["superlattice", "titanium_oxynitride"]

INTERFACE_WIDTH_NM = 0.5
INTERFACE_ROUGHNESS_NM = 0.4


class Crystal(NamedTuple):
    """Volume of a unit cell [nm³] and the atoms in it."""

    volume: float
    atoms: dict[str, int]


SRTIO3 = Crystal(0.3905**3, {"Sr": 1, "Ti": 1, "O": 3})
LAMNO3 = Crystal(0.394**3, {"La": 1, "Mn": 1, "O": 3})
BATIO3 = Crystal(0.401**3, {"Ba": 1, "Ti": 1, "O": 3})
TIN = Crystal(0.424**3, {"Ti": 4, "N": 4})
TIO2 = Crystal(0.3785**2 * 0.9514, {"Ti": 4, "O": 8})  # anatase


def superlattice(
    shape: tuple[int, int] = (60, 130), seed: int = 0, show_progressbar: bool | None = None
) -> EELSSpectrum:
    """Spectrum image of a LaMnO3/BaTiO3/SrTiO3 superlattice in a wedge-shaped foil.

    The energy axis begins between the onsets of Sr M1 and Ti L3, so that no edge of strontium is seen.

    Parameters
    ----------
    shape
        Number of pixels along the layers and across them.
    seed
        The same seed gives the same image.
    show_progressbar
        Show the progress; None takes HyperSpy's preference.

    Returns
    -------
    EELSSpectrum
        The image in counts. The areal density of every element [atoms/nm²], the invisible
        Sr included, is in ``metadata.Simulation.areal_density``.

    Examples
    --------
    >>> from hyperspy_eelsid.data import superlattice
    >>> superlattice(shape=(2, 10))
    <EELSSpectrum, title: Simulated LaMnO3/BaTiO3/SrTiO3 superlattice, dimensions: (10, 2|1240)>
    """
    from hyperspy_eelsid.data.simulation import simulate

    _check_shape(shape)
    rng = np.random.default_rng(seed)
    field_of_view = 24.0, 52.0
    thickness = np.linspace(20.0, 40.0, shape[0])
    stack = (SRTIO3, LAMNO3, BATIO3) * 3 + (SRTIO3,)
    position = (np.arange(shape[1]) + 0.5) * field_of_view[1] / shape[1]
    interfaces = np.linspace(0, field_of_view[1], len(stack) + 1)[1:-1]
    return simulate(
        "Simulated LaMnO3/BaTiO3/SrTiO3 superlattice",
        np.arange(380.0, 1000.0, 0.5),
        areal_density(stack, interfaces, position, thickness, rng),
        thickness,
        field_of_view,
        rng,
        show_progressbar,
    )


def titanium_oxynitride(
    shape: tuple[int, int] = (24, 40), seed: int = 0, show_progressbar: bool | None = None
) -> EELSSpectrum:
    """Spectrum image of an oxidised titanium nitride film, at a dispersion of 0.1 eV.

    Nitrogen K (401 eV) and scandium L3 (402 eV) begin at the same energy: the image invites to find scandium where
    there is none.

    Parameters
    ----------
    shape
        Number of pixels along the film and across it.
    seed
        The same seed gives the same image.
    show_progressbar
        Show the progress; None takes HyperSpy's preference.

    Returns
    -------
    EELSSpectrum
        The image in counts, with the areal density of every element [atoms/nm²] in
        ``metadata.Simulation.areal_density``.
    """
    from hyperspy_eelsid.data.simulation import simulate

    _check_shape(shape)
    rng = np.random.default_rng(seed)
    field_of_view = 12.0, 20.0
    thickness = np.full(shape[0], 30.0)
    position = (np.arange(shape[1]) + 0.5) * field_of_view[1] / shape[1]
    return simulate(
        "Simulated titanium oxynitride",
        np.arange(370.0, 600.0, 0.1),
        areal_density((TIN, TIO2), np.array([11.0]), position, thickness, rng, width=4.0),
        thickness,
        field_of_view,
        rng,
        show_progressbar,
    )


def areal_density(
    layers: tuple[Crystal, ...],
    interfaces: np.ndarray,
    position: np.ndarray,
    thickness: np.ndarray,
    rng: np.random.Generator,
    width: float = INTERFACE_WIDTH_NM,
) -> dict[str, np.ndarray]:
    """Areal density of each element of a stack of layers, its interfaces rough and diffuse.

    Parameters
    ----------
    layers
        Crystals across the stack.
    interfaces
        Mean position of the interface after each layer but the last [nm].
    position
        Position of each column of pixels [nm], shape (columns,).
    thickness
        Foil thickness of each row of pixels [nm], shape (rows,).
    rng
        Draws the roughness of the interfaces.
    width
        Width of the error function that an interface is [nm].

    Returns
    -------
    dict[str, np.ndarray]
        Element -> areal density [atoms/nm²], shape (rows, columns).
    """
    waves = gaussian_filter1d(
        rng.normal(size=(interfaces.size, thickness.size)), sigma=thickness.size / 8, mode="wrap"
    )
    spread = waves.std()
    if spread > 0:
        waves *= INTERFACE_ROUGHNESS_NM / spread
    rough = interfaces[:, np.newaxis] + waves
    # share of the stack that lies beyond each interface: one before the first, none after the last
    beyond = (1 + erf((position - rough[..., np.newaxis]) / width)) / 2
    beyond = np.concatenate([np.ones_like(beyond[:1]), beyond, np.zeros_like(beyond[:1])])
    density: dict[str, np.ndarray] = {}
    for layer, share in zip(layers, beyond[:-1] - beyond[1:], strict=True):
        cells = share * thickness[:, np.newaxis] / layer.volume
        for element, number in layer.atoms.items():
            density[element] = density.get(element, 0.0) + number * cells
    return density


def _check_shape(shape: tuple[int, int]) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape must be two positive numbers of pixels, not {shape!r}.")
