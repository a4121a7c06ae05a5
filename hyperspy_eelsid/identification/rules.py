"""From probabilities to elements: one observed edge is explained once.

The networks give each element a probability of its own, but one edge can often be claimed by several elements: N K
at 401 and Sc L at 402 eV, Co L at 779 and Ba M at 781 eV, or neighbouring lanthanides when the energy axis is not
well calibrated. Two rules follow from where the edges of the elements lie.

- *Shared evidence.* When rivals share the probability of an edge, so that none reaches the threshold alone, the
  strongest of them is found if the probability that any of them is there does.
- *No double claim.* An element all of whose visible edges coincide with edges of a stronger element that is found
  is not found, but named as its rival. The same holds for weak evidence that lies among the white lines of a stronger
  element, as Ni L between the lines of La M does; in an image the stronger is the one that is found in more pixels.

In an image pixels also speak for each other: a pixel with weak evidence counts only if neighbours share it, so that
single noisy pixels do not add up to an element.

:func:`judge` applies all of this to a spectrum or to an image; everything that reports elements goes through it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.ndimage import convolve

from hyperspy_eelsid.edges import ELEMENTS, edge_groups, element_edges, symbols
from hyperspy_eelsid.exceptions import UnknownElementError

# errors of measured energy axes, which decide what can be mistaken for what
RIVAL_DISTANCE_EV = 16.0
# onsets that are nearer than chemical shifts cannot be told apart
SAME_ONSET_EV = 4.0
# white lines are seen this far above their onset
AFTER_ONSET_EV = 6.0
MINIMUM_SHARE = 0.2
WINDOWS_KEPT = 64  # windows whose tables of coinciding edges are kept
NOTABLE_RIVAL = 0.1
NEIGHBOURS = {1: 1, 2: 2, 3: 2}  # navigation dimension: neighbours that must share weak evidence

_ONSETS, _LAST_ONSETS = np.full((2, len(ELEMENTS), 2), np.nan)
for _i, _element in enumerate(ELEMENTS):
    for _j, (_group, _onset) in enumerate(edge_groups(_element).items()):
        _ONSETS[_i, _j] = _onset
        _LAST_ONSETS[_i, _j] = max(
            edge.onset_energy
            for edge in element_edges(_element)
            if edge.major and edge.group == _group
        )


def check_share(name: str, value: float) -> None:
    """Raise ValueError if an argument is not a number between 0 and 1."""
    if not (isinstance(value, Real) and 0 <= value <= 1):
        raise ValueError(f"{name} must be between 0 and 1, not {value!r}.")


def visible(start: float, end: float) -> np.ndarray:
    """Elements with a major edge group between `start` and `end` [eV], bool, shape (80,)."""
    return np.any(_visible_groups(start, end), axis=1)


def _visible_groups(start: float, end: float) -> np.ndarray:
    return (start <= _ONSETS) & (end >= _ONSETS)


def _all_explained(seen: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Which elements have a visible group, and only such ones that a group of another element explains.

    Parameters
    ----------
    seen
        Visible edge groups, bool, shape (80, 2).
    near
        Which groups are explained by which others, bool, shape (80, 2, 80, 2).

    Returns
    -------
    np.ndarray
        bool, shape (80, 80), not to be changed: it is kept for the next spectrum.
    """
    explained = near.any(axis=3) | ~seen[:, :, None]
    result = np.all(explained, axis=1) & np.any(seen, axis=1, keepdims=True)
    result.flags.writeable = False
    return result


@lru_cache(WINDOWS_KEPT)
def claims(start: float, end: float, distance: float) -> np.ndarray:
    """Which elements can explain all edges of which others.

    Parameters
    ----------
    start, end
        Window in which edges can be seen [eV].
    distance
        Largest distance of two onsets that count as one edge [eV].

    Returns
    -------
    np.ndarray
        bool, shape (80, 80): [i, j] is True when every visible edge group of element i has
        one of element j nearby. An element always explains its own edges.
    """
    seen = _visible_groups(start, end)
    onsets = np.where(seen, _ONSETS, np.nan)
    return _all_explained(seen, np.abs(onsets[:, :, None, None] - onsets) <= distance)


