"""Ti/O of simulated thick samples with computed near edges, for several widths of the fine structure.

Run with ``python benchmarks/thick_samples.py``. Ti L is the multiplets of an ion and the scattering of Ti, TiC or TiN,
O K that of an oxide, all of the package's library; both are convolved with a low loss of 0.2 to 1 mean free paths, on a
power law, with 3e5 counts a channel. Lines hold 0.9 times the intensity of the continuum in 50 eV, about that of an
atom of Ti.
"""

from __future__ import annotations

import argparse
import logging

import hyperspy.api as hs
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.stats import poisson

from hyperspy_eelsid.edges import edges_in_window
from hyperspy_eelsid.edges.component import CoreLossEdge
from hyperspy_eelsid.edges.near_edges import NearEdge, computed_near_edges

PARAMETERS = {"beam_energy": 300.0, "convergence_angle": 0.2, "collection_angle": 4.12}
STEP_EV, RESOLUTION_EV = 0.5, 1.0
LOSSES = np.arange(-20.0, 150.0, STEP_EV)
ENERGY = np.arange(382.0, 689.0, STEP_EV)
COUNTS, ELECTRONS = 3e5, 1e8
LINES_SHARE, LINES_EV = 0.9, 50.0
WIDTHS = (40.0, 50.0, 70.0)


def low_loss(thickness: float, plasmon_energy: float, width: float) -> np.ndarray:
    """Low loss of one electron, with Drude plasmons in a Poisson distribution."""
    zero = int(np.argmin(np.abs(LOSSES)))
    order = np.exp(-0.5 * (LOSSES / (RESOLUTION_EV / 2.355)) ** 2)
    order /= order.sum()
    denominator = (LOSSES**2 - plasmon_energy**2) ** 2 + (LOSSES * width) ** 2
    plasmon = (LOSSES > 0) * LOSSES**2 / denominator
    plasmon /= plasmon.sum()
    total = np.zeros(len(LOSSES))
    for number in range(9):
        total += poisson.pmf(number, thickness) * order
        order = np.convolve(order, plasmon)[zero : zero + len(LOSSES)]
    return total


def edge(
    element: str, energy: np.ndarray, solids: dict[str, NearEdge], lines: NearEdge | None
) -> np.ndarray:
    """Cross section of an element in a solid, single scattering [barn/eV]."""
    total, continuum, first = np.zeros(len(energy)), 0.0, np.inf
    for row in edges_in_window(element, energy[0], energy[-1]):
        component = CoreLossEdge(row.name)
        component.set_microscope_parameters(*PARAMETERS.values(), energy_scale=1.0)
        atom, above = component.function(energy), energy - row.onset_energy
        if row.subshell in solids:
            solid = solids[row.subshell]
            extended = np.where(above < 0, atom[above >= 0][0], atom)
            near = extended * np.interp(above, solid.energy, solid.values, left=0)
            continuum += atom[above < LINES_EV].sum()
            first = min(first, row.onset_energy)
            atom = np.where(above <= solid.energy[-1], near, atom)
        total += atom
    if lines is not None:
        shape = np.interp(energy - first, lines.energy, lines.values, left=0, right=0)
        total += LINES_SHARE * continuum * shape / shape.sum()
    return gaussian_filter1d(total, RESOLUTION_EV / 2.355 / STEP_EV)


def as_eels(data: np.ndarray, offset: float) -> hs.signals.Signal1D:
    """A signal with channels of the simulated width."""
    signal = hs.signals.Signal1D(data.astype(float))
    signal.set_signal_type("EELS")
    axis = signal.axes_manager[-1]
    axis.offset, axis.scale, axis.units = offset, STEP_EV, "eV"
    return signal


def main() -> None:
    """Print bias and root mean square error of Ti/O for each width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=10)
    number = parser.parse_args().spectra
    hs.preferences.General.show_progressbar = False
    logging.getLogger("hyperspy_eelsid").setLevel(logging.ERROR)
    rng = np.random.default_rng(0)

    def one(found: tuple[NearEdge, ...]) -> NearEdge:
        return found[rng.integers(len(found))]

    wide = np.arange(ENERGY[0] - LOSSES[-1], ENERGY[-1] - LOSSES[0] + STEP_EV / 2, STEP_EV)
    errors: dict[float, list[float]] = {width: [] for width in WIDTHS}
    for _ in range(number):
        solid = one(computed_near_edges("Ti", "L3"))
        titanium = {"L3": solid, "L2": solid}, one(computed_near_edges("Ti", "L"))
        oxygen = {"K": one(computed_near_edges("O", "K"))}, None
        loss = low_loss(rng.uniform(0.2, 1), rng.uniform(15, 26), rng.uniform(5, 15))
        truth = rng.uniform(0.5, 2)
        single = truth * edge("Ti", wide, *titanium) + edge("O", wide, *oxygen)
        spectrum = np.convolve(loss, single, mode="valid")[: len(ENERGY)]
        spectrum += rng.uniform(2, 6) * spectrum.max() * (ENERGY / 382) ** -rng.uniform(2.2, 4.2)
        spectrum = rng.poisson(COUNTS * spectrum / spectrum.mean())
        core, low = as_eels(spectrum, ENERGY[0]), as_eels(rng.poisson(ELECTRONS * loss), LOSSES[0])
        for width in WIDTHS:
            model = core.auto_model(
                elements=["Ti", "O"], low_loss=low, fine_structure=width, **PARAMETERS
            )
            maps = model.elemental_maps()
            errors[width].append(maps["Ti"].data.item() / maps["O"].data.item() / truth - 1)
    for width, values in errors.items():
        root_mean_square = np.sqrt(np.mean(np.square(values)))
        print(f"{width:g} eV: Ti/O {np.mean(values):+.1%} in the mean, {root_mean_square:.1%} rms")
    change = np.subtract(errors[WIDTHS[-1]], errors[WIDTHS[-2]])
    print(f"{WIDTHS[-2]:g} to {WIDTHS[-1]:g} eV: {np.sqrt(np.mean(change**2)):.1%} rms")


if __name__ == "__main__":
    main()
