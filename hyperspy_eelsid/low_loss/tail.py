"""The tail of the zero-loss peak as a Gaussian process of the logarithm of the energy, in many spectra at once.

The logarithm of the counts over a base, which is a vacuum spectrum or a power law, is a level and a slope, and what
is left is a Gaussian process with a Matérn kernel (Rasmussen and Williams 2006, eq. 4.17). It is conditioned on
counts in the range in which there is zero loss alone; beyond it its variance grows as it forgets them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import minimize

from hyperspy_eelsid.low_loss.noise import Noise
from hyperspy_eelsid.low_loss.peak import Axis

BINS_PER_E_FOLD = 14
KNOTS = 40
NEWTON_STEPS = 4
STRAY_WIDTHS = (
    0.45  # over which the onset of the inelastic counts, smeared into the range, falls by e
)
# base at the energies [eV] from the peak of each pixel: (n_pixels, n_channels) -> same shape, positive
Base = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Process:
    """Standard deviations and length of what ln(counts / base) may do.

    Parameters
    ----------
    level
        Of the level.
    slope
        Of the slope over the logarithm of the energy.
    amplitude
        Of the rest.
    length
        Over which the rest changes, in the logarithm of the energy.
    nugget
        Of each bin on its own: fixed patterns.
    stray
        Share of inelastic counts at the end of the range.
    """

    level: float
    slope: float
    amplitude: float
    length: float = 0.8
    nugget: float = 0.005
    stray: float = 0.0

    def covariance(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Covariance between logarithms of energies, shapes (..., n) and (..., m) -> (..., n, m)."""
        a, b = a[..., :, np.newaxis], b[..., np.newaxis, :]
        line = self.level**2 + self.slope**2 * a * b
        if self.amplitude == 0:
            return line
        distance = np.sqrt(5) * np.abs(a - b) / self.length
        return line + self.amplitude**2 * (1 + distance + distance**2 / 3) * np.exp(-distance)


@dataclass(frozen=True)
class Bins:
    """Counts of the zero-loss-only range, in bins of equal width in the logarithm of the energy.

    Parameters
    ----------
    log_energy
        Logarithm of the mean energy of each bin over the end of the range.
    counts, base
        Sums of the counts and of the base.
    channels
        Number of channels, 0 for a bin without any.
    stray
        How far the onset of the inelastic counts is smeared into each bin, 1 at the end of the range.

    All have the shape (n_pixels, n_bins).
    """

    log_energy: np.ndarray
    counts: np.ndarray
    base: np.ndarray
    channels: np.ndarray
    stray: np.ndarray

    @classmethod
    def of(
        cls,
        counts: np.ndarray,
        base: Base,
        axis: Axis,
        centre: np.ndarray,
        zlp_range: tuple[float, float],
        fwhm: float,
    ) -> Bins:
        """Sum the counts of each pixel in its own energies.

        Parameters
        ----------
        counts, centre
            Spectra and energies of their peaks, shapes (n_pixels, n_channels) and (n_pixels,).
        base
            What the counts are divided by.
        axis
            Energies of the channels.
        zlp_range
            First and last energy from the peak [eV].
        fwhm
            Width of the peak [eV], over which the onset of the inelastic counts is smeared.
        """
        edges = bin_edges(zlp_range, axis.step)
        channel = np.ceil((edges + centre[:, np.newaxis] - axis.offset) / axis.step)
        channel = channel.clip(0, axis.size).astype(int)
        first, last = channel.min(), max(channel.max(), channel.min() + 1)
        channel -= first
        part = Axis(axis.offset + first * axis.step, axis.step, last - first)
        distance = part.relative(centre)
        number = np.diff(channel, axis=1)
        size = np.maximum(number, 1)

        def sums(values: np.ndarray) -> np.ndarray:
            running = np.zeros((len(values), values.shape[1] + 1))
            np.cumsum(values, axis=1, out=running[:, 1:])
            return np.diff(np.take_along_axis(running, channel, axis=1), axis=1)

        middle = np.where(number > 0, sums(distance) / size, np.sqrt(edges[1:] * edges[:-1]))
        return cls(
            np.log(np.maximum(middle, 1e-3) / zlp_range[1]),
            sums(counts[:, first:last]),
            sums(base(distance)),
            number,
            np.exp(-(zlp_range[1] - middle) / (STRAY_WIDTHS * fwhm)),
        )


