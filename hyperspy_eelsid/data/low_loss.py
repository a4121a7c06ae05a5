"""Low-loss spectra and an image whose zero-loss peak, band gap and thickness are known.

A spectrum is the zero-loss peak convolved with all orders of scattering (Egerton 2011, eq. 4.10), with Poisson noise.
The single scattering is the onset of a band gap, damped above it, and a plasmon. The tail of the sample's peak is not
quite that of the vacuum's, as between measured spectra.
"""

from __future__ import annotations

from typing import NamedTuple

import hyperspy.api as hs
import numpy as np
from exspy.components import VolumePlasmonDrude
from exspy.signals import EELSSpectrum
from scipy import fft
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit

from hyperspy_eelsid import arguments

BEAM_ENERGY_KEV = 80.0
CONVERGENCE_ANGLE_MRAD = 10.0
COLLECTION_ANGLE_MRAD = 20.0

PLASMON_EV = (22.0, 6.0)  # energy, full width
DAMPING_EV = 2.0  # above the gap the onset falls off like a Lorentzian of this half width
SAMPLE_BROADENING = 1.05
TAIL_DRIFT = 0.03  # standard deviation of the slope of ln(sample / vacuum) over ln(energy)
CHARGING_EV = 0.1
ONSET_SHARE = 0.2  # of the scattering in the flake


class LowLossSpectrum(NamedTuple):
    """A simulated spectrum, a vacuum spectrum of the same session, and the truth.

    Parameters
    ----------
    energy
        Energy axis [eV], shape (n_channels,).
    counts, vacuum
        Counts of the sample and of the vacuum, shape (n_channels,).
    zero_loss, inelastic
        Expected counts of the two parts of the sample's spectrum, shape (n_channels,).
    band_gap, exponent
        Band gap [eV] and exponent of the onset.
    fwhm
        Width of the zero-loss peak [eV].
    """

    energy: np.ndarray
    counts: np.ndarray
    vacuum: np.ndarray
    zero_loss: np.ndarray
    inelastic: np.ndarray
    band_gap: float
    exponent: float
    fwhm: float


def zero_loss_shape(energy: np.ndarray, fwhm: float, rng: np.random.Generator) -> np.ndarray:
    """A zero-loss peak of unit sum, its tail drawn anew with each call.

    A Gaussian with exponential sides, a wing that falls off with a power between 3.2 and 3.8, and a weaker one of
    power 2 that the detector makes.

    Parameters
    ----------
    energy
        Energy axis [eV], shape (n_channels,), uniform.
    fwhm
        About the full width at half maximum [eV].
    rng
        Draws the tail.
    """
    step = energy[1] - energy[0]
    near = step * np.arange(-round(12 * fwhm / step), round(12 * fwhm / step) + 1)
    sides = np.exp(-np.abs(near) / np.where(near < 0, 0.12 * fwhm, 0.2 * fwhm))
    core = gaussian_filter1d(sides, fwhm / 2.6 / step)
    core = np.interp(energy, near - near[core.argmax()], core, left=0, right=0)
    gain = np.where(energy < 0, rng.uniform(0.5, 0.9), 1.0)
    wing = gain * (1 + (energy / (0.8 * fwhm)) ** 2) ** (-rng.uniform(3.2, 3.8) / 2)
    detector = gain / (1 + (energy / (5 * fwhm)) ** 2)
    shape = core / core.sum() + rng.uniform(0.25, 0.5) * wing / wing.sum()
    shape += rng.uniform(0.002, 0.006) * detector / detector.sum()
    return shape / shape.sum()


def sample_shape(
    energy: np.ndarray, vacuum: np.ndarray, fwhm: float, rng: np.random.Generator
) -> np.ndarray:
    """The zero-loss peak of the sample: that of the vacuum, 5 % broader, its tail of slightly other slope."""
    step = energy[1] - energy[0]
    broadening = fwhm * np.sqrt(SAMPLE_BROADENING**2 - 1) / 2.355 / step
    drift = np.log(np.maximum(energy, fwhm) / fwhm).clip(0, 3)
    shape = gaussian_filter1d(vacuum, broadening) * np.exp(rng.normal(0, TAIL_DRIFT) * drift)
    return shape / shape.sum()


