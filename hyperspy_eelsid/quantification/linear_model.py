"""The linear side of a model: with onsets and exponents held, a spectrum is a sum of parts times their factors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import cached_property
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import dask
import dask.array as da
import numpy as np
from dask.array.core import slices_from_chunks
from dask.base import get_scheduler
from exspy.components import EELSCLEdge
from exspy.models import EELSModel
from hyperspy.api import preferences
from hyperspy.components1d import PowerLaw
from scipy.ndimage import median_filter
from scipy.signal import fftconvolve
from tqdm import tqdm
from tqdm.dask import TqdmCallback

from hyperspy_eelsid import arguments
from hyperspy_eelsid._upstream import convolution_energies, fitted_channels
from hyperspy_eelsid.chunks import whole_spectra
from hyperspy_eelsid.edges.fine_structure import FineStructure
from hyperspy_eelsid.energy_axis import plausible
from hyperspy_eelsid.exceptions import ArgumentError, InvalidSpectraError
from hyperspy_eelsid.quantification.least_squares import LinearFit

if TYPE_CHECKING:
    from hyperspy.component import Component, Parameter

_logger = logging.getLogger(__name__)

PIXELS_PER_BLOCK = 1000
FEW_PIXELS = 500  # for which no progress is shown
# The last channels of a camera often get a part of the electrons only; one is dark if it has 5 % less than expected.
DARK_CHANNELS = 4
LINE_CHANNELS = 20
DARKER = 0.05
SAMPLED_PIXELS = 2000  # tell the noise
NOISE_CHANNELS = 51  # that share it


class LinearModel:
    """The linear side of a model of power laws and edges.

    What is costly is computed on first use and kept, so that an object describes the model as it was then: make
    another one after a change of the model. The mean of lazy spectra stays with the model itself.

    Parameters
    ----------
    model
        Model of power laws and edges.
    """

    def __init__(self, model: EELSModel) -> None:
        arguments.instance("model", model, EELSModel, "an EELS model")
        self.model = model

    @property
    def energy(self) -> np.ndarray:
        """Energies of the channels [eV], shape (n_channels,)."""
        return self.model.axis.axis

    @cached_property
    def channels(self) -> np.ndarray:
        """Indices of the channels that are fitted, shape (n_fitted,)."""
        return np.flatnonzero(fitted_channels(self.model))

    @cached_property
    def edges(self) -> dict[str, list[EELSCLEdge]]:
        """Active edges of each element; the first has the intensity that the others share."""
        edges: dict[str, list[EELSCLEdge]] = {}
        for component in self.model:
            if isinstance(component, EELSCLEdge) and component.active:
                edges.setdefault(component.element, []).append(component)
        for group in edges.values():
            group.sort(key=lambda edge: edge.intensity.twin is not None)
        return edges

    @cached_property
    def parts(self) -> list[list[Component]]:
        """Active components that scale together: each power law, and all edges of each element.

        Raises
        ------
        ArgumentError
            If there is no edge.
        """
        if not self.edges:
            raise ArgumentError(
                "The model has no active edge of an element. s.auto_model() makes one with edges; exspy's own has them "
                "after s.add_elements()."
            )
        background = [[c] for c in self.model if isinstance(c, PowerLaw) and c.active]
        return background + list(self.edges.values())

    @property
    def n_background(self) -> int:
        """Number of the parts that are background; those of the elements follow."""
        return len(self.parts) - len(self.edges)

    @cached_property
    def structures(self) -> list[FineStructure]:
        """Active fine structures of the elements; their columns follow those of the parts, one for each knot."""
        return [
            c
            for c in self.model
            if isinstance(c, FineStructure) and c.active and c.element in self.edges
        ]

    @property
    def n_knots(self) -> int:
        """Number of knots of all fine structures."""
        return sum(len(structure.coefficients) for structure in self.structures)

    def places(self, structure: FineStructure) -> range:
        """Places of a fine structure among the columns."""
        first = len(self.parts)
        for other in self.structures[: self.structures.index(structure)]:
            first += len(other.coefficients)
        return range(first, first + len(structure.coefficients))

    def without_structures(self) -> LinearModel:
        """The same model without its fine structures: neither their parts nor their channels."""
        other = LinearModel(self.model)
        other.averages, other.structures = self.averages, []
        outside = np.ones(len(self.energy), bool)
        for structure in self.structures:
            above = self.energy - structure.onset_energy.map["values"].mean()
            outside &= (above < structure.offsets[0]) | (above > structure.offsets[-1])
        other.channels = self.channels[outside[self.channels]]
        return other

    @property
    def bin_width(self) -> float:
        """Width of a channel [eV] where the axis is binned, and 1 where counts are per eV, as HyperSpy has it."""
        return self.model.axis.scale if self.model.axis.is_binned else 1.0

    def cross_section(self, edges: list[EELSCLEdge]) -> np.ndarray:
        """Sum of the cross sections of edges at their mean onsets [barn/eV], shape (n_channels,)."""
        return _at_onsets(
            self.onset_parameters, self.mean_onsets, lambda: _shapes([edges], self.energy)[:, 0]
        )

    @cached_property
    def averages(self) -> Averages:
        """Mean spectrum and noise of all spectra; see :func:`averages`."""
        return self._averages(self.model.signal.data)

    @property
    def mean(self) -> np.ndarray:
        """Mean spectrum, shape (n_channels,)."""
        return self.averages.mean

    @cached_property
    def mean_low_loss(self) -> np.ndarray | None:
        """Mean low-loss spectrum, shape (n_low_loss,), or None."""
        return self._averages(self.model.low_loss.data).mean if self.model.convolved else None

    def _averages(self, spectra: np.ndarray | da.Array) -> Averages:
        if not isinstance(spectra, da.Array):  # which may change
            return averages(spectra)
        known = self.model.__dict__.setdefault("_averages_of_lazy_spectra", {})
        if spectra.name not in known:
            known[spectra.name] = averages(spectra)
        return known[spectra.name]

    def remember(self, known: Averages) -> None:
        """Take averages of the spectra that are known already."""
        self.averages = known
        if isinstance(self.model.signal.data, da.Array):
            self.model.__dict__["_averages_of_lazy_spectra"] = {self.model.signal.data.name: known}

    @cached_property
    def onset_parameters(self) -> list[Parameter]:
        """The onset energies that no other determines; in a model of ``auto_model`` one for each element."""
        edges = (component for component in self.model if isinstance(component, EELSCLEdge))
        return [edge.onset_energy for edge in edges if edge.onset_energy.twin is None]

    @cached_property
    def onsets(self) -> np.ndarray:
        """Stored values of the onset parameters in all pixels [eV], shape (n_pixels, n_parameters)."""
        self.parts  # noqa: B018 (without an edge there is no onset, which is told here)
        stored = [
            np.where(p.map["is_set"], p.map["values"], p.value).ravel()
            for p in self.onset_parameters
        ]
        return np.stack(stored, axis=1)

    @cached_property
    def mean_onsets(self) -> np.ndarray:
        """Onsets of the mean spectrum [eV], shape (n_parameters,)."""
        # without the rounding error of a mean where all pixels have the same
        return self.onsets[0] + (self.onsets - self.onsets[0]).mean(axis=0)

    def mean_shift(self, element: str) -> float:
        """How far the edges of an element are from the table, in the mean of all pixels [eV]."""
        edge = self.edges[element][0]
        return float(edge.onset_energy.map["values"].mean() - edge.GOS.onset_energy)

    @cached_property
    def mean_columns(self) -> np.ndarray:
        """Design matrix of the mean spectrum, shape (n_channels, n_parts + n_knots)."""
        return DesignMatrix(self, self.mean_onsets)(self.mean_low_loss)

    @cached_property
    def mean_fit(self) -> LinearFit:
        """Fit of the mean spectrum in the fitted channels."""
        return self.fit_of(self.mean_columns)

    def fit_of(self, columns: np.ndarray) -> LinearFit:
        """Fit in the fitted channels with a design matrix, shape (n_channels, n_parts + n_knots)."""
        variance = self.averages.variance
        return LinearFit(
            columns[self.channels],
            self.mean[self.channels],
            self.n_knots,
            None if variance is None else variance[self.channels],
        )

    @property
    def factors(self) -> np.ndarray:
        """Stored factors of the parts and of the knots, shape (n_pixels, n_parts + n_knots)."""
        return self._stored("values")

    @property
    def errors(self) -> np.ndarray:
        """Their standard errors, shape (n_pixels, n_parts + n_knots)."""
        return self._stored("std")

    def _stored(self, field: str) -> np.ndarray:
        maps = [scale_parameter(part[0]).map[field] for part in self.parts]
        stored = [values.reshape(-1, 1) for values in maps]
        stored += [
            s.coefficients.map[field].reshape(-1, len(s.coefficients)) for s in self.structures
        ]
        return np.concatenate(stored, axis=1)

    def map_blocks(
        self, function: Callable[..., Any], show_progressbar: bool | None = None
    ) -> list[Any]:
        """Apply a function to the spectra of all pixels, block by block and in parallel.

        Blocks are parts of the chunks of a lazy image, each of which is read once.

        Parameters
        ----------
        function
            Takes indices of pixels, shape (n_pixels,), their counts (n_pixels, n_channels) and their low-loss
            spectra (n_pixels, n_low_loss), None in a model without.
        show_progressbar
            Show a progress bar; None takes HyperSpy's preference.

        Returns
        -------
        list
            What the function returned for each block.
        """
        self.mean  # noqa: B018 (known before threads ask for it)
        spectra = _whole(np.atleast_2d(self.model.signal.data))
        low_losses = np.atleast_2d(self.model.low_loss.data) if self.model.convolved else None
        indices = np.arange(np.prod(spectra.shape[:-1])).reshape(spectra.shape[:-1])

        def run(pixels: np.ndarray, counts: np.ndarray, low_loss: np.ndarray | None) -> list[Any]:
            counts = np.asarray(counts).reshape(len(pixels), -1)
            if low_loss is not None:
                low_loss = np.asarray(low_loss).reshape(len(pixels), -1)
            return [
                function(
                    pixels[part],
                    np.where(plausible(counts[part]), counts[part], np.nan).astype(np.float64),
                    None if low_loss is None else low_loss[part],
                )
                for part in _parts(len(pixels))
            ]

        show = (
            preferences.General.show_progressbar if show_progressbar is None else show_progressbar
        ) and indices.size >= FEW_PIXELS
        if get_scheduler() not in (None, dask.threaded.get, dask.get):
            # models cannot be sent to other processes: these compute the spectra, and the fit is made here
            return [
                result
                for block in tqdm(blocks(spectra), desc="Fit", disable=not show)
                for result in run(
                    indices[block].ravel(),
                    *dask.compute(
                        spectra[block], None if low_losses is None else low_losses[block]
                    ),
                )
            ]
        task = dask.delayed(run, pure=False, traverse=False)
        tasks = [
            task(
                indices[block].ravel(),
                spectra[block],
                None if low_losses is None else low_losses[block],
            )
            for block in blocks(spectra)
        ]
        with TqdmCallback(desc="Fit") if show else nullcontext():
            return list(chain.from_iterable(dask.compute(*tasks)))

    def fit(self, show_progressbar: bool | None = None) -> None:
        """Fit all pixels and store the result in the model."""
        designs = PixelDesigns(self)

        def block(pixels: np.ndarray, counts: np.ndarray, low_loss: np.ndarray | None) -> int:
            return self.fit_block(designs, designs.which[pixels], pixels, counts, low_loss)

        self.finish(self.map_blocks(block, show_progressbar))

    def fit_block(
        self,
        designs: PixelDesigns,
        which: np.ndarray,
        pixels: np.ndarray,
        counts: np.ndarray,
        low_loss: np.ndarray | None,
    ) -> int:
        """Fit a block of pixels, what :meth:`map_blocks` gives with the design of each, and store the results.

        Returns
        -------
        int
            Number of pixels that could not be fitted.
        """
        n_columns = len(self.parts) + self.n_knots
        factors, errors = np.full((2, len(pixels), n_columns), np.nan)
        chisq, n_used = np.full((2, len(pixels)), np.nan)
        counts = counts[:, self.channels]
        for group, columns in designs.groups(which, low_loss):
            results = self.fit_of(columns).solve(counts[group])
            factors[group], errors[group], chisq[group], n_used[group] = results
        for stored, places in self._maps:
            stored["values"][pixels] = factors[:, places]
            stored["std"][pixels] = errors[:, places]
            stored["is_set"][pixels] = True
        self.model.chisq.data.reshape(-1)[pixels] = chisq
        self.model.dof.data.reshape(-1)[pixels] = np.nan_to_num(n_used)
        return int(np.count_nonzero(~np.isfinite(factors[:, 0])))

    @cached_property
    def _maps(self) -> list[tuple[np.ndarray, int | list[int]]]:
        """Maps in which factors are stored, shape (n_pixels,), and their places among the columns."""
        maps = [
            (scale_parameter(component).map, place)
            for place, part in enumerate(self.parts)
            for component in part
        ]
        maps += [(s.coefficients.map, list(self.places(s))) for s in self.structures]
        return [(stored.reshape(-1), places) for stored, places in maps]

    def finish(self, unfitted: Iterable[int]) -> None:
        """Show the stored results in the model, and tell of pixels that could not be fitted.

        Parameters
        ----------
        unfitted
            Their number in each block.
        """
        bad, n_pixels = sum(unfitted), self.model.chisq.data.size
        if bad == n_pixels:
            raise InvalidSpectraError("No spectrum has finite counts that can be fitted.")
        if bad:
            _logger.warning("%d of %d pixels cannot be fitted and are NaN.", bad, n_pixels)
        self.model.fetch_stored_values()

    def expected(self) -> np.ndarray | da.Array:
        """The fitted spectra in all channels, of the shape of the data and lazy if they are; NaN without a fit."""
        designs = PixelDesigns(self)
        data = _whole(self.model.signal.data)
        navigation, n_channels = data.shape[:-1], data.shape[-1]
        inputs = [
            self.factors.reshape(*navigation, -1),
            designs.which.reshape(*navigation, 1),
            *([self.model.low_loss.data] if self.model.convolved else []),
        ]

        if not isinstance(data, da.Array):
            return _spectra(*map(np.asarray, inputs), designs=designs, n_channels=n_channels)
        chunks = data.chunks[:-1]
        inputs = [da.asarray(values).rechunk((*chunks, -1)) for values in inputs]
        return da.map_blocks(
            _spectra,
            *inputs,
            designs=designs,
            n_channels=n_channels,
            chunks=(*chunks, (n_channels,)),
            dtype=np.float64,
            meta=np.empty((0,) * data.ndim),
        )


def _spectra(
    factors: np.ndarray,
    which: np.ndarray,
    low_loss: np.ndarray | None = None,
    *,
    designs: PixelDesigns,
    n_channels: int,
) -> np.ndarray:
    """The fitted spectra of a block; a function of the module, which workers of a cluster can be sent.

    Parameters
    ----------
    factors
        Of the parts and knots, shape (..., n_columns).
    which
        Design of each pixel, shape (..., 1).
    low_loss
        Shape (..., n_low_loss), or None without multiple scattering.
    """
    shape = (*factors.shape[:-1], n_channels)
    factors = factors.reshape(-1, factors.shape[-1])
    result = np.full((len(factors), n_channels), np.nan)
    if low_loss is not None:
        low_loss = low_loss.reshape(len(factors), -1)
    for pixels, columns in designs.groups(which.ravel(), low_loss):
        result[pixels] = factors[pixels] @ columns.T
    return result.reshape(shape)


def scale_parameter(component: Component) -> Parameter:
    """The parameter in which a component is linear."""
    return component.A if isinstance(component, PowerLaw) else component.intensity


class DesignMatrix:
    """Spectra of the linear parts of a model, and of the knots of its fine structures, with a factor of 1.

    Parameters
    ----------
    linear
        The model.
    onsets
        Values of its onset parameters [eV], shape (n_parameters,).
    """

    def __init__(self, linear: LinearModel, onsets: np.ndarray) -> None:
        components = [part[0] for part in linear.parts] + linear.structures
        widths = [1] * len(linear.parts) + [len(s.coefficients) for s in linear.structures]
        self._convolved = np.repeat([c.convolved for c in components], widths)

        def shapes(energy: np.ndarray) -> np.ndarray:
            structures = [structure.shapes(energy) for structure in linear.structures]
            columns = np.concatenate([_shapes(linear.parts, energy), *structures], axis=1)
            return columns * linear.bin_width

        self._plain = _at_onsets(linear.onset_parameters, onsets, lambda: shapes(linear.energy))
        if linear.model.convolved:
            energy = convolution_energies(linear.model)
            padded = _at_onsets(linear.onset_parameters, onsets, lambda: shapes(energy))
            self._padded = padded[:, self._convolved]

    def __call__(self, low_loss: np.ndarray | None = None) -> np.ndarray:
        """Design matrix, shape (n_channels, n_parts + n_knots).

        Parameters
        ----------
        low_loss
            Low-loss spectrum, shape (n_low_loss,), or None without multiple scattering.
        """
        if low_loss is None or not self._convolved.any():
            return self._plain
        columns = self._plain.copy()
        columns[:, self._convolved] = fftconvolve(
            low_loss[:, None], self._padded, mode="valid", axes=0
        )
        return columns


class PixelDesigns:
    """Design matrices of all pixels of a model: one for all that have the same onsets and no low loss.

    Parameters
    ----------
    linear
        The model.
    onsets
        Onsets in each pixel [eV], shape (n_pixels, n_parameters); by default those that the model stores.

    Attributes
    ----------
    which
        Index of the onsets of each pixel, shape (n_pixels,).
    """

    def __init__(self, linear: LinearModel, onsets: np.ndarray | None = None) -> None:
        onsets = linear.onsets if onsets is None else onsets
        different, which = np.unique(onsets, axis=0, return_inverse=True)
        self.which = which.ravel()
        self._designs = [DesignMatrix(linear, values) for values in different]

    def groups(
        self, which: np.ndarray, low_loss: np.ndarray | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pixels that share a design matrix, and that matrix; those without a valid low loss are in no group.

        Parameters
        ----------
        which
            A part of the attribute, shape (n,).
        low_loss
            Low-loss spectra of these pixels, shape (n, n_low_loss), or None without multiple scattering.

        Yields
        ------
        pixels, columns
            Positions in `which`, and a matrix of shape (n_channels, n_parts + n_knots).
        """
        for index in np.unique(which):
            pixels = np.flatnonzero(which == index)
            if low_loss is None:
                yield pixels, self._designs[index]()
                continue
            shared = (low_loss[pixels] == low_loss[pixels[0]]).all()
            for group in [pixels] if shared else pixels[:, None]:
                spectrum = low_loss[group[0]]
                if np.isfinite(spectrum).all() and spectrum.any():
                    yield group, self._designs[index](spectrum)


