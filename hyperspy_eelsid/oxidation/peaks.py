"""Places of lines and integrals between places, of all spectra at once."""

from __future__ import annotations

import numpy as np

from hyperspy_eelsid.oxidation.background import smooth
from hyperspy_eelsid.oxidation.edge import WhiteLineEdge

SEARCH_BELOW_EV, SEARCH_ABOVE_EV = 6.0, 9.0  # of the first line about its onset
LINE_WIDTH_EV = 3.0  # of the pair of boxes that the lines are looked for with
SECOND_LINE_EV = 3.0  # how far the distance of the lines can be from that of the table
SMOOTHED_EV = 0.6
PARABOLA_EV = 0.8  # half-width of what a maximum is fitted in


def line_places(
    spectra: np.ndarray, variance: np.ndarray, energy: np.ndarray, edge: WhiteLineEdge
) -> tuple[np.ndarray, np.ndarray]:
    """Maxima of both lines and their variances.

    The pair is where two boxes at the distance of the lines hold most; the distance tells the first line where the
    second is higher.

    Parameters
    ----------
    spectra, variance
        Without background, shape (n, n_channels).
    energy
        Shape (n_channels,) [eV].
    edge
        The edge.

    Returns
    -------
    places : np.ndarray
        Energies of the maxima [eV], shape (2, n).
    variances : np.ndarray
        In eV², shape (2, n).
    """
    dispersion = energy[1] - energy[0]
    boxes = smooth(spectra, _odd(LINE_WIDTH_EV / dispersion))
    apart = round(edge.distance / dispersion)
    pairs = boxes.copy()
    pairs[:, :-apart] += boxes[:, apart:]
    onset = edge.onsets[0]
    pair = _highest(pairs, energy, onset - SEARCH_BELOW_EV, onset + SEARCH_ABOVE_EV)
    reach = min(LINE_WIDTH_EV, edge.distance / 2)
    first = maximum(spectra, variance, energy, energy[pair] - reach, energy[pair] + reach)
    expected = first[0] + edge.distance
    reach = min(SECOND_LINE_EV, edge.distance / 3)
    second = maximum(spectra, variance, energy, expected - reach, expected + reach)
    return np.stack([first[0], second[0]]), np.stack([first[1], second[1]])


def maximum(
    spectra: np.ndarray,
    variance: np.ndarray,
    energy: np.ndarray,
    start: np.ndarray | float,
    end: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Place of the highest maximum between two energies, and its variance, shape (n,) each.

    It is the vertex of a parabola through the channels around the highest smoothed channel.
    """
    dispersion = energy[1] - energy[0]
    smoothed = smooth(spectra, _odd(SMOOTHED_EV / dispersion))
    half = max(1, round(PARABOLA_EV / dispersion))
    top = np.clip(_highest(smoothed, energy, start, end), half, len(energy) - 1 - half)
    steps = np.arange(-half, half + 1)
    fit = np.linalg.pinv(np.vander(steps, 3))
    channels = top[:, np.newaxis] + steps
    near = np.take_along_axis(spectra, channels, axis=1)
    square, slope = fit[0] @ near.T, fit[1] @ near.T
    is_maximum = square < 0
    square = np.where(is_maximum, square, -1.0)
    vertex = np.where(is_maximum, np.clip(-slope / (2 * square), -half, half), 0.0)
    # vertex = -slope / (2 square)
    derivative = -(fit[1][:, np.newaxis] + 2 * vertex * fit[0][:, np.newaxis]) / (2 * square)
    near_variance = np.take_along_axis(variance, channels, axis=1)
    spread = np.einsum("cn,nc->n", derivative**2, near_variance)
    spread = np.where(is_maximum, np.minimum(spread, half**2), half**2)
    return energy[top] + vertex * dispersion, spread * dispersion**2


def _highest(
    spectra: np.ndarray,
    energy: np.ndarray,
    start: np.ndarray | float,
    end: np.ndarray | float,
) -> np.ndarray:
    """Highest channel between two energies, shape (n,)."""
    start, end = (np.broadcast_to(x, len(spectra))[:, np.newaxis] for x in (start, end))
    inside = (energy >= start) & (energy <= end)
    return np.where(inside, spectra, -np.inf).argmax(axis=1)


def integral(
    spectra: np.ndarray, energy: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Integral of each spectrum between two energies of its own, channels being shared at the ends.

    Parameters
    ----------
    spectra
        Values in the channels, of any unit, shape (..., n, n_channels).
    energy
        Shape (n_channels,) [eV].
    start, end
        In eV, shape (n,).

    Returns
    -------
    np.ndarray
        Sum times the width of a channel, shape (..., n).
    """
    dispersion = energy[1] - energy[0]
    total = np.cumsum(spectra, axis=-1) * dispersion
    total = np.concatenate([np.zeros_like(total[..., :1]), total], axis=-1)

    def up_to(place: np.ndarray) -> np.ndarray:
        position = np.clip((place - energy[0]) / dispersion + 0.5, 0, len(energy))
        left = np.minimum(position.astype(int), len(energy) - 1)
        index = np.broadcast_to(left[:, np.newaxis], (*total.shape[:-1], 1))
        low = np.take_along_axis(total, index, axis=-1)[..., 0]
        high = np.take_along_axis(total, index + 1, axis=-1)[..., 0]
        return low + (position - left) * (high - low)

    return up_to(end) - up_to(start)


def _odd(channels: float) -> int:
    return 2 * int(channels / 2) + 1
