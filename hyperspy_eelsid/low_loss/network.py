"""The tail of the zero-loss peak by neural networks: the method of Roest et al. (2021) and Brokkelkamp et al. (2022).

Networks of 10, 15 and 5 neurons are trained on the logarithm of the counts up to the end of the zero-loss-only range.
Each sees the data with other noise: what they say beyond it, spreads. Spectra of an image are put into clusters of
equal thickness; the height of the peak is then a second input. All networks are trained at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.special import expit, ndtr

from hyperspy_eelsid import arguments
from hyperspy_eelsid.low_loss.noise import Noise
from hyperspy_eelsid.low_loss.peak import Axis
from hyperspy_eelsid.low_loss.survey import Survey, per_pixel, summed
from hyperspy_eelsid.low_loss.tail import KNOTS, Tail

AXES = ("logarithmic", "linear")
LAYERS = (10, 15, 5, 1)
BINS = 30
PEAK_CHANNELS = 3  # the highest, whose sum tells the thickness
FIRST_WIDTHS = 1.1  # below the peak, where the bins of a linear axis begin
LEAST_ERROR = 0.02  # of a logarithm
TRAINED_SHARE = 0.8
TRAINING_STEPS = 60
DECAY = 1e-3
LARGEST_CHI_SQUARED, LARGEST_RATIO = 3.0, 1.5  # of a network that is kept, the latter to the median
PSEUDO_DATA, PSEUDO_END = 20, 4 / 3  # their number, and their last energy over the first
PSEUDO_LOGARITHM, PSEUDO_ERROR = 0.5, 0.08
INTENSITIES = 32  # at which networks of an image are evaluated
SMALLEST_LOGARITHM, LARGEST_LOGARITHM = -30.0, 60.0


@dataclass(frozen=True)
class NetworkMethod:
    """Settings of the networks, for ``model_zero_loss_peak(method=NetworkMethod(...))``.

    Parameters
    ----------
    replicas
        Number of networks, each trained on the data with other noise.
    clusters
        Number of clusters of equal thickness of an image, by K-means.
    axis
        What the networks see of the energy: ``"logarithmic"``, over which a tail is smooth, or ``"linear"`` as
        published.
    pseudo_data
        Energy [eV] from which on to a third more pseudo-data pull the tail down to about one count; published are
        12 eV. They pull it down before too. None leaves them out.

    Raises
    ------
    ArgumentError
        If a value makes no sense.
    """

    replicas: int = 100
    clusters: int = 5
    axis: str = "logarithmic"
    pseudo_data: float | None = None

    def __post_init__(self) -> None:
        arguments.whole_number("replicas", self.replicas)
        arguments.whole_number("clusters", self.clusters)
        arguments.option("axis", self.axis, AXES)
        if self.pseudo_data is not None:
            arguments.positive("pseudo_data", self.pseudo_data)


@dataclass(frozen=True, eq=False)
class NetworkTail:
    """What networks say of the zero loss, at knots in the logarithm of the energy.

    Parameters
    ----------
    axis
        Energies of the channels.
    log_knots
        Logarithms of the energies [eV] of the knots, shape (n_knots,).
    log_intensities
        Logarithms of the heights of the peak at which the networks were evaluated, shape (n,).
    table
        Logarithms of the zero loss, shape (n, n_networks, n_knots).
    """

    axis: Axis
    log_knots: np.ndarray
    log_intensities: np.ndarray
    table: np.ndarray

    def logarithms(
        self, counts: np.ndarray, centre: np.ndarray, distance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logarithms of the zero loss and of the ends of its 68 % band: median, 16 and 84 % of the networks.

        Parameters
        ----------
        counts, centre
            Spectra and energies of their peaks, shapes (n_pixels, n_channels) and (n_pixels,).
        distance
            Energies from the peak [eV], shape (n_pixels, n).

        Returns
        -------
        zero_loss, lower, upper
            Shape (n_pixels, n) each.
        """
        lower, middle, upper = np.quantile(self._of_pixels(counts), (0.16, 0.5, 0.84), axis=1)
        tail = Tail(self.log_knots, middle, np.empty(0))
        return tuple(tail.at(distance, middle, lower, upper))

    def draws(
        self, counts: np.ndarray, centre: np.ndarray, distance: np.ndarray, random: np.ndarray
    ) -> np.ndarray:
        """Logarithms of the zero loss by networks that the random numbers choose, shape (n_draws, n_pixels, n)."""
        networks = self._of_pixels(counts)
        chosen = (ndtr(random[:, 0]) * networks.shape[1]).astype(int)
        tail = Tail(self.log_knots, networks[:, 0], np.empty(0))
        return np.stack([tail.at(distance, networks[:, k])[0] for k in chosen])

    def modes(
        self, counts: np.ndarray, centre: np.ndarray, distance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Median of the logarithm of the zero loss, and independent errors with the covariance of the networks.

        Shapes (n_pixels, n) and (n_pixels, n, n_modes).
        """
        networks = self._of_pixels(counts)
        middle = np.median(networks, axis=1)
        off = networks - middle[:, np.newaxis]
        covariance = np.swapaxes(off, 1, 2) @ off / networks.shape[1]
        tail = Tail(self.log_knots, middle, covariance)
        return tail.at(distance, middle)[0], tail.modes(distance)

    def ending_at(self, end: float) -> NetworkTail:
        """The same: networks are not trained again for another end of the range [eV]."""
        return self

    def of_spectrum(self, axis: Axis, noise: Noise) -> NetworkTail:
        """The tail of a spectrum on another axis."""
        return replace(self, axis=axis)

    def as_dictionary(self) -> dict[str, Any]:
        """All that :meth:`from_dictionary` needs beside the axis."""
        return {name: getattr(self, name) for name in ("log_knots", "log_intensities", "table")}

    @classmethod
    def from_dictionary(cls, stored: dict[str, Any], axis: Axis) -> NetworkTail:
        """The tail of which :meth:`as_dictionary` was stored."""
        names = ("log_knots", "log_intensities", "table")
        return cls(axis, *(np.asarray(stored[name]) for name in names))

    def _of_pixels(self, counts: np.ndarray) -> np.ndarray:
        """Logarithms of the zero loss of each pixel, shape (n_pixels, n_networks, n_knots)."""
        if len(self.table) == 1:
            return np.broadcast_to(self.table, (len(counts), *self.table.shape[1:]))
        number = np.arange(self.log_intensities.size)
        place = np.interp(_log_intensity(counts), self.log_intensities, number)
        left = np.minimum(place.astype(int), number[-2])
        share = (place - left)[:, np.newaxis, np.newaxis]
        return (1 - share) * self.table[left] + share * self.table[left + 1]


def train_tail(
    method: NetworkMethod,
    survey: Survey,
    sample: np.ndarray,
    zlp_range: tuple[float, float],
    random_state: int,
) -> NetworkTail:
    """Train the networks on the spectra of an image.

    Parameters
    ----------
    method
        Settings.
    survey
        Peaks of all pixels.
    sample
        Which pixels are to be described, bool, with the shape of the pixels.
    zlp_range
        First and last energy from the peak [eV] between which there is zero loss alone.
    random_state
        Seed of clusters, noise and first weights.
    """
    rng = np.random.default_rng(random_state)
    linear = method.axis == "linear"
    first = -FIRST_WIDTHS * survey.fwhm if linear else zlp_range[0]
    edges = (np.linspace if linear else np.geomspace)(first, zlp_range[1], BINS + 1)
    height, mean, error, energy = _cluster_data(method.clusters, survey, sample, edges, rng)
    farthest = max(survey.axis.energy[-1] - survey.axis.energy[0], 2 * zlp_range[1])
    last = farthest if method.pseudo_data is None else PSEUDO_END * method.pseudo_data
    if method.pseudo_data is not None:
        beyond = np.linspace(method.pseudo_data, last, PSEUDO_DATA)
        shape = (len(mean), PSEUDO_DATA)
        energy = np.concatenate([energy, np.broadcast_to(beyond, shape)], axis=1)
        mean = np.concatenate([mean, np.full(shape, PSEUDO_LOGARITHM)], axis=1)
        error = np.concatenate([error, np.full(shape, PSEUDO_ERROR)], axis=1)
    inputs = _Inputs.of(linear, (first, last), height)
    points = inputs(energy, np.broadcast_to(height[:, np.newaxis], energy.shape))
    level, spread = mean.mean(), mean.std()
    targets = (mean + error * rng.normal(size=(method.replicas, *mean.shape)) - level) / spread
    networks = _Networks(points.shape[-1], method.replicas, rng)
    chi_squared = networks.train(
        points.reshape(-1, points.shape[-1]),
        targets.reshape(method.replicas, -1),
        (error / spread).ravel(),
        rng,
    )
    limit = max(LARGEST_CHI_SQUARED, LARGEST_RATIO * float(np.median(chi_squared)))
    kept = networks.weights[chi_squared < limit]

    log_knots = np.linspace(np.log(zlp_range[0]), np.log(farthest), KNOTS)
    heights = height if height.size == 1 else np.linspace(height.min(), height.max(), INTENSITIES)
    shape = (heights.size, KNOTS)
    grid = inputs(
        np.broadcast_to(np.minimum(np.exp(log_knots), last), shape),
        np.broadcast_to(heights[:, np.newaxis], shape),
    )
    values = networks.values(kept, grid.reshape(-1, grid.shape[-1])) * spread + level
    table = values.reshape(-1, *shape).transpose(1, 0, 2)
    return NetworkTail(
        survey.axis, log_knots, heights, np.clip(table, SMALLEST_LOGARITHM, LARGEST_LOGARITHM)
    )


def _log_intensity(counts: np.ndarray) -> np.ndarray:
    """Logarithm of the sum of the highest channels, shape (n_pixels,)."""
    highest = np.partition(counts, -PEAK_CHANNELS, axis=1)[:, -PEAK_CHANNELS:]
    return np.log(np.maximum(highest.sum(axis=1), 1e-300))


def _cluster_data(
    clusters: int, survey: Survey, sample: np.ndarray, edges: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the networks are trained on.

    Returns
    -------
    height
        Logarithm of the height of the peak of each cluster, increasing, shape (n_clusters,).
    mean, error, energy
        Mean and standard deviation of the logarithms of the counts in each bin, over the channels and spectra in it as
        published, and its energy [eV], shape (n_clusters, n_bins) each; of the bins that hold a channel.
    """
    heights = np.asarray(per_pixel(survey.blocks, _heights, ()))
    chosen = heights[sample]
    number = min(clusters, np.unique(chosen).size)
    start = np.quantile(chosen, (np.arange(number) + 0.5) / number)
    _, label = kmeans2(chosen[:, np.newaxis], start[:, np.newaxis], minit="matrix")
    label = np.unique(label, return_inverse=True)[1]
    number = label.max() + 1
    labels = np.full(sample.shape, -1)
    labels[sample] = label
    centre = np.where(sample, survey.centre, np.nan)
    sums = summed(
        survey.blocks,
        _bin_sums,
        (number, 3, edges.size - 1),
        centre,
        labels,
        axis=survey.axis,
        edges=edges,
        clusters=number,
    )
    channels, logarithm, square = np.moveaxis(sums, 1, 0)
    known = (channels > 0).all(axis=0)
    channels, logarithm, square = (a[:, known] for a in (channels, logarithm, square))
    mean = logarithm / channels
    error = np.sqrt(np.maximum(square / channels - mean**2, LEAST_ERROR**2))
    middle = (edges[1:] + edges[:-1])[known] / 2
    height = np.array([chosen[label == k].mean() for k in range(number)])
    order = np.argsort(height)
    return height[order], mean[order], error[order], np.broadcast_to(middle, mean.shape)


def _heights(counts: np.ndarray) -> np.ndarray:
    return _log_intensity(np.nan_to_num(counts))


def _bin_sums(
    counts: np.ndarray,
    centre: np.ndarray,
    label: np.ndarray,
    axis: Axis,
    edges: np.ndarray,
    clusters: int,
) -> np.ndarray:
    """Channels in bins, sums of the logarithms of their counts, and of their squares, shape (n_clusters, 3, n_bins)."""
    bins = edges.size - 1
    distance = axis.relative(centre)
    number = np.searchsorted(edges, distance, side="right") - 1
    use = np.isfinite(distance) & (number >= 0) & (number < bins) & (counts > 0)
    place = (label[:, np.newaxis] * bins + number)[use]
    logarithm = np.log(counts[use])
    sums = [
        np.bincount(place, weights, minlength=clusters * bins).reshape(clusters, bins)
        for weights in (np.ones(place.size), logarithm, logarithm**2)
    ]
    return np.stack(sums, axis=1)


@dataclass(frozen=True)
class _Inputs:
    """Energies and heights as the networks see them, both from 0.1 to 0.9 as published."""

    linear: bool
    energies: tuple[float, float]
    heights: tuple[float, float]

    @classmethod
    def of(cls, linear: bool, energies: tuple[float, float], height: np.ndarray) -> _Inputs:
        """Inputs between two energies [eV] and the smallest and the largest of the logarithms of heights."""
        return cls(linear, energies, (float(height.min()), float(height.max())))

    def __call__(self, energy: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Shape (..., 1), or (..., 2) when there are several heights."""
        first, last = self.energies
        if not self.linear:
            energy, first, last = np.log(energy), np.log(first), np.log(last)
        inputs = [0.1 + 0.8 * (energy - first) / (last - first)]
        low, high = self.heights
        if high > low:
            inputs.append(0.1 + 0.8 * (height - low) / (high - low))
        return np.stack(inputs, axis=-1)


class _Networks:
    """Networks side by side, each a row of weights: two sigmoid layers, one of softplus, a linear output.

    The published third layer is of rectified linear units, of which many die; softplus is a smooth one.

    Parameters
    ----------
    inputs
        Number of inputs.
    number
        Number of networks.
    rng
        Draws the first weights.
    """

    def __init__(self, inputs: int, number: int, rng: np.random.Generator) -> None:
        sizes = (inputs, *LAYERS)
        self._shapes = [
            shape
            for rows, columns in zip(sizes[:-1], sizes[1:], strict=True)
            for shape in ((rows, columns), (1, columns))
        ]
        parts = []
        for layer, (rows, columns) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            largest = rows**-0.5
            # the first layer has to tell energies apart that its inputs hardly do
            steep, moved = (4, 2) if layer == 0 else (1, 1)
            parts += [
                rng.uniform(-steep * largest, steep * largest, (number, rows * columns)),
                rng.uniform(-moved * largest, moved * largest, (number, columns)),
            ]
        self.weights = np.concatenate(parts, axis=1)

    def values(self, weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Outputs for inputs of the shape (n, n_inputs), shape (n_networks, n)."""
        return self._forward(weights, inputs)[0]

    def train(
        self, inputs: np.ndarray, targets: np.ndarray, error: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Fit the weights by Levenberg's and Marquardt's method, and look back to where they foretold best.

        Of the points a fifth, drawn anew for each network, is kept for that. The equations are solved in the space of
        the points, of which there are fewer than weights.

        Parameters
        ----------
        inputs
            Shape (n, n_inputs).
        targets
            Shape (n_networks, n).
        error
            Standard deviations of the targets, shape (n,).

        Returns
        -------
        Chi-squared of the points trained on, over their number, shape (n_networks,).
        """
        number, size = targets.shape
        order = np.argsort(rng.random((number, size)), axis=1)
        trained = order < max(1, round(TRAINED_SHARE * size))
        scale = trained / error / np.sqrt(trained.sum(axis=1, keepdims=True))
        checked = ~trained / error
        weights = self.weights
        output, slopes = self._with_slopes(weights, inputs)
        residual = scale * (output - targets)
        cost = (residual**2).sum(axis=1) + DECAY**2 * (weights**2).sum(axis=1)
        best, best_weights = np.full(number, np.inf), weights
        damping = 1e-2 * ((scale[..., np.newaxis] * slopes) ** 2).sum(axis=1).max(axis=1)
        for _ in range(TRAINING_STEPS):
            design = scale[..., np.newaxis] * slopes
            total = (DECAY**2 + damping)[:, np.newaxis]
            pull = -(DECAY**2) * weights / total
            wanted = -residual - (design @ pull[..., np.newaxis])[..., 0]
            normal = design @ np.swapaxes(design, 1, 2)
            normal += total[..., np.newaxis] * np.eye(size)
            solved = np.linalg.solve(normal, wanted[..., np.newaxis])
            trial = weights + pull + (np.swapaxes(design, 1, 2) @ solved)[..., 0]
            trial_output, trial_slopes = self._with_slopes(trial, inputs)
            trial_residual = scale * (trial_output - targets)
            trial_cost = (trial_residual**2).sum(axis=1) + DECAY**2 * (trial**2).sum(axis=1)
            better = trial_cost < cost
            weights = np.where(better[:, np.newaxis], trial, weights)
            output = np.where(better[:, np.newaxis], trial_output, output)
            residual = np.where(better[:, np.newaxis], trial_residual, residual)
            slopes[better] = trial_slopes[better]
            cost = np.where(better, trial_cost, cost)
            damping = np.clip(damping * np.where(better, 0.3, 4.0), 1e-9, 1e12)
            check = ((checked * (output - targets)) ** 2).sum(axis=1)
            foretold = check < best
            best = np.where(foretold, check, best)
            best_weights = np.where(foretold[:, np.newaxis], weights, best_weights)
        self.weights = best_weights
        return ((scale * (self.values(best_weights, inputs) - targets)) ** 2).sum(axis=1)

    def _layers(self, weights: np.ndarray) -> list[np.ndarray]:
        ends = np.cumsum([rows * columns for rows, columns in self._shapes])
        parts = np.split(weights, ends[:-1], axis=1)
        return [p.reshape(-1, *shape) for p, shape in zip(parts, self._shapes, strict=True)]

    def _forward(
        self, weights: np.ndarray, inputs: np.ndarray
    ) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
        """Outputs, and what enters each layer with the slopes of its neurons."""
        layers = self._layers(weights)
        values = np.broadcast_to(inputs, (len(weights), *inputs.shape))
        passed = []
        for number in range(len(LAYERS)):
            sums = values @ layers[2 * number] + layers[2 * number + 1]
            sigmoid = expit(sums)
            entered = values
            if number < 2:
                values, slope = sigmoid, sigmoid * (1 - sigmoid)
            elif number == 2:
                values, slope = np.logaddexp(0, sums), sigmoid
            else:
                values, slope = sums, np.ones_like(sums)
            passed.append((entered, slope))
        return values[..., 0], passed

    def _with_slopes(
        self, weights: np.ndarray, inputs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Outputs, shape (n_networks, n), and their derivatives by the weights, shape (n_networks, n, n_weights)."""
        layers = self._layers(weights)
        output, passed = self._forward(weights, inputs)
        number, size = output.shape
        parts = []
        delta = np.ones((number, size, 1))
        for layer in reversed(range(len(LAYERS))):
            entered, slope = passed[layer]
            delta = delta * slope
            by_weights = entered[..., :, np.newaxis] * delta[..., np.newaxis, :]
            parts += [delta, by_weights.reshape(number, size, -1)]
            delta = delta @ np.swapaxes(layers[2 * layer], 1, 2)
        return output, np.concatenate(parts[::-1], axis=2)