def _at_onsets(
    parameters: list[Parameter], onsets: np.ndarray, function: Callable[[], np.ndarray]
) -> np.ndarray:
    """What a function gives while the onsets have other values."""
    before = [parameter.value for parameter in parameters]
    _set_onsets(parameters, onsets)
    result = function()
    _set_onsets(parameters, before)
    return result


def _set_onsets(parameters: list[Parameter], onsets: Iterable[float]) -> None:
    for parameter, onset in zip(parameters, onsets, strict=True):
        if parameter.value != onset:  # a new value integrates the cross section again
            parameter.value = float(onset)


def _shapes(parts: list[list[Component]], energy: np.ndarray) -> np.ndarray:
    columns = []
    for part in parts:
        column = np.zeros(len(energy))
        for component in part:
            scale = scale_parameter(component)
            value = scale.value
            scale.value = 1.0  # a factor of zero has no shape
            column += component.function(energy)
            scale.value = value
        columns.append(column)
    return np.stack(columns, axis=1)


class Averages(NamedTuple):
    """What is known of all spectra together.

    Parameters
    ----------
    mean
        Mean spectrum, shape (n_channels,).
    variance
        Of the noise in a spectrum, shape (n_channels,); None where no count is negative, so that they may be electrons,
        whose noise their number tells.
    """

    mean: np.ndarray
    variance: np.ndarray | None


