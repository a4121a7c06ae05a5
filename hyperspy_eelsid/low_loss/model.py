"""The zero-loss peak of every pixel: data where it lies alone, a model of its tail beyond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hyperspy_eelsid.low_loss.network import NetworkTail
from hyperspy_eelsid.low_loss.noise import Noise
from hyperspy_eelsid.low_loss.peak import Axis
from hyperspy_eelsid.low_loss.tail import (
    KNOTS,
    Bins,
    Process,
    Tail,
    bin_edges,
    condition,
)
from hyperspy_eelsid.low_loss.vacuum import Template

if TYPE_CHECKING:
    pass

PLAIN_POWER = 2.8  # of the base without a vacuum spectrum
LARGEST_LOGARITHM = 60.0  # of counts


class TailModel(Protocol):
    """What a method knows of the zero loss beyond the zero-loss-only range."""

    def logarithms(
        self, counts: np.ndarray, centre: np.ndarray, distance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logarithms of the zero loss and of the ends of its 68 % band at energies from the peak."""

    def draws(
        self, counts: np.ndarray, centre: np.ndarray, distance: np.ndarray, random: np.ndarray
    ) -> np.ndarray:
        """Logarithms of zero-loss peaks that may be, one for each row of normal random numbers."""


@dataclass(frozen=True)
class ProcessTail:
    """A Gaussian process of the logarithm of the counts over a vacuum spectrum or a power law.

    Parameters
    ----------
    axis
        Energies of the channels.
    fwhm
        Width of the peak [eV].
    zlp_range
        First and last energy of the zero-loss-only range [eV].
    noise
        Noise of a pixel.
    process
        Prior of what is left.
    template
        The vacuum's peak, None for a power law.
    broadening
        Of the mean spectrum against the vacuum's, in squared widths.
    """

    axis: Axis
    fwhm: float
    zlp_range: tuple[float, float]
    noise: Noise
    process: Process
    template: Template | None = None
    broadening: float | None = None

    @property
    def log_knots(self) -> np.ndarray:
        """Logarithms of the energies [eV] at which the tail is computed, shape (n_knots,)."""
        farthest = max(self.axis.energy[-1] - self.axis.energy[0], 2 * self.zlp_range[1])
        return np.linspace(np.log(self.zlp_range[0]), np.log(farthest), KNOTS)

    def logarithms(
        self, counts: np.ndarray, centre: np.ndarray, distance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logarithms of the zero loss and of the ends of its 68 % band.

        Parameters
        ----------
        counts, centre
            Spectra and energies of their peaks, shapes (n_pixels, n_channels) and (n_pixels,).
        distance
            Energies from the peak [eV], shape (n_pixels, n).

        Returns
        -------
        zero_loss, lower, upper : np.ndarray
            Shape (n_pixels, n) each.
        """
        log_base, tail, shift = self.tail(counts, centre)
        mean, deviation = tail.at(distance - shift, tail.mean, tail.deviation)
        mean += log_base(distance - shift)
        return mean, mean - deviation, mean + deviation

    def draws(
        self, counts: np.ndarray, centre: np.ndarray, distance: np.ndarray, random: np.ndarray
    ) -> np.ndarray:
        """Logarithms of zero-loss peaks that may be.

        Parameters
        ----------
        counts, centre, distance
            As of :meth:`logarithms`.
        random
            Normal random numbers, the same for all pixels, shape (n_draws, n_knots).

        Returns
        -------
        np.ndarray
            Shape (n_draws, n_pixels, n).
        """
        log_base, tail, shift = self.tail(counts, centre)
        drawn = tail.mean + np.einsum("pkl,nl->npk", tail.root, random)
        base = log_base(distance - shift)
        return np.stack([tail.at(distance - shift, d)[0] + base for d in drawn])

    def modes(
        self, counts: np.ndarray, centre: np.ndarray, distance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logarithm of the zero loss, and what independent errors of one standard deviation add to it.

        Parameters
        ----------
        counts, centre, distance
            As of :meth:`logarithms`.

        Returns
        -------
        mean : np.ndarray
            Shape (n_pixels, n).
        modes : np.ndarray
            Shape (n_pixels, n, n_modes).
        """
        log_base, tail, shift = self.tail(counts, centre)
        distance = distance - shift
        (mean,) = tail.at(distance, tail.mean)
        return mean + log_base(distance), tail.modes(distance)

    def ending_at(self, end: float) -> ProcessTail:
        """The model conditioned on the counts below another end of the zero-loss-only range [eV]."""
        return replace(self, zlp_range=(self.zlp_range[0], end))

    def of_spectrum(self, axis: Axis, noise: Noise) -> ProcessTail:
        """The model of a spectrum on another axis and with other noise."""
        return replace(self, axis=axis, noise=noise)

    def as_dictionary(self) -> dict[str, Any]:
        """All that :meth:`from_dictionary` needs beside what the whole model stores."""
        template = None if self.template is None else self.template.as_dictionary()
        return {
            "process": asdict(self.process),
            "template": template,
            "broadening": self.broadening,
        }

    @classmethod
    def from_dictionary(
        cls,
        stored: dict[str, Any],
        axis: Axis,
        fwhm: float,
        zlp_range: tuple[float, float],
        noise: Noise,
    ) -> ProcessTail:
        """The model of which :meth:`as_dictionary` was stored."""
        template = stored["template"] and Template.from_dictionary(stored["template"])
        process = Process(**stored["process"])
        return cls(axis, fwhm, zlp_range, noise, process, template, stored["broadening"])

    def tail(
        self, counts: np.ndarray, centre: np.ndarray
    ) -> tuple[Callable[[np.ndarray], np.ndarray], Tail, np.ndarray]:
        """Logarithm of the base, the tail relative to it, and how far the fit moved the peaks [eV]."""
        shift = np.zeros((len(counts), 1))
        if self.template is None:

            def log_base(distance: np.ndarray) -> np.ndarray:
                return -PLAIN_POWER * np.log(np.maximum(distance, 0.1 * self.zlp_range[0]))

        else:
            template = self.template
            amplitude, moved, spread = template.fit(
                counts, self.axis, centre, self.noise, self.broadening
            )
            shift = (moved - centre)[:, np.newaxis]
            centre = moved

            def log_base(distance: np.ndarray) -> np.ndarray:
                return template.logarithm(distance, spread) + np.log(amplitude)[:, np.newaxis]

        bins = Bins.of(
            counts, lambda d: np.exp(log_base(d)), self.axis, centre, self.zlp_range, self.fwhm
        )
        if self.template is not None:
            edges = bin_edges(self.zlp_range, self.axis.step)
            middle = np.sqrt(edges[1:] * edges[:-1])
            stray = self.template.stray(counts, self.axis, centre, self.zlp_range[1], middle)
            bins = replace(bins, counts=bins.counts - stray * bins.channels)
        mean, covariance = condition(
            bins, self.process, self.noise, self.log_knots, self.zlp_range[1]
        )
        if self.template is not None:
            own = self.template.deviation(np.exp(self.log_knots)) ** 2
            covariance = covariance + np.diag(own)
        return log_base, Tail(self.log_knots, mean, covariance), shift


@dataclass(frozen=True)
class ZeroLossModel:
    """Zero-loss peaks of blocks of pixels.

    Parameters
    ----------
    axis
        Energies of the channels.
    fwhm
        Width of the peak [eV].
    zlp_range
        First and last energy [eV] from the peak between which there is zero loss alone.
    noise
        Noise of a pixel.
    tail
        The model of the tail.
    resolution
        The measured peak within two widths, of unit sum, shape (n,) with n odd.
    reach
        Energy from the peak [eV] beyond which nothing is known of the zero loss; None with a vacuum spectrum.
    """

    axis: Axis
    fwhm: float
    zlp_range: tuple[float, float]
    noise: Noise
    tail: TailModel
    resolution: np.ndarray
    reach: float | None = None

    def __call__(self, counts: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Zero loss, and the lower and upper end of its 68 % band.

        Parameters
        ----------
        counts
            Shape (n_pixels, n_channels).
        centre
            Energy of the peak of each pixel [eV], NaN for one that is left out, shape (n_pixels,).

        Returns
        -------
        np.ndarray
            Shape (n_pixels, 3, n_channels).
        """
        result = np.full((len(counts), 3, self.axis.size), np.nan, np.float32)
        use = np.isfinite(centre)
        if not use.any():
            return result
        counts, centre = counts[use], centre[use]
        first, distance, weight = self._tail_channels(centre)
        deviation = np.sqrt(self.noise.variance(counts))
        values = np.stack([counts, counts - deviation, counts + deviation], axis=1)
        for k, logarithm in enumerate(self.tail.logarithms(counts, centre, distance)):
            np.minimum(logarithm, LARGEST_LOGARITHM, out=logarithm)
            np.exp(logarithm, out=logarithm)
            part = values[:, k, first:]
            logarithm -= part
            logarithm *= weight
            part += logarithm
        if self.reach is not None:
            band = values[:, 1:, first:]
            band[np.broadcast_to(distance[:, np.newaxis] > self.reach, band.shape)] = np.nan
        result[use] = values
        return result

    def draws(self, counts: np.ndarray, centre: np.ndarray, number: int, seed: int) -> np.ndarray:
        """Zero-loss peaks that may be, shape (number, n_pixels, n_channels).

        The same random numbers are taken for all pixels, so that a draw does not depend on which pixels are drawn with
        it, and what errs in the tail of one pixel errs alike in its neighbour.
        """
        rng = np.random.default_rng(seed)
        random = rng.normal(size=(number, KNOTS))
        counting = rng.normal(size=(number, 1, self.axis.size))
        result = np.full((number, len(counts), self.axis.size), np.nan, np.float32)
        use = np.isfinite(centre)
        if not use.any():
            return result
        counts, centre = counts[use], centre[use]
        first, distance, weight = self._tail_channels(centre)
        values = counts + counting * np.sqrt(self.noise.variance(counts))
        logarithms = self.tail.draws(counts, centre, distance, random)
        part = values[..., first:]
        part += weight * (np.exp(np.minimum(logarithms, LARGEST_LOGARITHM)) - part)
        result[:, use] = values
        return result

    def of_spectrum(self, axis: Axis, noise: Noise) -> ZeroLossModel:
        """The model of a spectrum on another axis and with other noise, such as the mean of all pixels."""
        tail = self.tail.of_spectrum(axis, noise)
        return replace(self, axis=axis, noise=noise, tail=tail)

    def as_dictionary(self) -> dict[str, Any]:
        """All that :meth:`from_dictionary` needs, of numbers, arrays and names."""
        fields = {name: getattr(self, name) for name in ("fwhm", "zlp_range", "reach")}
        return fields | {
            "axis": asdict(self.axis),
            "noise": asdict(self.noise),
            "tail": self.tail.as_dictionary(),
            "resolution": self.resolution,
        }

    @classmethod
    def from_dictionary(cls, stored: dict[str, Any]) -> ZeroLossModel:
        """The model of which :meth:`as_dictionary` was stored."""
        axis, noise = Axis(**stored["axis"]), Noise(**stored["noise"])
        zlp_range = tuple(float(value) for value in stored["zlp_range"])
        if "table" in stored["tail"]:
            tail = NetworkTail.from_dictionary(stored["tail"], axis)
        else:
            tail = ProcessTail.from_dictionary(
                stored["tail"], axis, stored["fwhm"], zlp_range, noise
            )
        return cls(
            axis,
            stored["fwhm"],
            zlp_range,
            noise,
            tail,
            np.asarray(stored["resolution"]),
            stored["reach"],
        )

    def _tail_channels(self, centre: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
        """First channel of any tail, energies from the peak from there on [eV], and the weight of the model."""
        end = self.zlp_range[1]
        begin = min(max(self.zlp_range[0], (self.fwhm + end) / 2), 0.9 * end)
        first = int(np.floor((centre.min() + begin - self.axis.offset) / self.axis.step))
        first = int(np.clip(first, 0, self.axis.size - 1))
        distance = self.axis.relative(centre)[:, first:]
        share = np.clip((distance - begin) / (end - begin), 0, 1)
        return first, distance, share**2 * (3 - 2 * share)
