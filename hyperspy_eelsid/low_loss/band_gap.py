"""The band gap: the energy at which inelastic counts begin, of every pixel, with its error.

Above a band gap the inelastic counts rise as a power of the energy above it, 1/2 for a direct and 3/2 for an indirect
gap (Rafferty and Brown, Phys. Rev. B 58, 10326 (1998)).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter1d

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import ExtrapolationError, ZeroLossError
from hyperspy_eelsid.low_loss.bands import ZeroLossBands
from hyperspy_eelsid.low_loss.model import ZeroLossModel
from hyperspy_eelsid.low_loss.onset import FIELDS, Onset, OnsetFitter, exponents_of
from hyperspy_eelsid.low_loss.survey import Spectrum, compute
from hyperspy_eelsid.signals import pixel_map

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ONSET_SIGMA = 5.0
TOLD_APART = 4.0  # difference of chi-squared


@dataclass(frozen=True, repr=False, eq=False)
class BandGap(Mapping):
    """Band gaps of a spectrum or an image, one :class:`Onset` for each kind that was fitted: ``gap["direct"].energy``.

    Parameters
    ----------
    onsets
        Name of the kind -> fit.
    difference
        Chi-squared of the indirect gap less that of the direct one, over that of one degree of freedom; positive where
        the direct gap fits better. NaN unless both were fitted.
    peak
        The zero-loss peaks.
    """

    onsets: dict[str, Onset]
    difference: np.ndarray
    peak: ZeroLossBands

    def __getitem__(self, kind: str) -> Onset:
        arguments.label("kind", kind, self.onsets)
        return self.onsets[kind]

    def __iter__(self):
        return iter(self.onsets)

    def __len__(self) -> int:
        return len(self.onsets)

    @property
    def told_apart(self) -> np.ndarray:
        """Where chi-squared tells a direct gap from an indirect one, bool, with the shape of the pixels."""
        return np.abs(self.difference) > TOLD_APART

    def __repr__(self) -> str:
        lines = [
            f"{type(self).__name__} with the energy resolution of {self.peak.model.fwhm:.2f} eV folded in"
        ]
        for kind, onset in self.onsets.items():
            energy, lower, upper, chi2 = (
                np.asarray(s.data, dtype=float).ravel()
                for s in (onset.energy, onset.lower, onset.upper, onset.chi_squared)
            )
            seen = np.isfinite(energy)
            if not seen.any():
                lines.append(f"{kind}: no onset seen")
                continue
            exponent = np.nanmedian(onset.exponent.data)
            where = (
                ""
                if energy.size == 1
                else f" in the median of {seen.sum()} of {energy.size} pixels"
            )
            lines.append(
                f"{kind}: {np.nanmedian(energy):.2f} eV, 68 % between {np.nanmedian(lower):.2f} and "
                f"{np.nanmedian(upper):.2f} eV{where}; exponent {exponent:.2g}, chi-squared {np.nanmedian(chi2):.2f}"
            )
        return "\n".join([*lines, *self._verdict()])

    def _verdict(self) -> list[str]:
        known = np.isfinite(self.difference)
        if not known.any():
            return []
        share = self.told_apart[known].mean()
        direct = (self.difference[known] > TOLD_APART).mean()
        if share == 0:
            return [
                "chi-squared does not tell a direct gap from an indirect one: both stand, and the gap "
                "depends on the kind"
            ]
        if self.difference.size == 1:
            return [f"chi-squared favours the {'direct' if direct else 'indirect'} gap"]
        return [
            f"chi-squared favours the direct gap in {direct:.0%} and the indirect one in {share - direct:.0%} of the "
            "pixels, and does not tell them apart in the others"
        ]

    def plot(self, figure: Figure | None = None) -> Figure:
        """The onset fitted to the inelastic spectrum; or maps of the gap and of half its band.

        Parameters
        ----------
        figure
            Figure to draw in, a new one by default.

        Returns
        -------
        Figure
            The matplotlib figure.
        """
        from matplotlib.figure import Figure

        from hyperspy_eelsid.low_loss.plot import plot_band_gap

        arguments.instance("figure", figure, Figure, "a matplotlib figure", or_none=True)
        return plot_band_gap(self.onsets, self.peak, figure)


def band_gap(
    peak: ZeroLossBands,
    kind: str | float | None = None,
    energy_range: tuple[float, float] | None = None,
    show_progressbar: bool | None = None,
) -> BandGap:
    """Fit A (E - Eg)^b to the inelastic counts, see :meth:`ZeroLossPeak.band_gap`."""
    kinds = exponents_of(kind)
    if energy_range is not None:
        energy_range = arguments.window("energy_range", energy_range)
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    model = peak.model
    first = _first_inelastic(peak) if energy_range is None else None
    fitter = OnsetFitter.of(model, kinds, first, energy_range)
    size = len(kinds) * FIELDS
    values = compute(peak.per_pixel(fitter, (size + 1,)), show_progressbar)
    difference = values[..., -1].reshape(peak.centre.shape)
    values = values[..., :-1].reshape(*values.shape[:-1], len(kinds), FIELDS)
    onsets = {}
    for number, name in enumerate(kinds):
        fields = np.moveaxis(values[..., number, :], -1, 0)
        title = f"{name} band gap (eV)"
        onsets[name] = Onset(*(pixel_map(peak.signal, f, title) for f in fields))
    _check_reach(onsets, model)
    return BandGap(onsets, difference, peak)


def _first_inelastic(peak: ZeroLossBands) -> float:
    """First energy [eV] from which the mean spectrum has inelastic counts that are more than noise and ZLP error."""
    mean = peak.mean_spectrum()
    model = peak.model.of_spectrum(mean.axis, mean.noise)
    energy = mean.axis.energy
    beyond = energy > model.zlp_range[1]
    stays = _lasting_excess(mean, model, beyond) if beyond.any() else beyond
    if not stays.any():
        raise ZeroLossError(
            f"No inelastic counts are seen above noise and uncertainty beyond {model.zlp_range[1]:.2f} eV: there is "
            "no onset to fit."
        )
    return float(energy[beyond][stays.argmax()])


def _lasting_excess(mean: Spectrum, model: ZeroLossModel, beyond: np.ndarray) -> np.ndarray:
    """Where counts are above the zero loss from there on for the width of the resolution, shape (beyond.sum(),)."""
    distance = mean.axis.energy[np.newaxis, beyond]
    counts = mean.counts[beyond]
    logarithms = model.tail.logarithms(mean.counts[np.newaxis], np.zeros(1), distance)
    zlp, lower, upper = (np.exp(values[0]) for values in logarithms)
    width = max(1, round(model.fwhm / 2 / mean.axis.step))
    excess = uniform_filter1d(counts - zlp, width, mode="nearest")
    variance = mean.noise.variance(counts) * mean.noise.correlation / width
    seen = excess > ONSET_SIGMA * np.sqrt(variance + ((upper - lower) / 2) ** 2)
    return uniform_filter1d(seen.astype(float), width, origin=-(width // 2), mode="nearest") > 0.99


def _check_reach(onsets: dict[str, Onset], model: ZeroLossModel) -> None:
    if model.reach is None:
        return
    gaps = np.concatenate([np.ravel(onset.energy.data) for onset in onsets.values()])
    gaps = gaps[np.isfinite(gaps)]
    if gaps.size and gaps.min() > model.reach:
        raise ExtrapolationError(
            f"The onset lies at {np.median(gaps):.2f} eV, and the zero-loss peak is extrapolated from "
            f"{model.zlp_range[1]:.2f} eV: beyond {model.reach:.2f} eV nothing is known of it. Use a vacuum spectrum."
        )