def averages(spectra: np.ndarray | da.Array) -> Averages:
    """Mean of all spectra with finite counts, in double precision, and their noise; lazy spectra are read once.

    Where no spectrum is finite in all channels, because some are masked, each channel has the mean of its own;
    those that are not finite in as many spectra as the others are NaN.

    Negative counts are what is left when something was subtracted, a background or the dark current of a detector. It
    has left its noise, of which the counts tell nothing; but the scatter of neighbouring channels does.

    Parameters
    ----------
    spectra
        Shape (..., n_channels).

    Raises
    ------
    InvalidSpectraError
        If nothing is finite.
    """
    spectra = _whole(np.atleast_2d(spectra))
    shape = spectra.shape[:-1]
    step = max(1, int(np.ceil((np.prod(shape) / SAMPLED_PIXELS) ** (1 / len(shape)))))
    places = blocks(spectra)
    if isinstance(spectra, da.Array):
        counts = spectra.to_delayed(optimize_graph=False).ravel()
        sums = dask.compute(*map(dask.delayed(_sums), counts, places, repeat(step)))
    else:
        sums = [_sums(spectra[place], place, step) for place in places]
    total, number, own, numbers = (
        sum(values) for values in zip(*(s[:4] for s in sums), strict=True)
    )
    sample = np.concatenate([s[4] for s in sums])
    if number:
        mean = np.asarray(total / number, np.float64)
    elif numbers.any():
        mean = np.where(numbers == numbers.max(), own / np.maximum(numbers, 1), np.nan)
    else:
        raise InvalidSpectraError("No spectrum has finite counts that can be fitted.")
    negative = (sample < 0).any()
    return Averages(mean, noise_variance(sample) if negative else None)


