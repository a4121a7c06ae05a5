"""Throughput, latency and memory of identification, against an ensemble of the published size.

Run with ``python benchmarks/inference.py``. The published ensemble has two ViTs and three U-Nets (Annys, Jannis and
Verbeeck 2023); here it is built untrained, exported to ONNX and run by the same code on the same spectra, since its
speed does not depend on its weights.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hyperspy_eelsid.data import superlattice
from hyperspy_eelsid.energy_axis import energy_axis
from hyperspy_eelsid.identification import ensemble
from hyperspy_eelsid.identification.live import LiveIdentification
from hyperspy_eelsid.identification.network_input import to_network_input

PUBLISHED = {"vit": 2, "unet": 3}
IMAGE = (30, 130)
REPEATS = 50
PUBLISHED_SPECTRA = 32


def seconds(call: Callable[[], object], repeats: int = 1) -> float:
    """Median time of a call, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def published_ensemble(folder: Path) -> ensemble.Ensemble:
    """Networks of the published sizes, untrained, in ONNX files."""
    from training.learning.export import export_member, write_card
    from training.networks import build

    members = []
    for name, number in PUBLISHED.items():
        model = build(name, size="published")
        check = np.zeros((2, model.input_shape[1]), np.float32)
        members += [export_member(model, folder / f"{name}.published.onnx", check)] * number
    write_card(folder, "published size", members, 0.5, {}, {})
    return ensemble.Ensemble(folder)


def main() -> None:
    """Print the figures of both ensembles and their ratio."""
    start = time.perf_counter()
    networks = ensemble.load()
    loading = time.perf_counter() - start
    image = superlattice(IMAGE, show_progressbar=False)
    pixels = image.axes_manager.navigation_size
    end_to_end = pixels / seconds(lambda: image.identify_elements(show_progressbar=False).elements)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux
    spectrum = image.inav[0, 0]
    single = seconds(lambda: spectrum.identify_elements().elements, REPEATS)
    live = LiveIdentification(energy_axis(spectrum))
    frame = seconds(lambda: live.push(spectrum.data), REPEATS)
    one = to_network_input(spectrum.data[np.newaxis], live.energy)
    alone = seconds(lambda: networks.predict(one), REPEATS)
    inputs = to_network_input(image.data[0, :PUBLISHED_SPECTRA], energy_axis(image))
    ours = len(inputs) / seconds(lambda: networks.predict(inputs), 5)
    with tempfile.TemporaryDirectory() as folder:
        published = published_ensemble(Path(folder))
        theirs = len(inputs) / seconds(lambda: published.predict(inputs), 3)
        size = sum(member["parameters"] for member in published.card.entries["members"]) / 1e6
    print(f"load the networks          {loading:10.2f} s")
    print(f"image, all cores           {end_to_end:10.0f} spectra/s, {memory:.2f} GB at most")
    print(f"single spectrum            {1e3 * single:10.1f} ms")
    print(f"live frame                 {1e3 * frame:10.1f} ms")
    print(f"networks alone             {1e3 * alone:10.1f} ms, for one spectrum")
    print(f"networks alone, one core   {ours:10.0f} spectra/s")
    print(f"published size ({size:.0f} M)     {theirs:10.2f} spectra/s")
    print(f"ratio                      {ours / theirs:10.0f}")


if __name__ == "__main__":
    main()
