"""Fractions of oxidation states: reference spectra fitted to every pixel."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from scipy.interpolate import PchipInterpolator

from hyperspy_eelsid import arguments
from hyperspy_eelsid.energy_axis import check_eels
from hyperspy_eelsid.exceptions import ArgumentError, EnergyAxisError, UnknownElementError
from hyperspy_eelsid.oxidation.background import (
    LEAST_COUNTS,
    background_window,
    before_edge,
    fit_background,
    noise_levels,
    shared_noise,
    smooth,
    variance_of,
)
from hyperspy_eelsid.oxidation.edge import SERIES_ELEMENTS, Region, WhiteLineEdge
from hyperspy_eelsid.oxidation.mixture import (
    FINE_EV,
    MARGIN_EV,
    PIXEL_RANGE_EV,
    PIXEL_STEP_EV,
    Columns,
    LinearMixture,
    check_apart,
    common_misfit,
    image_shift_and_blur,
)
from hyperspy_eelsid.oxidation.references import continuum
from hyperspy_eelsid.oxidation.white_lines import IRON

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal

_logger = logging.getLogger(__name__)

MOST_REFERENCES = 6  # whose subsets are tried
BEFORE_EV, AFTER_EV = 8.0, 12.0  # of the first and of the second onset, what is fitted
SAME_AREA = 0.1  # relative difference of references that have been brought to the same area
DRIFT_ROUNDS = 2
SAMPLE, NOISE_SAMPLE = 2048, 256  # spectra that tell shift and blur of an image, and its noise
SIGNIFICANT = 5.0  # standard errors of the amount, below which a pixel has no fractions
BELIEVABLE = 1.1  # reduced chi-squared of an image, above which references do not explain it
LARGEST_MISFIT = 2.0  # standard errors
EXPONENT = 3.0
ALIGNMENTS = ("image", "pixel", None)
_CHARGE = re.compile(r"(\d+(?:\.\d+)?)\s*\+|^[A-Z][a-z]?\s*(\d+(?:\.\d+)?)$")


@dataclass(frozen=True, eq=False, repr=False)
class OxidationFractions:
    """Fractions of references in every pixel.

    The variance of fractions and valence is in their ``metadata.Signal.Noise_properties.variance``; it holds where the
    references are the right ones, which `misfit` and `chi_squared` tell. Pixels without an edge are NaN.

    Parameters
    ----------
    fractions
        Label of a reference to its share of the intensity of the edge in the fitted window, 0 to 1.
    amount
        Intensity of the edge in the fitted window [counts eV].
    chi_squared
        Reduced chi-squared of each pixel, one when the references explain the spectrum.
    valence
        Mean of the charges of the references, weighted by the fractions; None where a label holds no charge.
    shift
        Of the references [eV] in each pixel, positive towards higher energies.
    blur
        Full width at half maximum of the Gaussian by which the references were broadened [eV].
    misfit
        What the fits of all pixels leave in common, in standard errors; zero where there is nothing but noise.
    edge
        Name of the edge.
    align
        How the references were shifted: ``"image"``, ``"pixel"`` or None.
    window
        First and last energy [eV] of the fit.
    residual
        Signal less fit in the window.
    """

    fractions: dict[str, BaseSignal]
    amount: BaseSignal
    chi_squared: BaseSignal
    valence: BaseSignal | None
    shift: BaseSignal
    blur: float
    misfit: float
    edge: str
    align: str | None
    window: tuple[float, float]
    residual: EELSSpectrum

    def __getitem__(self, label: str) -> BaseSignal:
        """Map of the fraction of a reference.

        Raises
        ------
        UnknownLabelError
            If there is no such reference.
        """
        arguments.label("label", label, self.fractions)
        return self.fractions[label]

    def __repr__(self) -> str:
        head = f"OxidationFractions of {self.edge} in {', '.join(self.fractions)}"
        if self.chi_squared._lazy:
            return f"{head}, not computed"
        parts = [
            f"{label} {np.nanmean(fraction.data):.2f}"
            for label, fraction in self.fractions.items()
            if np.isfinite(fraction.data).any()
        ]
        if not parts:
            return f"{head}: no pixel with an edge"
        return (
            f"{head}: mean {', '.join(parts)}; median chi-squared {np.nanmedian(self.chi_squared.data):.2f}, "
            f"misfit {self.misfit:.1f}, shift {np.nanmedian(self.shift.data):+.2f} eV, blur {self.blur:.2f} eV"
        )


def oxidation_fractions(
    signal: EELSSpectrum,
    references: Sequence[EELSSpectrum] | Mapping[str, EELSSpectrum],
    align: str | None = "image",
    broaden: bool = True,
    normalise: bool | None = None,
    edge: str | None = None,
    background: tuple[float, float] | str | None = "auto",
    energy_offset: float = 0.0,
    low_loss: EELSSpectrum | None = None,
) -> OxidationFractions:
    """Fit reference spectra to every pixel: fractions of oxidation states with errors.

    All pixels are fitted at once by linear least squares with the background, a power law; amounts are not
    negative. Before that the references, together, are shifted and broadened to what fits the whole image best:
    no two instruments have the same axis and resolution. Fractions are shares of the intensity of the edge: an ion
    with more holes in its shell absorbs more, which fractions of atoms would have to take into account.

    Parameters
    ----------
    references
        Spectra of the pure states, of one pixel each: those of
        :func:`hyperspy_eelsid.oxidation.references`, which are computed, or the user's own. A dictionary gives them
        labels; of a list the titles are the labels. A charge in the label, as in ``"Mn3+"``, makes the mean valence.
    align
        ``"image"`` shifts the references by what fits the image best, ``"pixel"`` then also for each pixel, where the
        axis drifts during a scan: shifts that noise leaves uncertain are drawn to zero. None when axes are calibrated.
    broaden
        Broaden the references as the image asks for. References that are broader than the image are left as they are.
    normalise
        Bring all references to the same area in the fitted window. False takes them as they are, for instance when
        they are of the same number of atoms; None does so when their areas are the same within a tenth.
    edge
        Edge, e.g. ``"Mn_L3"``; by default the one that computed references name, that elements in the metadata of the
        references have, or the only one in their window.
    background
        Window before the edge [eV]; ``"auto"`` for all before it, and none where the signal has none; None when it
        has been removed, of which the fit takes a smooth rest to be left. That of references is taken off in any case,
        with ``"auto"``.
    energy_offset
        How far the energy axis of the signal is off [eV], such as ``found.energy_offset`` of an identification.
    low_loss
        Low loss of the same pixels, or one spectrum for all: pixels of more than 0.6 mean free paths are left out.

    Returns
    -------
    OxidationFractions
        Fractions, their errors, chi-squared, mean valence, shift and residual as signals. For a lazy signal only a
        sample of the pixels is read at once, for shift, blur and noise.

    Raises
    ------
    hyperspy_eelsid.exceptions.ArgumentError
        If there are fewer than two references or more than six, or two are the same.
    hyperspy_eelsid.exceptions.EnergyAxisError
        If a window cuts the lines, or channels are wider than 1 eV.
    hyperspy_eelsid.exceptions.UnknownElementError
        If the references do not tell the edge, or are of different ones.
    hyperspy_eelsid.exceptions.ThicknessError
        If most of the specimen is too thick.

    Notes
    -----
    Errors are those of counting, see :func:`hyperspy_eelsid.oxidation.background.noise_levels`. When a reference is
    missing, of another compound, or broader than the image, and when the axis drifts, errors are too small: a warning
    says so when residuals of different pixels have more in common than noise has.

    Examples
    --------
    >>> from hyperspy_eelsid.oxidation import references
    >>> ions = references("Mn", dispersion=0.2, resolution=1.0)
    >>> half = (ions[0] + ions[1]) * 1e4
    >>> fractions = half.oxidation_fractions(ions[:2], align=None, broaden=False)
    >>> round(float(fractions["Mn2+ (computed)"].data[0]), 2)
    0.5
    """
    if not (align is None or isinstance(align, str)) or align not in ALIGNMENTS:
        raise ArgumentError(f"align is 'image', 'pixel' or None, not {align!r}.")
    arguments.flag("broaden", broaden)
    arguments.flag("normalise", normalise, or_none=True)
    check_eels(signal)
    labelled = _labelled(references)
    white_lines = _edge(labelled, edge)
    if white_lines.element == "Fe" and align is not None:
        _logger.warning("%s", IRON)
    region = Region.of_edge(signal, white_lines, energy_offset, low_loss)
    spectra, variance = region.sample(SAMPLE)
    if not len(spectra):
        raise EnergyAxisError("There is no spectrum whose channels are all finite.")
    model = _Model.of(region, white_lines, labelled, background, spectra, variance, normalise)
    model.find(spectra, variance, align, broaden)
    misfit = model.misfit(spectra, variance)
    values = region.map(model.fit, model.number_of_values)
    result = _result(region, model, values, labelled, white_lines, align, misfit)
    _warn_of(result)
    return result


def _labelled(
    references: Sequence[EELSSpectrum] | Mapping[str, EELSSpectrum],
) -> dict[str, EELSSpectrum]:
    if isinstance(references, Mapping):
        labelled = dict(references)
    else:
        references = arguments.items("references", references)
        for reference in references:
            check_eels(reference, "references")
        labels = [
            reference.metadata.General.title or f"reference {number}"
            for number, reference in enumerate(references, start=1)
        ]
        labelled = dict(zip(labels, references, strict=True))
        if len(labelled) < len(labels):
            raise ArgumentError(
                f"Several references have the same title: {', '.join(labels)}. Give them labels as a dictionary."
            )
    if not 2 <= len(labelled) <= MOST_REFERENCES:
        raise ArgumentError(
            f"Fractions are of 2 to {MOST_REFERENCES} references, not of {len(labelled)}."
        )
    for label, reference in labelled.items():
        check_eels(reference, "references")
        if reference.axes_manager.navigation_size > 1:
            raise ArgumentError(
                f"The reference {label!r} is an image of {reference.axes_manager.navigation_size} spectra; give one "
                "spectrum, for instance reference.mean()."
            )
    return labelled


def _edge(references: dict[str, EELSSpectrum], name: str | None) -> WhiteLineEdge:
    """The edge that is given, or that the references have in common."""
    if name is not None:
        return WhiteLineEdge.of(name)
    told = {
        reference.metadata.get_item("Signal.reference.edge") for reference in references.values()
    } - {None}
    if len(told) > 1:
        raise UnknownElementError(f"The references are of different edges: {', '.join(told)}.")
    if told:
        return WhiteLineEdge.of(told.pop())
    axes = [reference.axes_manager.signal_axes[0].axis for reference in references.values()]
    start, end = max(axis.min() for axis in axes), min(axis.max() for axis in axes)
    elements = {
        element
        for reference in references.values()
        for element in reference.metadata.get_item("Sample.elements") or ()
    }
    edges = [WhiteLineEdge.of(element) for element in SERIES_ELEMENTS]
    inside = [edge for edge in edges if start <= edge.onsets[0] and edge.onsets[1] <= end]
    inside = [edge for edge in inside if edge.element in elements] or inside
    if len(inside) != 1:
        options = ", ".join(edge.name for edge in inside) or "none"
        raise UnknownElementError(
            f"Between {start:g} and {end:g} eV the references have these edges: {options}. Give one, for instance "
            "edge='Mn_L3'."
        )
    return inside[0]


def charge_of(label: str, reference: EELSSpectrum | None = None) -> float | None:
    """Charge of an ion in a label such as ``"Mn3+"``; None where there is none."""
    if reference is not None:
        charge = reference.metadata.get_item("Signal.reference.charge")
        if charge is not None:
            return float(charge)
    found = _CHARGE.search(label)
    return float(found[1] or found[2]) if found else None


class _Model:
    """The fit of one signal: columns, noise, and the mixtures for the shifts that are tried."""

    def __init__(
        self, columns: Columns, kept: slice, noise: tuple[float, float, float, float]
    ) -> None:
        self.columns, self.kept = columns, kept
        self._constant, self._slope, self._single, self._shared = noise
        self.shift = self.blur = self.drift = 0.0

    @classmethod
    def of(
        cls,
        region: Region,
        edge: WhiteLineEdge,
        references: dict[str, EELSSpectrum],
        background: tuple[float, float] | str | None,
        spectra: np.ndarray,
        variance: float | np.ndarray | None,
        normalise: bool | None,
    ) -> _Model:
        parts = [Region.of_edge(reference, edge) for reference in references.values()]
        start = max(edge.onsets[0] - BEFORE_EV, region.energy[0])
        end = min(
            [edge.onsets[1] + AFTER_EV, region.energy[-1], *(part.energy[-1] for part in parts)]
        )
        window = background_window(region.energy, edge, background)
        under = fit_background(spectra, region.energy, window)
        recorded = under.values.any(axis=1).mean() > 0.5
        if recorded:
            start = region.energy[window.start]
        first, last = np.searchsorted(region.energy, (start, end + region.dispersion / 2))
        kept = slice(int(first), int(last))
        energy = region.energy[kept]
        step = min(FINE_EV, region.dispersion)
        fine = np.arange(edge.onsets[0] - BEFORE_EV - MARGIN_EV, energy[-1] + MARGIN_EV, step)
        fine = np.concatenate([np.arange(energy[0] - MARGIN_EV, fine[0] - step / 2, step), fine])
        fine = fine[0] + step * np.arange(len(fine))
        shapes = np.array([_reference(part, edge, fine) for part in parts])
        others = np.empty((0, len(fine)))
        if any(r.metadata.get_item("Signal.reference.computed") for r in references.values()):
            others = continuum(fine, *edge.onsets)[np.newaxis]
        power_law = (energy / energy[0]) ** -EXPONENT
        # a power law of a slightly other exponent is the sum of both, to first order; where the background has been
        # removed they hold what that has left
        basis = np.stack([power_law, power_law * np.log(energy / energy[0])])
        columns = Columns(energy, fine, shapes, others, basis)
        areas = columns()[:, : len(shapes)].sum(axis=0) * region.dispersion
        if normalise is None:
            normalise = areas.max() > (1 + SAME_AREA) * areas.min()
        areas = areas if normalise else np.full(len(areas), areas.mean())
        columns = replace(columns, references=shapes / areas[:, np.newaxis])
        check_apart(columns, list(references))
        noise = (np.nan, np.nan, 1.0, 1.0)
        if variance is None:
            few = spectra[:: -(-len(spectra) // NOISE_SAMPLE)]
            under = fit_background(few, region.energy, window)
            constant, slope = noise_levels(few, under)
            expected = variance_of(smooth(few, 5), constant, slope)
            before = before_edge(region.energy, edge)
            single, shared = (
                float(shared_noise(few, expected, before, channels, pooled=True)[0, 0])
                for channels in (1, None)
            )
            noise = (
                float(np.median(constant)),
                float(np.median(slope)),
                single,
                max(single, shared),
            )
        return cls(columns, kept, noise)

    def variance(self, expected: np.ndarray, given: float | np.ndarray | None) -> np.ndarray:
        """Variance of the fitted channels, shape (n, n_channels)."""
        if given is not None:
            return np.broadcast_to(
                given if np.ndim(given) == 0 else given[:, self.kept], expected.shape
            )
        return self._single * variance_of(expected, self._constant, self._slope)

    def find(
        self,
        spectra: np.ndarray,
        variance: float | np.ndarray | None,
        align: str | None,
        broaden: bool,
    ) -> None:
        """Find shift and blur of the image, and for `align` ``"pixel"`` how much pixels drift about it."""
        spectra = spectra[:, self.kept]
        mean = spectra.mean(axis=0, keepdims=True)
        given = variance
        if np.ndim(variance):
            given = np.asarray(variance).mean(axis=0, keepdims=True)
        weights = 1 / np.sqrt(self.variance(np.maximum(mean, LEAST_COUNTS * mean.max()), given)[0])
        self._weights = weights
        self.shift, self.blur = image_shift_and_blur(
            self.columns, spectra, weights, align=align is not None, broaden=broaden
        )
        self._set_shifts(np.zeros(1))
        if align != "pixel":
            return
        for _ in range(DRIFT_ROUNDS):
            self._set_shifts(np.arange(-PIXEL_RANGE_EV, PIXEL_RANGE_EV + 1e-9, PIXEL_STEP_EV))
            self.drift = np.inf
            _, shifts, errors, *_ = self._best(spectra, variance)
            # what the shifts scatter beyond their errors
            scatter = np.median(np.abs(shifts - np.median(shifts))) / 0.6745
            self.drift = float(np.sqrt(max(scatter**2 - np.median(errors) ** 2, 0)))
            if self.drift == 0:
                self._set_shifts(np.zeros(1))
                return
            # drift blurs the image: once more without it
            shifts = self._best(spectra, variance)[1]
            self.shift, self.blur = image_shift_and_blur(
                self.columns,
                _moved(spectra, -shifts / (self.columns.energy[1] - self.columns.energy[0])),
                weights,
                align=True,
                broaden=broaden,
            )
        self._set_shifts(self._shifts)

    def misfit(self, spectra: np.ndarray, variance: float | np.ndarray | None) -> float:
        """What the fits of spectra leave in common, in standard errors."""
        values = self.fit(spectra, variance)
        seen = np.isfinite(values[:, 0])
        number = self.columns.number
        shift, *amounts = values[seen, number + number**2 + 2 :].T
        fitted = self.expected(shift, np.transpose(amounts))
        if np.ndim(variance):
            variance = variance[seen]
        noise = self.variance(fitted, variance) * self._shared / self._single
        return common_misfit((spectra[seen][:, self.kept] - fitted) / np.sqrt(noise))

    def _set_shifts(self, shifts: np.ndarray) -> None:
        self._shifts = shifts
        number = self.columns.number
        self._mixtures = [
            LinearMixture(self.columns(self.shift + s, self.blur), number, self._weights)
            for s in shifts
        ]

    @property
    def number_of_values(self) -> int:
        """For a spectrum: fractions and their covariance, amount, chi-squared, shift, coefficients of all columns."""
        number = self.columns.number
        return number + number**2 + 3 + len(self._mixtures[0].columns.T)

    def _best(
        self, spectra: np.ndarray, variance: float | np.ndarray | None
    ) -> tuple[np.ndarray, ...]:
        """Best mixture for each spectrum, its shift and the error of that, amounts and chi-squared of all mixtures."""
        amounts, left = zip(*(mixture.amounts(spectra) for mixture in self._mixtures), strict=True)
        amounts, left = np.array(amounts), np.array(left)
        best = left.argmin(axis=0)
        n = np.arange(len(spectra))
        if len(self._shifts) == 1:
            return best, np.zeros(len(n)), np.zeros(len(n)), amounts, left
        fitted = self.expected(self.shift + self._shifts[best], amounts[best, n])
        expected = (self.variance(fitted, variance) * self._weights**2).mean(axis=1)
        shared = self._shared / self._single
        score = left / (expected * shared)
        if np.isfinite(self.drift):
            score = score + (self._shifts[:, np.newaxis] / self.drift) ** 2
        best = np.clip(score.argmin(axis=0), 1, len(self._shifts) - 2)
        before, at, after = (score[best + k, n] for k in (-1, 0, 1))
        with np.errstate(invalid="ignore"):
            curvature = before - 2 * at + after
            told = np.isfinite(curvature) & (curvature > 0)
        curvature = np.where(told, curvature, 1.0)
        move = np.where(told, np.clip((before - after) / (2 * curvature), -1, 1), 0.0)
        shifts = self._shifts[best] + move * PIXEL_STEP_EV
        errors = np.where(told, PIXEL_STEP_EV * np.sqrt(2 / curvature), 0.0)
        return best, shifts, errors, amounts, left

    def fit(self, spectra: np.ndarray, variance: float | np.ndarray | None) -> np.ndarray:
        """Values of :attr:`number_of_values` for each spectrum."""
        spectra = spectra[:, self.kept]
        number, n = self.columns.number, np.arange(len(spectra))
        best, shifts, errors, amounts, left = self._best(spectra, variance)
        chosen = amounts[best, n]
        slope = np.zeros((len(n), number))
        if len(self._shifts) > 1:
            side = np.where(shifts >= self._shifts[best], 1, -1)
            other = amounts[best + side, n]
            share = np.abs(shifts - self._shifts[best]) / PIXEL_STEP_EV
            slope = (_shares(other, number) - _shares(chosen, number)) / (side * PIXEL_STEP_EV)[
                :, np.newaxis
            ]
            chosen = chosen + share[:, np.newaxis] * (other - chosen)
        fitted = self.expected(self.shift + shifts, chosen)
        noise = self.variance(fitted, variance)
        freedom = spectra.shape[1] - chosen.shape[1] - (len(self._shifts) > 1)
        chi_squared = ((spectra - fitted) ** 2 / noise).sum(axis=1) / freedom
        central = self._mixtures[len(self._mixtures) // 2]
        covariance = central.covariance(noise) * self._shared / self._single
        total = chosen[:, :number].sum(axis=1)
        fractions = _shares(chosen, number)
        with np.errstate(all="ignore"):
            slopes = (np.eye(number) - fractions[:, :, np.newaxis]) / total[
                :, np.newaxis, np.newaxis
            ]
            spread = slopes @ covariance @ slopes.transpose(0, 2, 1)
            spread += (
                (errors**2)[:, np.newaxis, np.newaxis]
                * slope[:, :, np.newaxis]
                * slope[:, np.newaxis]
            )
        seen = total > SIGNIFICANT * np.sqrt(covariance.sum(axis=(1, 2)))
        values = np.concatenate(
            [
                fractions,
                spread.reshape(len(n), -1),
                total[:, np.newaxis],
                chi_squared[:, np.newaxis],
                self.shift + shifts[:, np.newaxis],
            ],
            axis=1,
        )
        values[~seen] = np.nan
        return np.concatenate([values, chosen], axis=1)

    def expected(self, shift: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Fitted spectra, shape (n, n_channels), linear between the shifts that are tried."""
        last = len(self._shifts) - 1
        steps = np.nan_to_num((shift - self.shift - self._shifts[0]) / PIXEL_STEP_EV).clip(0, last)
        below = np.minimum(steps.astype(int), max(last - 1, 0))
        share = (steps - below)[:, np.newaxis]
        result = np.empty((len(amounts), len(self.columns.energy)))
        for number in np.unique(below):
            pixels = below == number
            low, high = (self._mixtures[min(n, last)].columns for n in (number, number + 1))
            moved = amounts[pixels] * share[pixels]
            result[pixels] = (amounts[pixels] - moved) @ low.T + moved @ high.T
        return result


