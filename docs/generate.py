"""Parts of the documentation that are made from the package itself, at every build.

``conf.py`` calls :func:`main`; the pages include the files that it writes.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from hyperspy_eelsid.edges import ELEMENTS, edge_groups
from hyperspy_eelsid.identification import ensemble, rules
from training.markdown import table

CHANGES = Path(__file__).parents[1] / "changelog.d"

# A. Annys, D. Jannis and J. Verbeeck, Sci. Rep. 13, 13724 (2023): 2 ViT and 3 U-Net, 64 million parameters, 100
# measured spectra
PUBLISHED = {"F1": (0.86, 0.89), "EMR": (0.70, 0.75)}

SETS = {
    "validation robust": "simulated, robust recipe, validation (chooses the threshold)",
    "test robust": "simulated, robust recipe, test",
    "test pub": "simulated, published recipe, test",
    "measured": "measured",
    "measured without N edges": "measured, spectra without N edges",
}


def main(folder: Path) -> None:
    """Write all generated parts into `folder`."""
    folder.mkdir(exist_ok=True)
    card = ensemble.load().card.entries
    for name, text in {
        "comparison": comparison(card["scores"]),
        "scores": scores(card["scores"]),
        "networks": networks(card),
        "elements": elements(),
        "confusions": confusions(),
        "unreleased": unreleased(),
    }.items():
        (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    reliability(card["scores"], folder / "reliability.png")
    offsets(card["scores"], folder / "offsets.png")


def comparison(scores: dict[str, Any]) -> str:
    """Ours beside the published scores on measured spectra."""
    missing = {"f1": float("nan"), "emr": float("nan")}  # of networks that were not evaluated yet
    both = [scores.get(name, missing) for name in ("measured", "measured without N edges")]
    return table(
        ("", "F1", "EMR", "F1 without N edges", "EMR without N edges"),
        [
            (
                "published (2 ViT + 3 U-Net, 64 million parameters; 100 spectra)",
                *(f"{PUBLISHED[score][i]:.2f}" for i in (0, 1) for score in ("F1", "EMR")),
            ),
            (
                "hyperspy_eelsid (as shipped; 86 other spectra)",
                *(f"{s[name]:.2f}" for s in both for name in ("f1", "emr")),
            ),
        ],
    )


def scores(scores: dict[str, Any]) -> str:
    """All scores that the card records."""
    rows = [
        (SETS.get(name, name), *(_score(figures, s) for s in ("f1", "emr", "precision", "recall")))
        for name, figures in scores.items()
        if isinstance(figures, dict) and "f1" in figures
    ]
    empty = scores["empty"]
    return (
        table(("spectra", "F1", "EMR", "precision", "recall"), rows)
        + f"\n\nEach simulated set has {scores['spectra']:,} spectra. Of {empty['spectra']:,} simulated "
        f"spectra without any edge, {empty['right']:,} have no element found. In brackets, where they were "
        "computed: 95 % confidence intervals, by resampling the spectra."
    )


def reliability(scores: dict[str, Any], path: Path) -> None:
    """Figure: how often elements are there, against their probability."""
    figure, axes = plt.subplots(figsize=(5, 4.5), layout="constrained")
    axes.plot((0, 1), (0, 1), color="0.7", linewidth=1)
    for name in ("test robust", "test pub"):
        bins = scores[name].get("reliability", {"probability": [], "frequency": []})
        axes.plot(bins["probability"], bins["frequency"], "o-", markersize=4, label=SETS[name])
    axes.set(xlabel="Probability given", ylabel="Share of elements that are there", aspect=1)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def offsets(scores: dict[str, Any], path: Path) -> None:
    """Figure: scores of measured spectra against an error of their energy axes."""
    rows = scores.get("energy offset of measured", [])
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for name in ("precision", "recall", "emr"):
        axes.plot([row["offset"] for row in rows], [row[name] for row in rows], "o-", label=name)
    axes.set(
        xlabel="Added to the energy axes (eV)", ylabel="Score on measured spectra", ylim=(0, 1)
    )
    axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _score(figures: dict[str, Any], name: str) -> str:
    """A score and, where the card has it, its 95 % confidence interval."""
    low, high = figures.get("intervals", {}).get(name, (None, None))
    return f"{figures[name]:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None else "")


def networks(card: dict[str, Any]) -> str:
    """What the shipped ensemble is made of."""
    rows = [
        (
            f"`{member['file']}`",
            member["architecture"],
            f"{member['parameters']:,}",
            f"{member.get('weight', 1):g}",
        )
        for member in card["members"]
    ]
    seen = "; ".join(_run(run) for run in card["training"]["runs"])
    low, high = card["energy_range"]
    calibration = "Probabilities are not calibrated."
    if "calibration" in card:
        slope, intercept = card["calibration"]
        calibration = (
            "Calibration (Platt) of the mean on simulated spectra: log-odds times "
            f"{slope:.3g} {intercept:+.3g}."
        )
    return "\n\n".join(
        [
            table(("file", "architecture", "parameters", "weight"), rows),
            f"- Name and date: {card['name']}, {card['date']}; licence {card['licence']}.\n"
            f"- Input: {low} to {high} eV in steps of {card['dispersion']:g} eV, {card['normalisation']}.\n"
            f"- Output: the probability of {len(card['elements'])} elements; the weighted mean of the networks.\n"
            f"- Threshold: {card['threshold']:g}.\n"
            f"- {calibration}\n"
            f"- Training: {seen}.",
        ]
    )


def _run(run: dict[str, Any]) -> str:
    """What a network was trained on."""
    text = f"`{run['run']}`, {run['spectra_seen']:,} spectra of the recipe `{run['recipe']}`"
    if share := run.get("published_share"):
        text += f", {share:.0%} of them of the published one"
    if start := run.get("start"):
        text += f", begun with the weights of `{start}`"
    return text


def elements() -> str:
    """The edges by which each element is recognised."""
    return table(
        ("element", "edges: onset (eV)"),
        (
            (element, ", ".join(f"{g}: {onset:g}" for g, onset in edge_groups(element).items()))
            for element in ELEMENTS
        ),
    )


def confusions() -> str:
    """Edges of two elements that coincide within chemical shifts."""
    edges = [(onset, e, group) for e in ELEMENTS for group, onset in edge_groups(e).items()]
    pairs = [
        (f"{a[1]}-{a[2]}", f"{a[0]:g}", f"{b[1]}-{b[2]}", f"{b[0]:g}")
        for a, b in itertools.combinations(sorted(edges), 2)
        if a[1] != b[1] and b[0] - a[0] <= rules.SAME_ONSET_EV
    ]
    return table(("edge", "onset (eV)", "edge", "onset (eV)"), pairs)


def unreleased() -> str:
    """Changes since the last release."""
    fragments = sorted(path for path in CHANGES.glob("*.md") if path.name != "README.md")
    entries = [" ".join(path.read_text(encoding="utf-8").split()) for path in fragments]
    return "\n".join(f"- {entry}" for entry in entries) or "Nothing yet."
