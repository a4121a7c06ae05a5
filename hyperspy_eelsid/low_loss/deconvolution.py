"""Single scattering and the dielectric function that follow from spectra and their zero-loss peaks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from exspy.signals import EELSSpectrum
from hyperspy.signals import BaseSignal

from hyperspy_eelsid import arguments
from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.low_loss.bands import ZeroLossBands
from hyperspy_eelsid.low_loss.estimate import Estimate, over_draws
from hyperspy_eelsid.low_loss.peak import Axis
from hyperspy_eelsid.low_loss.survey import compute
from hyperspy_eelsid.microscope import required_parameters
from hyperspy_eelsid.signals import pixel_map

if TYPE_CHECKING:
    from exspy.signals import DielectricFunction

PADDING = 4  # lengths of the axis over which is transformed


@dataclass(frozen=True, eq=False)
class KramersKronig:
    """What a Kramers-Kronig analysis found, over the energy from the zero-loss peak.

    Parameters
    ----------
    dielectric_function
        Its medians, complex.
    real, imaginary
        Its real and imaginary part, with their bands.
    loss_function
        Imaginary part of -1 over the dielectric function.
    thickness
        Thickness [nm]; that which was given, where it was.
    """

    dielectric_function: DielectricFunction
    real: Estimate
    imaginary: Estimate
    loss_function: Estimate
    thickness: Estimate


def fourier_log_deconvolution(
    peaks: ZeroLossBands, samples: int, show_progressbar: bool | None
) -> Estimate:
    """Single scattering, see :meth:`ZeroLossPeak.fourier_log_deconvolution`."""
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    axis = peaks.model.axis
    values = over_draws(peaks, SingleScattering(axis), (axis.size,), samples)
    values = _computed(values.astype(np.float32), peaks, show_progressbar)
    values = np.moveaxis(values, -2, 0).reshape(3, *peaks.signal.data.shape)
    return _estimate(with_data(peaks.signal, values[1]), "single scattering", values)


def kramers_kronig_analysis(
    peaks: ZeroLossBands,
    n: float | None,
    t: float | BaseSignal | None,
    iterations: int,
    delta: float,
    samples: int,
    show_progressbar: bool | None,
) -> KramersKronig:
    """Dielectric function, see :meth:`ZeroLossPeak.kramers_kronig_analysis`."""
    if (n is None) == (t is None):
        raise ArgumentError(
            "Give either the refractive index n, or the thickness t [nm] where it is known."
        )
    if n is not None and not (arguments.is_positive(n) and n > 1):
        raise ArgumentError(f"n is a refractive index above 1, not {n!r}.")
    if t is not None and not isinstance(t, BaseSignal | np.ndarray):
        arguments.positive("t", t)
    arguments.positive("delta", delta)
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    microscope = required_parameters(peaks.signal, ("beam_energy", "collection_angle"))
    axis = peaks.model.axis
    # energies from the peak that all pixels recorded
    size = int((axis.energy[-1] - np.nanmax(peaks.centre)) / axis.step) + 1
    losses = Axis(0.0, axis.step, size)
    analysis = _Analysis(
        axis, losses, peaks.model.zlp_range[0], microscope, n is None, iterations, delta
    )
    given = _map_of(n if t is None else t, peaks)
    values = over_draws(peaks, analysis, (3 * (size - 1) + 1,), samples, given)
    values = _computed(values, peaks, show_progressbar)
    values = np.moveaxis(values, -2, 0)
    shape = (*peaks.centre.shape, size - 1)
    parts = [values[..., k * (size - 1) : (k + 1) * (size - 1)] for k in range(3)]
    parts = [part.reshape(3, *shape) for part in parts]
    like = with_data(peaks.signal, parts[0][1])
    energies = like.axes_manager.signal_axes[0]
    energies.offset, energies.size = axis.step, size - 1
    names = ("real part", "imaginary part", "loss function")
    real, imaginary, loss = (
        _estimate(like, name, part) for name, part in zip(names, parts, strict=True)
    )
    function = with_data(like, real.value.data + 1j * imaginary.value.data)
    function.set_signal_type("DielectricFunction")
    function.metadata.General.title = "dielectric function"
    lower, value, upper = np.asarray(values[..., -1])
    title = "thickness (nm)"
    maps = (pixel_map(peaks.signal, v, title, title) for v in (value, lower, upper))
    return KramersKronig(function, real, imaginary, loss, Estimate(*maps))


def _computed(
    values: da.Array, peaks: ZeroLossBands, show_progressbar: bool | None
) -> np.ndarray | da.Array:
    return values if peaks.signal._lazy else compute(values, show_progressbar)


def _estimate(like: EELSSpectrum, title: str, values: np.ndarray | da.Array) -> Estimate:
    """Signals of a lower end, a median and an upper end, shape (3, ...)."""
    name = like.metadata.General.title
    signals = []
    for part in (values[1], values[0], values[2]):
        signal = with_data(like, part)
        signal.metadata.General.title = f"{name}, {title}" if name else title
        signals.append(signal)
    return Estimate(*signals)


def _map_of(value: float | BaseSignal, peaks: ZeroLossBands) -> np.ndarray:
    """One number for each pixel, with the shape of the pixels."""
    shape = peaks.centre.shape
    given = np.asarray(getattr(value, "data", value), dtype=float)
    if given.size != 1 and given.shape != shape:
        raise ArgumentError(
            f"t is one thickness or a map of the shape {shape}, not one of the shape {given.shape}."
        )
    if not (given > 0).any():
        raise ArgumentError(f"t is a positive thickness [nm], not {value!r}.")
    # beside the sample a map of thicknesses scatters about zero
    given = np.where(given > 0, given, np.nan)
    return np.broadcast_to(given if given.shape == shape else given.reshape(()), shape)


def _signal(counts: np.ndarray, axis: Axis) -> EELSSpectrum:
    """Spectra of a block, shape (n_pixels, n_channels)."""
    energies = {"size": axis.size, "offset": axis.offset, "scale": axis.step, "units": "eV"}
    return EELSSpectrum(counts, axes=[{"size": len(counts)}, energies])


@dataclass(frozen=True)
class SingleScattering:
    """Single scattering by exspy, on the energies `axis` of the spectra."""

    axis: Axis

    def __call__(self, counts: np.ndarray, zlp: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Counts of electrons scattered once, shape (n_pixels, n_channels)."""
        # exspy's transform is as long as both signals: of this length, what an end of the axis cuts off wraps less
        padded = _padded(zlp, PADDING - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            spectra = _signal(counts, self.axis)
            zlp = _signal(padded, replace(self.axis, size=padded.shape[1]))
            return spectra.fourier_log_deconvolution(zlp).data


@dataclass(frozen=True, eq=False)
class _Analysis:
    """Kramers-Kronig analysis by exspy.

    Parameters
    ----------
    axis
        Energies of the spectra.
    losses
        Energies from the peak.
    begin
        Energy [eV] below which there is zero loss alone.
    microscope
        Beam energy [keV] and collection angle [mrad] by name.
    by_thickness
        Whether the thickness is known, not the refractive index.
    iterations, delta
        Arguments of exspy's method.
    """

    axis: Axis
    losses: Axis
    begin: float
    microscope: dict[str, float]
    by_thickness: bool
    iterations: int
    delta: float

    def __call__(
        self, counts: np.ndarray, zlp: np.ndarray, centre: np.ndarray, given: np.ndarray
    ) -> np.ndarray:
        """Real and imaginary part, loss function and thickness in a row, shape (n_pixels, 3 * n_losses + 1)."""
        if len(counts) == 1:  # exspy takes the number of one pixel for that of all
            twice = (np.repeat(a, 2, axis=0) for a in (counts, zlp, centre, given))
            return self(*twice)[:1]
        single = SingleScattering(self.axis)(counts, zlp, centre)
        single = _from_peak(single, self.axis, centre, self.losses)
        # what the deconvolution leaves of the peak would count most, since losses are divided by their energies
        single[:, self.losses.energy < self.begin] = 0
        # exspy's transform is periodic: without losses far beyond its end the real part would be wrong by what wraps
        padded = _padded(single, PADDING)
        spectra = _signal(padded, replace(self.losses, size=padded.shape[1]))
        spectra.set_microscope_parameters(**self.microscope)
        thickness, index = (_pixels(given), None) if self.by_thickness else (None, given[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            function, output = spectra.kramers_kronig_analysis(
                zlp=_pixels(zlp.sum(axis=1, dtype=float)),
                iterations=self.iterations,
                n=index,
                t=thickness,
                delta=self.delta,
                full_output=True,
            )
            values = function.data[:, : self.losses.size - 1]
            loss = (-1 / values).imag
        found = given if self.by_thickness else output["thickness"].data
        return np.concatenate([values.real, values.imag, loss, np.reshape(found, (-1, 1))], axis=1)


def _padded(values: np.ndarray, lengths: int) -> np.ndarray:
    """Spectra with zeros after them, as long as so many spectra."""
    return np.pad(values, ((0, 0), (0, (lengths - 1) * values.shape[1])))


def _pixels(values: np.ndarray) -> BaseSignal:
    return BaseSignal(values).T


def _from_peak(values: np.ndarray, axis: Axis, centre: np.ndarray, losses: Axis) -> np.ndarray:
    """Values at energies from the peak of each pixel, linear between channels; shape (n_pixels, losses.size)."""
    place = (losses.offset + centre - axis.offset) / axis.step
    whole = np.floor(place).astype(np.intp)
    between = (place - whole)[:, np.newaxis]
    channel = whole[:, np.newaxis] + np.arange(losses.size)
    left, right = (
        np.take_along_axis(values, (channel + k).clip(0, axis.size - 1), axis=1) for k in (0, 1)
    )
    return (1 - between) * left + between * right
