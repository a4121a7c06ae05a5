"""Speed of the simulation, against a plain loop over exspy's edge components with the same physics.

Run with ``python benchmarks/simulation.py``. One process, one thread.
"""

from __future__ import annotations

import resource
import time

import numpy as np

from hyperspy_eelsid.edges import EDGES, ELEMENTS
from hyperspy_eelsid.edges.component import CoreLossEdge
from training.core_loss.dataset import make_simulator
from training.physics.cross_section_table import BEAM_ENERGIES_KEV
from training.physics.fine_structure import add_profile, largest_ratio, random_profile
from training.physics.low_loss import low_loss_transfer

BLOCK = 400
BLOCKS = 5
PLAIN_SPECTRA = 10


def plain_spectrum(
    rng: np.random.Generator, fractions: np.ndarray, p: dict, row: int
) -> np.ndarray:
    """One spectrum, component by component, as somebody would write it with exspy."""
    energy = np.arange(4096.0)
    total = np.zeros(4096)
    profile = np.empty(128, np.float32)
    for edge in EDGES:
        amount = fractions[row, ELEMENTS.index(edge.element)]
        if amount == 0:
            continue
        component = CoreLossEdge(edge.name)
        component.set_microscope_parameters(
            BEAM_ENERGIES_KEV[p["beam"][row]],
            p["convergence_angle"][row],
            p["collection_angle"][row],
            1.0,
        )
        component.onset_energy.value += float(p["energy_offset"][row])
        values = component.function(energy) * amount
        onset = round(component.onset_energy.value)
        random_profile(rng, 17, 75.0, p["atomic_diameter"][row], profile)
        edge_part = values[onset:].astype(np.float32)
        add_profile(edge_part, profile, largest_ratio(profile, 10.0) * edge_part.max())
        total[onset:] += edge_part
    one = slice(row, row + 1)
    transfer = low_loss_transfer(
        p["zero_loss_fwhm"][one],
        p["plasmon_energy"][one],
        p["plasmon_width"][one],
        p["thickness"][one],
        p["detector_tail"][one],
        p["detector_tail_width"][one],
    )
    total = np.fft.irfft(np.fft.rfft(total) * transfer[0])[:3072]
    start, end = p["window_start"][row], p["window_end"][row]
    background = (np.maximum(energy[:3072], 1) / start) ** -p["background_exponent"][row]
    spectrum = background + p["jump_ratio"][row] * total / max(total.max(), 1e-30)
    counts = rng.poisson(np.maximum(spectrum[start : end + 1], 0) * p["counts"][row])
    return counts / max(counts.max(), 1)


def main() -> None:
    """Print spectra per second of both, their ratio and the memory."""
    start = time.perf_counter()
    simulators = {name: make_simulator(name) for name in ("pub", "robust")}
    print(f"load the tables                {time.perf_counter() - start:8.1f} s")
    rates = {}
    for name, simulator in simulators.items():
        block = simulator.block((0,), BLOCK)  # compiles
        start = time.perf_counter()
        for number in range(BLOCKS):
            simulator.block((1, number), BLOCK)
        rates[name] = BLOCK * BLOCKS / (time.perf_counter() - start)
        print(f"{name:6} recipe                  {rates[name]:8.0f} spectra/s")
    block = simulators["pub"].block((0,), BLOCK)
    rng = np.random.default_rng(0)
    plain_spectrum(rng, block.fractions, block.parameters, 0)
    start = time.perf_counter()
    for row in range(PLAIN_SPECTRA):
        plain_spectrum(rng, block.fractions, block.parameters, row)
    plain = PLAIN_SPECTRA / (time.perf_counter() - start)
    print(f"one at a time, with exspy      {plain:8.2f} spectra/s")
    print(f"ratio, pub recipe              {rates['pub'] / plain:8.0f}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"largest resident memory        {memory:8.2f} GB")


if __name__ == "__main__":
    main()