@lru_cache(WINDOWS_KEPT)
def hidden(start: float, end: float) -> np.ndarray:
    """Which elements can hide among the white lines of which others.

    Parameters
    ----------
    start, end
        Window in which edges can be seen [eV].

    Returns
    -------
    np.ndarray
        bool, shape (80, 80): [i, j] is True when every visible edge group of element i
        begins between the first and the last onset of a visible group of element j, 4 eV
        before and 6 eV after them included. An element hides in itself.
    """
    seen = _visible_groups(start, end)
    onsets = np.where(seen, _ONSETS, np.nan)[:, :, None, None]
    first = np.where(seen, _ONSETS, np.nan) - SAME_ONSET_EV
    last = np.where(seen, _LAST_ONSETS, np.nan) + AFTER_ONSET_EV
    return _all_explained(seen, (onsets >= first) & (onsets <= last))


def candidates(
    elements: Iterable[str] | None = None, exclude: Iterable[str] | None = None
) -> tuple[str, ...]:
    """Elements that may be found.

    Parameters
    ----------
    elements
        Symbols of the only elements that can be there; None for all 80.
    exclude
        Symbols of elements that cannot be there.

    Raises
    ------
    UnknownElementError
        If a symbol is not one of the 80, or no element is left.
    """
    wanted = set(ELEMENTS if elements is None else symbols(elements))
    unwanted = set() if exclude is None else set(symbols(exclude))
    left = tuple(e for e in ELEMENTS if e in wanted - unwanted)
    if not left:
        raise UnknownElementError("All elements are excluded; nothing is left to be found.")
    return left


class Judgement(NamedTuple):
    """What the probabilities of a spectrum or of an image say.

    Attributes
    ----------
    probability
        Of the elements that can be there in the valid pixels, shape (n_valid, 80).
    found
        Valid pixels in which each element is found, bool, shape (n_valid, 80).
    elements
        Indices of the elements that are reported, those found in most pixels first, then
        the most probable.
    """

    probability: np.ndarray
    found: np.ndarray
    elements: list[int]


def judge(
    probability: np.ndarray,
    threshold: float,
    start: float,
    end: float,
    possible: Iterable[str] = ELEMENTS,
    min_fraction: float = 0.0,
) -> Judgement:
    """Elements of one spectrum, or of an image as a whole.

    Parameters
    ----------
    probability
        Shape (80,), or that of the scan and 80; NaN in pixels that are left out.
    threshold
        Probability from which an element is found.
    start, end
        Window in which edges can be seen [eV].
    possible
        Symbols of the elements that can be there.
    min_fraction
        Smallest share of the valid pixels in which a reported element is found.
    """
    valid = np.isfinite(probability[..., 0])
    pixels = probability[valid].reshape(-1, len(ELEMENTS))
    pixels = with_prior(pixels, possible, start, end)
    found = decide(pixels, threshold, start, end)
    image, values = np.zeros(probability.shape, bool), np.zeros(probability.shape)
    image[valid], values[valid] = found, pixels
    counted = supported(image, values, threshold)[valid].reshape(-1, len(ELEMENTS))
    share = counted.mean(axis=0)
    reported = np.flatnonzero((share > 0) & (share >= min_fraction)).tolist()
    order = {i: (-found[:, i].mean(), -pixels[found[:, i], i].mean()) for i in reported}
    elements = without_double_claims(
        sorted(order, key=order.__getitem__), found, pixels, threshold, start, end
    )
    return Judgement(pixels, found, elements)


def with_prior(
    probability: np.ndarray, possible: Iterable[str], start: float, end: float
) -> np.ndarray:
    """Probabilities when it is known that only some elements can be there.

    An edge that elements which cannot be there claim as well belongs to one that can: with the probability p of
    the element itself and the probability q that none of them is there, it becomes p / (p + q) (Bayes' rule for
    hypotheses that exclude each other).

    Parameters
    ----------
    probability
        Shape (n, 80).
    possible
        Symbols of the elements that can be there.
    start, end
        Window in which edges can be seen [eV], the same for all spectra.

    Returns
    -------
    np.ndarray
        Shape (n, 80), zero for elements that cannot be there.
    """
    allowed = np.isin(ELEMENTS, list(possible))
    if allowed.all():
        return probability
    result = np.where(allowed, probability, 0)
    for i, same in enumerate(claims(start, end, SAME_ONSET_EV)):
        impossible = same & ~allowed
        if allowed[i] and impossible.any():
            own = probability[:, i]
            none = (1 - own) * (1 - probability[:, impossible]).prod(axis=1)
            result[:, i] = own / np.maximum(own + none, np.finfo(np.float32).tiny)
    return result