def _moved(spectra: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Each spectrum moved by its own number of channels towards higher ones."""
    places = np.clip(np.arange(spectra.shape[1]) - channels[:, np.newaxis], 0, spectra.shape[1] - 1)
    left = np.minimum(places.astype(int), spectra.shape[1] - 2)
    share = places - left
    low, high = (np.take_along_axis(spectra, left + k, axis=1) for k in (0, 1))
    return low + share * (high - low)


def _shares(amounts: np.ndarray, number: int) -> np.ndarray:
    """Fractions of the first so many amounts, shape (n, number)."""
    total = amounts[:, :number].sum(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        return np.where(total > 0, amounts[:, :number] / total, np.nan)


def _reference(part: Region, edge: WhiteLineEdge, fine: np.ndarray) -> np.ndarray:
    """A reference without background on a fine axis, its last levels held beyond its ends."""
    (spectrum, *_), _ = part.sample(1)
    spectrum = spectrum[np.newaxis]
    window = background_window(part.energy, edge, "auto")
    net = (spectrum - fit_background(spectrum, part.energy, window).values)[0]
    ends = max(1, round(0.5 / part.dispersion))
    low, high = net[:ends].mean(), net[-ends:].mean()
    smooth = PchipInterpolator(part.energy, net, extrapolate=False)(fine)
    smooth = np.where(fine < part.energy[0], low, np.where(fine > part.energy[-1], high, smooth))
    if smooth[fine > edge.onsets[0] - BEFORE_EV].sum() <= 0:
        raise EnergyAxisError("A reference has no intensity above its background.")
    return smooth


def _result(
    region: Region,
    model: _Model,
    values: np.ndarray | da.Array,
    references: dict[str, EELSSpectrum],
    edge: WhiteLineEdge,
    align: str | None,
    misfit: float,
) -> OxidationFractions:
    number = len(references)
    described = {
        "edge": edge.name,
        "align": align or "none",
        "shift": model.shift,
        "blur": model.blur,
        "references": list(references),
        "computed": [
            bool(r.metadata.get_item("Signal.reference.computed")) for r in references.values()
        ],
    }

    def signal(data, title: str, quantity: str, variance=None) -> BaseSignal:
        result = region.as_map(data, title, quantity)
        result.metadata.set_item("EELSID.oxidation", described)
        if variance is not None:
            spread = region.as_map(variance, f"{title}, variance", quantity)
            result.metadata.set_item("Signal.Noise_properties.variance", spread)
        return result

    covariance = values[..., number : number + number**2].reshape(
        *values.shape[:-1], number, number
    )
    fractions = {
        label: signal(
            values[..., i], label, "Fraction of the intensity of the edge", covariance[..., i, i]
        )
        for i, label in enumerate(references)
    }
    charges = [charge_of(label, reference) for label, reference in references.items()]
    valence = None
    if None not in charges:
        weights = np.array(charges, float)
        valence = signal(
            (values[..., :number] * weights).sum(axis=-1),
            f"{edge.element} mean valence",
            "Charge",
            (covariance * np.outer(weights, weights)).sum(axis=(-2, -1)),
        )
    rest = values[..., number + number**2 :]
    chi_squared = signal(rest[..., 1], "Reduced chi-squared", "Reduced chi-squared")
    return OxidationFractions(
        fractions=fractions,
        amount=signal(rest[..., 0], f"{edge.element} amount", "Intensity (counts eV)"),
        chi_squared=chi_squared,
        valence=valence,
        shift=signal(rest[..., 2], "Shift of the references", "Energy (eV)"),
        blur=model.blur,
        misfit=misfit,
        edge=edge.name,
        align=align,
        window=(float(model.columns.energy[0]), float(model.columns.energy[-1])),
        residual=_residual(region, model, rest[..., 2:]),
    )


def _warn_of(result: OxidationFractions) -> None:
    chi_squared = np.array(np.nan) if result.chi_squared._lazy else result.chi_squared.data
    seen = chi_squared[np.isfinite(chi_squared)]
    median = np.median(seen) if seen.size else 1.0
    if result.misfit < LARGEST_MISFIT and median < BELIEVABLE:
        return
    _logger.warning(
        "The references do not explain the spectra: the median reduced chi-squared is %.2f, and residuals of different "
        "pixels have in common %.1f standard errors, by which fractions may be wrong. Look at the residual. A state "
        "may be missing or its reference be of another compound, references may be noisy or broader than the image, or "
        "the axis may drift, which align='pixel' follows.",
        median,
        result.misfit,
    )


def _residual(region: Region, model: _Model, values: np.ndarray | da.Array) -> EELSSpectrum:
    """Signal less fit, with the energies of the fit."""
    spectra = region.spectra[..., model.kept]

    def left(spectra: np.ndarray, values: np.ndarray) -> np.ndarray:
        pixels = spectra.reshape(-1, spectra.shape[-1])
        values = values.reshape(len(pixels), -1)
        return (pixels - model.expected(values[:, 0], values[:, 1:])).reshape(spectra.shape)

    if isinstance(spectra, da.Array):
        spectra = spectra.rechunk({-1: -1})
        data = da.map_blocks(
            left,
            spectra,
            values,
            chunks=spectra.chunks,
            dtype=float,
            meta=np.empty((0,) * spectra.ndim),
        )
    else:
        data = left(np.asarray(spectra), values)
    axes = [a.get_axis_dictionary() for a in region.signal.axes_manager.navigation_axes[::-1]]
    energy = model.columns.energy
    axis = {"name": "Energy loss", "units": "eV", "offset": energy[0], "size": len(energy)}
    axes.append(axis | {"scale": energy[1] - energy[0]})
    result = type(region.signal)(data, axes=axes)
    result.metadata.General.title = "Residual of the references"
    return result
