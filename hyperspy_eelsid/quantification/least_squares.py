"""Non-negative least squares of many spectra with one design matrix, and errors that hold what a model misses."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from hyperspy_eelsid.exceptions import EnergyAxisError

INDEPENDENT = 1e-6  # norm of what a column has that others have not, as a share of its own


class LinearFit:
    """Non-negative least squares with one design matrix for many spectra.

    Parameters
    ----------
    columns
        Design matrix, shape (n_channels, n_columns).
    expected
        Mean of the spectra, whose Poisson weights all of them have, shape (n_channels,).
    n_free
        Number of the last columns whose factors may be negative. They are eliminated first, so that they cost no more
        than a product of matrices; one that depends linearly on those before it has the factor zero.
    variance
        Of the noise of a spectrum, shape (n_channels,), where it is not that of counted electrons.

    Attributes
    ----------
    correlation
        Correlation of the factors in the mean of the spectra, shape (n_columns, n_columns).

    References
    ----------
    C. L. Lawson and R. J. Hanson, Solving Least Squares Problems, Prentice-Hall 1974, chapter 23.
    """

    def __init__(
        self,
        columns: np.ndarray,
        expected: np.ndarray,
        n_free: int = 0,
        variance: np.ndarray | None = None,
    ) -> None:
        self._columns = columns
        self._n_bounded = n_bounded = columns.shape[1] - n_free
        self._counted = variance is None
        if self._counted:
            expected = variance = np.maximum(expected, _floor(expected))
        self._expected, self._variance = expected, np.maximum(variance, _floor(variance))
        weight = 1 / np.sqrt(self._variance)
        weighted = columns * weight[:, None]
        self._scale = np.linalg.norm(weighted, axis=0)
        if not self._scale[:n_bounded].all():
            raise EnergyAxisError(
                "An edge has no channel left to be fitted; widen the energy window."
            )
        self._scale[self._scale == 0] = 1.0
        weighted = weighted / self._scale
        free, bounded = weighted[:, n_bounded:], weighted[:, :n_bounded]
        independent = np.abs(np.diag(np.linalg.qr(free, mode="r"))) > INDEPENDENT
        self._free = np.zeros(n_free, bool)
        self._free[: len(independent)] = independent
        # the triangular factor has as few rows as there are columns, and the same least-squares solution
        q, r = np.linalg.qr(np.concatenate([free[:, self._free], bounded], axis=1))
        self._project = (q * weight[:, None]).T
        n = int(self._free.sum())
        self._r = r[n:, n:]
        self._free_inverse = np.linalg.inv(r[:n, :n])
        self._free_share = self._free_inverse @ r[:n, n:]
        used = nnls(self._r, (self._project @ self._expected)[n:])[0] > 0
        covariance = self._covariance(used)
        error = np.sqrt(np.diag(covariance))
        self.correlation = covariance / np.outer(error, error)

    def _covariance(self, used: np.ndarray) -> np.ndarray:
        """Covariance of the scaled factors in the mean spectrum, shape (n_columns, n_columns).

        Parameters
        ----------
        used
            Columns that non-negativity does not hold at zero, bool, shape (n_bounded,). The others do not add to the
            errors of these; their own variance is that of the column alone, added to the used ones.
        """
        bounded = self._covariance_of_bounded(used)
        held = np.where(np.outer(used, used), bounded, 0.0)
        both = -held @ self._free_share.T
        free = self._free_inverse @ self._free_inverse.T - self._free_share @ both
        covariance = np.full((len(self._scale), len(self._scale)), np.nan)
        places = np.flatnonzero(np.append(np.ones(self._n_bounded, bool), self._free))
        covariance[np.ix_(places, places)] = np.block([[bounded, both], [both.T, free]])
        return covariance

    def _variances(self, used: np.ndarray) -> np.ndarray:
        """Diagonal of the covariance, shape (n_columns,), without the rest of it."""
        bounded = self._covariance_of_bounded(used)
        share = self._free_share[:, used]
        free = (self._free_inverse**2).sum(axis=1)
        free += ((share @ bounded[np.ix_(used, used)]) * share).sum(axis=1)
        variances = np.full(len(self._scale), np.nan)
        variances[: self._n_bounded] = np.diag(bounded)
        variances[self._n_bounded :][self._free] = free
        return variances

    def _covariance_of_bounded(self, used: np.ndarray) -> np.ndarray:
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
        factors, errors : Factors of the columns and their standard errors, shape (n_spectra, n_columns) each; the
            error of a free column that depends on others is NaN.
        chisq : Sum of squared residuals over the Poisson variance of the fit, or that of the noise that is given,
            shape (n_spectra,).
        n_used : Number of columns that are not held at zero, shape (n_spectra,).

        Notes
        -----
        The errors are scaled with the residuals, so that they do not depend on the unit of the counts.
        """
        valid = np.isfinite(counts).all(axis=1) & (counts > 0).any(axis=1)
        factors, errors = np.full((2, len(counts), len(self._scale)), np.nan)
        chisq, n_used = np.full((2, len(counts)), np.nan)
        if valid.any():
            results = self._solve(counts[valid])
            factors[valid], errors[valid], chisq[valid], n_used[valid] = results
        return factors, errors, chisq, n_used

    def _solve(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Fit spectra that are all valid."""
        n = len(self._free_inverse)
        projected = counts @ self._project.T
        bounded = np.stack([nnls(self._r, row)[0] for row in projected[:, n:]])
        factors = np.zeros((len(counts), len(self._scale)))
        factors[:, : self._n_bounded] = bounded
        factors[:, self._n_bounded :][:, self._free] = (
            projected[:, :n] @ self._free_inverse.T - bounded @ self._free_share.T
        )
        n_used = (bounded > 0).sum(axis=1) + n
        fitted = factors / self._scale @ self._columns.T
        noise, variance = self._variance, np.ones(len(counts))
        if self._counted:
            noise = np.maximum(fitted, 1e-6 * fitted.max(axis=1, keepdims=True, initial=1e-30))
            # the weights are those of the mean spectrum: variances grow with the counts of the spectrum
            variance = np.maximum(counts.sum(axis=1) / self._expected.sum(), 0)
        chisq = ((counts - fitted) ** 2 / noise).sum(axis=1)
        freedom = counts.shape[1] - n_used
        variance *= np.where(freedom > 0, chisq / np.maximum(freedom, 1), 1.0)
        patterns, which = np.unique(bounded > 0, axis=0, return_inverse=True)
        error = np.sqrt([self._variances(used) for used in patterns])
        errors = np.sqrt(variance)[:, None] * error[which.ravel()]
        return factors / self._scale, errors / self._scale, chisq, n_used


def _floor(values: np.ndarray) -> float:
    """What is as good as nothing beside some values."""
    return max(values.max() * 1e-6, 1e-30)


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