def bin_edges(zlp_range: tuple[float, float], step: float) -> np.ndarray:
    """Edges of the bins [eV], the first at least two channels wide."""
    start, end = zlp_range
    length = np.log(end / start)
    finest = np.log1p(2 * step / start)
    number = max(1, int(min(np.ceil(BINS_PER_E_FOLD * length), length / finest)))
    return np.geomspace(start, end, number + 1)


@dataclass(frozen=True)
class Tail:
    """What is known of ln(zero loss / base), at knots in the logarithm of the energy.

    Parameters
    ----------
    log_knots
        Logarithms of the energies [eV] of the knots, shape (n_knots,), equally spaced.
    mean
        Shape (n_pixels, n_knots).
    covariance
        Shape (n_pixels, n_knots, n_knots).
    """

    log_knots: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray

    @cached_property
    def deviation(self) -> np.ndarray:
        """Standard deviation, shape (n_pixels, n_knots)."""
        variance = np.diagonal(self.covariance, axis1=1, axis2=2)
        return np.sqrt(np.maximum(variance, 0))

    @cached_property
    def root(self) -> np.ndarray:
        """Lower triangular root of the covariance, shape (n_pixels, n_knots, n_knots)."""
        return lower_root(self.covariance)

    def at(self, distance: np.ndarray, *values: np.ndarray) -> list[np.ndarray]:
        """Values given at the knots, between them.

        Parameters
        ----------
        distance
            Energies from the peak [eV], shape (n_pixels, n_channels); those below the first knot get its value.
        *values
            Shape (n_pixels, n_knots) each.
        """
        spacing = self.log_knots[1] - self.log_knots[0]
        place = np.maximum(distance, np.exp(self.log_knots[0]))
        np.log(place, out=place)
        place -= self.log_knots[0]
        place /= spacing
        left = place.astype(np.intp)
        np.minimum(left, self.log_knots.size - 2, out=left)
        place -= left
        left += self.log_knots.size * np.arange(len(distance))[:, np.newaxis]
        result = []
        for value in values:
            slope = np.diff(value, axis=1, append=value[:, -1:])
            between = slope.ravel().take(left)
            between *= place
            between += value.ravel().take(left)
            result.append(between)
        return result

    def modes(self, distance: np.ndarray) -> np.ndarray:
        """What independent errors of one standard deviation add, shape (n_pixels, n_channels, n_modes).

        Parameters
        ----------
        distance
            Energies from the peak [eV], above the first knot, shape (n_pixels, n_channels).
        """
        spacing = self.log_knots[1] - self.log_knots[0]
        place = (np.log(distance) - self.log_knots[0]) / spacing
        first = max(int(place.min()), 0)
        last = min(int(place.max()) + 2, self.log_knots.size)
        part = slice(first, last)
        root = lower_root(self.covariance[:, part, part])
        hat = np.maximum(1 - np.abs(place[..., np.newaxis] - np.arange(first, last)), 0)
        return hat @ root


