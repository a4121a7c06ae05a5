"""The linear fit of a model: factors of its background and edges, non-negative, in many spectra at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import dask
import dask.array as da
import numpy as np
from dask.array.core import slices_from_chunks
from exspy.components import EELSCLEdge
from exspy.models import EELSModel
from hyperspy.api import preferences
from hyperspy.component import Component, Parameter
from hyperspy.components1d import PowerLaw
from scipy.optimize import nnls
from scipy.signal import fftconvolve
from tqdm.auto import tqdm

from hyperspy_eelsid.exceptions import EnergyAxisError, InvalidSpectraError

_logger = logging.getLogger(__name__)

PIXELS_PER_BLOCK = 1000
REMEMBERED_MEANS = 16
_lazy_means: dict[str, np.ndarray] = {}
FEW_PIXELS = 500  # for which no progress is shown


def edges_of(model: EELSModel) -> dict[str, list[EELSCLEdge]]:
    """Active edges of each element of a model; the first has the intensity that the others share."""
    edges: dict[str, list[EELSCLEdge]] = {}
    for component in model:
        if isinstance(component, EELSCLEdge) and component.active:
            edges.setdefault(component.element, []).append(component)
    for group in edges.values():
        group.sort(key=lambda edge: edge.intensity.twin is not None)
    return edges


def linear_parts(model: EELSModel) -> list[list[Component]]:
    """Active components that scale together: each power law, and all edges of each element."""
    background = [[c] for c in model if isinstance(c, PowerLaw) and c.active]
    return background + list(edges_of(model).values())


def scale_parameter(component: Component) -> Parameter:
    """The parameter in which a component is linear."""
    return component.A if isinstance(component, PowerLaw) else component.intensity


def onset_parameters(model: EELSModel) -> list[Parameter]:
    """The onset energies that no other determines; in a model of ``auto_model`` one for each element."""
    edges = (component for component in model if isinstance(component, EELSCLEdge))
    return [edge.onset_energy for edge in edges if edge.onset_energy.twin is None]


def onset_energies(model: EELSModel) -> np.ndarray:
    """Stored onsets of all pixels [eV].

    Parameters
    ----------
    model : Model of power laws and edges.

    Returns
    -------
    Values of :func:`onset_parameters`, shape (n_pixels, n_parameters).
    """
    stored = [
        np.where(p.map["is_set"], p.map["values"], p.value).ravel() for p in onset_parameters(model)
    ]
    return np.stack(stored, axis=1)


def mean_onsets(model: EELSModel) -> np.ndarray:
    """Onsets of the mean spectrum [eV], shape (n_parameters,)."""
    onsets = onset_energies(model)
    # without the rounding error of a mean where all pixels have the same
    return onsets[0] + (onsets - onsets[0]).mean(axis=0)


def mean_shift(edges: list[EELSCLEdge]) -> float:
    """How far the edges of an element are from the table, in the mean of all pixels [eV]."""
    onset = edges[0].onset_energy
    return float(onset.map["values"].mean() - edges[0].GOS.onset_energy)


class DesignMatrix:
    """Spectra of the linear parts of a model with a factor of 1.

    Parameters
    ----------
    model : Model of power laws and edges.
    onsets : Values for :func:`onset_parameters` [eV], shape (n_parameters,).
    """

    def __init__(self, model: EELSModel, onsets: np.ndarray) -> None:
        parts = linear_parts(model)
        parameters = onset_parameters(model)
        before = [parameter.value for parameter in parameters]
        _set_onsets(parameters, onsets)
        self._plain = _shapes(parts, model.axis.axis)
        self._convolved = np.array([part[0].convolved for part in parts])
        if model.convolved:
            convolved = [part for part in parts if part[0].convolved]
            self._padded = _shapes(convolved, model._convolution_axis)
        _set_onsets(parameters, before)

    def __call__(self, low_loss: np.ndarray | None = None) -> np.ndarray:
        """Design matrix, shape (n_channels, n_parts).

        Parameters
        ----------
        low_loss : Low-loss spectrum, shape (n_low_loss,), or None without multiple scattering.
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
    model : Model of power laws and edges.
    onsets : Onsets in each pixel [eV], shape (n_pixels, n_parameters); by default those that the model stores.

    Attributes
    ----------
    which : Numbers of the onsets of the pixels, shape (n_pixels,).
    """

    def __init__(self, model: EELSModel, onsets: np.ndarray | None = None) -> None:
        stored = onset_energies(model) if onsets is None else onsets
        different, which = np.unique(stored, axis=0, return_inverse=True)
        self.which = which.ravel()
        self._designs = [DesignMatrix(model, values) for values in different]

    def groups(
        self, which: np.ndarray, low_loss: np.ndarray | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pixels that share a design matrix, and that matrix; those without a valid low loss are in no group.

        Parameters
        ----------
        which : A part of the attribute, shape (n,).
        low_loss : Low-loss spectra of these pixels, shape (n, n_low_loss), or None without multiple scattering.

        Yields
        ------
        pixels, columns : Places in `which`, and a matrix of shape (n_channels, n_parts).
        """
        for number in np.unique(which):
            pixels = np.flatnonzero(which == number)
            if low_loss is None:
                yield pixels, self._designs[number]()
                continue
            shared = (low_loss[pixels] == low_loss[pixels[0]]).all()
            for group in [pixels] if shared else pixels[:, None]:
                spectrum = low_loss[group[0]]
                if np.isfinite(spectrum).all() and spectrum.any():
                    yield group, self._designs[number](spectrum)


