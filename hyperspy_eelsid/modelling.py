"""A model of background and edges for the elements that were found, fitted in all pixels at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from exspy.components import EELSCLEdge
from exspy.models import EELSModel
from hyperspy.api import preferences
from hyperspy.component import Component
from hyperspy.components1d import PowerLaw
from hyperspy.signals import BaseSignal
from scipy.optimize import nnls
from scipy.signal import fftconvolve
from tqdm.auto import tqdm

from hyperspy_eelsid.components import CoreLossEdge
from hyperspy_eelsid.edges import edges_in_window, visible_groups
from hyperspy_eelsid.exceptions import (
    EnergyAxisError,
    InvalidSpectraError,
    MissingParametersError,
    UnknownElementError,
)
from hyperspy_eelsid.preprocessing import energy_axis, measured_window

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

    from hyperspy_eelsid.identification import ElementIdentification

_logger = logging.getLogger(__name__)

BUNDLED_GOS = "bundled"
# A sum of power laws with these exponents follows the background of any thickness and collection angle within
# its noise over some hundred eV, and makes the whole model linear.
BACKGROUND_EXPONENTS = (2.0, 2.5, 3.0, 3.5, 4.0)
# Fine structure after the onset, and the width of the onset before it, are left out of the fit.
FINE_STRUCTURE_EV = 30.0
BEFORE_ONSET_EV = 5.0
MINIMUM_SHARE_OF_CHANNELS = 0.25
NM2_PER_BARN = 1e-10

_PARAMETERS = {
    "beam_energy": ("Acquisition_instrument.TEM.beam_energy", "keV"),
    "convergence_angle": ("Acquisition_instrument.TEM.convergence_angle", "mrad"),
    "collection_angle": ("Acquisition_instrument.TEM.Detector.EELS.collection_angle", "mrad"),
}


class ElementModel(EELSModel):
    """An exspy EELSModel of a background and the edges of some elements.

    It is made by ``s.auto_model()``. Everything that exspy and HyperSpy do with a model works; in addition
    :meth:`fit_linear` fits all pixels at once and :meth:`elemental_maps` returns the result.
    """

    @property
    def elements(self) -> list[str]:
        """Symbols of the elements in the model."""
        return list(dict.fromkeys(edge.element for edge in self._edges()))

    def _edges(self) -> list[EELSCLEdge]:
        return [component for component in self if isinstance(component, EELSCLEdge)]

    def _linear_parts(self) -> list[list[Component]]:
        """Components that scale together: each power law, and all edges of each element."""
        background = [[component] for component in self if isinstance(component, PowerLaw)]
        edges = [[e for e in self._edges() if e.element == element] for element in self.elements]
        return background + edges

    def _columns(self, low_loss: np.ndarray | None) -> np.ndarray:
        """Spectrum of each linear part with a factor of 1, shape (n_channels, n_parts).

        Parameters
        ----------
        low_loss : Low-loss spectrum of the pixel, shape (n_low_loss,), or None without multiple scattering.
        """
        axis = self.axis.axis
        columns = []
        for part in self._linear_parts():
            column = 0.0
            for component in part:
                scale = _scale_parameter(component)
                if low_loss is not None and component.convolved:
                    padded = component.function(self._convolution_axis) / scale.value
                    column = column + fftconvolve(low_loss, padded, mode="valid")
                else:
                    column = column + component.function(axis) / scale.value
            columns.append(column)
        return np.stack(columns, axis=1)

    def fit_linear(self, show_progressbar: bool | None = None) -> None:
        """Fit background and edges in all pixels, with onsets and background exponents held.

        With those held the model is linear, and the factors of all its parts are found by non-negative least
        squares. All pixels have the Poisson weights of the mean spectrum, so that one factorisation serves all of
        them. The result is stored in the parameters, with standard errors; a pixel that cannot be fitted becomes
        NaN.

        Parameters
        ----------
        show_progressbar : Show a progress bar; None takes HyperSpy's preference.

        References
        ----------
        C. L. Lawson and R. J. Hanson, Solving Least Squares Problems, Prentice-Hall 1974, chapter 23.
        """
        channels = np.flatnonzero(self._channel_switches)
        data = self.signal.data[..., channels]
        pixels = data.reshape(-1, len(channels))
        mean = np.asarray(pixels.mean(axis=0) if not self.signal._lazy else _finite_mean(pixels))
        if not np.isfinite(mean).all():
            mean = np.asarray(_finite_mean(pixels))
        weight = 1 / np.sqrt(np.maximum(mean, max(mean.max() * 1e-6, 1e-30)))
        low_loss = self._low_loss_of_pixels()
        show = (
            preferences.General.show_progressbar if show_progressbar is None else show_progressbar
        )
        factors, errors = [], []
        common = None if low_loss is not None else _Solver(self._columns(None)[channels], weight)
        blocks = _blocks(pixels)
        with tqdm(total=len(pixels), unit="pixels", disable=not show or len(pixels) < 500) as bar:
            for block in blocks:
                counts = np.asarray(pixels[block], np.float64)
                if common is not None:
                    result = common.solve(counts)
                else:
                    each = [
                        _Solver(self._columns(ll)[channels], weight).solve(row[None])
                        for row, ll in zip(counts, np.asarray(low_loss[block]), strict=True)
                    ]
                    result = tuple(np.concatenate(x) for x in zip(*each, strict=True))
                factors.append(result[0])
                errors.append(result[1])
                bar.update(len(counts))
        self._store(np.concatenate(factors), np.concatenate(errors))

    def _low_loss_of_pixels(self) -> np.ndarray | da.Array | None:
        if self.low_loss is None:
            return None
        return self.low_loss.data.reshape(-1, self.low_loss.data.shape[-1])

    def _store(self, factors: np.ndarray, errors: np.ndarray) -> None:
        """Keep the factors and their standard errors in the maps of the scale parameters."""
        bad = np.count_nonzero(~np.isfinite(factors[:, 0]))
        if bad == len(factors):
            raise InvalidSpectraError("No spectrum has finite counts that can be fitted.")
        if bad:
            _logger.warning("%d of %d pixels cannot be fitted and are NaN.", bad, len(factors))
        for part, values, stds in zip(self._linear_parts(), factors.T, errors.T, strict=True):
            for component in part:
                parameter = _scale_parameter(component)
                shape = parameter.map["values"].shape
                parameter.map["values"][:] = values.reshape(shape)
                parameter.map["std"][:] = stds.reshape(shape)
                parameter.map["is_set"][:] = True
        self.fetch_stored_values()

    def elemental_maps(self) -> dict[str, BaseSignal]:
        """Amount of each element in every pixel.

        Returns
        -------
        A signal with the navigation axes of the image for each element. Its ``metadata.Signal.quantity`` states what
        it is: the areal density in atoms/nm² for a model with a low-loss spectrum; otherwise the areal density
        times the number of electrons, of which ratios between elements are meaningful.
        """
        if self.low_loss is None:
            factor, quantity = 1 / self.axis.scale, "Areal density x electrons (1/barn)"
        else:
            factor = 1 / self.axis.scale / NM2_PER_BARN
            quantity = "Areal density (atoms/nm²)"
        maps = {}
        for element in self.elements:
            edge = next(edge for edge in self._edges() if edge.element == element)
            amount = edge.intensity.as_signal() * factor
            amount.metadata.General.title = element
            amount.metadata.set_item("Signal.quantity", quantity)
            if "std" in edge.intensity.map.dtype.names:
                error = edge.intensity.as_signal(field="std") * factor
                amount.metadata.set_item("Signal.Noise_properties.variance", error**2)
            maps[element] = amount
        return maps


class _Solver:
    """Non-negative least squares with one design matrix for many spectra.

    Parameters
    ----------
    columns : Design matrix, shape (n_channels, n_parts).
    weight : Square root of the weight of each channel, shape (n_channels,).
    """

    def __init__(self, columns: np.ndarray, weight: np.ndarray) -> None:
        weighted = columns * weight[:, None]
        self._scale = np.linalg.norm(weighted, axis=0)
        if not self._scale.all():
            raise EnergyAxisError(
                "An edge has no channel left to be fitted; widen the energy window."
            )
        # the triangular factor has as few rows as there are parts, and the same least-squares solution
        q, self._r = np.linalg.qr(weighted / self._scale)
        self._project = (q * weight[:, None]).T
        self._expected = 1 / weight**2
        # parts that non-negativity holds at zero in the mean spectrum do not add to the errors of the others
        used = nnls(self._r, self._project @ self._expected)[0] > 0
        self._error = np.zeros(len(used))
        self._error[used] = np.linalg.norm(np.linalg.pinv(self._r[:, used]), axis=1)
        self._error[~used] = 1 / np.linalg.norm(self._r[:, ~used], axis=0)

    def solve(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Factors of all parts and their standard errors, NaN for spectra with counts that are not finite.

        Parameters
        ----------
        counts : Shape (n_spectra, n_channels).

        Returns
        -------
        factors, errors : Shape (n_spectra, n_parts) each.
        """
        valid = np.isfinite(counts).all(axis=1) & (counts > 0).any(axis=1)
        factors = np.full((len(counts), len(self._scale)), np.nan)
        projected = counts[valid] @ self._project.T
        factors[valid] = [nnls(self._r, row)[0] for row in projected]
        # the weights are those of the mean spectrum: variances grow with the counts of the pixel
        dose = np.maximum(counts.sum(axis=1) / self._expected.sum(), 0)
        errors = np.sqrt(dose)[:, None] * self._error
        return factors / self._scale, errors / self._scale


