"""Scores of an ensemble on simulated and on measured spectra."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS
from hyperspy_eelsid.energy_axis import ONSET_TOLERANCE_EV, edge_range, energy_axis
from hyperspy_eelsid.identification import rules
from hyperspy_eelsid.identification.network_input import to_network_input
from training.core_loss.dataset import SAMPLES_PER_BLOCK, get_set, make_simulator, simulate_block
from training.core_loss.simulation import Block
from training.learning import metrics
from training.physics.ionisation import EDGE_GROUPS, GROUP_LOW

if TYPE_CHECKING:
    from hyperspy.signals import Signal1D

_logger = logging.getLogger(__name__)

Predict = Callable[[np.ndarray], np.ndarray]
THRESHOLDS = np.round(np.arange(0.2, 0.81, 0.05), 2)
KEPT_SPECTRA = 1000
KEPT_PARAMETERS = ("query", "jump_ratio", "counts", "energy_offset")
N_GROUPS = [group.endswith("_N") for group in EDGE_GROUPS]
NEON_SEED = 10
UNSCORED = "C"  # support films


class Simulated(NamedTuple):
    """Simulated spectra and what a network says of them.

    Attributes
    ----------
    spectra
        Network input, shape (n, 3072); only the first thousand are kept.
    labels, probability
        Shape (n, 80) each.
    windows
        First and last energy of an onset that can be seen [eV], shape (n, 2).
    parameters
        Drawn parameters, whether an N edge is visible, and the onset of the only visible major edge [eV], NaN in
        spectra with more or none; arrays of length n.
    """

    spectra: np.ndarray
    labels: np.ndarray
    probability: np.ndarray
    windows: np.ndarray
    parameters: dict[str, np.ndarray]


class Measured(NamedTuple):
    """Measured spectra of a catalog and the probabilities of their elements, shape (n, 80)."""

    entries: list[dict]
    probability: np.ndarray


def simulated(predict: Predict, recipe: str, set_name: str, spectra: int, seed: int) -> Simulated:
    """Freshly simulated spectra and the probabilities of their elements.

    Parameters
    ----------
    predict
        From network input (n, 3072) to probabilities (n, 80).
    recipe, set_name, seed
        Which spectra, as in :func:`training.core_loss.dataset.write`; sets never share a sample.
    spectra
        Number of spectra.
    """
    simulator = make_simulator(recipe)
    per_block = SAMPLES_PER_BLOCK * get_set(set_name).spectra_per_sample
    blocks = (simulate_block(simulator, set_name, seed, i) for i in range(-(-spectra // per_block)))
    return _predicted(predict, blocks, spectra)


def beside_neon(predict: Predict, spectra: int, seed: int) -> Simulated:
    """Neon beside one other element, compounds that no training sample holds; "pub", both edges in the window.

    The published networks invented nickel there.
    """
    rng = np.random.default_rng((seed, NEON_SEED))
    query = np.full(spectra, ELEMENT_INDEX["Ne"])
    fractions = np.zeros((spectra, len(ELEMENTS)), np.float32)
    fractions[np.arange(spectra), rng.integers(len(ELEMENTS), size=spectra)] = 0.5
    fractions[:, ELEMENT_INDEX["Ne"]] = 0.5
    block = make_simulator("pub").simulate(rng, query, fractions)
    return _predicted(predict, [block], spectra)


def _only_onset(block: Block) -> np.ndarray:
    """Where the only visible major edge of each spectrum begins [eV]; NaN where there are more or none."""
    onset = block.groups @ GROUP_LOW[~np.isnan(GROUP_LOW)] + block.parameters["energy_offset"]
    return np.where(block.groups.sum(axis=1) == 1, onset, np.nan)


def _predicted(predict: Predict, blocks: Iterable[Block], number: int) -> Simulated:
    spectra, labels, probability, windows, parameters = [], [], [], [], []
    kept = 0
    for block in blocks:
        p = block.parameters
        window = np.stack([p["window_start"], p["window_end"]], axis=1)
        windows.append(window + (-ONSET_TOLERANCE_EV, ONSET_TOLERANCE_EV))
        probability.append(predict(block.spectra) * possible(windows[-1]))
        labels.append(block.labels)
        kept_parameters = {name: p[name] for name in KEPT_PARAMETERS}
        has_n_edge = block.groups[:, N_GROUPS].any(axis=1)
        more = {"has_n_edge": has_n_edge, "only_onset": _only_onset(block)}
        parameters.append(kept_parameters | more)
        spectra.append(block.spectra[: max(KEPT_SPECTRA - kept, 0)])
        kept += len(spectra[-1])
    together = {
        name: np.concatenate([q[name] for q in parameters])[:number] for name in parameters[0]
    }
    arrays = (np.concatenate(x)[:number] for x in (spectra, labels, probability, windows))
    return Simulated(*arrays, together)


def possible(windows: np.ndarray) -> np.ndarray:
    """Elements with a major edge in the window of each spectrum, bool, shape (n_spectra, 80)."""
    return np.array([rules.visible(*window) for window in windows])


def decisions(of: Simulated, threshold: float) -> np.ndarray:
    """Elements found in each spectrum by the rules of the package, uint8, shape (n_spectra, 80)."""
    result = np.zeros(of.probability.shape, np.uint8)
    for row, p, window in zip(result, of.probability, of.windows, strict=True):
        row[rules.judge(p, threshold, *window).elements] = 1
    return result


def best_threshold(validation: Simulated) -> float:
    """The most cautious threshold that gives as many exactly right spectra as the best, within a standard error.

    The exact match ratio hardly depends on the threshold near its maximum; the larger threshold invents less.

    References
    ----------
    L. Breiman et al., Classification and Regression Trees (1984), section 3.4.3, for the rule of one standard error.
    """
    exact = np.array(
        [
            metrics.scores(validation.labels, decisions(validation, threshold), 0.5)["emr"]
            for threshold in THRESHOLDS
        ]
    )
    best = exact.max()
    error = np.sqrt(best * (1 - best) / len(validation.labels))
    return float(THRESHOLDS[exact >= best - error].max())


def measured(
    catalog: Path, find: Callable, total_counts: int | None = None, offset: float = 0.0
) -> tuple[list[dict], list]:
    """What is found in the measured spectra of a catalog; images and line scans are summed.

    Parameters
    ----------
    catalog
        JSON list of entries with ``id``, ``file``, ``elements``, ``dont_care`` and ``has_N_edge``.
    find
        Called with each HyperSpy signal.
    total_counts
        Draw each spectrum anew by Poisson's law, with so many counts in total.
    offset
        Added to the energy axis of every spectrum [eV].

    Returns
    -------
    entries, found : list
        The catalog and what `find` returned for each entry.
    """
    import hyperspy.api as hs

    entries = json.loads(catalog.read_text())
    rng = np.random.default_rng(0)
    found = []
    for entry in entries:
        signal = hs.load(catalog.parent / entry["file"])
        if signal.axes_manager.navigation_dimension:
            signal = signal.sum()
        if total_counts is not None:
            expected = np.maximum(signal.data, 0)
            signal.data = rng.poisson(expected * (total_counts / expected.sum()))
        signal.axes_manager[-1].offset += offset
        found.append(find(signal))
    return entries, found


def measured_probability(predict: Predict, catalog: Path) -> dict[str, Measured]:
    """Measured spectra, all and those without N edges, and the probabilities that a network gives."""

    def probability(signal: Signal1D) -> np.ndarray:
        energy = energy_axis(signal)
        inputs = to_network_input(signal.data[np.newaxis], energy)
        return predict(inputs)[0] * rules.visible(*edge_range(energy))

    entries, rows = measured(catalog, probability)
    without = [not entry["has_N_edge"] for entry in entries]
    chosen = [entry for entry, keep in zip(entries, without, strict=True) if keep]
    return {
        "measured": Measured(entries, np.array(rows)),
        "measured without N edges": Measured(chosen, np.array(rows)[without]),
    }


def measured_scores(entries: list[dict], found: list[set[str]]) -> dict[str, object]:
    """Scores of measured spectra, with intervals; carbon and the elements of ``dont_care`` are not scored."""
    labels, answers = np.zeros((2, len(entries), len(ELEMENT_INDEX)), np.uint8)
    for label, answer, entry, elements in zip(labels, answers, entries, found, strict=True):
        ignored = {*entry["dont_care"], UNSCORED}
        label[[ELEMENT_INDEX[element] for element in set(entry["elements"]) - ignored]] = 1
        answer[[ELEMENT_INDEX[element] for element in elements - ignored]] = 1
    return metrics.scores(labels, answers, 0.5) | {"intervals": metrics.intervals(labels, answers)}