def low_loss_pixels(model: EELSModel) -> np.ndarray | da.Array | None:
    """Low-loss spectra of a model, shape (n_pixels, n_low_loss), or None."""
    if not model.convolved:
        return None
    return model.low_loss.data.reshape(-1, model.low_loss.data.shape[-1])


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


class LinearFit:
    """Non-negative least squares with one design matrix for many spectra.

    Parameters
    ----------
    columns : Design matrix, shape (n_channels, n_parts).
    expected : Mean of the spectra, whose Poisson weights all of them have, shape (n_channels,).

    References
    ----------
    C. L. Lawson and R. J. Hanson, Solving Least Squares Problems, Prentice-Hall 1974, chapter 23.
    """

    def __init__(self, columns: np.ndarray, expected: np.ndarray) -> None:
        self._columns = columns
        self._expected = np.maximum(expected, max(expected.max() * 1e-6, 1e-30))
        weight = 1 / np.sqrt(self._expected)
        weighted = columns * weight[:, None]
        self._scale = np.linalg.norm(weighted, axis=0)
        if not self._scale.all():
            raise EnergyAxisError(
                "An edge has no channel left to be fitted; widen the energy window."
            )
        # the triangular factor has as few rows as there are parts, and the same least-squares solution
        q, self._r = np.linalg.qr(weighted / self._scale)
        self._project = (q * weight[:, None]).T
        used = nnls(self._r, self._project @ self._expected)[0] > 0
        covariance = self._covariance(used)
        error = np.sqrt(np.diag(covariance))
        self.correlation = covariance / np.outer(error, error)

    def _covariance(self, used: np.ndarray) -> np.ndarray:
        """Covariance of the scaled factors in the mean spectrum.

        Parameters
        ----------
        used : Parts that non-negativity does not hold at zero, bool, shape (n_parts,). The others do not add to the
            errors of these; their own variance is that of the part alone, added to the used ones.
        """
        inverse = np.linalg.pinv(self._r[:, used])
        rest = self._r - self._r[:, used] @ (inverse @ self._r)
        covariance = np.diag(1 / np.maximum((rest**2).sum(axis=0), 1e-12))
        covariance[np.ix_(used, used)] = inverse @ inverse.T
        return covariance

    def solve(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Fit spectra; all results are NaN for those with counts that are not finite or nowhere positive.

        Parameters
        ----------
        counts : Shape (n_spectra, n_channels).

        Returns
        -------
        factors, errors : Factors of the parts and their standard errors, shape (n_spectra, n_parts) each.
        chisq : Sum of squared residuals over the Poisson variance of the fit, shape (n_spectra,).
        n_used : Number of parts that are not zero, shape (n_spectra,).

        Notes
        -----
        The errors are scaled with the residuals, so that they do not depend on the unit of the counts.
        """
        valid = np.isfinite(counts).all(axis=1) & (counts > 0).any(axis=1)
        factors = np.full((len(counts), len(self._scale)), np.nan)
        projected = counts[valid] @ self._project.T
        for place, row in zip(np.flatnonzero(valid), projected, strict=True):
            factors[place] = nnls(self._r, row)[0]
        n_used = np.where(valid, (factors > 0).sum(axis=1), np.nan)
        fitted = factors / self._scale @ self._columns.T
        floor = 1e-6 * fitted.max(axis=1, keepdims=True, initial=1e-30)
        chisq = ((counts - fitted) ** 2 / np.maximum(fitted, floor)).sum(axis=1)
        freedom = counts.shape[1] - n_used
        # the weights are those of the mean spectrum: variances grow with the counts of the spectrum
        variance = np.maximum(counts.sum(axis=1) / self._expected.sum(), 0)
        variance *= np.where(freedom > 0, chisq / np.maximum(freedom, 1), 1.0)
        patterns, which = np.unique(factors > 0, axis=0, return_inverse=True)
        error = np.sqrt([np.diag(self._covariance(used)) for used in patterns])
        errors = np.sqrt(variance)[:, None] * error[which.ravel()]
        return factors / self._scale, errors / self._scale, chisq, n_used


def robust_ratio(
    columns: np.ndarray, counts: np.ndarray, part: int, correlated_channels: int, model_error: float
) -> float:
    """Factor of one part in a spectrum over a standard error that also holds what the model does not follow.

    Residuals of fine structure and of a background that the model misses are larger than those of counting, and
    neighbouring channels share them. The error counts both, where they bear on the part. Of what the model does not
    follow the part itself takes away some, and then no residual tells it: the error also holds a share of the counts,
    correlated in the same way.

    Parameters
    ----------
    columns : Design matrix, shape (n_channels, n_parts).
    counts : Spectrum, shape (n_channels,).
    part : Number of the part.
    correlated_channels : Distance from which residuals are independent.
    model_error : Standard error of the model as a share of the counts.

    References
    ----------
    W. K. Newey and K. D. West, Econometrica 55, 703 (1987), eq. 5.
    """
    weight = 1 / np.sqrt(np.maximum(counts, max(counts.max() * 1e-3, 1e-30)))
    weighted = columns * weight[:, None]
    norms = np.linalg.norm(weighted, axis=0)
    weighted = weighted / np.where(norms > 0, norms, 1)
    factors = nnls(weighted, counts * weight)[0]
    used = factors > 0
    freedom = len(counts) - used.sum()
    if not used[part] or freedom < 1:
        return 0.0
    used[part] = False
    # the factor is the mean of the counts weighted with the share of the part that no other part can take
    own = weighted[:, part]
    own = own - weighted[:, used] @ (np.linalg.pinv(weighted[:, used]) @ own)
    variance = _correlated_variance(
        own * (counts * weight - weighted @ factors), correlated_channels
    )
    variance *= len(counts) / freedom
    variance += _correlated_variance(own * model_error * counts * weight, correlated_channels)
    return float(factors[part] * (own @ own) / np.sqrt(variance)) if variance > 0 else np.inf


def _correlated_variance(scores: np.ndarray, channels: int) -> float:
    """Variance of the sum of scores whose correlation falls to zero over a number of channels."""
    variance = scores @ scores
    for lag in range(1, min(channels + 1, len(scores))):
        variance += 2 * (1 - lag / (channels + 1)) * (scores[lag:] @ scores[:-lag])
    return variance


def mean_spectrum(spectra: np.ndarray | da.Array) -> np.ndarray:
    """Mean of all spectra with finite counts, in double precision; lazy spectra are read the first time only.

    Parameters
    ----------
    spectra
        Shape (..., n_channels).

    Returns
    -------
    np.ndarray
        Shape (n_channels,).
    """
    # the name of a lazy array tells its contents, which an array in memory may change
    name = spectra.name if isinstance(spectra, da.Array) else None
    if name in _lazy_means:
        return _lazy_means[name].copy()
    good = np.all(np.isfinite(spectra), axis=-1)
    kept = np.where(good[..., None], spectra, 0)
    total = kept.sum(axis=tuple(range(spectra.ndim - 1)), dtype=np.float64)
    total, number = da.compute(total, good.sum())
    if number == 0:
        raise InvalidSpectraError("No spectrum has finite counts that can be fitted.")
    mean = np.asarray(total / number, np.float64)
    if name is not None:
        while len(_lazy_means) >= REMEMBERED_MEANS:
            _lazy_means.pop(next(iter(_lazy_means)))
        _lazy_means[name] = mean.copy()
    return mean


def recorded_channels(spectrum: np.ndarray) -> slice:
    """Channels without those of exactly zero at either end, which the detector did not record."""
    counted = np.flatnonzero(spectrum)
    return slice(counted[0], counted[-1] + 1) if len(counted) else slice(None)


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


def pixel_blocks(
    model: EELSModel, show_progressbar: bool | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Blocks of pixels with their counts and low-loss spectra in memory; each chunk of the data is read once.

    Parameters
    ----------
    model
        Model of power laws and edges.
    show_progressbar
        Show a progress bar; None takes HyperSpy's preference.

    Yields
    ------
    pixels, counts, low_loss
        Indices of the pixels, shape (n_pixels,); spectra of shape (n_pixels, n_channels) and (n_pixels,
        n_low_loss), the last None in a model without.
    """
    spectra = np.atleast_2d(model.signal.data)
    low_losses = np.atleast_2d(model.low_loss.data) if model.convolved else None
    indices = np.arange(np.prod(spectra.shape[:-1])).reshape(spectra.shape[:-1])
    show = preferences.General.show_progressbar if show_progressbar is None else show_progressbar
    disable = not show or indices.size < FEW_PIXELS
    with tqdm(total=indices.size, unit="pixels", disable=disable) as bar:
        for block in blocks(spectra):
            counts, low_loss = dask.compute(
                spectra[block], None if low_losses is None else low_losses[block]
            )
            counts = np.asarray(counts, np.float64).reshape(-1, spectra.shape[-1])
            if low_loss is not None:
                low_loss = low_loss.reshape(len(counts), -1)
            yield indices[block].ravel(), counts, low_loss
            bar.update(len(counts))


def elements(model: EELSModel) -> list[str]:
    """Symbols of the elements in a model."""
    return list(edges_of(model))


def mean_low_loss(model: EELSModel) -> np.ndarray | None:
    """Mean low-loss spectrum of a model, or None."""
    return mean_spectrum(model.low_loss.data) if model.convolved else None


def fit_linear(model: EELSModel, show_progressbar: bool | None = None) -> None:
    """Fit background and edges in all pixels, with onsets and background exponents held.

    With those held the model is linear, and the factors of all its parts are found by non-negative least
    squares. All pixels have the Poisson weights of the mean spectrum, so that one factorisation serves all of
    them. The result is stored in the parameters, with standard errors from the scatter of the residuals, and in
    ``chisq`` and ``dof``, so that ``m.red_chisq`` maps the goodness of the fit: it is 1 for counted electrons
    that the model describes. A pixel that cannot be fitted becomes NaN.

    Parameters
    ----------
    show_progressbar
        Show a progress bar; None takes HyperSpy's preference.
    """
    channels = np.flatnonzero(model._channel_switches)
    mean = mean_spectrum(model.signal.data)[channels]
    designs = PixelDesigns(model)
    n_pixels, n_parts = len(designs.which), len(linear_parts(model))
    factors, errors = np.full((2, n_pixels, n_parts), np.nan)
    chisq, n_used = np.full((2, n_pixels), np.nan)
    for block, counts, low_loss in pixel_blocks(model, show_progressbar):
        counts = counts[:, channels]
        for pixels, columns in designs.groups(designs.which[block], low_loss):
            fit = LinearFit(columns[channels], mean).solve(counts[pixels])
            for result, part in zip((factors, errors, chisq, n_used), fit, strict=True):
                result[block[pixels]] = part
    _keep(model, factors, errors, chisq, n_used)


def _keep(
    model: EELSModel, factors: np.ndarray, errors: np.ndarray, chisq: np.ndarray, n_used: np.ndarray
) -> None:
    """Store factors and errors in the maps of the scale parameters, and the goodness of the fit."""
    bad = np.count_nonzero(~np.isfinite(factors[:, 0]))
    if bad == len(factors):
        raise InvalidSpectraError("No spectrum has finite counts that can be fitted.")
    if bad:
        _logger.warning("%d of %d pixels cannot be fitted and are NaN.", bad, len(factors))
    for part, values, stds in zip(linear_parts(model), factors.T, errors.T, strict=True):
        for component in part:
            parameter = scale_parameter(component)
            shape = parameter.map["values"].shape
            parameter.map["values"][:] = values.reshape(shape)
            parameter.map["std"][:] = stds.reshape(shape)
            parameter.map["is_set"][:] = True
    model.chisq.data[:] = chisq.reshape(model.chisq.data.shape)
    model.dof.data[:] = np.nan_to_num(n_used).reshape(model.dof.data.shape)
    model.fetch_stored_values()