def _scale_parameter(component: Component):
    return component.A if isinstance(component, PowerLaw) else component.intensity


def _finite_mean(pixels: np.ndarray | da.Array) -> np.ndarray:
    good = np.isfinite(pixels).all(axis=1)
    if isinstance(pixels, da.Array):
        total = da.where(good[:, None], pixels, 0).sum(axis=0)
        total, number = da.compute(total, good.sum())
    else:
        total, number = np.where(good[:, None], pixels, 0).sum(axis=0), good.sum()
    if number == 0:
        raise InvalidSpectraError("No spectrum has finite counts that can be fitted.")
    return total / number


def _blocks(pixels: np.ndarray | da.Array) -> list[slice]:
    """Slices of pixels; those of a lazy signal are its chunks."""
    sizes = pixels.chunks[0] if isinstance(pixels, da.Array) else [1000] * (len(pixels) // 1000 + 1)
    ends = np.minimum(np.cumsum(sizes), len(pixels))
    starts = np.concatenate([[0], ends[:-1]])
    return [slice(a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True) if b > a]


def auto_model(
    signal: EELSSpectrum,
    identification: ElementIdentification | None = None,
    elements: Iterable[str] | None = None,
    low_loss: EELSSpectrum | None = None,
    GOS: str = BUNDLED_GOS,
    beam_energy: float | None = None,
    convergence_angle: float | None = None,
    collection_angle: float | None = None,
    fit: bool = True,
    show_progressbar: bool | None = None,
) -> ElementModel:
    """Model of the background and of the edges of the elements that are found.

    The model holds a sum of power laws with fixed exponents and one edge for every subshell with its onset in the
    window; the intensities of all edges of an element are one, as in exspy. The first 30 eV after each major
    onset, where fine structure is, are left out of the fit. The signal itself is not changed.

    Parameters
    ----------
    identification : Result of ``identify_elements``; by default the elements are identified first.
    elements : Symbols of the elements to fit, instead of an identification.
    low_loss : Low-loss spectrum of the same navigation shape, for multiple scattering and absolute areal densities.
    GOS : Cross sections: ``"bundled"``, those of this package; ``"dft"`` or ``"dirac"``, exspy's tables, which are
        downloaded; or the path of a GOSH file.
    beam_energy : Beam energy [keV]; by default, and for the next two, from the metadata.
    convergence_angle, collection_angle : Semi-angles [mrad].
    fit : Fit the model in all pixels.
    show_progressbar : Show progress bars; None takes HyperSpy's preference.

    Returns
    -------
    The model, an exspy EELSModel.

    Raises
    ------
    MissingParametersError
        If a microscope parameter is neither in the metadata nor given.
    UnknownElementError
        If an element is unknown or has no edge in the window, or no element was found.
    EnergyAxisError
        If the energy axis is not uniform, increasing and in eV.
    """
    _check_axis(signal)
    signal = _with_parameters(
        signal,
        beam_energy=beam_energy,
        convergence_angle=convergence_angle,
        collection_angle=collection_angle,
    )
    if elements is None:
        if identification is None:
            from hyperspy_eelsid.identification import identify_elements

            identification = identify_elements(signal, show_progressbar=show_progressbar)
        elements = identification.elements
    elements = list(dict.fromkeys(elements))
    window = measured_window(energy_axis(signal))
    _check_elements(elements, window)

    model = ElementModel(signal, auto_background=False, auto_add_edges=False, low_loss=low_loss)
    for exponent in BACKGROUND_EXPONENTS:
        background = PowerLaw(r=exponent)
        background.name = f"Background_r{exponent:g}"
        background.r.free = False
        background.A.bmin = 0.0
        background.isbackground = True
        model.append(background)
    for element in elements:
        _append_edges(model, element, window, GOS)
    model.set_signal_range_from_mask(_fitted_channels(model.axis.axis, elements, window))
    if fit:
        model.fit_linear(show_progressbar=show_progressbar)
    return model


def _check_axis(signal: EELSSpectrum) -> None:
    axis = signal.axes_manager.signal_axes[0]
    energy_axis(signal)  # raises if there is nothing to fit
    if axis.units not in ("eV", None) and isinstance(axis.units, str) and axis.units:
        raise EnergyAxisError(
            f"A model needs an energy axis in eV, not in {axis.units}. Convert it with "
            "s.axes_manager.convert_units(axes='signal', units='eV')."
        )
    if not axis.is_uniform or axis.scale <= 0:
        raise EnergyAxisError(
            "A model needs a uniform, increasing energy axis. Use s.interpolate_on_axis('uniform', axis=-1)."
        )


def _with_parameters(signal: EELSSpectrum, **given: float | None) -> EELSSpectrum:
    """The signal, or with parameters given in the call a copy that shares the data and has them in its metadata."""
    if any(value is not None for value in given.values()):
        signal = signal._deepcopy_with_new_data(signal.data)
        for name, value in given.items():
            if value is not None:
                signal.metadata.set_item(_PARAMETERS[name][0], value)
    missing = [
        f"{name} [{unit}]"
        for name, (path, unit) in _PARAMETERS.items()
        if signal.metadata.get_item(path) is None
    ]
    if missing:
        raise MissingParametersError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in the metadata. Give "
            "the values to auto_model(), or set them with s.set_microscope_parameters()."
        )
    return signal


