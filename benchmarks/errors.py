"""Do the quoted errors tell the scatter? Fits of simulated images, beside the bounds of Cramér and Rao.

Run with ``python benchmarks/errors.py``. Each image has 30 x 30 pixels of O, Ti and Fe with white lines, of amounts
that vary ninefold. A pull is a fitted amount less the true one, over the quoted error. The bounds are those of an
unbiased fit of amounts and fine structure that knows the exponent of the background, and of one that fits three. A fit
of positive power laws lies between: it may be biased, and what is positive scatters less.
"""

from __future__ import annotations

import logging

import hyperspy.api as hs
import numpy as np

from hyperspy_eelsid.edges import edges_in_window
from hyperspy_eelsid.edges.component import CoreLossEdge
from hyperspy_eelsid.edges.fine_structure import FineStructure

SHAPE = (30, 30)
ENERGY = np.arange(400.0, 900.0)
AMOUNTS = {"O": 9.0, "Ti": 3.0, "Fe": 4.0}
LINES = {"O": 535.0, "Ti": 460.0, "Fe": 711.0}
PARAMETERS = {"beam_energy": 200.0, "convergence_angle": 10.0, "collection_angle": 30.0}
EXPONENTS_OF_THE_BOUNDS = ((3.0,), (1.0, 3.0, 5.0))
GAIN, READOUT = 4.0, 100.0  # counts of a CCD for an electron, and its noise in counts


def edges() -> dict[str, np.ndarray]:
    """Cross sections with white lines of three times the step, an array for each element."""
    result = {}
    for element, line in LINES.items():
        total = np.zeros_like(ENERGY)
        for edge in edges_in_window(element, ENERGY[0], ENERGY[-1]):
            component = CoreLossEdge(edge.name)
            component.set_microscope_parameters(*PARAMETERS.values(), energy_scale=1.0)
            total += component.function(ENERGY)
        result[element] = total * (1 + 3 * np.exp(-0.5 * ((ENERGY - line) / 3) ** 2))
    return result


def report(label: str, counts: float, kind: str, rng: np.random.Generator) -> None:
    """Print bias, pulls and scatter beside the bounds for an image of a mean number of electrons in a channel."""
    factors = {e: rng.uniform(0.2, 1.8, (*SHAPE, 1)) for e in AMOUNTS}
    signal = sum(AMOUNTS[e] * factors[e] * edge for e, edge in edges().items())
    background = 4 * signal.mean() * (ENERGY / 500) ** -3.0
    scale = counts / (signal + background).mean()
    expected = scale * (signal + background)
    data = rng.poisson(expected).astype(float)
    unit = scale
    if kind == "removed":
        data -= scale * background
    elif kind == "CCD":
        unit = GAIN * scale
        data = GAIN * data + rng.normal(0, READOUT, data.shape)
    image = hs.signals.Signal1D(data)
    image.set_signal_type("EELS")
    image.axes_manager[-1].offset, image.axes_manager[-1].units = ENERGY[0], "eV"
    image.set_microscope_parameters(**PARAMETERS)
    model = image.auto_model(elements=AMOUNTS, onset_shift=None)

    variance = expected + (READOUT / GAIN) ** 2 * (kind == "CCD")
    structures = [c for c in model if isinstance(c, FineStructure)]
    knots = np.concatenate([s.shapes(ENERGY) for s in structures], axis=1)
    columns = np.concatenate([np.stack(list(edges().values()), axis=1), knots], axis=1)
    bounds = []
    for exponents in EXPONENTS_OF_THE_BOUNDS:
        powers = np.stack([(ENERGY / 500) ** -r for r in exponents], axis=1)
        design = np.concatenate([columns] if kind == "removed" else [columns, powers], axis=1)
        design /= np.linalg.norm(design, axis=0)
        information = design.T @ (design / variance.mean(axis=(0, 1))[:, None])
        inverse = np.sqrt(np.diag(np.linalg.pinv(information, hermitian=True)))
        bounds.append(inverse[:3] / np.linalg.norm(columns[:, :3], axis=0))
    for number, (element, amount) in enumerate(model.elemental_maps().items()):
        truth = unit * AMOUNTS[element] * factors[element][..., 0]
        error = np.sqrt(amount.metadata.Signal.Noise_properties.variance.data)
        difference = amount.data - truth
        pull = difference / error
        known, free = (bound[number] * unit / scale for bound in bounds)
        print(
            f"{label:32s} {element:2s} {difference.mean() / truth.mean():+8.1%} {pull.mean():+6.2f} "
            f"{np.sqrt((pull**2).mean()):6.2f} {np.nanmean(model.red_chisq.data):6.2f}   "
            f"{difference.std() / known:5.2f} {difference.std() / free:5.2f}"
        )


def main() -> None:
    """Print a row for each kind of image and element."""
    hs.preferences.General.show_progressbar = False
    logging.getLogger("hyperspy_eelsid").setLevel(logging.ERROR)
    rng = np.random.default_rng(0)
    print(
        f"{'':32s}         bias   mean    rms  chi2/n   scatter / bound, known and free exponents"
    )
    for counts in (200, 2000, 20000):
        report(f"{counts} electrons", counts, "counted", rng)
    report("2000, background removed", 2000, "removed", rng)
    report("2000, CCD", 2000, "CCD", rng)
    report("200, CCD, mostly readout noise", 200, "CCD", rng)


if __name__ == "__main__":
    main()
