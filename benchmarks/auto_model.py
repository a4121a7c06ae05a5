"""Speed of the fit of all pixels at once, against exspy's own multifit on the same model.

Run with ``python benchmarks/auto_model.py``. The image has 60 x 130 pixels, 1,000 channels and 5 elements; multifit is
timed on a few pixels and scaled. It fits background and edges alone: the fine structure is fixed in it.
"""

from __future__ import annotations

import resource
import time

import hyperspy.api as hs
import numpy as np

from hyperspy_eelsid.edges import edges_in_window
from hyperspy_eelsid.edges.component import CoreLossEdge

SHAPE = (60, 130)
ENERGY = np.arange(380.0, 1380.0)
ELEMENTS = ("O", "Ti", "Mn", "Ba", "La")
PARAMETERS = {"beam_energy": 200.0, "convergence_angle": 10.0, "collection_angle": 30.0}
COUNTS = 500
MULTIFIT_PIXELS = 10


def image() -> hs.signals.Signal1D:
    """Random amounts of five elements on a power law, with Poisson noise."""
    rng = np.random.default_rng(0)
    data = 20 * (ENERGY / 500) ** -3 * np.ones((*SHAPE, 1))
    for element in ELEMENTS:
        spectrum = np.zeros_like(ENERGY)
        for edge in edges_in_window(element, ENERGY[0], ENERGY[-1]):
            component = CoreLossEdge(edge.name)
            component.set_microscope_parameters(*PARAMETERS.values(), energy_scale=1.0)
            spectrum += component.function(ENERGY)
        data += rng.random((*SHAPE, 1)) * 10 * spectrum / spectrum.max()
    signal = hs.signals.Signal1D(rng.poisson(data * COUNTS / data.mean()).astype(np.uint16))
    signal.set_signal_type("EELS")
    axis = signal.axes_manager[-1]
    axis.offset, axis.scale, axis.units = ENERGY[0], 1.0, "eV"
    signal.set_microscope_parameters(**PARAMETERS)
    return signal


def main() -> None:
    """Print pixels per second of both, and their ratio."""
    signal = image()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    model = signal.auto_model(elements=ELEMENTS, fit=False)
    built = time.perf_counter() - start
    start = time.perf_counter()
    model.fit_linear(show_progressbar=False)
    ours = np.prod(SHAPE) / (time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    atoms = signal.auto_model(elements=ELEMENTS, fine_structure=None, fit=False)
    start = time.perf_counter()
    atoms.fit_linear(show_progressbar=False)
    of_atoms = np.prod(SHAPE) / (time.perf_counter() - start)
    drift = signal.deepcopy()
    for row, data in enumerate(drift.data):
        data[:] = np.roll(data, row % 5 - 2, axis=-1)
    drifting = drift.auto_model(elements=ELEMENTS, fit=False)
    start = time.perf_counter()
    drifting.estimate_onset_shifts(show_progressbar=False)
    drifting.fit_linear(show_progressbar=False)
    per_pixel = np.prod(SHAPE) / (time.perf_counter() - start)
    onset = drifting.components.O_K.onset_energy.map["values"]
    found = np.corrcoef(onset.mean(axis=1), np.arange(SHAPE[0]) % 5)[0, 1]
    lazy = signal.as_lazy().auto_model(elements=ELEMENTS, fit=False)
    start = time.perf_counter()
    lazy.fit_linear(show_progressbar=False)
    blockwise = np.prod(SHAPE) / (time.perf_counter() - start)
    eager, same = model.elemental_maps(), lazy.elemental_maps()
    difference = max(
        np.abs(same[e].data - eager[e].data).max() / eager[e].data.max() for e in ELEMENTS
    )
    part = signal.inav[:MULTIFIT_PIXELS, :1].auto_model(elements=ELEMENTS, fit=False)
    start = time.perf_counter()
    part.multifit(show_progressbar=False)
    theirs = MULTIFIT_PIXELS / (time.perf_counter() - start)
    print(f"build the model   {built:10.2f} s")
    print(f"fit_linear        {ours:10.0f} pixels/s with fine structure, {of_atoms:.0f} without")
    print(
        f"lazy image        {blockwise:10.0f} pixels/s, amounts differ by {difference:.0e} at most"
    )
    print(f"shift per pixel   {per_pixel:10.0f} pixels/s, correlation with the drift {found:.3f}")
    print(f"multifit          {theirs:10.1f} pixels/s (on {MULTIFIT_PIXELS} pixels)")
    print(
        f"ratio             {ours / theirs:10.0f}, {of_atoms / theirs:.0f} without fine structure"
    )
    print(f"additional memory {(after - before) / 1e6:10.2f} GB")


if __name__ == "__main__":
    main()
