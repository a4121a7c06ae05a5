"""Turn trained runs into the ensemble that is shipped: export, choose the threshold, score, write the card."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from hyperspy_eelsid.identification import ensemble, identify_elements
from training.core_loss import evaluate
from training.core_loss.dataset import make_simulator
from training.learning import metrics
from training.learning.export import export_member, save_card, write_card
from training.learning.restore import restore_member
from training.learning.run import Network, Run, load_run, write_run
from training.networks.features import FEATURES

_logger = logging.getLogger(__name__)

EMPTY_SPECTRA = 1000
CHECKED_SPECTRA = 64
FEW_COUNTS = 200_000
ARCHITECTURE = ("network", "size", "reduction", "views", "changes")
RESTORE_SEED = 97  # any that no training has: statistics of batch normalisations
RESTORE_SPECTRA = 2048
SCORES = ("precision", "recall", "f1", "emr")
OFFSETS_EV = (-20, -15, -10, -5, 0, 5, 10, 15, 20)


def release(
    runs: list[Path],
    out: Path,
    name: str,
    spectra: int,
    seed: int,
    weights: list[float] | None = None,
) -> None:
    """Export `runs` as one ensemble into the folder `out`; its probability is their mean with `weights`.

    The threshold is the one with the most exactly right simulated validation spectra; the scores of the card are
    those of test spectra, whose seeds no network was trained or validated on.
    """
    check = make_simulator("robust").block((seed, 99), CHECKED_SPECTRA).spectra
    (out / f"{FEATURES}.onnx").unlink(missing_ok=True)
    members = []
    trained = [load_run(run) for run in runs]
    for network, weight in zip(trained, weights or [1] * len(trained), strict=True):
        path = out / f"{network.name}.onnx"
        member = export_member(network.model, path, check)
        members.append(member | {"weight": weight})
        _logger.info("%s", members[-1])
    history = [
        {
            "run": network.name,
            "spectra_seen": network.spectra_seen,
            "loss": network.loss,
            "recipe": network.run.recipe,
            "published_share": network.run.published_share,
            "start": network.run.start and Path(network.run.start).name,
            "network": {
                entry: value
                for entry in ARCHITECTURE
                if (value := getattr(network.run, entry)) is not None
            },
        }
        for network in trained
    ]
    training = {"runs": history}
    write_card(out, name, members, 0.5, training, {})
    raw = evaluate.simulated(ensemble.Ensemble(out).predict, "robust", "validation", spectra, seed)
    possible = evaluate.possible(raw.windows)
    calibration = metrics.calibration(raw.labels[possible], raw.probability[possible])
    write_card(out, name, members, 0.5, training, {}, calibration)
    networks = ensemble.Ensemble(out)
    predict = networks.predict
    validation = raw._replace(probability=networks.calibrated(raw.probability) * possible)
    threshold = evaluate.best_threshold(validation)

    def figures(of: evaluate.Simulated) -> dict[str, object]:
        found = evaluate.decisions(of, threshold)
        possible = evaluate.possible(of.windows)
        bins = metrics.reliability(of.labels[possible], of.probability[possible])
        return metrics.scores(of.labels, found, 0.5) | {
            "intervals": metrics.intervals(of.labels, found),
            "calibration_error": metrics.calibration_error(bins),
            "reliability": {name: values.tolist() for name, values in bins._asdict().items()},
        }

    scores: dict[str, object] = {"spectra": spectra, "validation robust": figures(validation)}
    for recipe in ("robust", "pub"):
        test = evaluate.simulated(predict, recipe, "test", spectra, seed)
        scores[f"test {recipe}"] = figures(test)
    empty = evaluate.simulated(predict, "pub", "empty", EMPTY_SPECTRA, seed)
    wrong = evaluate.decisions(empty, threshold).any(axis=1)
    scores["empty"] = {"spectra": EMPTY_SPECTRA, "right": int(np.sum(~wrong))}
    write_card(out, name, members, threshold, training, scores, calibration)
    networks = ensemble.Ensemble(out)
    save_card(out, networks.card.entries | {"test_output": networks.test_output()})
    _logger.info("threshold %.2f, %s", threshold, scores)


def restore(networks: Path, out: Path) -> list[Path]:
    """Write the members of an ensemble as finished runs, so that training goes on from what was released.

    Parameters
    ----------
    networks
        Folder with ``card.json`` and ONNX files.
    out
        Folder in which each member gets the folder of its name.

    Returns
    -------
    list[Path]
        The folders.

    Raises
    ------
    FileExistsError
        If one of them exists.
    """
    card = ensemble.Ensemble(networks).card.entries
    folders = [out / member["name"] for member in card["members"]]
    if existing := [folder.name for folder in folders if folder.exists()]:
        raise FileExistsError(f"{out} holds {', '.join(existing)} already.")
    spectra = make_simulator("robust").block((RESTORE_SEED,), RESTORE_SPECTRA).spectra
    histories = {history["run"]: history for history in card["training"]["runs"]}
    for member, folder in zip(card["members"], folders, strict=True):
        history = histories[member["name"]]
        run = Run(
            **{"network": member["architecture"]} | history.get("network", {}),
            recipe=history["recipe"],
            published_share=history["published_share"],
            spectra=history["spectra_seen"],
            start=history["start"],
        )
        model = run.build()
        restore_member(model, networks / member["file"], spectra)
        write_run(
            folder, Network(folder.name, model, run, history["spectra_seen"], history["loss"])
        )
        _logger.info("%s", folder)
    return folders


def score_measured(catalog: Path, record: bool = False) -> None:
    """Print the scores of the shipped ensemble on measured spectra at a range of thresholds.

    Parameters
    ----------
    catalog
        JSON list of labelled spectra, as in :func:`training.core_loss.evaluate.measured`.
    record
        Write the scores at the ensemble's own threshold into its card.
    """
    entries, results = evaluate.measured(catalog, identify_elements)
    _, noisy = evaluate.measured(catalog, identify_elements, total_counts=FEW_COUNTS)
    networks = ensemble.load()

    def figures(threshold: float) -> dict[str, dict[str, object]]:
        found, few = (
            [set(result.with_threshold(threshold).elements) for result in some]
            for some in (results, noisy)
        )
        chosen = [i for i, entry in enumerate(entries) if not entry["has_N_edge"]]
        some = [entries[i] for i in chosen], [found[i] for i in chosen]
        return {
            "measured": evaluate.measured_scores(entries, found),
            "measured without N edges": evaluate.measured_scores(*some),
            f"measured with {FEW_COUNTS:,} counts": evaluate.measured_scores(entries, few),
        }

    _logger.info("the threshold of the ensemble is %.2f", networks.threshold)
    for threshold in evaluate.THRESHOLDS:
        for name, scores in figures(threshold).items():
            _logger.info("%.2f  %-26s %s", threshold, name, _line(scores))
    if record:
        shifted = {"energy offset of measured": [_with_offset(catalog, o) for o in OFFSETS_EV]}
        scores = networks.card.entries["scores"] | figures(networks.threshold) | shifted
        save_card(ensemble.WEIGHTS, networks.card.entries | {"scores": scores})


def _with_offset(catalog: Path, offset: float) -> dict[str, object]:
    """Scores of measured spectra whose energy axes are wrong by `offset` [eV]."""
    entries, results = evaluate.measured(catalog, identify_elements, offset=offset)
    scores = evaluate.measured_scores(entries, [set(result.elements) for result in results])
    _logger.info("%+3.0f eV  %s", offset, _line(scores))
    return {"offset": offset} | {name: scores[name] for name in SCORES}


def _line(scores: dict[str, object]) -> str:
    return " ".join(f"{name} {scores[name]:.3f}" for name in SCORES)