def condition(
    bins: Bins, process: Process, noise: Noise, knots: np.ndarray, end: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of ln(zero loss / base) at energies, given the counts in bins.

    The likelihood is that of the counts, not of their logarithms, which few or negative counts do not have: it is made
    Gaussian about the mean of the process until both agree (Laplace's method; Rasmussen and Williams 2006, section
    3.4).

    Parameters
    ----------
    bins
        Counts of the zero-loss-only range.
    process
        Prior.
    noise
        Noise of the counts.
    knots
        Logarithms of the energies [eV], shape (n_knots,).
    end
        End of the range [eV].

    Returns
    -------
    mean : np.ndarray
        Shape (n_pixels, n_knots).
    covariance : np.ndarray
        Shape (n_pixels, n_knots, n_knots).
    """
    prior = process.covariance(bins.log_energy, bins.log_energy)
    response, variance = linearised(bins, process, noise, prior)
    at = knots - np.log(end)
    across = process.covariance(np.broadcast_to(at, (len(response), at.size)), bins.log_energy)
    total = prior + _diagonal(variance)
    gain = np.linalg.solve(total, across.transpose(0, 2, 1))
    mean = (gain * response[..., np.newaxis]).sum(axis=1)
    return mean, process.covariance(at, at) - across @ gain


def linearised(
    bins: Bins, process: Process, noise: Noise, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Working responses for ln(counts / base) and their variances, shape (n_pixels, n_bins) each."""
    channels = np.maximum(bins.channels, 1)
    whole = bins.counts.sum(axis=1), bins.base.sum(axis=1)
    start = np.log(np.maximum(whole[0], 1) / whole[1])
    mean = np.broadcast_to(start[:, np.newaxis], bins.counts.shape)
    own = process.nugget**2 + (process.stray * bins.stray) ** 2
    # a wide prior of the level is about where the counts are
    for _ in range(NEWTON_STEPS):
        expected = bins.base * np.exp(mean)
        # the variance of few counts is that of the model, of many the same
        variance = channels * noise.variance(expected / channels)
        variance = np.where(channels > 1, variance * noise.correlation, variance) / expected**2
        variance = np.where(bins.channels > 0, variance + own, 1e6)
        response = mean + np.clip(bins.counts / expected - 1, -2, 5)
        total = prior + _diagonal(variance)
        weights = np.linalg.solve(total, response[..., np.newaxis])
        mean = np.clip(
            (prior @ weights)[..., 0], start[:, np.newaxis] - 4, start[:, np.newaxis] + 4
        )
    return response, variance


def lower_root(covariance: np.ndarray) -> np.ndarray:
    """Lower triangular roots of covariances, shape (n, m, m), of which rounding made eigenvalues of zero negative."""
    trace = np.trace(covariance, axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
    return np.linalg.cholesky(covariance + (1e-9 * trace + 1e-14) * np.eye(covariance.shape[-1]))


def _diagonal(values: np.ndarray) -> np.ndarray:
    return values[..., np.newaxis] * np.eye(values.shape[-1])


def fitted_process(bins: Bins, process: Process, noise: Noise, free_nugget: bool) -> Process:
    """The process with the amplitude and length that make the counts most probable, given priors about its own.

    Parameters
    ----------
    bins
        Counts of one spectrum, shape (1, n_bins).
    process
        Its amplitude and length are the medians of log-normal priors, a factor of 2 and of 1.6 wide.
    noise
        Noise of the counts.
    free_nugget
        Whether to fit the nugget too, with a prior a factor of 2.7 wide.
    """
    start = np.log([process.amplitude, process.length, process.nugget])
    width = np.array([0.7, 0.5, 1.0])
    use = np.array([True, True, free_nugget])
    prior = process.covariance(bins.log_energy, bins.log_energy)
    response, variance = linearised(bins, process, noise, prior)
    variance = variance[0] - process.nugget**2

    def with_logarithms(free: np.ndarray) -> Process:
        logarithms = start.copy()
        logarithms[use] = free
        amplitude, length, nugget = np.exp(logarithms)
        return replace(
            process, amplitude=float(amplitude), length=float(length), nugget=float(nugget)
        )

    def cost(free: np.ndarray) -> float:
        trial = with_logarithms(free)
        total = trial.covariance(bins.log_energy[0], bins.log_energy[0])
        total += np.diag(variance + trial.nugget**2)
        root = np.linalg.cholesky(total)
        whitened = np.linalg.solve(root, response[0])
        penalty = (((free - start[use]) / width[use]) ** 2).sum()
        return float(0.5 * (whitened @ whitened + penalty) + np.log(np.diag(root)).sum())

    found = minimize(
        cost,
        start[use],
        method="Nelder-Mead",
        options={"maxiter": 150, "xatol": 0.02, "fatol": 0.02},
    )
    return with_logarithms(found.x)
