"""What a low-loss spectrum must be for a model, and how long it was exposed beside the core loss."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid import arguments
from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.low_loss.peak import is_saturated
from hyperspy_eelsid.low_loss.thickness import LEAST_LOW_LOSS_EV, log_ratio

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

_logger = logging.getLogger(__name__)

THICK = 1.0  # mean free paths
ZERO_LOSS_WITHIN_EV = 5.0
SAME_DISPERSION = 1e-3
DETECTOR = "Acquisition_instrument.TEM.Detector.EELS"
DM_ACQUISITION = "ImageList.TagGroup0.ImageTags.EELS.Acquisition"
RATIO = "Signal.exposure_of_core_loss"  # where a low loss keeps its exposure as a share of that


def exposure(signal: EELSSpectrum) -> float | None:
    """Time in which the electrons of one spectrum were counted [s], of all its frames; None if it is not known.

    It is the exposure or the dwell time in the metadata, for each of the frames, where RosettaSciIO has not already
    added up those of DigitalMicrograph; or what DigitalMicrograph noted itself.

    Parameters
    ----------
    signal
        Core or low loss.
    """
    noted = _noted_by_digital_micrograph(signal)
    time = signal.metadata.get_item(f"{DETECTOR}.exposure")
    if time is None:
        time = signal.metadata.get_item(f"{DETECTOR}.dwell_time")
    if time is None:
        return noted
    if not arguments.is_positive(time):
        return None
    frames = signal.metadata.get_item(f"{DETECTOR}.frame_number")
    added_up = noted is not None and np.isclose(time, noted)
    if added_up or not arguments.is_positive(frames):
        return float(time)
    return float(time * frames)


def _noted_by_digital_micrograph(signal: EELSSpectrum) -> float | None:
    tags = signal.original_metadata.get_item(DM_ACQUISITION)
    if tags is None:
        return None
    values = {
        name: tags.get_item(name)
        for name in ("Integration_time_s", "Exposure_s", "Number_of_frames")
    }
    if arguments.is_positive(values["Integration_time_s"]):
        return float(values["Integration_time_s"])
    if not arguments.is_positive(values["Exposure_s"]):
        return None
    frames = values["Number_of_frames"]
    return float(values["Exposure_s"] * (frames if arguments.is_positive(frames) else 1))


def exposure_ratio(signal: EELSSpectrum, low_loss: EELSSpectrum) -> float | None:
    """Exposure of the low loss as a share of that of the core loss; None if it is not known.

    Parameters
    ----------
    signal, low_loss
        Core and low loss.
    """
    given = low_loss.metadata.get_item(RATIO)
    if given is not None:
        return float(given)
    core, low = exposure(signal), exposure(low_loss)
    return None if core is None or low is None else low / core


def with_exposure_ratio(
    signal: EELSSpectrum, low_loss: EELSSpectrum, given: float | None
) -> EELSSpectrum:
    """The low loss with what is known of its exposure in its metadata; a copy that shares the data.

    Parameters
    ----------
    signal, low_loss
        Core and low loss.
    given
        Exposure of the low loss as a share of that of the core loss; by default from the metadata.
    """
    ratio = exposure_ratio(signal, low_loss) if given is None else float(given)
    if ratio is None:
        return low_loss
    copied = with_data(low_loss, low_loss.data)
    copied.metadata.set_item(RATIO, ratio)
    return copied


def check_shape(signal: EELSSpectrum, low_loss: EELSSpectrum) -> None:
    """Raise an ArgumentError if the low loss has neither one spectrum nor those of the pixels, or other energies."""
    shapes = [s.axes_manager.navigation_shape for s in (signal, low_loss)]
    if shapes[1] and shapes[0] != shapes[1]:
        raise ArgumentError(
            f"The low loss has {_pixels(shapes[1])} and the core loss {_pixels(shapes[0])}: give one "
            f"spectrum for all pixels, e.g. low_loss.sum(), or one for each."
        )
    axes = [s.axes_manager.signal_axes[0] for s in (signal, low_loss)]
    if not axes[1].is_uniform or not np.isclose(
        axes[0].scale, axes[1].scale, rtol=SAME_DISPERSION, atol=0
    ):
        scale = f"{axes[1].scale:g}" if axes[1].is_uniform else "changing"
        raise ArgumentError(
            f"The low loss has channels of {scale} eV and the core loss of {axes[0].scale:g} eV: bring "
            f"it to the same, e.g. with low_loss.interpolate_on_axis()."
        )
    if not axes[1].low_value <= 0 <= axes[1].high_value:
        raise ArgumentError(
            f"The low loss goes from {axes[1].low_value:g} to {axes[1].high_value:g} eV, so that its "
            f"zero-loss peak is missing, and nothing tells the number of electrons."
        )


def check_zero_loss(energy: np.ndarray, spectrum: np.ndarray) -> None:
    """Raise an ArgumentError if a low loss has no zero-loss peak at zero, or a saturated one.

    Parameters
    ----------
    energy
        Energies of its channels [eV], shape (n_channels,).
    spectrum
        Counts, shape (n_channels,).
    """
    if not np.isfinite(spectrum).any() or not np.nanmax(spectrum) > 0:
        raise ArgumentError("The low loss has no finite, positive counts.")
    highest = energy[np.nanargmax(spectrum)]
    if abs(highest) > max(ZERO_LOSS_WITHIN_EV, 2 * abs(energy[1] - energy[0])):
        raise ArgumentError(
            f"The low loss has its highest channel at {highest:g} eV, so that its zero-loss peak is missing "
            f"or not at zero, and nothing tells the number of electrons. Align it with "
            f"low_loss.align_zero_loss_peak(), or fit without it."
        )
    if is_saturated(np.nan_to_num(spectrum)[None])[0]:
        raise ArgumentError(
            "The zero-loss peak of the low loss is saturated: its highest channels have the same counts, and "
            "nothing tells the number of electrons. Fit without it, or use a shorter exposure."
        )


def warn_of_thickness(energy: np.ndarray, spectrum: np.ndarray) -> None:
    """Log a warning if a sample is thicker than a mean free path, by its mean low loss.

    Parameters
    ----------
    energy
        Energies of its channels [eV], shape (n_channels,).
    spectrum
        Counts, shape (n_channels,).
    """
    if energy[-1] < LEAST_LOW_LOSS_EV:
        return
    thickness = float(log_ratio(energy, spectrum)[0][0])
    if thickness > THICK:
        _logger.warning(
            "The sample is %.1f mean free paths thick in the mean: plural scattering takes much of the edges from "
            "their onsets, and a fit of it leaves ratios of amounts uncertain by a tenth and more. "
            "s.thickness(low_loss) maps the thickness.",
            thickness,
        )


def _pixels(shape: tuple[int, ...]) -> str:
    return f"{' x '.join(map(str, shape))} pixels" if shape else "a single spectrum"