def single_scattering(
    energy: np.ndarray, band_gap: float, exponent: float, onset_share: float
) -> np.ndarray:
    """Probability of a loss in one scattering event, of unit sum: an onset, and a plasmon 3 eV above it.

    Parameters
    ----------
    energy
        Energy axis [eV], shape (n_channels,).
    band_gap, exponent
        Band gap [eV] and exponent of the onset.
    onset_share
        Share of the onset in all events.
    """
    above = np.maximum(energy - band_gap, 0)
    onset = np.where(above > 0, above**exponent, 0) / (1 + (above / DAMPING_EV) ** 2)
    plasmon = VolumePlasmonDrude(plasmon_energy=PLASMON_EV[0], fwhm=PLASMON_EV[1]).function(
        np.maximum(energy, 1e-3)
    )
    plasmon *= expit((energy - band_gap - 3.0) / 0.6)
    return onset_share * onset / onset.sum() + (1 - onset_share) * plasmon / plasmon.sum()


def scattered(
    energy: np.ndarray, zero_loss: np.ndarray, single: np.ndarray, thickness: np.ndarray
) -> np.ndarray:
    """All orders of scattering convolved with the zero-loss peak, the peak itself left out.

    Parameters
    ----------
    energy
        Energy axis [eV], shape (n_channels,), uniform.
    zero_loss
        Zero-loss peak of unit sum, shape (..., n_channels).
    single
        Single scattering of unit sum, shape (..., n_channels).
    thickness
        Thickness in mean free paths, shape (...).

    Returns
    -------
    np.ndarray
        Share of each channel in all electrons, shape (..., n_channels).
    """
    size = energy.size
    length = fft.next_fast_len(3 * size, real=True)
    zero = int(np.abs(energy).argmin())
    loss = np.zeros((*single.shape[:-1], length))  # begins at energy 0
    loss[..., : size - zero] = single[..., zero:]
    orders = np.expm1(np.asarray(thickness)[..., np.newaxis] * fft.rfft(loss))
    orders *= np.exp(-np.asarray(thickness))[..., np.newaxis]
    spectra = fft.irfft(fft.rfft(zero_loss, length) * orders, length)[..., :size]
    return np.maximum(spectra, 0)


def low_loss_spectrum(
    rng: np.random.Generator,
    electrons: float = 5e7,
    fwhm: float = 0.45,
    dispersion: float = 0.025,
    band_gap: float | None = None,
    exponent: float | None = None,
    thickness: float = 0.6,
) -> LowLossSpectrum:
    """Simulate the spectrum of a semiconductor, and one of the vacuum beside it.

    Parameters
    ----------
    rng
        Draws all that is not given.
    electrons
        Number of electrons of each spectrum.
    fwhm, dispersion
        Width of the zero-loss peak and of a channel [eV].
    band_gap
        Band gap [eV]; between 3.5 and 5.5 `fwhm` by default.
    exponent
        Exponent of the onset; 0.5 or 1.5 by default.
    thickness
        Thickness in mean free paths.
    """
    energy = dispersion * np.arange(-round(4 / dispersion), round(30 / dispersion))
    band_gap = rng.uniform(3.5 * fwhm, 5.5 * fwhm) if band_gap is None else band_gap
    exponent = float(rng.choice([0.5, 1.5])) if exponent is None else exponent
    shape = zero_loss_shape(energy, fwhm, rng)
    own = sample_shape(energy, shape, fwhm, rng)
    single = single_scattering(energy, band_gap, exponent, rng.uniform(0.01, 0.04))
    zero_loss = electrons * np.exp(-thickness) * own
    inelastic = electrons * scattered(energy, own, single, np.array(thickness))
    shift = rng.uniform(-0.3, 0.3) * dispersion
    return LowLossSpectrum(
        energy=energy,
        counts=rng.poisson(zero_loss + inelastic).astype(float),
        vacuum=rng.poisson(electrons * np.interp(energy - shift, energy, shape)).astype(float),
        zero_loss=zero_loss,
        inelastic=inelastic,
        band_gap=band_gap,
        exponent=exponent,
        fwhm=fwhm,
    )


