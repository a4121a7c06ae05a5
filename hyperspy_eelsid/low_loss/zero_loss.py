"""Modelling the zero-loss peak: vacuum, range, and the model of all pixels."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import ArgumentError, ExtrapolationError, ZeroLossError
from hyperspy_eelsid.low_loss.model import ProcessTail, ZeroLossModel
from hyperspy_eelsid.low_loss.network import NetworkMethod, train_tail
from hyperspy_eelsid.low_loss.peak import Axis, full_width, low_loss_signal, resolution_kernel
from hyperspy_eelsid.low_loss.result import ZeroLossPeak
from hyperspy_eelsid.low_loss.survey import Spectrum, Survey
from hyperspy_eelsid.low_loss.tail import Bins, Process, fitted_process
from hyperspy_eelsid.low_loss.vacuum import Template
from hyperspy_eelsid.low_loss.zlp_range import (
    end_with_vacuum,
    end_without_vacuum,
    range_start,
    rise_energy,
)

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal

_logger = logging.getLogger(__name__)

METHODS = ("auto", "vacuum", "gaussian process", "network", "power law")
# what ln(counts / base) may do; with a vacuum spectrum its level is known but for the amplitude of the peak
VACUUM_PROCESS = Process(level=1.0, slope=0.1, amplitude=0.03, stray=0.08)
# far out the tails of spectrometers fall off with a power between 2 and 3.5
PLAIN_PROCESS = Process(level=10.0, slope=0.5, amplitude=0.5, nugget=0.01)
POWER_LAW = Process(level=10.0, slope=10.0, amplitude=0.0, nugget=0.01)
MINIMUM_RANGE_CHANNELS = 8
MINIMUM_END_WIDTHS = 1.5
# beyond, an extrapolation says nothing: so many eV, or so many times the end of the range
REACH_EV, REACH_SHARE = 1.0, 2.0
MONOCHROMATED_FWHM_EV = 0.2
NARROWER = 0.97


@dataclass
class _Session:
    """What the preparation of a model says to its user, in the order in which it came up."""

    notes: list[str] = field(default_factory=list)

    def say(self, text: str, *values: object) -> None:
        self.notes.append(text % values)
        _logger.warning(text, *values)


def model_zero_loss_peak(
    signal: EELSSpectrum,
    vacuum: EELSSpectrum | BaseSignal | np.ndarray | str | None = None,
    method: str | NetworkMethod = "auto",
    zlp_range: tuple[float, float] | None = None,
    random_state: int = 0,
    show_progressbar: bool | None = None,
) -> ZeroLossPeak:
    """Model the zero-loss peak, with an uncertainty.

    In the range in which there is zero loss alone the counts are the zero loss; beyond its end they are a model, with a
    smooth passage. Peaks need not be aligned before: their energies and widths are found in each pixel. The signal
    itself is not changed.

    Parameters
    ----------
    vacuum
        Spectrum or image of the vacuum under the same conditions; or which pixels are vacuum, as a mask; or ``"auto"``
        to look for them; None without vacuum.
    method
        ``"vacuum"``, the vacuum's peak times a Gaussian process, which is best; ``"gaussian process"`` of the
        logarithms of counts and energy, best without vacuum; for comparison ``"network"``, the published method, of
        which :class:`~hyperspy_eelsid.low_loss.NetworkMethod` has the settings, and ``"power law"``. ``"auto"`` takes
        the first where there is vacuum, else the second.
    zlp_range
        First and last energy from the peak [eV] between which there is zero loss alone; by default found in the data.
    random_state
        Seed of all that is drawn.
    show_progressbar
        Show progress bars; None takes HyperSpy's preference.

    Returns
    -------
    ZeroLossPeak
        The peaks, a :class:`~hyperspy_eelsid.low_loss.result.ZeroLossPeak`.

    Raises
    ------
    ZeroLossError
        If there is no zero-loss peak that can be modelled, no vacuum where one is needed, or no range in which there
        is zero loss alone.
    ExtrapolationError
        If only an extrapolation that is known to fail would be left.
    EnergyAxisError
        If the energy axis cannot be used.
    InvalidSpectraError
        If no spectrum has finite, positive counts.
    ArgumentError
        If `method` is unknown, or another argument is none of its values.

    References
    ----------
    Roest, van Heijst, Maduro, Rojo and Conesa-Boj, Ultramicroscopy 222, 113202 (2021).
    Brokkelkamp, ter Hoeve, Postmes, van Heijst, Maduro, Davydov, Krylyuk, Rojo and Conesa-Boj, J. Phys. Chem. A 126,
    1255 (2022).

    Examples
    --------
    >>> from hyperspy_eelsid.data import nanostructure
    >>> nanostructure(shape=(3, 20)).model_zero_loss_peak(vacuum="auto").method
    'vacuum'
    """
    networks = method if isinstance(method, NetworkMethod) else NetworkMethod()
    method = "network" if isinstance(method, NetworkMethod) else method
    arguments.option("method", method, METHODS)
    session = _Session()
    if zlp_range is not None:
        zlp_range = arguments.window("zlp_range", zlp_range)
    arguments.whole_number("random_state", random_state, least=0)
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    signal, axis = low_loss_signal(signal)
    data = signal.data if signal.data.ndim > 1 else signal.data[np.newaxis]
    survey = Survey.of(data, axis, show_progressbar)
    missing = np.isnan(survey.centre).sum()
    if missing:
        session.say(
            "%d of %d spectra are not finite, empty or saturated, and left out.",
            missing,
            survey.centre.size,
        )
    reference, mask = _vacuum_spectrum(vacuum, survey, signal, session)
    if method == "auto":
        method = "gaussian process" if reference is None else "vacuum"
        if reference is None and survey.fwhm < MONOCHROMATED_FWHM_EV:
            raise ExtrapolationError(
                f"The zero-loss peak is {survey.fwhm:.2f} eV wide: the tail of a monochromated beam flattens, and no "
                "extrapolation of it is safe. Give a vacuum spectrum or mask, vacuum='auto' for an image with vacuum "
                "in it; or choose a method in spite of that."
            )
    elif method == "vacuum" and reference is None:
        raise ZeroLossError(
            "The method 'vacuum' needs a vacuum spectrum, a mask of vacuum pixels, or vacuum='auto' "
            "and an image that holds vacuum."
        )
    if reference is not None:
        _check_vacuum(reference, survey.fwhm)
    sample = np.isfinite(survey.centre) & ~mask
    model = fit_model(survey.mean(sample), survey, reference, method, zlp_range, session)
    if method == "network":
        tail = train_tail(networks, survey, sample, model.zlp_range, random_state)
        model = replace(model, tail=tail)
    return ZeroLossPeak.of(
        signal, survey, model, method, mask, random_state, tuple(session.notes), show_progressbar
    )


def remove_zero_loss_peak(
    signal: EELSSpectrum,
    vacuum: EELSSpectrum | BaseSignal | np.ndarray | str | None = None,
    method: str | NetworkMethod = "auto",
    zlp_range: tuple[float, float] | None = None,
    random_state: int = 0,
    show_progressbar: bool | None = None,
) -> EELSSpectrum:
    """The spectrum without its zero-loss peak; counts that noise makes negative are kept.

    Parameters
    ----------
    vacuum, method, zlp_range, random_state, show_progressbar
        See ``model_zero_loss_peak``, of which this is the attribute ``inelastic``.

    Returns
    -------
    EELSSpectrum
        A new signal; the signal itself is not changed.

    Raises
    ------
    ZeroLossError
        If the zero-loss peak cannot be modelled; see ``model_zero_loss_peak`` for this and other errors.
    """
    return model_zero_loss_peak(
        signal, vacuum, method, zlp_range, random_state, show_progressbar
    ).inelastic


def fit_model(
    sample: Spectrum,
    survey: Survey,
    reference: Spectrum | None,
    method: str,
    zlp_range: tuple[float, float] | None,
    session: _Session,
) -> ZeroLossModel:
    """The model of all pixels, its range and process from the mean spectrum of the sample.

    Parameters
    ----------
    sample
        Mean spectrum of the sample.
    survey
        Peaks of all pixels.
    reference
        Mean spectrum of the vacuum, or None.
    method
        Any but ``"auto"``.
    zlp_range
        Range that was asked for, or None.
    session
        Takes notes.
    """
    axis, fwhm, noise = sample.axis, survey.fwhm, survey.noise
    counts, centre = sample.counts[np.newaxis], np.zeros(1)
    template, broadening = None, None
    if method == "vacuum" or (reference is not None and zlp_range is None):
        width = full_width(reference.counts, reference.axis)
        template = Template(reference.counts, reference.axis, width, reference.noise)
        amplitude, moved, spread = template.fit(counts, axis, centre, sample.noise)
        broadening = float(spread[0])
        if full_width(sample.counts, axis) < NARROWER * width:
            session.say(
                "The peak of the sample is narrower (%.3f eV) than that of the vacuum (%.3f eV): was the vacuum "
                "recorded under other conditions?",
                full_width(sample.counts, axis),
                width,
            )
        expected = amplitude[0] * template(axis.relative(moved), spread)[0]
    if zlp_range is None:
        if template is not None:
            end = end_with_vacuum(sample.counts, expected, axis, fwhm, sample.noise)
        else:
            end = end_without_vacuum(sample.counts, axis, fwhm, sample.noise)
        zlp_range = range_start(end, fwhm), end
    zlp_range = _checked_range(zlp_range, axis, fwhm)
    vacuum = method == "vacuum"
    process = {"vacuum": VACUUM_PROCESS, "gaussian process": PLAIN_PROCESS}.get(method, POWER_LAW)
    tail = ProcessTail(
        axis,
        fwhm,
        zlp_range,
        sample.noise,
        process,
        template if vacuum else None,
        broadening if vacuum else None,
    )
    if process.amplitude:
        log_base, _, shift = tail.tail(counts, centre)
        bins = Bins.of(counts, lambda d: np.exp(log_base(d)), axis, shift[:, 0], zlp_range, fwhm)
        process = fitted_process(bins, process, sample.noise, free_nugget=not vacuum)
    tail = ProcessTail(survey.axis, fwhm, zlp_range, noise, process, tail.template, tail.broadening)
    reach = None
    if not vacuum:
        end = zlp_range[1]
        reach = min(end + REACH_EV, REACH_SHARE * end)
        if fwhm < MONOCHROMATED_FWHM_EV:
            reach = end
            session.say(
                "The tail of a monochromated beam flattens: the extrapolation beyond %.2f eV has no known error.",
                end,
            )
    resolution = resolution_kernel(sample.counts, axis, fwhm)
    return ZeroLossModel(survey.axis, fwhm, zlp_range, noise, tail, resolution, reach)


def _checked_range(zlp_range: tuple[float, float], axis: Axis, fwhm: float) -> tuple[float, float]:
    start, end = (float(value) for value in zlp_range)
    end = min(end, float(axis.energy[-1]))
    if not 0 < start < end:
        raise ZeroLossError(
            f"zlp_range is a first and a last energy above the peak [eV], not {zlp_range!r}."
        )
    if end < MINIMUM_END_WIDTHS * fwhm:
        raise ZeroLossError(
            f"The zero-loss-only range ends at {end:.2f} eV, within {MINIMUM_END_WIDTHS} widths of the peak "
            f"({fwhm:.2f} eV): the sample scatters before the tail of the peak is seen. Use a narrower peak."
        )
    channels = round((end - start) / axis.step)
    if channels < MINIMUM_RANGE_CHANNELS:
        raise ZeroLossError(
            f"Between {start:.2f} and {end:.2f} eV, where there is zero loss alone, lie {channels} "
            f"channels, of which at "
            f"least {MINIMUM_RANGE_CHANNELS} are needed. Record with a finer dispersion or a narrower peak."
        )
    return start, end


def _vacuum_spectrum(
    vacuum: EELSSpectrum | BaseSignal | np.ndarray | str | None,
    survey: Survey,
    signal: EELSSpectrum,
    session: _Session,
) -> tuple[Spectrum | None, np.ndarray]:
    """Mean spectrum of the vacuum, and which pixels of the image are vacuum."""
    from exspy.signals import EELSSpectrum

    none = np.zeros(survey.centre.shape, bool)
    if vacuum is None:
        return None, none
    if isinstance(vacuum, EELSSpectrum):
        return _given_vacuum(vacuum, survey, session), none
    if isinstance(vacuum, str):
        if vacuum != "auto":
            raise ArgumentError(f"vacuum is a spectrum, a mask, 'auto' or None, not {vacuum!r}.")
        mask = survey.vacuum_pixels()
        spectrum = None if mask is None else survey.mean(mask)
        if spectrum is None or _rise(spectrum, survey.fwhm) is not None:
            session.say("No vacuum was found in the image; the zero loss is extrapolated.")
            return None, none
    else:
        mask = _checked_mask(vacuum, survey, signal)
    return survey.mean(mask), mask


def _rise(spectrum: Spectrum, fwhm: float) -> float | None:
    return rise_energy(spectrum.counts, spectrum.axis, fwhm, spectrum.noise)


def _check_vacuum(spectrum: Spectrum, fwhm: float) -> None:
    rise = _rise(spectrum, fwhm)
    if rise is not None:
        raise ZeroLossError(
            f"The vacuum spectrum rises at {rise:.2f} eV: there is sample in it. Choose pixels or a "
            f"spectrum farther away "
            "from the sample."
        )


def _given_vacuum(vacuum: EELSSpectrum, survey: Survey, session: _Session) -> Spectrum:
    vacuum, axis = low_loss_signal(vacuum)
    data = vacuum.data if vacuum.data.ndim > 1 else vacuum.data[np.newaxis]
    own = Survey.of(data, axis, False)
    spectrum = own.mean(np.isfinite(own.centre))
    if np.isclose(axis.step, survey.axis.step, rtol=1e-3):
        return spectrum._replace(
            axis=Axis(spectrum.axis.offset, survey.axis.step, spectrum.axis.size)
        )
    session.say(
        "The vacuum spectrum has channels of %g eV, the sample of %g eV; it is interpolated.",
        axis.step,
        survey.axis.step,
    )
    old = spectrum.axis.energy
    size = int((old[-1] - old[0]) / survey.axis.step) + 1
    new = Axis(spectrum.axis.offset, survey.axis.step, size)
    factor = survey.axis.step / axis.step
    counts = factor * np.interp(new.energy, old, spectrum.counts)
    return Spectrum(counts, new, spectrum.noise.scaled(factor), spectrum.pixels)


def _checked_mask(
    vacuum: BaseSignal | np.ndarray, survey: Survey, signal: EELSSpectrum
) -> np.ndarray:
    mask = np.asarray(getattr(vacuum, "data", vacuum))
    shape = signal.axes_manager.navigation_shape[::-1]
    if mask.dtype != bool or mask.shape != shape or not shape:
        raise ZeroLossError(
            f"A mask of vacuum pixels is bool and has the shape of the pixels, {shape}, not {mask.dtype} "
            f"and {mask.shape}."
        )
    usable = np.isfinite(survey.centre)
    if not (mask & usable).any():
        raise ZeroLossError("The mask holds no vacuum pixel with a zero-loss peak.")
    if mask[usable].all():
        raise ZeroLossError("The mask says that all pixels are vacuum, so that there is no sample.")
    return mask
