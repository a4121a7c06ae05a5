"""An image of white lines whose oxidation states are known: a particle with a core and a shell."""

from __future__ import annotations

import hyperspy.api as hs
import numpy as np
from exspy.signals import EELSSpectrum

from hyperspy_eelsid import arguments
from hyperspy_eelsid.oxidation.references import ions, references

BEAM_ENERGY_KEV = 200.0
CONVERGENCE_ANGLE_MRAD = 20.0
COLLECTION_ANGLE_MRAD = 40.0

FIELD_OF_VIEW_NM = 20.0
SHELL_RADIUS_NM, CORE_RADIUS_NM = 9.0, 7.0
CORE_CENTRE_NM = 1.0, -0.8  # from the centre of the particle, y and x
MN_PER_NM3 = (4 / 0.4445**3, 32 / 0.9416**3)  # MnO, rock salt; Mn2O3, bixbyite
DISPERSION_EV = 0.2
AXIS_OFFSET_EV = 1.4  # how far the axis is off
BACKGROUND = 0.8  # of the particle at the onset of L3, in parts of the maximum of L3
FILM_NM = 4.0  # of carbon, which makes half the background of so much oxide
BACKGROUND_EXPONENT = 3.2


def core_shell_particle(
    shape: tuple[int, int] = (32, 32),
    seed: int = 0,
    counts: float = 1000.0,
    resolution: float = 1.2,
) -> EELSSpectrum:
    """Spectrum image of a particle with a core of MnO and a shell of Mn2O3 on a film of carbon.

    White lines of Mn2+ and Mn3+ are those that :func:`hyperspy_eelsid.oxidation.references` computes; in each pixel
    they are mixed as the electrons pass through core and shell. The energy axis is 1.4 eV too high. Plural scattering
    is left out: the particle is 18 nm thick at most. Around it there is nothing but the film.

    Parameters
    ----------
    shape
        Number of rows and columns of pixels.
    seed
        The same seed gives the same image.
    counts
        Expected counts of the particle at the maximum of Mn L3, without background, where they are most.
    resolution
        Full width at half maximum of the energy resolution [eV].

    Returns
    -------
    EELSSpectrum
        The image in counts. ``metadata.Simulation.fraction`` is the true share of Mn3+ in the intensity of the edge,
        NaN beside the particle, and ``metadata.Simulation.areal_density.Mn`` the atoms of manganese [atoms/nm²].

    Raises
    ------
    ArgumentError
        If an argument has no meaning.

    Examples
    --------
    >>> from hyperspy_eelsid.data import core_shell_particle
    >>> core_shell_particle(shape=(4, 5))
    <EELSSpectrum, title: Simulated core and shell of manganese oxides, dimensions: (5, 4|405)>
    """
    arguments.two_whole_numbers("shape", shape)
    arguments.whole_number("seed", seed, least=0)
    arguments.positive("counts", counts)
    arguments.positive("resolution", resolution)
    rng = np.random.default_rng(seed)
    core, shell = _paths(shape)
    atoms = np.stack([core, shell], axis=-1) * MN_PER_NM3
    # an atom absorbs as much as it has holes in 3d
    holes = {ion.charge: ion.holes for ion in ions("Mn")}
    intensity = atoms * (holes[2], holes[3])
    pair = references("Mn", DISPERSION_EV, resolution)[:2]
    energy = pair[0].axes_manager.signal_axes[0].axis
    edge = intensity @ np.stack([ion.data for ion in pair])
    edge *= counts / edge.max()
    background = BACKGROUND * counts * (energy / 640) ** -BACKGROUND_EXPONENT
    thickness = (core + shell + FILM_NM / 2) / (2 * SHELL_RADIUS_NM)
    expected = edge + thickness[..., np.newaxis] * background

    pixels = [
        {"name": name, "units": "nm", "size": size, "scale": FIELD_OF_VIEW_NM / max(shape)}
        for name, size in zip("yx", shape, strict=True)
    ]
    losses = {
        "name": "Energy loss",
        "units": "eV",
        "size": energy.size,
        "scale": DISPERSION_EV,
        "offset": energy[0] + AXIS_OFFSET_EV,
    }
    signal = EELSSpectrum(rng.poisson(expected).astype(np.uint32), axes=[*pixels, losses])
    signal.metadata.General.title = "Simulated core and shell of manganese oxides"
    signal.set_microscope_parameters(
        beam_energy=BEAM_ENERGY_KEV,
        convergence_angle=CONVERGENCE_ANGLE_MRAD,
        collection_angle=COLLECTION_ANGLE_MRAD,
    )
    total = intensity.sum(axis=-1)
    fraction = np.where(total > 0, intensity[..., 1] / np.where(total > 0, total, 1), np.nan)
    truth = {
        "fraction": (fraction, "Mn3+"),
        "areal_density.Mn": (atoms.sum(axis=-1), "Mn [atoms/nm²]"),
    }
    for name, (values, title) in truth.items():
        values = hs.signals.Signal2D(values, axes=pixels)
        values.metadata.General.title = title
        signal.metadata.set_item(f"Simulation.{name}", values)
    return signal


def _paths(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of the way through core and shell [nm], shape of the image each."""
    step = FIELD_OF_VIEW_NM / max(shape)
    y, x = (step * (np.arange(size) - (size - 1) / 2) for size in shape)
    y, x = np.meshgrid(y, x, indexing="ij")
    below, right = CORE_CENTRE_NM
    core = 2 * np.sqrt(np.maximum(CORE_RADIUS_NM**2 - (y - below) ** 2 - (x - right) ** 2, 0))
    whole = 2 * np.sqrt(np.maximum(SHELL_RADIUS_NM**2 - y**2 - x**2, 0))
    return core, whole - core
