"""How often a fit confirms elements that are there, and elements that are not.

Run with ``python benchmarks/second_opinion.py``. Each simulated spectrum is fitted with the elements visible in
it and up to two that are absent and lie more than 20 eV from every edge of the sample. An element is confirmed
by an amount of more than three standard errors: those of ``significance()``, and for comparison those of the fit
itself, which hold the scatter of the residuals alone. ``--measured FOLDER`` fits measured spectra as listed in its
``catalog.json``; angles that it does not know are guesses.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import hyperspy.api as hs
import numpy as np
from exspy.signals import EELSSpectrum

from hyperspy_eelsid.edges import ELEMENTS, edge_groups, visible_groups
from hyperspy_eelsid.energy_axis import measured_window
from hyperspy_eelsid.exceptions import EelsidError
from hyperspy_eelsid.quantification.second_opinion import SIGNIFICANT
from training.core_loss.dataset import make_simulator
from training.physics.cross_section_table import BEAM_ENERGIES_KEV

SEED_OF_SET = 77  # shared with no set of training
APART_EV = 20.0
ABSENT_PER_SPECTRUM = 2
COUNTS = 1e4
GUESSES = (200.0, 1.0, 50.0)  # beam energy [keV], convergence and collection semi-angle [mrad]


class Case(NamedTuple):
    """A spectrum, its parameters, elements to be confirmed, and those that may or may not be there."""

    signal: EELSSpectrum
    parameters: dict[str, float]
    visible: list[str]
    possible: list[str]


def simulated(seed: int, number: int) -> Iterator[Case]:
    """Spectra of the robust recipe; normalised, as networks get them."""
    block = make_simulator("robust").block((seed, SEED_OF_SET), number)
    for spectrum, labels, fractions, *drawn in zip(
        block.spectra,
        block.labels.astype(bool),
        block.fractions > 0,
        *(block.parameters[n] for n in ("beam", "convergence_angle", "collection_angle")),
        strict=True,
    ):
        recorded = np.flatnonzero(spectrum)
        first, last = recorded[0], recorded[-1]
        signal = EELSSpectrum(COUNTS * spectrum[first : last + 1].astype(float))
        axis = signal.axes_manager[-1]
        axis.offset, axis.scale, axis.units = first, 1.0, "eV"
        values = BEAM_ENERGIES_KEV[drawn[0]], *map(float, drawn[1:])
        symbols = np.array(ELEMENTS)
        yield Case(signal, _parameters(values), list(symbols[labels]), list(symbols[fractions]))


def measured(folder: Path) -> Iterator[Case]:
    """Measured spectra, and the sums of measured images."""
    for entry in json.loads((folder / "catalog.json").read_text(encoding="utf-8")):
        signal = hs.load(folder / entry["file"])
        if signal.axes_manager.navigation_dimension:
            signal = signal.sum(axis=signal.axes_manager.navigation_axes)
        signal.axes_manager[-1].units = "eV"
        beam = entry["beam"]
        known = (beam[f"{n}"] for n in ("beam_energy_keV", "convergence_mrad", "collection_mrad"))
        values = (k or guess for k, guess in zip(known, GUESSES, strict=True))
        yield Case(signal, _parameters(values), entry["elements"], entry["dont_care"])


def _parameters(values) -> dict[str, float]:
    names = "beam_energy", "convergence_angle", "collection_angle"
    return dict(zip(names, values, strict=True))


def judge(case: Case, rng: np.random.Generator) -> list[tuple[bool, float, float]]:
    """For each fitted element whether it is there, its significance, and the ratio to the error of the fit."""
    first, last = measured_window(case.signal.axes_manager[-1].axis)
    visible = [e for e in case.visible if visible_groups(e, first, last)]
    known = {e for e in (*visible, *case.possible) if e in ELEMENTS}
    taken = [onset for element in known for onset in edge_groups(element).values()]
    apart = [
        element
        for element in ELEMENTS
        if element not in known
        and (onsets := visible_groups(element, first + 10, last - 35).values())
        and all(abs(onset - other) > APART_EV for onset in onsets for other in taken)
    ]
    absent = rng.permutation(apart)[:ABSENT_PER_SPECTRUM].tolist()
    model = case.signal.auto_model(elements=visible + absent, **case.parameters)
    sure = model.significance()
    judged = []
    for element, amount in model.elemental_maps().items():
        error = np.sqrt(amount.metadata.Signal.Noise_properties.variance.data)
        judged.append(
            (element in visible, sure[element].total, float(np.squeeze(amount.data / error)))
        )
    return judged


def main() -> None:
    """Print the shares of present and of absent elements that are confirmed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measured", metavar="FOLDER", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spectra", type=int, default=320)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    rng = np.random.default_rng(arguments.seed)
    if arguments.measured:
        cases = measured(arguments.measured)
    else:
        cases = simulated(arguments.seed, arguments.spectra)
    judged, refused = [], 0
    for case in cases:
        try:
            judged += judge(case, rng)
        except EelsidError:
            refused += 1
    there, significance, ratio = (np.array(values) for values in zip(*judged, strict=True))
    print(f"{there.sum()} elements that are there, {(~there).sum()} absent ones; confirmed of them")
    for label, values in (("significance()", significance), ("error of the fit", ratio)):
        confirmed = values >= SIGNIFICANT
        print(f"{label:20s} {confirmed[there].mean():6.0%} {confirmed[~there].mean():6.0%}")
    print(f"spectra without an element to fit: {refused}")


if __name__ == "__main__":
    main()