def _sums(
    spectra: np.ndarray, place: tuple[slice, ...], step: int
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray, np.ndarray]:
    """Sum and number of the spectra of a block that are finite, those of each channel, and a sample of the spectra.

    Parameters
    ----------
    spectra
        Shape (..., n_channels).
    place
        Where they are in the image, of which every so many pixels along each axis are in the sample.
    step
        How many.
    """
    sampled = tuple(slice(-axis.start % step, None, step) for axis in place[: spectra.ndim - 1])
    # a view would keep the whole block
    sample = spectra[sampled].reshape(-1, spectra.shape[-1]).copy()
    pixels = spectra.reshape(-1, spectra.shape[-1])
    total, own, numbers = np.zeros((3, pixels.shape[1]))
    number = 0
    for part in _parts(len(pixels)):
        finite = plausible(pixels[part])
        good = finite.all(axis=1)
        total += pixels[part][good].sum(axis=0, dtype=np.float64)
        number += int(good.sum())
        own += np.where(finite, pixels[part], 0).sum(axis=0, dtype=np.float64)
        numbers += finite.sum(axis=0)
    return total, number, own, numbers, sample


def _parts(n_pixels: int) -> list[slice]:
    """Slices of a thousand pixels, of which copies in double precision take little memory."""
    return [slice(i, i + PIXELS_PER_BLOCK) for i in range(0, n_pixels, PIXELS_PER_BLOCK)]


