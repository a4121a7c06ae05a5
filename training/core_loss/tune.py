"""Tune an ensemble to measured spectra whose elements are known, and say whether that helped."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS
from hyperspy_eelsid.energy_axis import edge_range, energy_axis
from hyperspy_eelsid.identification import ensemble, identify_elements, rules
from hyperspy_eelsid.identification.network_input import N_CHANNELS, normalise, to_network_input
from training.core_loss import evaluate
from training.core_loss.dataset import make_simulator
from training.core_loss.recipes import RECIPES
from training.core_loss.release import SCORES, release, restore
from training.learning.export import save_card
from training.learning.run import Run
from training.learning.train import train

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

_logger = logging.getLogger(__name__)

RECIPE = "robust"
LEAST_SPECTRA, LEAST_SAMPLES = 40, 8
SIMULATION_SEED = 98  # any that no other set has
BLOCK = 256
LARGEST_SHIFT_EV = 3
COUNTS = (1e5, 1e9)  # log-uniform, of a whole spectrum


class TooFewError(ValueError):
    """There are not enough measured spectra to learn from and to judge by."""


class Catalogue(NamedTuple):
    """Measured spectra with labels.

    Attributes
    ----------
    entries
        As in the file.
    spectra
        Network input, shape (n, 3072).
    labels
        1 for elements that are there; for those that may be there, the probability that the networks give. Shape
        (n, 80).
    kept
        Which are kept apart to judge by, bool, shape (n,).
    """

    entries: list[dict]
    spectra: np.ndarray
    labels: np.ndarray
    kept: np.ndarray


def tune(
    catalog: Path,
    out: Path,
    networks: Path,
    spectra: int = 16_384,
    measured_share: float = 0.25,
    learning_rate: float = 1e-4,
    kept_share: float = 0.25,
    seed: int = 0,
    test_spectra: int = 4000,
    workers: int = 1,
) -> dict[str, dict[str, object]]:
    """Train the members of an ensemble on simulated and on measured spectra.

    Every spectrum of a sample is either learned from or kept apart; what is kept apart is scored before and after.
    A command that was stopped goes on.

    Parameters
    ----------
    catalog
        JSON list of labelled spectra, as in :func:`training.core_loss.evaluate.measured`. Entries with the same
        ``sample``, or of the same file where they have none, are not divided.
    out
        Folder to write, which ``identify_elements(networks=...)`` takes. The runs lie in ``runs`` beside it.
    networks
        Folder of the ensemble to begin with.
    spectra
        Number of spectra that each member sees, measured ones repeated with other noise and small shifts.
    measured_share
        Share of the measured ones among them.
    learning_rate
        The highest; small, so that what was learned is kept.
    kept_share
        Share of the measured spectra that is kept apart.
    seed
        Of the division and of everything that is drawn.
    test_spectra
        Size of the simulated sets that give the threshold and the scores of the card.
    workers
        Processes that read.

    Returns
    -------
    dict[str, dict[str, object]]
        Scores of the measured spectra that were kept apart, ``"before"`` and ``"after"``.

    Raises
    ------
    TooFewError
        If there are fewer than 40 spectra or 8 samples.
    ValueError
        If a share is not between 0 and 1.
    """
    for name, share in (("measured_share", measured_share), ("kept_share", kept_share)):
        if not 0 < share < 1:
            raise ValueError(f"{name} must be between 0 and 1, not {share!r}.")
    measured = read_catalogue(catalog, networks, kept_share, seed)
    folder = out.with_name(f"{out.name}.runs")
    data = folder / "spectra.h5"
    if not data.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_spectra(data, measured, spectra, measured_share, seed)
    card = ensemble.Ensemble(networks).card
    starts = [folder / "start" / member["name"] for member in card.entries["members"]]
    if not all((start / "final.weights.h5").exists() for start in starts):
        shutil.rmtree(folder / "start", ignore_errors=True)  # what was stopped halfway
        restore(networks, folder / "start")
    runs = []
    for start in starts:
        run = Run.from_json((start / "run.json").read_text(encoding="utf-8"))
        run = replace(
            run,
            data=data,
            spectra=spectra,
            learning_rate=learning_rate,
            schedule="cosine",
            seed=seed,
            start=start,
            teachers=(),
        )
        runs.append(folder / f"{start.name}.tuned")
        train(run, runs[-1], workers)
    weights = [member.weight for member in card.members]
    release(runs, out, out.name, test_spectra, seed + 1, weights)
    scores = {
        when: _score(catalog, measured, folder_of)
        for when, folder_of in (("before", networks), ("after", out))
    }
    _describe(out, catalog, card.name, measured, seed, scores)
    return scores


def read_catalogue(catalog: Path, networks: Path, kept_share: float, seed: int) -> Catalogue:
    """The spectra of a catalogue, divided by samples into those to learn from and those to judge by.

    The parameters are those of :func:`tune`, and so is what is raised.
    """
    predict = ensemble.load(networks).predict

    def prepared(signal: EELSSpectrum) -> tuple[np.ndarray, np.ndarray]:
        energy = energy_axis(signal)
        spectrum = to_network_input(signal.data[np.newaxis], energy)
        return spectrum[0], predict(spectrum)[0] * rules.visible(*edge_range(energy))

    entries, results = evaluate.measured(catalog, prepared)
    samples = [str(entry.get("sample", entry["file"])) for entry in entries]
    names = sorted(set(samples))
    if len(entries) < LEAST_SPECTRA or len(names) < LEAST_SAMPLES:
        raise TooFewError(
            f"{catalog} has {len(entries)} spectra of {len(names)} samples. At least {LEAST_SPECTRA} spectra of "
            f"{LEAST_SAMPLES} samples are needed, to learn from and to judge by; train with a recipe of your own "
            "instead."
        )
    kept = np.zeros(len(entries), bool)
    for name in np.random.default_rng(seed).permutation(names):
        if kept.mean() >= kept_share:
            break
        kept |= np.array(samples) == name
    spectra, known = (np.array(rows, np.float32) for rows in zip(*results, strict=True))
    labels = np.zeros_like(known)
    for label, probability, entry in zip(labels, known, entries, strict=True):
        unsure = [ELEMENT_INDEX[e] for e in {*entry["dont_care"], evaluate.UNSCORED}]
        label[unsure] = probability[unsure]
        label[[ELEMENT_INDEX[element] for element in entry["elements"]]] = 1
    return Catalogue(entries, spectra, labels, kept)


def _write_spectra(path: Path, measured: Catalogue, number: int, share: float, seed: int) -> None:
    """A data set of simulated spectra and of measured ones that were drawn anew."""
    rng = np.random.default_rng((seed, SIMULATION_SEED))
    simulator = make_simulator(RECIPE)
    rows = np.flatnonzero(~measured.kept)
    part = path.with_suffix(".part")
    with h5py.File(part, "w") as file:
        file.attrs["recipe"] = json.dumps(asdict(RECIPES[RECIPE]))
        seen = file.create_dataset("spectra", (number, N_CHANNELS), np.float32)
        labels = file.create_dataset("labels", (number, len(ELEMENTS)), np.float32)
        for first in range(0, number, BLOCK):
            size = min(BLOCK, number - first)
            block = simulator.block((seed, SIMULATION_SEED, first), size)
            is_measured = rng.random(size) < share
            chosen = rng.choice(rows, size)
            drawn = np.array([drawn_anew(measured.spectra[row], rng) for row in chosen])
            column = is_measured[:, np.newaxis]
            seen[first : first + size] = np.where(column, drawn, block.spectra)
            labels[first : first + size] = np.where(column, measured.labels[chosen], block.labels)
    part.replace(path)


def drawn_anew(spectrum: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A measured spectrum with the noise of another number of counts, and its axis up to 3 eV off.

    Parameters
    ----------
    spectrum
        Network input, shape (3072,).
    rng
        Source of all randomness.
    """
    shift = rng.integers(-LARGEST_SHIFT_EV, LARGEST_SHIFT_EV + 1)
    expected = np.roll(spectrum, shift)
    if shift > 0:
        expected[:shift] = 0
    elif shift < 0:
        expected[shift:] = 0
    counts = np.exp(rng.uniform(*np.log(COUNTS)))
    positive = np.maximum(expected, 0)
    scale = counts / positive.sum()
    noise = rng.poisson(positive * scale) / scale - positive
    return normalise((expected + noise).astype(np.float32))


