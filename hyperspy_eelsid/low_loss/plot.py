"""Pictures of zero-loss peaks and of what is left without them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from hyperspy_eelsid.low_loss.bands import ZeroLossBands
from hyperspy_eelsid.low_loss.onset import Onset

SHOWN_ENDS = 5.0  # times the end of the zero-loss-only range
ZERO_LOSS_COLOUR, INELASTIC_COLOUR = "C3", "C0"


def plot_zero_loss(peak: ZeroLossBands, figure: Figure | None = None) -> Figure:
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


def _mean_of_sample(peak: ZeroLossBands, data: np.ndarray) -> np.ndarray:
    """Mean over the pixels that are not vacuum and were not left out."""
    sample = np.isfinite(peak.centre) & ~peak.vacuum_mask
    pixels = data.reshape(-1, data.shape[-1])
    return np.asarray(pixels[np.flatnonzero(sample)].mean(axis=0), dtype=float)


def _positive(counts: np.ndarray) -> np.ndarray:
    return np.where(counts > 0, counts, np.nan)


def plot_band_gap(
    onsets: dict[str, Onset], peak: ZeroLossBands, figure: Figure | None = None
) -> Figure:
    """Draw gaps of a spectrum on its inelastic counts; or of an image as maps, with maps of half their bands."""
    pixels = peak.centre.ndim
    if figure is None:
        height = 4.2 if pixels < 2 else 3.2 * len(onsets)
        figure = plt.figure(figsize=(8, height))
    figure.set_layout_engine("constrained")
    if pixels == 2:
        _draw_gap_maps(onsets, figure)
    elif pixels == 1:
        _draw_gap_profiles(onsets, figure)
    else:
        _draw_gap_of_spectrum(onsets, peak, figure)
    return figure


def _draw_gap_of_spectrum(onsets: dict[str, Onset], peak: ZeroLossBands, figure: Figure) -> None:
    axes = figure.subplots()
    energy = peak.model.axis.energy - float(peak.centre)
    end = peak.zlp_range[1]
    counts, zlp, lower, upper = (
        np.asarray(s.data, dtype=float) for s in (peak.signal, peak.zlp, peak.lower, peak.upper)
    )
    energies = [float(onset.energy.data[0]) for onset in onsets.values()]
    last = np.nanmax([*energies, end]) + 1.0
    shown = (energy > 0.5 * end) & (energy < last)
    axes.plot(energy[shown], (counts - zlp)[shown], color=INELASTIC_COLOUR, lw=1)
    axes.fill_between(
        energy[shown],
        (counts - upper)[shown],
        (counts - lower)[shown],
        color=INELASTIC_COLOUR,
        alpha=0.3,
        lw=0,
    )
    axes.axhline(0, color="black", lw=0.5)
    for number, (kind, onset) in enumerate(onsets.items()):
        value, low, high = (float(s.data[0]) for s in (onset.energy, onset.lower, onset.upper))
        if np.isfinite(value):
            colour = f"C{number + 1}"
            axes.axvline(value, color=colour, label=f"{kind} {value:.2f} eV")
            axes.axvspan(low, high, color=colour, alpha=0.2, lw=0)
    axes.set(xlabel="Energy loss (eV)", ylabel="Inelastic counts", title="Band gap")
    axes.legend()


def _draw_gap_profiles(onsets: dict[str, Onset], figure: Figure) -> None:
    axes = figure.subplots()
    place = next(iter(onsets.values())).energy.axes_manager[0]
    for number, (kind, onset) in enumerate(onsets.items()):
        axes.plot(place.axis, onset.energy.data, color=f"C{number + 1}", label=kind)
        axes.fill_between(
            place.axis, onset.lower.data, onset.upper.data, color=f"C{number + 1}", alpha=0.3, lw=0
        )
    axes.set(xlabel=f"{place.name} ({place.units})", ylabel="Band gap (eV)")
    axes.legend()


def _draw_gap_maps(onsets: dict[str, Onset], figure: Figure) -> None:
    rows = figure.subplots(len(onsets), 2, squeeze=False)
    for axes, (kind, onset) in zip(rows, onsets.items(), strict=True):
        half = (onset.upper.data - onset.lower.data) / 2
        for ax, values, title in zip(
            axes,
            (onset.energy.data, half),
            (f"{kind} gap (eV)", "half of its 68 % band (eV)"),
            strict=True,
        ):
            figure.colorbar(ax.imshow(values), ax=ax)
            ax.set(title=title, xticks=[], yticks=[])
