"""The comparison of trained networks: tables and figures of all the sets, in Markdown."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS
from training.core_loss import evaluate
from training.core_loss.evaluate import Simulated
from training.core_loss.gradcam import relevance, share_at_onset
from training.learning import metrics
from training.learning.batches import source_of
from training.learning.run import Network, Run, load_run
from training.markdown import table

_logger = logging.getLogger(__name__)

CONFUSED_PAIRS = 10
TIMED_SPECTRA = 64
EXPLAINED_SPECTRA = 100
NEON_SPECTRA = 800
UNSEEN_SEED = 1_000_003  # of no run
BINS = {
    "jump_ratio": (0.04, 0.1, 0.2, 0.5, 1, 2, 8),
    "counts": (1, 1e2, 1e3, 1e4, 1e6, 1e9),
}


def report(
    runs: list[Path], out: Path, spectra: int = 6000, seed: int = 1, catalog: Path | None = None
) -> None:
    """Compare networks on the simulated sets, and on measured spectra when there is a catalog of them.

    The threshold of each network is that at which precision meets recall on validation spectra, as published;
    no rules beyond the threshold are used.

    Parameters
    ----------
    runs
        Folders of finished runs.
    out
        Folder for ``report.md`` and the figures; made if it is not there.
    spectra
        Size of the simulated sets.
    seed
        Seed of the sets.
    catalog
        JSON catalog of measured spectra, see :func:`training.core_loss.evaluate.measured`.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows, sections = [], []
    for run in runs:
        network = load_run(run)
        _logger.info("%s", network.name)
        row, section = _judge(network, out, spectra, seed, catalog)
        rows.append(row)
        sections.append(section)
    text = "# Comparison of networks\n\n" + _markdown(rows) + "\n" + "\n".join(sections)
    (out / "report.md").write_text(text, encoding="utf-8")


def _judge(
    network: Network, out: Path, spectra: int, seed: int, catalog: Path | None
) -> tuple[dict[str, object], str]:
    """The network's row of the table, and its section."""

    def simulated(recipe: str, name: str, number: int = spectra) -> Simulated:
        return evaluate.simulated(network.predict, recipe, name, number, seed)

    validation = simulated("robust", "validation")
    threshold = metrics.balanced_threshold(validation.labels, validation.probability)

    def figures(of: Simulated) -> dict[str, float]:
        return metrics.scores(of.labels, of.probability, threshold)

    test = simulated("robust", "test")
    row: dict[str, object] = {
        "network": network.name,
        "million parameters": f"{network.model.count_params() / 1e6:.2f}",
        "spectra seen": network.spectra_seen,
        "threshold": f"{threshold:.2f}",
    }
    sets = {
        "robust test": test,
        "robust test without N edges": _chosen(test, ~test.parameters["has_n_edge"]),
        "pub test": simulated("pub", "test"),
        "Ne beside others": evaluate.beside_neon(network.predict, NEON_SPECTRA, seed),
    }
    for name, of in sets.items():
        row[name] = _cell(figures(of))
    for name, run in (
        ("trained on", network.run),
        # what the network would have been trained on with another seed: the difference is overfitting
        ("not trained on", replace(network.run, data=None, seed=UNSEEN_SEED)),
    ):
        labels, probability = _of_training(network, run, spectra)
        row[name] = _cell(metrics.scores(labels, probability, threshold))
    empty = simulated("pub", "empty", 1000)
    row["empty right"] = f"{np.mean(~(empty.probability > threshold).any(axis=1)):.3f}"
    pure = simulated("pub", "single-element", 800)
    row["pure elements"] = f"{figures(pure)['emr']:.3f}"
    row["relevance at the onset"], explained = _relevance(network, pure, threshold)
    if catalog is not None:
        measured = evaluate.measured_probability(network.predict, catalog)
        for name, chosen in measured.items():
            found = [
                {ELEMENTS[i] for i in np.flatnonzero(p > threshold)} for p in chosen.probability
            ]
            result = evaluate.measured_scores(chosen.entries, found)
            row[name] = _cell(result)
    row["ms a spectrum"] = f"{1e3 * _seconds(network.predict, test.spectra):.2f}"

    stem = network.name.replace(".", "_")
    _confusion_figure(pure, out / f"{stem}_confusion.png")
    _threshold_figure(test, out / f"{stem}_thresholds.png")
    if explained is not None:
        explained.savefig(out / f"{stem}_relevance.png", dpi=110)
        plt.close(explained)
    parts = [
        f"## {network.name}\n",
        f"![Mean probability of each element in spectra of pure elements]({stem}_confusion.png)\n",
        f"![Scores against the threshold]({stem}_thresholds.png)\n",
        f"![What the network looks at in four spectra]({stem}_relevance.png)\n" * bool(explained),
        "Most confused (pure elements): " + ", ".join(confused_pairs(pure)) + "\n",
    ]
    for name, edges in BINS.items():
        rows = _binned(test, name, edges, threshold)
        parts.append(f"By {name.replace('_', ' ')} (robust test):\n\n{_markdown(rows)}")
    parts.append(f"By element (robust test):\n\n{_markdown(_by_element(test, threshold))}")
    return row, "\n".join(parts)


def _cell(scores: dict[str, float]) -> str:
    return f"{scores['f1']:.3f} / {scores['emr']:.3f}"


