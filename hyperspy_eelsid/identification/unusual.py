"""Spectra unlike any that the networks learned from, and what is odd about them.

Networks answer whatever they are given. What they are given may be no core loss: X-ray lines, a low loss, a wave; or
one whose channels are dead, hit by cosmic rays, clipped, or filled with garbage at an end of the detector. The spectrum
itself shows it: counts scatter by their square root, and neighbouring channels of a spectrum that a spectrometer has
broadened differ by little more. Where the spectrum is plausible, networks that contradict each other are the sign that
they have not seen its like.

The limits were chosen on simulated spectra, of which they name less than 1 % unusual.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import IntFlag

import numpy as np

from hyperspy_eelsid import energy_axis

_logger = logging.getLogger(__name__)

BEGINNING = "What is found may be wrong, for the spectra are unusual:"


class Oddity(IntFlag):
    """What is odd about a spectrum; several add up."""

    ISOLATED = 1
    STEP = 2
    CLIPPED = 4
    SCATTER = 8
    RISING = 16
    PEAK = 32
    CONTRADICTION = 64


_WORDS = {
    Oddity.ISOLATED: "single channels are dead or stand out",
    Oddity.STEP: "counts jump from one channel to the next",
    Oddity.CLIPPED: "the largest counts are cut off",
    Oddity.SCATTER: "some channels scatter more than counts do",
    Oddity.RISING: "it does not fall like the background of a core loss",
    Oddity.PEAK: "one peak stands alone, like a zero loss or an X-ray line",
    Oddity.CONTRADICTION: "the networks contradict each other",
}

# Channels at each end that may be dim or in a shadow, and channels in which noise is measured together
END, BLOCK = 6, 16
LARGEST_LEFT_OUT = 3  # in each block, which a spike makes
MEAN_BEND = 0.73  # of the others, in noise of the standard deviation 1
SHOULDER = 3  # channels on either side of a step; _steps counts on it
TOGETHER = 32  # spectra, which a processor's cache holds
PARTS = 24  # of the window, whose medians tell rise from fall
# Limits: in units of the noise where they are of significance, else of what the channels around hold
CLEAR_ISOLATED, LARGE_SPIKE, LARGE_GAP = 8.0, 0.5, 0.5
CLEAR_STEP, LARGE_FALL, LARGE_RISE = 6.0, 0.08, 1.0
CLEAR_TOP, CLIPPED_CHANNELS = 20.0, 4
SCATTER_RATIO = 100.0
CLEAR_RISE, LARGE_RISES, LARGE_END, LONG = 5.0, 2.5, 5.0, 256
CLEAR_PEAK, PEAK_HALF_WIDTH, LARGE_PEAK = 15.0, 25, 8.0
LARGE_CONTRADICTION = 0.9


def in_words(oddities: int | np.integer) -> tuple[str, ...]:
    """What is odd, in words.

    Parameters
    ----------
    oddities
        Sum of :class:`Oddity`.
    """
    return tuple(words for oddity, words in _WORDS.items() if int(oddities) & oddity)


def warning(reasons: Sequence[str]) -> str:
    """The sentence that tells that a result is unusual."""
    return f"{BEGINNING} {', '.join(reasons)}."


def warn(reasons: Sequence[str]) -> None:
    """Tell the log that a result is unusual, if there are reasons."""
    if reasons:
        _logger.warning(warning(reasons))


def oddities(spectra: np.ndarray) -> np.ndarray:
    """What is odd about spectra, seen from their counts alone.

    Parameters
    ----------
    spectra
        Network input, shape (n, 3072).

    Returns
    -------
    np.ndarray
        Sum of :class:`Oddity` for each spectrum, uint8, shape (n,); 0 for one that is not odd, and for one with less
        than 60 channels.
    """
    result = np.zeros(len(spectra), np.uint8)
    for first in range(0, len(spectra), TOGETHER):
        few = slice(first, first + TOGETHER)
        result[few] = _oddities(spectra[few])
    return result


def _oddities(spectra: np.ndarray) -> np.ndarray:
    y, recorded = _window(spectra)
    top = np.maximum(np.abs(y).max(axis=1, keepdims=True), 1e-30)
    noise, scatter = _noise(y, top)
    result = np.zeros(len(y), np.uint8)
    for oddity, odd in (
        (Oddity.ISOLATED, _isolated(y, noise, top)),
        (Oddity.STEP, _steps(y, noise, top)),
        (Oddity.CLIPPED, _clipped(y, noise, recorded)),
        (Oddity.SCATTER, scatter),
        (Oddity.RISING, _rising(y, noise, top) & (recorded.sum(axis=1) >= LONG)),
        (Oddity.PEAK, _lone_peak(y, noise, top)),
    ):
        result[odd & (recorded.sum(axis=1) >= 3 * BLOCK)] |= np.uint8(oddity)
    return result


def contradiction(spread: np.ndarray) -> np.ndarray:
    """Where networks contradict each other, as summands of :class:`Oddity`, uint8, shape (n,).

    Parameters
    ----------
    spread
        Largest difference of the probabilities that the members of an ensemble give a label, shape (n, n_labels); zero
        where there is only one.
    """
    odd = spread.max(axis=1, initial=0) > LARGE_CONTRADICTION
    return np.where(odd, Oddity.CONTRADICTION, 0).astype(np.uint8)


def _window(spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The recorded channels without those at the ends, and which of the inner ones are.

    All spectra have whole blocks and one channel more at either end; one that is shorter is continued with its
    outermost values.
    """
    first, last = energy_axis.recorded(spectra)
    first, last = first + END, last - END
    start = first.min()
    blocks = max(-(-int(last.max() - start - 1) // BLOCK), 3)
    channels = np.arange(start, start + blocks * BLOCK + 2)
    if (first == start).all() and (last == last[0]).all():  # as a rule; slices are faster
        y = spectra[:, np.minimum(channels, max(last[0, 0], start))]
    else:
        inside = np.clip(channels, first, np.maximum(last, first))
        y = np.take_along_axis(spectra, np.minimum(inside, spectra.shape[1] - 1), axis=1)
    inner = channels[1:-1]
    return np.ascontiguousarray(y, np.float32), (inner >= first) & (inner <= last)


def _in_blocks(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1, BLOCK)


def _of_neighbours(values: np.ndarray) -> np.ndarray:
    """Largest of each block and its two neighbours."""
    largest = values.copy()
    np.maximum(largest[:, 1:], values[:, :-1], out=largest[:, 1:])
    np.maximum(largest[:, :-1], values[:, 1:], out=largest[:, :-1])
    return largest


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of each row, shape (n, 1)."""
    order = np.argsort(values, axis=1)
    total = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    middle = np.count_nonzero(total < total[:, -1:] / 2, axis=1)[:, np.newaxis]
    return np.take_along_axis(values, np.take_along_axis(order, middle, axis=1), axis=1)


def _noise(y: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation of the noise of each inner channel, and which spectra scatter more than counts do.

    The noise of counts is the root of their mean times the size of one count. Both what the channels show and what the
    counts make expected are believed, and at least one count, so that few counts are not taken for spikes.
    """
    bend = np.abs(_in_blocks(y[:, 1:-1] - (y[:, :-2] + y[:, 2:]) / 2))
    bend.partition(BLOCK - LARGEST_LEFT_OUT - 1, axis=2)
    shown = bend[:, :, : BLOCK - LARGEST_LEFT_OUT].mean(axis=2) / MEAN_BEND
    level = np.abs(_in_blocks(y[:, 1:-1]).mean(axis=2))
    varying = np.where(shown > 0, level, 0)
    count = _weighted_median(shown**2 / np.maximum(level, 1e-6 * top), varying)
    expected = np.sqrt(count * _of_neighbours(level)) + count
    noise = np.maximum(_of_neighbours(shown), expected) + 1e-6 * top
    # most channels without a count, but for some: nothing can be said
    bend.partition(BLOCK // 2, axis=2)
    few = (bend[:, :, BLOCK // 2] <= 1e-7 * top) & (bend.max(axis=2) > 1e-7 * top)
    few = few.sum(axis=1, keepdims=True) > 2
    noise[few[:, 0]] = np.inf
    # noise alternates from channel to channel, what is in the spectrum does not
    jump = np.median(np.abs(_in_blocks(y[:, 1:-1] - y[:, :-2])), axis=2)
    large = shown > SCATTER_RATIO * (expected + 1e-4 * top)
    scatter = (large & (shown > 0.85 * jump)).any(axis=1) & ~few[:, 0]
    return noise.repeat(BLOCK, axis=1), scatter


def _isolated(y: np.ndarray, noise: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Which spectra have a channel far above or below both neighbours, which are alike; or dead ones among others."""
    left, here, right = y[:, :-2], y[:, 1:-1], y[:, 2:]
    higher, lower = np.maximum(left, right), np.minimum(left, right)
    least = np.maximum(CLEAR_ISOLATED * noise, 4 * (higher - lower))
    above, below = here - higher, lower - here
    spike = (above > least) & (above > LARGE_SPIKE * np.maximum(np.abs(higher), 0.01 * top))
    gap = (below > least) & (below > LARGE_GAP * np.maximum(np.abs(lower), 0.01 * top))
    apart = BLOCK // 2 - 1  # more than a detector has dead channels side by side
    around = np.minimum(here[:, : -2 * apart], here[:, 2 * apart :])
    dead = (here[:, apart:-apart] == 0) & (around > CLEAR_ISOLATED * noise[:, apart:-apart])
    return (spike | gap).any(axis=1) | dead.any(axis=1)


def _steps(y: np.ndarray, noise: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Which spectra change from one channel to the next, and not before or after."""
    # three channels; their reduction by numpy takes four times as long
    low = np.minimum(np.minimum(y[:, :-2], y[:, 1:-1]), y[:, 2:])
    high = np.maximum(np.maximum(y[:, :-2], y[:, 1:-1]), y[:, 2:])
    before, after = slice(None, -SHOULDER), slice(SHOULDER, None)
    spread = high - low
    noise = noise[:, : low.shape[1] - SHOULDER]
    least = np.maximum(CLEAR_STEP * noise, 3 * np.maximum(spread[:, before], spread[:, after]))
    fall, rise = low[:, before] - high[:, after], low[:, after] - high[:, before]
    falls = (fall > least) & (fall > LARGE_FALL * np.maximum(np.abs(low[:, before]), 0.02 * top))
    rises = (rise > least) & (rise > LARGE_RISE * np.maximum(np.abs(high[:, before]), 0.02 * top))
    return (falls | rises).any(axis=1)


def _clipped(y: np.ndarray, noise: np.ndarray, recorded: np.ndarray) -> np.ndarray:
    """Which spectra have the same largest value in several channels."""
    inner = y[:, 1:-1]
    largest = inner.max(axis=1, keepdims=True)
    clear = (inner >= largest * (1 - 1e-5)) & (inner > CLEAR_TOP * noise)
    clear &= recorded
    return clear.sum(axis=1) >= CLIPPED_CHANNELS


def _rising(y: np.ndarray, noise: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Which spectra rise again and again, or end far above where they began."""
    width = (y.shape[1] - 2) // PARTS
    parts = y[:, 1 : 1 + PARTS * width].reshape(len(y), PARTS, width)
    level = np.median(parts, axis=2)
    error = noise[:, width // 2 : PARTS * width : width]
    step = np.diff(level, axis=1)
    clear = np.where(step > 2 * np.maximum(error[:, 1:], error[:, :-1]), step, 0)
    again = clear.sum(axis=1) > LARGE_RISES * np.ptp(level, axis=1)
    first, last = level[:, 0], level[:, -1]
    higher = last > LARGE_END * np.maximum(np.abs(first), 0.01 * top[:, 0])
    return again | (higher & (last - first > CLEAR_RISE * error[:, 0]))


def _lone_peak(y: np.ndarray, noise: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Which spectra are many times higher at one peak than 25 eV before and after it."""
    at, last = y.argmax(axis=1), y.shape[1] - 3
    row = np.arange(len(y))
    sides = []
    for place in (at - PEAK_HALF_WIDTH, at + PEAK_HALF_WIDTH):
        near = np.clip(place, 2, last)[:, np.newaxis] + np.arange(-2, 3)
        sides.append(np.median(np.take_along_axis(y, near, axis=1), axis=1))
    inside = (at > PEAK_HALF_WIDTH + END - 1) & (at < y.shape[1] - PEAK_HALF_WIDTH - END + 1)
    # not at the peak, whose shape would be taken for noise
    beside = [np.clip(at + d, 0, noise.shape[1] - 1) for d in (-2 * BLOCK - 9, 2 * BLOCK + 9)]
    clear = top[:, 0] > CLEAR_PEAK * np.maximum(*(noise[row, place] for place in beside))
    return inside & clear & (top[:, 0] > LARGE_PEAK * np.maximum(*sides))