def _whole(spectra: np.ndarray | da.Array) -> np.ndarray | da.Array:
    return whole_spectra(spectra) if isinstance(spectra, da.Array) else spectra


def noise_variance(spectra: np.ndarray) -> np.ndarray:
    """Variance of the noise in spectra, from second differences of neighbouring channels.

    What they have in the mean of the spectra is not noise. Medians over 51 channels leave out the single lines that
    differ from spectrum to spectrum.

    Parameters
    ----------
    spectra
        Shape (n_spectra, n_channels).

    Returns
    -------
    np.ndarray
        Shape (n_channels,); zero nowhere but where there is no noise at all.
    """
    differences = np.diff(np.asarray(spectra, np.float64), 2, axis=-1)
    differences = differences[np.isfinite(differences).all(axis=1)]
    number = len(differences)
    if number == 0 or differences.shape[1] == 0:
        return np.ones(spectra.shape[1])
    if number > 1:
        differences = differences - differences.mean(axis=0)
    freedom = max(1, number - 1)
    # 1 + 4 + 1 variances; the median of chi-squared by Wilson and Hilferty
    squares = (differences**2).sum(axis=0) / (6 * freedom * (1 - 2 / (9 * freedom)) ** 3)
    noise = median_filter(squares, min(NOISE_CHANNELS, len(squares)), mode="reflect")
    return np.pad(noise, 1, mode="edge")


