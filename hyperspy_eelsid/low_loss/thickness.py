"""Thickness from the share of electrons that lost no energy."""

from __future__ import annotations

from dataclasses import dataclass

import dask
import dask.array as da
import numpy as np
from exspy.signals import EELSSpectrum
from exspy.utils.eels import iMFP_angular_correction, iMFP_Iakoubovskii
from hyperspy.signals import BaseSignal

from hyperspy_eelsid import arguments
from hyperspy_eelsid.energy_axis import check_eels, in_order
from hyperspy_eelsid.exceptions import EnergyAxisError
from hyperspy_eelsid.low_loss.bands import ZeroLossBands
from hyperspy_eelsid.low_loss.deconvolution import SingleScattering
from hyperspy_eelsid.low_loss.estimate import Estimate, over_draws
from hyperspy_eelsid.low_loss.peak import Axis
from hyperspy_eelsid.low_loss.survey import compute
from hyperspy_eelsid.microscope import required_parameters
from hyperspy_eelsid.signals import pixel_map

LEAST_LOW_LOSS_EV = 40.0
ZERO_LOSS_ENDS_BEFORE_EV = 10.0
RELATIVE, ABSOLUTE = "thickness (mean free paths)", "thickness (nm)"


@dataclass(frozen=True)
class LogRatio:
    """Logarithm of all counts over those of the zero loss (Egerton 2011, eq. 5.1)."""

    axis: Axis

    def __call__(self, counts: np.ndarray, zlp: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Thickness in mean free paths, shape (n_pixels,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(counts.sum(axis=1) / zlp.sum(axis=1, dtype=float))


@dataclass(frozen=True)
class OnceScattered:
    """Electrons scattered once over those not scattered; fewer of them are lost beyond the end of the axis."""

    axis: Axis

    def __call__(self, counts: np.ndarray, zlp: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Thickness in mean free paths, shape (n_pixels,)."""
        single = SingleScattering(self.axis)(counts, zlp, centre)
        return single.sum(axis=1) / zlp.sum(axis=1, dtype=float)


METHODS = {"log-ratio": LogRatio, "single scattering": OnceScattered}


def thickness_of_peaks(
    peaks: ZeroLossBands,
    density: float | None,
    mean_free_path: float | None,
    method: str,
    samples: int,
    show_progressbar: bool | None,
) -> Estimate:
    """Thickness by the log-ratio method, see :meth:`ZeroLossPeak.thickness`."""
    arguments.option("method", method, METHODS)
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    factor, title = _unit(peaks.signal, density, mean_free_path)
    values = compute(
        over_draws(peaks, METHODS[method](peaks.model.axis), (), samples), show_progressbar
    )
    lower, value, upper = np.moveaxis(factor * values, -1, 0)
    return Estimate(*(pixel_map(peaks.signal, v, title, title) for v in (value, lower, upper)))


def _unit(
    signal: EELSSpectrum, density: float | None, mean_free_path: float | None
) -> tuple[float, str]:
    """By what a thickness in mean free paths is multiplied, and what it is then."""
    for name, value in (("density", density), ("mean_free_path", mean_free_path)):
        if value is not None:
            arguments.positive(name, value)
    factor = 1.0
    if density is not None:
        needed = ("beam_energy", "convergence_angle", "collection_angle")
        values = required_parameters(signal, needed, " or leave out the density")
        factor = iMFP_angular_correction(
            density, values["beam_energy"], values["convergence_angle"], values["collection_angle"]
        )
        if mean_free_path is None:
            mean_free_path = iMFP_Iakoubovskii(density, values["beam_energy"])
    if mean_free_path is None:
        return factor, RELATIVE
    return factor * mean_free_path, ABSOLUTE


def thickness(
    signal: EELSSpectrum,
    low_loss: EELSSpectrum | None = None,
    density: float | None = None,
    mean_free_path: float | None = None,
) -> BaseSignal:
    """Thickness of each pixel, from the share of electrons in the low loss that lost no energy.

    The zero loss ends at the lowest channel of the mean low loss up to 10 eV. Losses beyond the end of its axis are
    missed. ``low_loss.model_zero_loss_peak().thickness()`` models the zero loss and gives the error of that, too.

    Parameters
    ----------
    low_loss
        Low-loss spectra with the zero-loss peak at zero; by default the signal is the low loss.
    density
        Density [g/cm³], for the mean free path of Iakoubovskii et al. and for its angular correction, with the
        parameters of the microscope of `signal`.
    mean_free_path
        Mean free path of inelastic scattering [nm]. Without it and without a density, the thickness is in mean free
        paths, t/λ.

    Returns
    -------
    BaseSignal
        A map; what it is, with its unit, is in ``metadata.Signal.quantity``. The variance in
        ``metadata.Signal.Noise_properties.variance`` is that of counting electrons; that of the mean free path, 10 to
        20 % where it is computed from the density, is not in it.

    Raises
    ------
    ArgumentError
        If the low loss is none, or an argument is not positive.
    EnergyAxisError
        If the low loss lacks the zero-loss peak, or ends before 40 eV.
    MissingParametersError
        If a density is given and the metadata lack a parameter of the microscope.

    References
    ----------
    Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope (2011), section 5.1.
    Iakoubovskii, Mitsuishi, Nakayama and Furuya, Microsc. Res. Tech. 71, 626 (2008).

    Examples
    --------
    >>> from hyperspy_eelsid.data import nanostructure
    >>> nanostructure(shape=(3, 20)).thickness(mean_free_path=100.0)
    <Signal2D, title: thickness (nm), dimensions: (|20, 3)>
    """
    low_loss = signal if low_loss is None else low_loss
    check_eels(low_loss, "low_loss")
    factor, title = _unit(signal, density, mean_free_path)
    values, variance = relative_thickness(low_loss)
    result = pixel_map(low_loss, factor * values, title, title)
    noise = pixel_map(low_loss, factor**2 * variance, f"variance of the {title}", title)
    result.metadata.set_item("Signal.Noise_properties.variance", noise)
    return result


def relative_thickness(low_loss: EELSSpectrum) -> tuple[np.ndarray, np.ndarray]:
    """Thickness in mean free paths, the logarithm of all over elastic intensity, and its variance.

    Parameters
    ----------
    low_loss
        With the zero-loss peak at zero.

    Returns
    -------
    thickness, variance : np.ndarray
        Shape of the navigation axes, or (1,); NaN where nothing was counted. The variance is that of counted electrons.

    Raises
    ------
    EnergyAxisError
        If the zero-loss peak is missing, or the axis ends before 40 eV.

    """
    check_eels(low_loss, "low_loss")
    low_loss = in_order(low_loss)
    axis = low_loss.axes_manager.signal_axes[0].axis
    if axis[0] > 0 or axis[-1] < LEAST_LOW_LOSS_EV:
        raise EnergyAxisError(
            f"A low loss holds the zero-loss peak and {LEAST_LOW_LOSS_EV:g} eV; this one goes from {axis[0]:g} to "
            f"{axis[-1]:g} eV."
        )
    return log_ratio(axis, low_loss.data)


def log_ratio(axis: np.ndarray, intensity: np.ndarray | da.Array) -> tuple[np.ndarray, np.ndarray]:
    """What :func:`relative_thickness` gives, of spectra without their signal.

    Parameters
    ----------
    axis
        Energies of the channels [eV], shape (n_channels,), from below zero to 40 eV at least.
    intensity
        Counts, shape (..., n_channels).

    References
    ----------
    Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope (2011), eq. 5.1.
    """
    good = np.isfinite(intensity).all(axis=-1, keepdims=True)
    everything = np.where(good, intensity, 0).sum(axis=tuple(range(intensity.ndim - 1)))
    end = axis[_lowest(axis, np.asarray(everything))]
    total, elastic = dask.compute(
        intensity.sum(axis=-1, dtype=float), intensity[..., axis < end].sum(axis=-1, dtype=float)
    )
    total, elastic = np.atleast_1d(total, elastic)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log(total / elastic)
        values[~np.isfinite(values)] = np.nan
        # the elastic electrons are a part of all
        return values, np.where(np.isnan(values), np.nan, 1 / elastic - 1 / total)


def _lowest(axis: np.ndarray, spectrum: np.ndarray) -> int:
    """Index of the channel with the lowest counts between the zero-loss peak and the losses that follow."""
    peak = int(np.argmin(np.abs(axis)))
    following = max(1, np.count_nonzero((axis > axis[peak]) & (axis <= ZERO_LOSS_ENDS_BEFORE_EV)))
    return peak + 1 + int(np.argmin(spectrum[peak + 1 : peak + 1 + following]))