def decide(probability: np.ndarray, threshold: float, start: float, end: float) -> np.ndarray:
    """Elements that are found in each spectrum.

    Parameters
    ----------
    probability
        Shape (n, 80).
    threshold
        Probability from which an element is found.
    start, end
        Window in which edges can be seen [eV], the same for all spectra.

    Returns
    -------
    np.ndarray
        bool, shape (n, 80).
    """
    found = probability > threshold
    absent = np.log1p(-np.clip(probability, 0, 1 - 1e-7))
    for i, rivals in enumerate(claims(start, end, RIVAL_DISTANCE_EV)):
        if np.count_nonzero(rivals) > 1:
            strongest = probability[:, i] >= probability[:, rivals].max(axis=1)
            any_of_them = 1 - np.exp(absent[:, rivals].sum(axis=1)) > threshold
            found[:, i] |= strongest & any_of_them & (probability[:, i] > MINIMUM_SHARE)
    kept = found.copy()
    for i, rivals in enumerate(claims(start, end, SAME_ONSET_EV)):
        if np.count_nonzero(rivals) > 1:
            stronger = found[:, rivals] & (probability[:, rivals] > probability[:, i : i + 1])
            kept[:, i] &= ~stronger.any(axis=1)
    return kept


def _strong(threshold: float) -> float:
    """Probability from which evidence is strong: halfway between the threshold and certainty."""
    return (1 + threshold) / 2


def supported(found: np.ndarray, probability: np.ndarray, threshold: float) -> np.ndarray:
    """Of the pixels in which elements are found, those with strong evidence or with neighbours that share it.

    Evidence is strong halfway between the threshold and certainty.

    Parameters
    ----------
    found
        bool, shape (navigation shape of one to three dimensions, 80).
    probability
        Same shape; NaN counts as no evidence.
    threshold
        Probability from which an element is found.
    """
    dimension = found.ndim - 1
    if dimension == 0:
        return found
    kernel = np.ones((3,) * dimension + (1,), int)
    kernel[(1,) * dimension] = 0
    neighbours = convolve(found.astype(int), kernel, mode="constant")
    strong = np.nan_to_num(probability) > _strong(threshold)
    return found & (strong | (neighbours >= NEIGHBOURS[min(dimension, 3)]))


def without_double_claims(
    elements: list[int],
    found: np.ndarray,
    probability: np.ndarray,
    threshold: float,
    start: float,
    end: float,
) -> list[int]:
    """Leave out elements whose pixels another element explains, which is found in more pixels or more probable.

    An element is explained by another among whose white lines it can hide, if the other is probable where it is
    found, and if it is itself not strong (halfway between the threshold and certainty) where the other is found.

    Parameters
    ----------
    elements
        Indices of elements, those found in most pixels first, then the most probable.
    found, probability
        Shape (n_pixels, 80).
    threshold
        Probability from which an element is found.
    start, end
        Window in which edges can be seen [eV].
    """
    able = hidden(start, end)
    strong = _strong(threshold)

    def explained(i: int, j: int) -> bool:
        other = probability[found[:, i], j].mean()
        own = probability[found[:, j], i].mean()
        return able[i, j] and other > MINIMUM_SHARE and own < strong

    kept: list[int] = []
    for i in elements:
        if not any(explained(i, j) for j in kept):
            kept.append(i)
    return kept


def rivals_of(element: int, probability: np.ndarray, start: float, end: float) -> list[str]:
    """Elements that could be there instead of `element`, strongest first.

    Parameters
    ----------
    element
        Index of the element that was found.
    probability
        Probability of each element where it was found, shape (80,).
    start, end
        Window in which edges can be seen [eV].
    """
    near = claims(start, end, RIVAL_DISTANCE_EV)[element]
    able = (near | hidden(start, end)[:, element]) & (probability > NOTABLE_RIVAL)
    able[element] = False
    return [ELEMENTS[j] for j in np.argsort(-probability) if able[j]]
