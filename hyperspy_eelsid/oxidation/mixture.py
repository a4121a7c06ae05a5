"""Linear fit of reference spectra to all spectra of an image, with one shift and one blur."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.linalg import eigh
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import minimize

from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.oxidation.references import FWHM_PER_SIGMA

FINE_EV = 0.1
MARGIN_EV = 8.0
SHIFT_RANGE_EV, SHIFT_STEP_EV = 6.0, 0.5
BLURS_EV = (0.0, 1.5)
COMPONENTS = 12
LARGEST_BLUR_EV = 5.0
PIXEL_RANGE_EV, PIXEL_STEP_EV = 2.0, 0.1
ABOVE_NOISE = 1.1  # times the largest variance that independent noise has in any direction
ALIKE = 0.9999  # cosine of two references that cannot be told apart


@dataclass(frozen=True)
class Columns:
    """Columns of the fit for any shift and blur: references, then what is beside them.

    Parameters
    ----------
    energy
        Of the channels that are fitted [eV], shape (n_channels,), uniform.
    fine
        Fine axis of the references, beyond `energy` on both sides [eV], shape (n_fine,).
    references
        On `fine`, shape (n_references, n_fine).
    others
        Columns that shift and are blurred as the references, but are no references, shape (n_others, n_fine).
    background
        Columns that do not move, shape (n_background, n_channels).
    """

    energy: np.ndarray
    fine: np.ndarray
    references: np.ndarray
    others: np.ndarray
    background: np.ndarray

    @property
    def number(self) -> int:
        """Of references."""
        return len(self.references)

    def __call__(self, shift: float = 0.0, blur: float = 0.0) -> np.ndarray:
        """Columns, shape (n_channels, n_columns).

        Parameters
        ----------
        shift
            In eV, positive towards higher energies.
        blur
            Full width at half maximum of a Gaussian [eV].
        """
        moving = np.concatenate([self.references, self.others])
        step = self.fine[1] - self.fine[0]
        if blur > 0:
            moving = gaussian_filter1d(moving, blur / FWHM_PER_SIGMA / step, mode="nearest")
        width = self.energy[1] - self.energy[0]
        total = np.concatenate([np.zeros((len(moving), 1)), moving.cumsum(axis=1) * step], axis=1)
        ends = np.append(self.fine - step / 2, self.fine[-1] + step / 2)
        places = np.append(self.energy - width / 2, self.energy[-1] + width / 2) - shift
        columns = np.array([np.diff(np.interp(places, ends, t)) / width for t in total])
        return np.concatenate([columns, self.background]).T


def check_apart(columns: Columns, labels: list[str]) -> None:
    """Raise where two references are the same spectrum."""
    spectra = columns()[:, : columns.number]
    spectra = spectra / np.linalg.norm(spectra, axis=0)
    for i, j in combinations(range(columns.number), 2):
        if spectra[:, i] @ spectra[:, j] > ALIKE:
            raise ArgumentError(
                f"The references {labels[i]!r} and {labels[j]!r} are the same spectrum: nothing tells their fractions."
            )


def image_shift_and_blur(
    columns: Columns, spectra: np.ndarray, weights: np.ndarray, *, align: bool, broaden: bool
) -> tuple[float, float]:
    """Shift and blur of the references with which all spectra are fitted best.

    The sum of squares that a fit leaves of all spectra depends on them through their second moments alone, of which
    the largest components hold what is not noise.

    Parameters
    ----------
    columns
        Columns of the fit.
    spectra
        Shape (n, n_channels).
    weights
        One over the standard deviation of the channels, shape (n_channels,).
    align, broaden
        What is to be found.

    Returns
    -------
    shift, blur : float
        In eV; zero for what is not asked for.
    """
    weighted = spectra * weights
    moments = weighted.T @ weighted
    size = len(moments)
    kept = min(COMPONENTS, len(spectra), size)
    strengths, components = eigh(moments, subset_by_index=(size - kept, size - 1))
    components = components * np.sqrt(np.maximum(strengths, 0))

    def left(parameters: tuple[float, float]) -> float:
        shift, blur = parameters
        basis, _ = np.linalg.qr(columns(shift, abs(blur)) * weights[:, np.newaxis])
        outside = max(abs(blur) - LARGEST_BLUR_EV, 0) + max(abs(shift) - SHIFT_RANGE_EV, 0)
        return -np.sum((components.T @ basis) ** 2) * (1 - outside)

    shifts = np.arange(-SHIFT_RANGE_EV, SHIFT_RANGE_EV + 1e-9, SHIFT_STEP_EV) if align else [0.0]
    blurs = BLURS_EV if broaden else [0.0]
    start = min(((shift, blur) for shift in shifts for blur in blurs), key=left)
    if align and broaden:
        best = minimize(
            left, start, method="Nelder-Mead", options={"initial_simplex": _simplex(start)}
        )
        return float(best.x[0]), float(abs(best.x[1]))
    if align:
        best = minimize(lambda x: left((x[0], 0.0)), start[:1], method="Nelder-Mead")
        return float(best.x[0]), 0.0
    if broaden:
        best = minimize(lambda x: left((0.0, x[0])), [start[1] or 0.3], method="Nelder-Mead")
        return 0.0, float(abs(best.x[0]))
    return 0.0, 0.0


def _simplex(start: tuple[float, float]) -> np.ndarray:
    return np.array(start) + np.array([[0, 0], [SHIFT_STEP_EV, 0], [0, 0.3]])


def common_misfit(residuals: np.ndarray) -> float:
    """Root mean square of what the residuals of spectra have in common.

    Residuals of a true model are independent noise, whose variance is nowhere larger than the edge of V. A. Marchenko
    and L. A. Pastur, Math. USSR Sb. 1, 457 (1967). Components beyond it are misfits that spectra share. Their variances
    are freed from what noise adds by J. Baik, G. Ben Arous and S. Peche, Ann. Probab. 33, 1643 (2005).

    Parameters
    ----------
    residuals
        In standard deviations of the noise, shape (n, n_channels).

    Returns
    -------
    float
        In standard deviations of one channel's noise, summed over channels: a part of the model that is missing and as
        large as one standard error of the fit gives one. Zero where there is nothing but noise.
    """
    n, channels = residuals.shape
    if not n:
        return 0.0
    ratio = channels / n
    narrow = residuals if n > channels else residuals.T
    variances = np.linalg.eigvalsh(narrow.T @ narrow / n)
    beyond = variances[variances > ABOVE_NOISE * (1 + np.sqrt(ratio)) ** 2] + 1 - ratio
    freed = (beyond + np.sqrt(beyond**2 - 4 * (beyond - 1 + ratio))) / 2
    return float(np.sqrt((freed - 1).sum()))


class LinearMixture:
    """Least squares of fixed columns, all spectra at once, the amounts of references not being negative.

    References are few: of all their subsets the best one without a negative amount is taken, which is the solution of
    C. L. Lawson and R. J. Hanson, Solving Least Squares Problems (1974), chapter 23.

    Parameters
    ----------
    columns
        Shape (n_channels, n_columns), references first.
    number
        Of references.
    weights
        One over the standard deviation of the channels, shape (n_channels,).
    """

    def __init__(self, columns: np.ndarray, number: int, weights: np.ndarray) -> None:
        self.columns, self.number, self.weights = columns, number, weights
        self._weighted = columns * weights[:, np.newaxis]
        # columns of the same length: a well-conditioned matrix
        self._scale = np.linalg.norm(self._weighted, axis=0)
        self._weighted = self._weighted / self._scale
        self._gram = self._weighted.T @ self._weighted
        self._estimator = np.linalg.pinv(self._weighted) * weights / self._scale[:, np.newaxis]

    def amounts(self, spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Amounts of all columns, shape (n, n_columns), and the sum of squares that is left, shape (n,)."""
        weighted = spectra * self.weights
        products = weighted @ self._weighted
        result = np.zeros_like(products)
        explained = np.full(len(spectra), -np.inf)
        free = range(self.number, len(self._gram))
        for size in range(self.number, -1, -1):
            for chosen in combinations(range(self.number), size):
                used = [*chosen, *free]
                part = products[:, used] @ np.linalg.pinv(self._gram[np.ix_(used, used)])
                gain = np.einsum("ni,ni->n", part, products[:, used])
                better = (part[:, :size] >= 0).all(axis=1) & (gain > explained)
                explained[better] = gain[better]
                result[better] = 0
                result[np.ix_(better, used)] = part[better]
        left = np.einsum("nc,nc->n", weighted, weighted) - np.maximum(explained, 0)
        return result / self._scale, left

    def covariance(self, variance: np.ndarray) -> np.ndarray:
        """Covariance of the amounts of references for spectra of a variance, shape (n, n_references, n_references)."""
        rows = self._estimator[: self.number]
        products = (rows[:, np.newaxis] * rows).reshape(-1, rows.shape[1])
        return (variance @ products.T).reshape(-1, self.number, self.number)