def recorded_channels(spectrum: np.ndarray) -> np.ndarray:
    """Which channels the detector recorded: finite, not of exactly zero up to an end, nor of the dark last ones.

    Parameters
    ----------
    spectrum
        Mean spectrum, shape (n_channels,).

    Returns
    -------
    np.ndarray
        bool, shape (n_channels,).

    Raises
    ------
    InvalidSpectraError
        If nothing was recorded.
    """
    recorded = np.isfinite(spectrum)
    counted = np.flatnonzero(recorded & (spectrum != 0))
    if len(counted) == 0:
        raise InvalidSpectraError("No spectrum has counts that can be fitted.")
    recorded[: counted[0]] = recorded[counted[-1] + 1 :] = False
    there = np.flatnonzero(recorded)
    dark = _dark_at_end(spectrum[there])
    recorded[there[len(there) - dark :]] = False
    return recorded


def _dark_at_end(spectrum: np.ndarray) -> int:
    """How many of the last channels are darker than a line through those before them, as at the edge of a camera."""
    for number in range(DARK_CHANNELS, 0, -1):
        before = spectrum[-number - LINE_CHANNELS : -number]
        if len(before) < LINE_CHANNELS:
            continue
        line = np.polyfit(np.arange(-LINE_CHANNELS, 0), before, 1)
        scatter = (before - np.polyval(line, np.arange(-LINE_CHANNELS, 0))).std()
        expected = np.polyval(line, np.arange(number))
        if (spectrum[-number:] < expected - np.maximum(DARKER * expected, 5 * scatter)).all():
            return number
    return 0