def _check_elements(elements: list[str], window: tuple[float, float]) -> None:
    if not elements:
        raise UnknownElementError(
            "No element was found that could be modelled. Give the elements, e.g. "
            "s.auto_model(elements=['Fe', 'O']), or identify with a lower threshold."
        )
    unseen = [element for element in elements if not visible_groups(element, *window)]
    if unseen:
        raise UnknownElementError(
            f"{', '.join(unseen)} {'has' if len(unseen) == 1 else 'have'} no major edge between "
            f"{window[0]:g} and {window[1]:g} eV and cannot be fitted."
        )


def _append_edges(model: ElementModel, element: str, window: tuple[float, float], GOS: str) -> None:
    """Add the edges of an element, those after the first with the intensity and the shift of the first."""
    master = None
    for edge in sorted(
        edges_in_window(element, *window), key=lambda e: (not e.major, e.onset_energy)
    ):
        component = _edge_component(edge.name, GOS)
        if master is None:
            master = component
        else:
            component.intensity.twin = master.intensity
            component.onset_energy.twin = master.onset_energy
            difference = component.GOS.onset_energy - master.GOS.onset_energy
            component.onset_energy.twin_function_expr = f"x + {difference}"
        model.append(component)


def _edge_component(name: str, GOS: str) -> EELSCLEdge:
    if GOS == BUNDLED_GOS:
        return CoreLossEdge(name)
    if GOS in ("dft", "dirac"):
        return EELSCLEdge(name, GOS=GOS)
    return EELSCLEdge(name, GOS="dft", gos_file_path=GOS)


def _fitted_channels(
    energy: np.ndarray, elements: list[str], window: tuple[float, float]
) -> np.ndarray:
    """Channels of the window less the fine structure; the part left out shrinks in a narrow window."""
    inside = (energy >= window[0]) & (energy <= window[1])
    onsets = [
        edge.onset_energy
        for element in elements
        for edge in edges_in_window(element, *window)
        if edge.major
    ]
    width = FINE_STRUCTURE_EV
    while True:
        kept = inside.copy()
        for onset in onsets:
            kept &= (energy < onset - BEFORE_ONSET_EV) | (energy > onset + width)
        after_all = all((kept & (energy > onset)).any() for onset in onsets)
        if after_all and kept.sum() >= MINIMUM_SHARE_OF_CHANNELS * inside.sum():
            return kept
        if width < 1:
            return inside
        width /= 2