def _score(catalog: Path, measured: Catalogue, networks: Path) -> dict[str, object]:
    """Scores of the spectra that were kept apart."""
    _, found = evaluate.measured(catalog, partial(identify_elements, networks=networks))
    kept = np.flatnonzero(measured.kept)
    elements = [set(found[i].elements) for i in kept]
    return evaluate.measured_scores([measured.entries[i] for i in kept], elements)


def _describe(
    out: Path,
    catalog: Path,
    before: str,
    measured: Catalogue,
    seed: int,
    scores: dict[str, dict[str, object]],
) -> None:
    """Say in the card that the networks were tuned, to what, and what came of it."""
    kept = [
        str(entry["id"])
        for entry, apart in zip(measured.entries, measured.kept, strict=True)
        if apart
    ]
    tuned = {
        "from": before,
        "catalogue": catalog.name,
        "spectra learned from": int(np.count_nonzero(~measured.kept)),
        "kept apart": kept,
        "seed": seed,
        **scores,
    }
    save_card(out, ensemble.Ensemble(out).card.entries | {"tuned": tuned})
    for when, values in scores.items():
        line = " ".join(f"{name} {values[name]:.3f}" for name in SCORES)
        _logger.info("%-6s %d spectra that were kept apart: %s", when, len(kept), line)