def blocks(spectra: np.ndarray | da.Array) -> list[tuple[slice, ...]]:
    """Slices of the navigation axes that cover an image once; of lazy spectra they are the chunks.

    Parameters
    ----------
    spectra
        Shape (..., n_channels).
    """
    if isinstance(spectra, da.Array):
        chunks = spectra.chunks[:-1]
    else:
        n_rows, n_per_row = spectra.shape[0], int(np.prod(spectra.shape[1:-1]))
        rows = max(1, PIXELS_PER_BLOCK // n_per_row)
        sizes = [min(rows, n_rows - first) for first in range(0, n_rows, rows)]
        chunks = (sizes, *([size] for size in spectra.shape[1:-1]))
    return slices_from_chunks(chunks)


def elements(model: EELSModel) -> list[str]:
    """Symbols of the elements in a model."""
    return list(LinearModel(model).edges)


def fit_linear(model: EELSModel, show_progressbar: bool | None = None) -> None:
    """Fit background and edges in all pixels, with onsets and background exponents held.

    With those held the model is linear, and the factors of all its parts are found by non-negative least
    squares; only those of the fine structure may be negative. All pixels have the Poisson weights of the mean
    spectrum, so that one factorisation serves all of them; where counts are negative, because a background was
    removed, those of the scatter between neighbouring channels. The result is stored in the parameters, with standard
    errors from the scatter of the residuals, and in ``chisq`` and ``dof``, so that ``m.red_chisq`` maps the
    goodness of the fit: it is 1 for counted electrons that the model describes. A pixel that cannot be fitted
    becomes NaN.

    Parameters
    ----------
    show_progressbar
        Show a progress bar; None takes HyperSpy's preference.
    """
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    LinearModel(model).fit(show_progressbar)
