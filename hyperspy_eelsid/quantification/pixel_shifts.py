"""How far the edges of each pixel are from those of the image, where the energy axis drifts during a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid.edges import visible_groups
from hyperspy_eelsid.quantification.linear_model import (
    LinearFit,
    PixelDesigns,
    edges_of,
    linear_parts,
    mean_onsets,
    mean_shift,
    mean_spectrum,
    onset_energies,
    pixel_blocks,
)

if TYPE_CHECKING:
    from exspy.models import EELSModel
    from hyperspy.signals import BaseSignal

SEARCH_RANGE_EV = 4.0
SEARCH_STEP_EV = 0.5
ROUNDED_TO_EV = 0.25  # every other shift costs an integration of the cross sections
# Channels that tell a shift: those of the edge and of its fine structure.
BEFORE_ONSET_EV = 10.0
AFTER_ONSET_EV = 30.0


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
    shifts = pixel_shifts(model, show_progressbar).reshape(model.chisq.data.shape)
    for edges in edges_of(model).values():
        for edge in edges:
            onset = edge.onset_energy.map["values"]
            onset[:] = edge.GOS.onset_energy + mean_shift([edge]) + shifts
    model.fetch_stored_values()
    result = edge.onset_energy.as_signal()._deepcopy_with_new_data(shifts)
    result.metadata.General.title = "Onset shift"
    result.metadata.set_item("Signal.quantity", "Onset shift (eV)")
    return result


def pixel_shifts(model: EELSModel, show_progressbar: bool | None = None) -> np.ndarray:
    """Shift of all edges of each pixel from the mean onsets of the image.

    The image is fitted with its mean onsets. What the fit leaves at the edges, their fine structure, is divided among
    the elements by a regression on their amounts, so that the image itself tells what its edges look like. In
    each pixel they are then shifted together to where they fit best.

    Parameters
    ----------
    model : Model of power laws and edges.
    show_progressbar : Show progress bars; None takes HyperSpy's preference.

    Returns
    -------
    Shifts [eV], positive towards higher energies, 4 eV in size at most, shape (n_pixels,). Of a model with a low
    loss they are beside those of its low-loss spectra.
    """
    designs = PixelDesigns(model, np.broadcast_to(mean_onsets(model), onset_energies(model).shape))
    kept = np.flatnonzero(model._channel_switches)
    mean = mean_spectrum(model.signal.data)[kept]
    near = _near_onsets(model)
    first = len(linear_parts(model)) - len(near)
    factors = np.full((len(designs.which), first + len(near)), np.nan)

    def parts(
        block: np.ndarray, counts: np.ndarray, low_loss: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Background and edges of the pixels of a block, which are fitted when they have no factors yet."""
        background, edges = np.full((2, *counts.shape), np.nan)
        for pixels, columns in designs.groups(designs.which[block], low_loss):
            if np.isnan(factors[block[pixels]]).all():
                fit = LinearFit(columns[kept], mean)
                factors[block[pixels]] = fit.solve(counts[np.ix_(pixels, kept)])[0]
            fitted = factors[block[pixels]]
            background[pixels] = fitted[:, :first] @ columns[:, :first].T
            edges[pixels] = fitted[:, first:] @ columns[:, first:].T
        return background, edges

    squares, products = np.zeros((len(near), len(near))), np.zeros(near.shape)
    for block, counts, low_loss in pixel_blocks(model, show_progressbar):
        background, edges = parts(block, counts, low_loss)
        residual = counts - background - edges
        good = np.isfinite(residual).all(axis=1)
        amounts = factors[block][good, first:]
        squares += amounts.T @ amounts
        products += amounts.T @ residual[good]
    structure = fine_structure(near, squares, products)

    shifts, errors = np.zeros((2, len(factors)))
    channels = np.flatnonzero(near.any(axis=0))
    for block, counts, low_loss in pixel_blocks(model, show_progressbar):
        background, edges = parts(block, counts, low_loss)
        edges += factors[block][:, first:] @ structure
        shifts[block], errors[block] = best_shifts(
            counts, background, edges, channels, model.axis.scale
        )
    return drawn_to_zero(shifts, errors)


def _near_onsets(model: EELSModel) -> np.ndarray:
    """Channels at the major edges of each element, bool, shape (n_elements, n_channels)."""
    energy = model.axis.axis
    near = np.zeros((len(edges_of(model)), len(energy)), bool)
    for channels, (element, edges) in zip(near, edges_of(model).items(), strict=True):
        for onset in visible_groups(element, energy[0], energy[-1]).values():
            above = energy - onset - mean_shift(edges)
            channels |= (above > -BEFORE_ONSET_EV) & (above < AFTER_ONSET_EV)
    return near


def fine_structure(near: np.ndarray, squares: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Mean fine structure of each element in an image: regression of residuals on amounts.

    Parameters
    ----------
    near : Whether a channel is near an edge of an element, bool, shape (n_elements, n_channels).
    squares : Sum over the pixels of the products of the amounts of two elements, shape (n_elements, n_elements).
    products : Sum over the pixels of amount times residual, shape (n_elements, n_channels).

    Returns
    -------
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
    counts, background, edges : Shape (n_spectra, n_channels) each.
    channels : Numbers of the channels that are compared, shape (n_compared,).
    scale : Width of a channel [eV].

    Returns
    -------
    shifts, errors : In eV, shape (n_spectra,) each; an error is infinite where nothing tells the shift.
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


def drawn_to_zero(shifts: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Shifts of pixels, the less certain the more drawn to zero, that of the image.

    Each is multiplied by the share that true differences between pixels have in its variance. Where the shifts scatter
    no more than their errors tell, there are none, and all become zero.

    Parameters
    ----------
    shifts, errors : In eV, shape (n_pixels,) each.

    Returns
    -------
    Shifts [eV], rounded to 0.25 eV, shape (n_pixels,).

    References
    ----------
    R. DerSimonian and N. Laird, Controlled Clinical Trials 7, 177 (1986), for differences around a known mean.
    """
    weight = 1 / errors**2
    true_variance = ((weight * shifts**2).sum() - (weight > 0).sum()) / max(weight.sum(), 1e-30)
    share = 1 - 1 / (1 + max(true_variance, 0.0) * weight)
    return ROUNDED_TO_EV * np.round(shifts * share / ROUNDED_TO_EV)