def _of_training(network: Network, run: Run, spectra: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities, shape (n, 80) each, of the first spectra of a run."""
    make, arguments = source_of(run)
    batch = make(*arguments)
    steps = range(-(-min(spectra, network.spectra_seen) // run.batch_size))
    labels, probability = zip(
        *((labels, network.predict(x)) for x, labels in map(batch, steps)), strict=True
    )
    return np.concatenate(labels), np.concatenate(probability)


def _relevance(network: Network, pure: Simulated, threshold: float) -> tuple[str, Figure | None]:
    """How often the relevance of a right answer sits at the onset of the only edge, and a figure of some.

    The first share is that of Grad-CAM with mean gradients, as published, the second that with local ones.
    """
    kept = len(pure.spectra)
    right = np.all((pure.probability > threshold) == pure.labels, axis=1)
    onset = pure.parameters["only_onset"]
    rows = np.flatnonzero((right & np.isfinite(onset))[:kept])[:EXPLAINED_SPECTRA]
    spectra, onset = pure.spectra[rows], onset[rows]
    elements = [ELEMENTS[i] for i in pure.labels[rows].argmax(axis=1)]
    try:
        maps = [relevance(network.model, spectra, elements, local=local) for local in (False, True)]
    except (ValueError, NotImplementedError) as error:
        _logger.info("%s: %s", network.name, error)
        return "", None
    figure, all_axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained")
    for row, axes in enumerate(all_axes.flat[: len(rows)]):
        window = np.flatnonzero(spectra[row])
        axes.plot(window, spectra[row, window], color="k", linewidth=0.8)
        axes.fill_between(window, maps[1][row, window], alpha=0.5, label="relevance")
        axes.axvline(onset[row], color="r", linewidth=0.8, label=f"onset of {elements[row]}")
        axes.set(xlabel="Energy loss (eV)", yticks=())
        axes.legend(fontsize=7)
    return " / ".join(f"{share_at_onset(of, onset):.2f}" for of in maps), figure


def _chosen(of: Simulated, rows: np.ndarray) -> Simulated:
    """Some of the spectra, as scores need them."""
    return of._replace(labels=of.labels[rows], probability=of.probability[rows])


def _seconds(predict: Callable, spectra: np.ndarray) -> float:
    """Seconds for one of many spectra."""
    chosen = spectra[:TIMED_SPECTRA]
    predict(chosen)
    start = time.perf_counter()
    predict(chosen)
    return (time.perf_counter() - start) / len(chosen)


def confusion(pure: Simulated) -> np.ndarray:
    """Mean probability of each element (column) in spectra of each pure element (row), shape (80, 80)."""
    query = pure.parameters["query"]
    return np.array([pure.probability[query == i].mean(axis=0) for i in range(len(ELEMENTS))])


def confused_pairs(pure: Simulated) -> list[str]:
    """The elements that are most often taken for another, as ``"Sc for N 0.31"``, worst first."""
    matrix = confusion(pure)
    np.fill_diagonal(matrix, 0)
    worst = np.argsort(-matrix, axis=None)[:CONFUSED_PAIRS]
    pairs = zip(*np.unravel_index(worst, matrix.shape), strict=True)
    return [
        f"{ELEMENTS[other]} for {ELEMENTS[true]} {matrix[true, other]:.2f}" for true, other in pairs
    ]


def _confusion_figure(pure: Simulated, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(11, 10), layout="constrained")
    image = axes.imshow(confusion(pure), vmin=0, vmax=1, cmap="magma")
    ticks = range(len(ELEMENTS))
    axes.set_xticks(ticks, ELEMENTS, fontsize=5, rotation=90)
    axes.set_yticks(ticks, ELEMENTS, fontsize=5)
    axes.set(xlabel="Element found", ylabel="Element in the sample")
    figure.colorbar(image, label="Mean probability", shrink=0.8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _threshold_figure(test: Simulated, path: Path) -> None:
    results = [metrics.scores(test.labels, test.probability, t) for t in evaluate.THRESHOLDS]
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name in ("precision", "recall", "f1", "emr"):
        axes.plot(evaluate.THRESHOLDS, [result[name] for result in results], label=name)
    axes.set(xlabel="Threshold", ylabel="Score on the robust test set", ylim=(0, 1))
    axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _binned(
    test: Simulated, name: str, edges: tuple[float, ...], threshold: float
) -> list[dict[str, object]]:
    rows = []
    values = test.parameters[name]
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        chosen = (values >= low) & (values < high)
        if chosen.any():
            result = metrics.scores(test.labels[chosen], test.probability[chosen], threshold)
            scores = {key: f"{value:.3f}" for key, value in result.items()}
            rows.append({"from": f"{low:g}", "to": f"{high:g}", "spectra": chosen.sum()} | scores)
    return rows


def _by_element(test: Simulated, threshold: float) -> list[dict[str, object]]:
    rows = []
    for element, i in ELEMENT_INDEX.items():
        if test.labels[:, i].any():
            result = metrics.scores(test.labels[:, [i]], test.probability[:, [i]], threshold)
            scores = {key: f"{result[key]:.3f}" for key in ("precision", "recall", "f1")}
            rows.append({"element": element, "spectra": test.labels[:, i].sum()} | scores)
    return rows


def _markdown(rows: list[dict[str, object]]) -> str:
    """A table whose columns are the keys of the rows."""
    return table(rows[0], (row.values() for row in rows)) + "\n"
