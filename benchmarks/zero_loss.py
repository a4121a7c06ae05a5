"""Zero-loss peaks and band gaps beside the truth of simulated spectra, and beside measured ones.

Run with ``python benchmarks/zero_loss.py``; ``--measured FOLDER`` adds the spectra of WS2 of
https://github.com/LHCfitNikhef/EELSfitter (version 1), and ``--spectra N`` sets how many are simulated for a line.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import hyperspy.api as hs
import numpy as np
from exspy.signals import EELSSpectrum

from hyperspy_eelsid.data import nanostructure
from hyperspy_eelsid.data.low_loss import low_loss_spectrum
from hyperspy_eelsid.exceptions import ZeroLossError
from hyperspy_eelsid.low_loss import NetworkMethod

FWHM_EV = 0.45
METHODS = {
    "vacuum": "vacuum",
    "gaussian process": "gaussian process",
    "power law": "power law",
    "network": NetworkMethod(),
    "network, linear": NetworkMethod(axis="linear"),
    "network, published": NetworkMethod(axis="linear", pseudo_data=12.0),
}
BEFORE_GAP_EV = 0.3  # end of the zero-loss-only range where it is told
SEED = 2021


def as_signal(energy: np.ndarray, counts: np.ndarray) -> EELSSpectrum:
    """Spectra of an energy axis [eV], energies last."""
    axis = {"units": "eV", "size": energy.size, "offset": energy[0], "scale": energy[1] - energy[0]}
    return EELSSpectrum(counts, axes=[*({"size": n} for n in counts.shape[:-1]), axis])


def zero_loss(spectra: int) -> None:
    """Print ln(ZLP/true) and the coverage of the 68 % band from the gap - 0.2 to the gap + 1 eV."""
    print(
        f"zero-loss peak of {spectra} spectra a line, from Eg - 0.2 to Eg + 1 eV beyond the range"
    )
    print("aim: with vacuum |median ln| <= 0.02, band 0.60-0.80; without <= 0.05, 0.60-0.85")
    print(
        "method              electrons  range  median ln  median |ln|  in the band  end - gap [eV]"
    )
    for method in METHODS:
        for electrons in (1e6, 1e7, 5e7):
            for told in (False, True):
                print(_line(method, electrons, told, spectra), flush=True)


def _line(method: str, electrons: float, told: bool, spectra: int) -> str:
    logarithms, inside, ends, refused = [], [], [], 0
    for number in range(spectra):
        d = low_loss_spectrum(np.random.default_rng([SEED, number]), electrons, FWHM_EV)
        end = d.band_gap - BEFORE_GAP_EV
        vacuum = as_signal(d.energy, d.vacuum) if method == "vacuum" else None
        try:
            peak = as_signal(d.energy, d.counts).model_zero_loss_peak(
                vacuum, METHODS[method], (max(1.2 * FWHM_EV, end / 3), end) if told else None
            )
        except ZeroLossError:
            refused += 1
            continue
        first = max(peak.zlp_range[1], d.band_gap - 0.2)
        near = (d.energy >= first) & (d.energy <= d.band_gap + 1)
        if not near.any():
            refused += 1
            continue
        lower, zlp, upper = (s.data[near] for s in (peak.lower, peak.zlp, peak.upper))
        logarithms.append(np.median(np.log(zlp / d.zero_loss[near])))
        known = np.isfinite(lower)
        if known.any():
            truth = d.zero_loss[near][known]
            inside.append(np.mean((lower[known] <= truth) & (truth <= upper[known])))
        ends.append(peak.zlp_range[1] - d.band_gap)
    return (
        f"{method:19s} {electrons:8.0e}  {'told ' if told else 'found'}    {np.median(logarithms):+.3f}     "
        f"{np.median(np.abs(logarithms)):.3f}        {np.mean(inside):.2f}         {np.median(ends):+.2f}"
        + (f"  ({refused} refused)" if refused else "")
    )


def gaps() -> None:
    """Print errors and coverage of band gaps of an image, and exponents that are fitted to direct gaps."""
    print("\nband gap of images of 24 x 30 pixels, where t/lambda > 0.3; resolution 0.49 eV")
    print("aim: median |error| <= 0.05 eV at 1e7, <= 0.08 at 1e6; in its band 0.60-0.80")
    print("kind      electrons  error  |error|  in the band  half the band [eV]")
    for kind, exponent in (("direct", 0.5), ("indirect", 1.5)):
        for electrons in (1e6, 1e7):
            image = nanostructure((24, 30), SEED, electrons, exponent)
            truth = image.metadata.Simulation
            onset = image.model_zero_loss_peak(vacuum="auto").band_gap(kind)[kind]
            thick = truth.thickness.data > 0.3
            true = truth.band_gap.data[thick]
            energy, lower, upper = (s.data[thick] for s in (onset.energy, onset.lower, onset.upper))
            seen = np.isfinite(energy)
            inside = ((lower <= true) & (true <= upper))[seen].mean()
            error = (energy - true)[seen]
            print(
                f"{kind:9s} {electrons:8.0e}  {np.median(error):+.3f}  {np.median(np.abs(error)):.3f}"
                f"     {inside:.2f}         {np.median((upper - lower)[seen]) / 2:.3f}"
            )
    exponents = []
    for number in range(20):
        d = low_loss_spectrum(np.random.default_rng([SEED, number]), exponent=0.5)
        peak = as_signal(d.energy, d.counts).model_zero_loss_peak(as_signal(d.energy, d.vacuum))
        exponents.append(float(peak.band_gap("free")["free"].exponent.data[0]))
    print(
        f"free exponent of 20 direct gaps: {min(exponents):.2f} to {max(exponents):.2f} (aim: < 1.2)"
    )


def image_time() -> None:
    """Print the processor time of an image of 100 x 100 x 1000."""
    image = nanostructure((100, 100), SEED)
    image.inav[:10, :10].model_zero_loss_peak()  # imports
    start = time.process_time()
    peak = image.model_zero_loss_peak(vacuum="auto")
    model = time.process_time() - start
    peak.band_gap("indirect")
    gap = time.process_time() - start - model
    print("\nimage of 100 x 100 x 1000 with vacuum, processor time")
    print(f"zero-loss peaks with bands {model:.1f} s (aim: 5 s), band gaps of one kind {gap:.1f} s")
    start = time.process_time()
    small = nanostructure((20, 30), SEED).model_zero_loss_peak("auto", "network")
    networks = time.process_time() - start
    print(
        f"{small.model.tail.table.shape[1]} of 100 networks with 5 clusters {networks:.1f} s (aim: 20 s)"
    )


def measured(folder: Path) -> None:
    """Print what is found in the measured spectra."""

    def stored(name: str) -> tuple[np.ndarray, np.ndarray]:
        file = np.load(folder / f"{name}.npz")
        return file["energy"], file["counts"]

    def vacuum_of(names: list[str]) -> EELSSpectrum:
        spectra = [stored(name) for name in names]
        return as_signal(spectra[0][0], np.stack([counts for _, counts in spectra]))

    vacuum = vacuum_of([f"WS2_vacuum_{k}" for k in (17, 22, 23)])
    print("\nWS2 spectrum 14; scaled vacuum has 3200, 1560, 1000 counts at 2.0, 2.5, 3.0 eV")
    energy, counts = stored("WS2_spectrum_14")
    for method in METHODS:
        peak = as_signal(energy, counts).model_zero_loss_peak(
            vacuum if method == "vacuum" else None, METHODS[method]
        )
        at = np.interp([2.0, 2.5, 3.0], energy - float(peak.centre), peak.zlp.data)
        print(f"{method:19s} {at.round()}  range up to {peak.zlp_range[1]:.2f} eV")
        if method == "vacuum":
            print(peak.band_gap())


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=60)
    parser.add_argument("--measured", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    hs.preferences.General.show_progressbar = False
    logging.disable(logging.WARNING)
    zero_loss(arguments.spectra)
    gaps()
    image_time()
    if arguments.measured:
        measured(arguments.measured)


if __name__ == "__main__":
    main()
