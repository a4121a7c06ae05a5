"""Pictures of zero-loss peaks and of what is left without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from hyperspy_eelsid.low_loss.result import ZeroLossPeak

SHOWN_ENDS = 5.0  # times the end of the zero-loss-only range
ZERO_LOSS_COLOUR, INELASTIC_COLOUR = "C3", "C0"


def plot_zero_loss(peak: ZeroLossPeak, figure: Figure | None = None) -> Figure:
    """Draw the mean spectrum with zero-loss peak and band, and the inelastic spectrum with the same band."""
    if figure is None:
        figure = plt.figure(figsize=(10, 4.2))
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2)
    counts, zlp, lower, upper = (
        _mean_of_sample(peak, s.data) for s in (peak.signal, peak.zlp, peak.lower, peak.upper)
    )
    energy = peak.model.axis.energy - np.nanmean(peak.centre)
    start, end = peak.zlp_range
    shown = (energy > -2 * end) & (energy < SHOWN_ENDS * end)

    left.semilogy(energy, _positive(counts), color="black", lw=1, label="spectrum")
    left.semilogy(energy, _positive(zlp), color=ZERO_LOSS_COLOUR, label="zero loss")
    left.fill_between(
        energy,
        _positive(lower),
        _positive(upper),
        color=ZERO_LOSS_COLOUR,
        alpha=0.3,
        lw=0,
        label="68 %",
    )
    left.axvspan(start, end, color="grey", alpha=0.2, lw=0, label="zero loss alone")
    smallest = np.nanmin(_positive(np.where(shown, zlp, np.nan)))
    left.set(
        xlim=(energy[shown][0], energy[shown][-1]),
        ylim=(0.5 * smallest, 2 * np.nanmax(counts)),
        xlabel="Energy loss (eV)",
        ylabel="Counts",
        title=f"Zero-loss peak ({peak.method})",
    )
    left.legend()

    inelastic = counts - zlp
    right.plot(energy, inelastic, color=INELASTIC_COLOUR, lw=1)
    right.fill_between(
        energy, counts - upper, counts - lower, color=INELASTIC_COLOUR, alpha=0.3, lw=0
    )
    right.axhline(0, color="black", lw=0.5)
    beyond = shown & (energy > end)
    top = 1.1 * np.nanmax(inelastic[beyond]) if beyond.any() else 1.0
    right.set(
        xlim=(0, energy[shown][-1]),
        ylim=(-0.2 * top, top),
        xlabel="Energy loss (eV)",
        ylabel="Counts",
        title="Inelastic spectrum",
    )
    return figure


def _mean_of_sample(peak: ZeroLossPeak, data: np.ndarray) -> np.ndarray:
    """Mean over the pixels that are not vacuum and were not left out."""
    sample = np.isfinite(peak.centre) & ~peak.vacuum_mask
    pixels = data.reshape(-1, data.shape[-1])
    return np.asarray(pixels[np.flatnonzero(sample)].mean(axis=0), dtype=float)


def _positive(counts: np.ndarray) -> np.ndarray:
    return np.where(counts > 0, counts, np.nan)