def nanostructure(
    shape: tuple[int, int] = (30, 40),
    seed: int = 0,
    electrons: float = 1e6,
    exponent: float = 1.5,
) -> EELSSpectrum:
    """Low-loss image of a semiconducting flake with vacuum at its edge.

    The left fifth is vacuum; from there the flake gets thicker, up to 0.8 mean free paths. Its band gap rises from 1.6
    to 2.0 eV from the first row to the last. The peak moves by about 0.1 eV over the image.

    Parameters
    ----------
    shape
        Number of rows and columns of pixels.
    seed
        The same seed gives the same image.
    electrons
        Number of electrons in a pixel.
    exponent
        Exponent of the onset: 0.5 for a direct gap, 1.5 for an indirect one.

    Returns
    -------
    EELSSpectrum
        The image in counts. ``metadata.Simulation`` holds maps of ``band_gap`` [eV], of ``thickness`` in mean free
        paths and of ``zero_loss_energy`` [eV], and the expected ``zero_loss_peak`` of every pixel.

    Examples
    --------
    >>> from hyperspy_eelsid.data import nanostructure
    >>> nanostructure(shape=(3, 10))
    <EELSSpectrum, title: Simulated nanostructure, dimensions: (10, 3|1000)>
    """
    arguments.two_whole_numbers("shape", shape)
    arguments.whole_number("seed", seed, least=0)
    arguments.positive("electrons", electrons)
    arguments.positive("exponent", exponent)
    rng = np.random.default_rng(seed)
    fwhm, dispersion = 0.45, 0.05
    energy = dispersion * np.arange(-100, 900)
    rows, columns = (np.arange(n) / max(n - 1, 1) for n in shape)
    thickness = np.broadcast_to(np.maximum(columns - 0.2, 0), shape)
    band_gap = np.broadcast_to((1.6 + 0.4 * rows)[:, np.newaxis], shape)
    moved = CHARGING_EV * (np.sin(3 * columns) + rows[:, np.newaxis])
    moved = moved + rng.normal(0, 0.2 * dispersion, shape)

    vacuum = zero_loss_shape(energy, fwhm, rng)
    own = sample_shape(energy, vacuum, fwhm, rng)
    peaks = np.stack([np.interp(energy - m, energy, own) for m in moved.ravel()])
    in_vacuum = thickness.ravel() == 0
    peaks[in_vacuum] = np.stack(
        [np.interp(energy - m, energy, vacuum) for m in moved.ravel()[in_vacuum]]
    )
    peaks = peaks.reshape(*shape, energy.size)
    single = np.stack(
        [single_scattering(energy, gap, exponent, ONSET_SHARE) for gap in band_gap[:, 0]]
    )
    expected = electrons * np.exp(-thickness)[..., np.newaxis] * peaks
    inelastic = scattered(
        energy, peaks, np.broadcast_to(single[:, np.newaxis], peaks.shape), thickness
    )
    counts = rng.poisson(expected + electrons * inelastic).astype(np.uint32)

    pixels = [
        {"name": name, "units": "nm", "size": n, "scale": 2.0}
        for name, n in zip("yx", shape, strict=True)
    ]
    losses = {
        "name": "Energy loss",
        "units": "eV",
        "size": energy.size,
        "scale": dispersion,
        "offset": energy[0],
    }
    signal = EELSSpectrum(counts, axes=[*pixels, losses])
    signal.metadata.General.title = "Simulated nanostructure"
    signal.set_microscope_parameters(
        beam_energy=BEAM_ENERGY_KEV,
        convergence_angle=CONVERGENCE_ANGLE_MRAD,
        collection_angle=COLLECTION_ANGLE_MRAD,
    )
    truth = {"band_gap": band_gap, "thickness": thickness, "zero_loss_energy": moved}
    for name, values in truth.items():
        signal.metadata.set_item(
            f"Simulation.{name}", hs.signals.Signal2D(values.copy(), axes=pixels)
        )
    signal.metadata.set_item(
        "Simulation.zero_loss_peak",
        EELSSpectrum(expected.astype(np.float32), axes=[*pixels, losses]),
    )
    return signal
