"""Non-negative least squares of many spectra with one design matrix, and errors that hold what a model misses."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from hyperspy_eelsid.exceptions import EnergyAxisError


class LinearFit:
    """Non-negative least squares with one design matrix for many spectra.

    Parameters
    ----------
    columns
        Design matrix, shape (n_channels, n_parts).
    expected
        Mean of the spectra, whose Poisson weights all of them have, shape (n_channels,).

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
        used
            Parts that non-negativity does not hold at zero, bool, shape (n_parts,). The others do not add to the errors
            of these; their own variance is that of the part alone, added to the used ones.
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
        counts
            Shape (n_spectra, n_channels).

        Returns
        -------
        factors, errors : np.ndarray
            Factors of the parts and their standard errors, shape (n_spectra, n_parts) each.
        chisq : np.ndarray
            Sum of squared residuals over the Poisson variance of the fit, shape (n_spectra,).
        n_used : np.ndarray
            Number of parts that are not zero, shape (n_spectra,).

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
    columns
        Design matrix, shape (n_channels, n_parts).
    counts
        Spectrum, shape (n_channels,).
    part
        Number of the part.
    correlated_channels
        Distance from which residuals are independent.
    model_error
        Standard error of the model as a share of the counts.

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
