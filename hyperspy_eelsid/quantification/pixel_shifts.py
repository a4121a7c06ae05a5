"""How far the edges of each pixel are from those of the image, where the energy axis drifts during a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid import arguments
from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.edges import visible_groups
from hyperspy_eelsid.quantification.linear_model import LinearModel, PixelDesigns

if TYPE_CHECKING:
    from exspy.models import EELSModel
    from hyperspy.signals import BaseSignal

SEARCH_RANGE_EV = 4.0
SEARCH_STEP_EV = 0.5
ROUNDED_TO_EV = 0.25  # every other shift costs an integration of the cross sections
# Channels that tell a shift: those of the edge and of its fine structure.
BEFORE_ONSET_EV = 10.0
AFTER_ONSET_EV = 30.0
SIGNIFICANT = 3.0  # standard deviations by which shifts must scatter more than noise alone
SAMPLED_PIXELS = 2000  # tell by how much the shifts of the pixels truly differ


def estimate_onset_shifts(model: EELSModel, show_progressbar: bool | None = None) -> BaseSignal:
    """Find how far the edges of each pixel are from those of the image, where the energy axis drifts.

    All edges of a pixel are shifted together, by 4 eV at most, to where they fit best; fine structure is
    known from the image. Shifts that the noise of a pixel leaves uncertain are drawn to zero. They are stored in
    the maps of the onset energies, which ``m.fit_linear()`` and all that follows use.

    Parameters
    ----------
    show_progressbar
        Show progress bars; None takes HyperSpy's preference.

    Returns
    -------
    BaseSignal
        Shift [eV] in every pixel, in steps of 0.25 eV. If the low loss of the model drifts as well, only the
        shift relative to it.
    """
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    linear = LinearModel(model)
    shifts = PixelShifts(linear, show_progressbar).find(show_progressbar)
    return _keep(linear, shifts)


def fit_with_onset_shifts(model: EELSModel, show_progressbar: bool | None = None) -> None:
    """What ``estimate_onset_shifts`` and ``fit_linear`` do, with one reading of lazy data less.

    Parameters
    ----------
    show_progressbar
        Show progress bars; None takes HyperSpy's preference.
    """
    linear = LinearModel(model)
    shifts, unfitted = PixelShifts(linear, show_progressbar).fit(show_progressbar)
    _keep(linear, shifts)
    linear.finish(unfitted)


def _keep(linear: LinearModel, shifts: np.ndarray) -> BaseSignal:
    """Store the shifts of the pixels in the maps of the onset energies, and give them as a signal."""
    model = linear.model
    shifts = shifts.reshape(model.chisq.data.shape)
    for element, edges in linear.edges.items():
        shift = linear.mean_shift(element)
        for edge in edges:
            edge.onset_energy.map["values"][:] = edge.GOS.onset_energy + shift + shifts
    for structure in linear.structures:
        own = structure.onset_energy.twin.map
        structure.onset_energy.map["values"][:] = own["values"]
    model.fetch_stored_values()
    result = with_data(edge.onset_energy.as_signal(), shifts)
    result.metadata.General.title = "Onset shift"
    result.metadata.set_item("Signal.quantity", "Onset shift (eV)")
    return result


class PixelShifts:
    """Shifts of all edges of each pixel from the mean onsets of the image.

    The image is fitted with its mean onsets. What the fit leaves at the edges, their fine structure, is divided among
    the elements by a regression on their amounts, so that the image itself tells what its edges look like. In
    each pixel they are then shifted together to where they fit best. Shifts are positive towards higher energies, 4 eV
    in size at most. Of a model with a low loss they are relative to those of its low-loss spectra.

    Parameters
    ----------
    linear
        The model.
    show_progressbar
        Show progress bars; None takes HyperSpy's preference.
    """

    def __init__(self, linear: LinearModel, show_progressbar: bool | None = None) -> None:
        self._fitted_model = linear
        # free in each pixel, fine structure would take the place of a shift
        self._linear = linear = linear.without_structures()
        unmoved = np.broadcast_to(linear.mean_onsets, linear.onsets.shape)
        self._designs = PixelDesigns(linear, unmoved)
        self._near = near = _near_onsets(linear)
        self._compared = np.flatnonzero(near.any(axis=0))
        first = linear.n_background
        n_pixels = len(self._designs.which)
        sampled = np.zeros(n_pixels, bool)
        sampled[np.linspace(0, n_pixels - 1, min(n_pixels, SAMPLED_PIXELS)).astype(int)] = True

        def block(
            pixels: np.ndarray, counts: np.ndarray, low_loss: np.ndarray | None
        ) -> tuple[np.ndarray, ...]:
            factors = self._fitted(counts, low_loss)
            background, edges = self._spectra(factors, counts, low_loss)
            residual = counts - background - edges
            good = np.isfinite(residual).all(axis=1)
            amounts = factors[good, first:]
            kept = sampled[pixels]
            return (
                pixels,
                factors,
                amounts.T @ amounts,
                amounts.T @ residual[good],
                np.stack([counts, background, edges])[:, kept],
                factors[kept, first:],
            )

        blocks = linear.map_blocks(block, show_progressbar)
        pixels, factors, squares, products, spectra, amounts = zip(*blocks, strict=True)
        self._factors = np.empty((n_pixels, len(linear.parts)))
        self._factors[np.concatenate(pixels)] = np.concatenate(factors)
        self._structure = fine_structure(near, sum(squares), sum(products))
        counts, background, edges = np.concatenate(spectra, axis=1)
        edges = edges + np.concatenate(amounts) @ self._structure
        self._variance = true_variance(*self._best(counts, background, edges))

    def _fitted(self, counts: np.ndarray, low_loss: np.ndarray | None) -> np.ndarray:
        """Factors of the parts in a block, with the mean onsets."""
        linear = self._linear
        factors = np.full((len(counts), len(linear.parts)), np.nan)
        for pixels, columns in self._designs.groups(np.zeros(len(counts), int), low_loss):
            counted = counts[np.ix_(pixels, linear.channels)]
            factors[pixels] = linear.fit_of(columns).solve(counted)[0]
        return factors

    def _spectra(
        self, factors: np.ndarray, counts: np.ndarray, low_loss: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Background and edges of a block."""
        first = self._linear.n_background
        background, edges = np.full((2, *counts.shape), np.nan)
        for pixels, columns in self._designs.groups(np.zeros(len(counts), int), low_loss):
            background[pixels] = factors[pixels, :first] @ columns[:, :first].T
            edges[pixels] = factors[pixels, first:] @ columns[:, first:].T
        return background, edges

    def _best(
        self, counts: np.ndarray, background: np.ndarray, edges: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        scale = self._linear.model.axis.scale
        return best_shifts(counts, background, edges, self._compared, scale)

    def _of_block(
        self, pixels: np.ndarray, counts: np.ndarray, low_loss: np.ndarray | None
    ) -> np.ndarray:
        factors = self._factors[pixels]
        background, edges = self._spectra(factors, counts, low_loss)
        edges += factors[:, self._linear.n_background :] @ self._structure
        return drawn_to_zero(*self._best(counts, background, edges), self._variance)

    def find(self, show_progressbar: bool | None = None) -> np.ndarray:
        """Shifts [eV], shape (n_pixels,)."""

        def block(
            pixels: np.ndarray, counts: np.ndarray, low_loss: np.ndarray | None
        ) -> tuple[np.ndarray, np.ndarray]:
            return pixels, self._of_block(pixels, counts, low_loss)

        pixels, shifts = map(
            np.concatenate, zip(*self._linear.map_blocks(block, show_progressbar), strict=True)
        )
        return shifts[np.argsort(pixels)]

    def fit(self, show_progressbar: bool | None = None) -> tuple[np.ndarray, list[int]]:
        """Fit the pixels with their shifts.

        Returns
        -------
        shifts, unfitted
            In eV, shape (n_pixels,), and the number of pixels of each block that could not be fitted.
        """
        linear = self._fitted_model
        most = round(SEARCH_RANGE_EV / ROUNDED_TO_EV) if self._variance > 0 else 0
        steps = np.arange(-most, most + 1)
        designs = PixelDesigns(linear, linear.mean_onsets + ROUNDED_TO_EV * steps[:, None])

        def block(
            pixels: np.ndarray, counts: np.ndarray, low_loss: np.ndarray | None
        ) -> tuple[np.ndarray, np.ndarray, int]:
            shifts = self._of_block(pixels, counts, low_loss)
            which = np.round(shifts / ROUNDED_TO_EV).astype(int) + most
            return pixels, shifts, linear.fit_block(designs, which, pixels, counts, low_loss)

        pixels, shifts, unfitted = zip(*linear.map_blocks(block, show_progressbar), strict=True)
        order = np.argsort(np.concatenate(pixels))
        return np.concatenate(shifts)[order], list(unfitted)


def _near_onsets(linear: LinearModel) -> np.ndarray:
    """Channels at the major edges of each element, bool, shape (n_elements, n_channels)."""
    energy = linear.energy
    near = np.zeros((len(linear.edges), len(energy)), bool)
    for channels, element in zip(near, linear.edges, strict=True):
        for onset in visible_groups(element, energy[0], energy[-1]).values():
            above = energy - onset - linear.mean_shift(element)
            channels |= (above > -BEFORE_ONSET_EV) & (above < AFTER_ONSET_EV)
    return near


def fine_structure(near: np.ndarray, squares: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Mean fine structure of each element in an image: regression of residuals on amounts.

    Parameters
    ----------
    near
        Whether a channel is near an edge of an element, bool, shape (n_elements, n_channels).
    squares
        Sum over the pixels of the products of the amounts of two elements, shape (n_elements, n_elements).
    products
        Sum over the pixels of amount times residual, shape (n_elements, n_channels).

    Returns
    -------
    np.ndarray
        Residual for an amount of one, zero in channels that are not near, shape (n_elements, n_channels).
    """
    result = np.zeros(near.shape)
    for elements in np.unique(near, axis=1).T:
        channels = (near.T == elements).all(axis=1)
        inverse = np.linalg.pinv(squares[np.ix_(elements, elements)])
        result[np.ix_(elements, channels)] = inverse @ products[np.ix_(elements, channels)]
    return result


def best_shifts(
    counts: np.ndarray,
    background: np.ndarray,
    edges: np.ndarray,
    channels: np.ndarray,
    scale: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Shift of the edges of smallest chi-squared in each spectrum, and its standard error.

    Parameters
    ----------
    counts, background, edges
        Shape (n_spectra, n_channels) each.
    channels
        Numbers of the channels that are compared, shape (n_compared,).
    scale
        Width of a channel [eV].

    Returns
    -------
    shifts, errors : np.ndarray
        In eV, shape (n_spectra,) each; an error is infinite where nothing tells the shift.
    """
    step = max(1, round(SEARCH_STEP_EV / scale))
    most = max(1, round(SEARCH_RANGE_EV / (step * scale)))
    steps = np.arange(-most, most + 1)
    above = (counts - background)[:, channels]
    variance = (background + edges)[:, channels]
    variance = np.maximum(variance, 1e-3 * variance.max(axis=1, keepdims=True))
    chisq = []
    for lag in step * steps:
        shifted = edges[:, np.clip(channels - lag, 0, edges.shape[1] - 1)]
        chisq.append(((above - shifted) ** 2 / variance).sum(axis=1))
    chisq = np.stack(chisq)
    # the parabola through the smallest chi-squared and its neighbours
    best = np.clip(chisq.argmin(axis=0), 1, 2 * most - 1)
    before, at, after = (chisq[best + k, np.arange(len(counts))] for k in (-1, 0, 1))
    curvature = before - 2 * at + after
    told = curvature > 0
    curvature[~told] = 1.0
    shifts = steps[best] + np.clip((before - after) / (2 * curvature), -1, 1)
    # chi-squared grows by one at one standard error when electrons are counted, in other units by its mean
    unit = np.maximum(chisq.min(axis=0) / len(channels), 1e-30)
    # in noise, shifts beyond the parabola can be as likely
    likely = np.exp((chisq.min(axis=0) - chisq) / (2 * unit))
    likely[np.abs(np.arange(len(steps))[:, None] - best) <= 1] = 0
    distant = (likely * (steps[:, None] - shifts) ** 2).sum(axis=0) / (1 + likely.sum(axis=0))
    errors = np.sqrt(2 * unit / curvature + distant)
    return np.where(told, shifts, 0) * step * scale, np.where(told, errors * step * scale, np.inf)


def true_variance(shifts: np.ndarray, errors: np.ndarray) -> float:
    """Variance of the true shifts of pixels around zero, that of the image [eV²].

    Where shifts do not scatter significantly more than their errors tell, there are none, and it is zero.

    Parameters
    ----------
    shifts, errors
        In eV, shape (n_pixels,) each.

    References
    ----------
    R. DerSimonian and N. Laird, Controlled Clinical Trials 7, 177 (1986), for differences around a known mean.
    """
    weight = 1 / errors**2
    number = (
        weight > 0
    ).sum()  # of degrees of freedom of a chi-squared, whose variance is twice that
    excess = (weight * shifts**2).sum() - number
    if excess <= SIGNIFICANT * np.sqrt(2 * number):
        return 0.0
    return float(excess / weight.sum())


def drawn_to_zero(shifts: np.ndarray, errors: np.ndarray, variance: float) -> np.ndarray:
    """Shifts of pixels, the less certain the more drawn to zero, that of the image.

    Each is multiplied by the share that true differences between pixels have in its variance.

    Parameters
    ----------
    shifts, errors
        In eV, shape (n_pixels,) each.
    variance
        Of the true shifts [eV²].

    Returns
    -------
    np.ndarray
        Shifts [eV], rounded to 0.25 eV, shape (n_pixels,).
    """
    share = 1 - 1 / (1 + variance / errors**2)
    return ROUNDED_TO_EV * np.round(shifts * share / ROUNDED_TO_EV)
