"""Oxidation states of manganese from measured white lines, one source left out at a time; and what is simulated.

``python benchmarks/oxidation.py FOLDER`` reads ``manganese_literature.npz`` (arrays ``source``, ``state``, ``n``,
``energy`` and ``intensity``, spectra one after the other, without background) and ``MnO_measured.npz`` (``energy``,
``spectra``) in the folder. Nothing was chosen on them but what the user guide says; answers that are refused count as
wrong.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import hyperspy.api as hs
import numpy as np
from scipy.optimize import nnls

from hyperspy_eelsid.oxidation import OxidationStateClassifier, learning, references
from hyperspy_eelsid.oxidation.fractions import charge_of
from hyperspy_eelsid.oxidation.learning import TrainingSet

STEP_EV = 0.1
STATES = ("Mn2", "Mn3", "Mn4")
FROM_AN_IMAGE = 10  # spectra of one image to learn from, so that it does not outweigh other sources
NOISE = 0.1  # standard deviation in parts of the maximum
DRAWS = 10
AVERAGED_EV = (625.0, 668.0)
BEFORE_LINE_EV = 15.0
Spectra = list[tuple[str, hs.signals.Signal1D]]


def eels(data: np.ndarray, energy: np.ndarray) -> hs.signals.Signal1D:
    axes = [{"size": size} for size in data.shape[:-1]]
    axes.append(
        {
            "units": "eV",
            "offset": energy[0],
            "scale": energy[1] - energy[0],
            "size": len(energy),
        }
    )
    signal = hs.signals.Signal1D(data, axes=axes)
    signal.set_signal_type("EELS")
    return signal


def read(folder: Path) -> dict[str, Spectra]:
    """Source -> states and spectra; the image of MnO is one signal."""
    with np.load(folder / "manganese_literature.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    ends = np.cumsum(arrays["n"])
    sources: dict[str, Spectra] = {}
    for source, state, end, n in zip(
        arrays["source"], arrays["state"], ends, arrays["n"], strict=True
    ):
        energy, intensity = (
            arrays[x][end - n : end].astype(float) for x in ("energy", "intensity")
        )
        order = np.argsort(energy, kind="stable")
        axis = np.arange(energy.min(), energy.max(), STEP_EV)
        spectrum = np.interp(axis, energy[order], intensity[order])
        sources.setdefault(str(source), []).append((str(state), eels(spectrum, axis)))
    with np.load(folder / "MnO_measured.npz", allow_pickle=False) as file:
        image = eels(file["spectra"].astype(float), file["energy"].astype(float))
    sources["MnO"] = [("Mn2", image)]
    return sources


def pure(spectra: Spectra) -> Spectra:
    return [(state, signal) for state, signal in spectra if state in STATES]


def accuracy(right: list[tuple[str, np.ndarray]]) -> float:
    """Mean over states of the share of right answers."""
    states = {state for state, _ in right}
    return float(
        np.mean([np.concatenate([r for s, r in right if s == state]).mean() for state in states])
    )


def few(signal: hs.signals.Signal1D) -> hs.signals.Signal1D:
    size = signal.axes_manager.navigation_size
    return signal.inav[:: max(size // FROM_AN_IMAGE, 1)] if size > FROM_AN_IMAGE else signal


def learnt(sources: dict[str, Spectra], left_out: str, **given) -> OxidationStateClassifier:
    rows = [
        (state, few(s), name)
        for name in sources
        if name != left_out
        for state, s in pure(sources[name])
    ]
    labels, signals, groups = ([row[i] for row in rows] for i in range(3))
    return OxidationStateClassifier.fit(signals, labels, "Mn_L3", groups, **given)


def by_classifier(spectra: Spectra, classifier: OxidationStateClassifier) -> float:
    right = []
    for state, signal in pure(spectra):
        answer = np.ravel(signal.oxidation_states(classifier).state.data)
        right.append((state, answer == classifier.labels.index(state)))
    return accuracy(right)


def ratios(spectra: Spectra) -> dict[str, np.ndarray]:
    found: dict[str, list[np.ndarray]] = {}
    for state, signal in pure(spectra):
        found.setdefault(state, []).append(np.ravel(signal.white_lines("Mn").ratio.data))
    return {state: np.concatenate(values) for state, values in found.items()}


def by_ratio(spectra: Spectra, medians: dict[str, float]) -> float:
    """Share of the spectra whose ratio is nearest, in its logarithm, to that of their state."""
    names = list(medians)
    right = []
    for state, values in ratios(spectra).items():
        distance = np.abs(np.log(values)[:, np.newaxis] - np.log(list(medians.values())))
        nearest = np.nan_to_num(distance, nan=np.inf).argmin(axis=1)
        right.append((state, np.isfinite(values) & (np.array(names)[nearest] == state)))
    return accuracy(right)


def by_computed_ratio(spectra: Spectra) -> float:
    right = []
    for state, signal in pure(spectra):
        answer = np.ravel(signal.white_lines("Mn").oxidation_state().data)
        right.append((state, answer == charge_of(state)))
    return accuracy(right)


def by_computed_fit(spectra: Spectra) -> float:
    ions = references("Mn", STEP_EV, 0.8)
    right = []
    for state, signal in pure(spectra):
        valence = np.ravel(signal.oxidation_fractions(ions).valence.data)
        right.append((state, np.round(valence) == charge_of(state)))
    return accuracy(right)


def averaged(spectra: Spectra) -> dict[str, hs.signals.Signal1D]:
    """Mean spectrum of each state, first lines of unit height having been brought to the same place."""
    energy = np.arange(*AVERAGED_EV, STEP_EV)
    moved: dict[str, list[np.ndarray]] = {}
    places: dict[str, list[float]] = {}
    for state, signal in pure(spectra):
        place = float(signal.white_lines("Mn").position.data[0])
        axis = signal.axes_manager[-1].axis - place
        moved.setdefault(state, []).append(
            np.interp(energy - energy[0] - BEFORE_LINE_EV, axis, signal.data / signal.data.max())
        )
        places.setdefault(state, []).append(place)
    return {
        state: eels(
            np.mean(rows, axis=0), energy - energy[0] - BEFORE_LINE_EV + np.median(places[state])
        )
        for state, rows in moved.items()
    }


def by_measured_fit(sources: dict[str, Spectra]) -> None:
    """Mean spectra of one source fitted to the others."""
    given = averaged(sources["A"])
    for source in sources.keys() - {"A"}:
        right, off, misfits = [], [], []
        for state, signal in pure(sources[source]):
            fractions = signal.oxidation_fractions(given)
            valence = np.ravel(fractions.valence.data)
            right.append((state, np.round(valence) == charge_of(state)))
            off.append(np.abs(valence - charge_of(state)))
            misfits.append(fractions.misfit)
        print(
            f"mean spectra of A fitted to {source}: nearest charge {accuracy(right):.3f}, mean error of the valence "
            f"{np.nanmean(np.concatenate(off)):.3f}, median misfit {np.median(misfits):.1f}"
        )


def noisy(spectra: Spectra, rng: np.random.Generator) -> Spectra:
    result = []
    for state, signal in pure(spectra):
        shape = (DRAWS, signal.axes_manager.signal_size)
        level = NOISE * signal.data.max()
        data = signal.data + rng.normal(0, level, shape)
        result.append((state, eels(data, signal.axes_manager[-1].axis)))
    return result


def print_row(name: str, scores: list[float]) -> None:
    worst, mean = np.min(scores), np.mean(scores)
    print(
        f"{name:34s}",
        *(f"{x:6.3f}" for x in scores),
        f"  mean {mean:.3f}  worst {worst:.3f}",
        flush=True,
    )


def left_out(sources: dict[str, Spectra]) -> None:
    """One source left out."""
    print(f"{'one source left out':34s}", *(f"{name:>6s}" for name in sources))
    for given in (
        *({"kernel": kernel} for kernel in ("cosine", "linear", "rbf", "sigmoid")),
        *({"kernel": kernel, "align": False} for kernel in ("cosine", "rbf")),
    ):
        scores = [by_classifier(sources[s], learnt(sources, s, **given)) for s in sources]
        print_row(f"{given['kernel']}{'' if given.get('align', True) else ', not aligned'}", scores)
    scores = []
    for source in sources:
        others = [row for name in sources if name != source for row in sources[name]]
        medians = {state: float(np.nanmedian(r)) for state, r in ratios(others).items()}
        scores.append(by_ratio(sources[source], medians))
    print_row("ratio, medians of the others", scores)
    print_row("ratio, computed", [by_computed_ratio(sources[s]) for s in sources])
    print_row("fit of computed ions", [by_computed_fit(sources[s]) for s in sources])
    by_measured_fit(sources)


def with_noise(sources: dict[str, Spectra]) -> None:
    rng = np.random.default_rng(0)
    literature = [source for source in sources if source != "MnO"]
    scores = []
    for source in literature:
        classifier = learnt(sources, source)
        scores.append(by_classifier(noisy(sources[source], rng), classifier))
    print_row(f"cosine, noise of {NOISE:.0%}", scores)


def nothing_to_answer(sources: dict[str, Spectra]) -> None:
    rng = np.random.default_rng(0)
    energy = np.arange(615, 685, STEP_EV)
    step = 0.5 + np.arctan((energy - 641) / 0.5) / np.pi
    counts = 1000 + rng.normal(0, 30, (500, len(energy)))
    classifier = learnt(sources, "MnO")
    for name, data in (
        ("noise without background", counts - 1000),
        ("noise on a background", counts),
        ("bare steps", counts - 1000 + 300 * step),
    ):
        answered = eels(data, energy).oxidation_states(classifier).accepted.data.sum()
        print(f"{name}: {answered} of 500 answered")
    image = sources["MnO"][0][1].oxidation_states(classifier)
    print(f"MnO that it has not seen: {image.accepted.data.mean():.3f} accepted, {image!r}")


def disc(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Fraction of the shell and thickness of a particle with a core."""
    y, x = np.mgrid[:size, :size]
    r = np.hypot(y - size / 2, x - size / 2) / (size / 2)
    return 1 / (1 + np.exp(-(r - 0.55) / 0.08)), np.sqrt(np.clip(1.05 - r**2, 0.02, None))


def mixtures() -> Iterator[str]:
    """Simulated core and shell, mixed from computed ions."""
    energy = references("Mn", STEP_EV, 0.8)[0].axes_manager[-1].axis
    share, thickness = disc(48)
    given = {"Mn2+": None, "Mn3+": None}
    for title, resolution, drift, how in (
        ("references of the same resolution", 0.8, 0.0, {}),
        ("image 1.2 eV broader", np.hypot(0.8, 1.2), 0.0, {}),
        ("image 2 eV broader", np.hypot(0.8, 2.0), 0.0, {}),
        ("references 1.2 eV broader", 0.8, 0.0, {"broader": 1.2}),
        ("drift of 0.4 eV, followed", 0.8, 0.4, {"align": "pixel"}),
        ("drift of 0.4 eV, not followed", 0.8, 0.4, {}),
    ):
        broader = how.pop("broader", 0.0)
        ions = references("Mn", STEP_EV, np.hypot(0.8, broader))[:2]
        for ion in ions:
            del ion.metadata.Signal.reference
        labelled = dict(zip(given, ions, strict=True))
        pair = [ion.data for ion in references("Mn", STEP_EV, resolution)[:2]]
        rng = np.random.default_rng(0)
        clean = (1 - share)[..., np.newaxis] * pair[0] + share[..., np.newaxis] * pair[1]
        if drift:
            moves = rng.normal(0, drift, share.shape)
            clean = np.stack(
                [
                    np.interp(energy - move, energy, spectrum)
                    for move, spectrum in zip(
                        moves.ravel(), clean.reshape(-1, len(energy)), strict=True
                    )
                ]
            ).reshape(clean.shape)
        for counts in (100, 1000, 10000):
            shape = clean / clean.max() * thickness[..., np.newaxis] * counts
            under = 0.3 * counts * (energy / 630) ** -3.0
            signal = eels(rng.poisson(shape + under).astype(float), energy)
            fractions = signal.oxidation_fractions(labelled, **how)
            error = np.sqrt(fractions["Mn3+"].metadata.Signal.Noise_properties.variance.data)
            off = fractions["Mn3+"].data - share
            between = (share > 0.05) & (share < 0.95)
            pull = np.sqrt(np.nanmedian((off / error)[between] ** 2) / 0.455)
            yield (
                f"{title:34s} {counts:6d} counts: mean error {np.nanmean(np.abs(off)):.3f}, pull {pull:.2f}, "
                f"chi-squared {np.nanmedian(fractions.chi_squared.data):.2f}, "
                f"misfit {fractions.misfit:.1f}, not measured {np.isnan(off).mean():.3f}"
            )


def speed() -> None:
    ions = references("Mn", STEP_EV, 0.8)
    rng = np.random.default_rng(0)
    kept = slice(400, 700)
    energy = ions[0].axes_manager[-1].axis[kept]
    shapes = np.stack([ion.data[kept] for ion in ions])
    shares = rng.dirichlet(np.ones(3), 7826)
    signal = eels(rng.poisson(1000 * shares @ shapes / shapes.max() + 100).astype(float), energy)
    labels = [f"Mn{c}" for c in (2, 3, 4)]
    pure_spectra = rng.poisson(1000 * np.repeat(shapes, 200, axis=0) / shapes.max() + 100)
    training = [eels(x.astype(float), energy) for x in np.split(pure_spectra, 3)]
    start = time.process_time()
    classifier = OxidationStateClassifier.fit(training, labels, "Mn_L3")
    print(f"fit with grid search on 600 spectra: {time.process_time() - start:.1f} s")
    prepared = classifier.preparation
    net = np.repeat(pure_spectra - 100.0, 14, axis=0)[: len(signal.data)]
    vectors = prepared.vectors(net, np.full(len(net), 640.0), energy)
    training_set = TrainingSet(
        prepared.vectors(pure_spectra - 100.0, np.full(600, 640.0), energy),
        np.repeat(labels, 200),
        np.repeat("all", 600),
    )
    machine, _ = learning.fit(training_set, prepared, classifier.kernel, 0)
    one_by_one = machine.predict_proba
    columns = np.column_stack([*(ion.data[kept] for ion in ions), (energy / 640) ** -3.0])
    for name, work, baseline, slow, part in (
        (
            "classified",
            lambda: signal.oxidation_states(classifier),
            "predict_proba of scikit-learn alone",
            lambda: one_by_one(prepared.normalised(vectors)),
            1,
        ),
        (
            "fractions",
            lambda: signal.oxidation_fractions(ions),
            "scipy.optimize.nnls, one spectrum after another",
            lambda: [nnls(columns, spectrum) for spectrum in signal.data],
            1,
        ),
        (
            "white lines",
            lambda: signal.white_lines("Mn"),
            "the same, one spectrum after another",
            lambda: [signal.inav[i].white_lines("Mn") for i in range(100)],
            100 / len(signal.data),
        ),
    ):
        times = [min(timed(f) for _ in range(2)) for f in (work, slow)]
        print(
            f"7826 spectra of 300 channels, {name}: {times[0]:.2f} s; {baseline}: {times[1] / part:.2f} s, "
            f"{times[1] / part / times[0]:.1f} times as long"
        )


def timed(work) -> float:
    """Seconds of processor time, which a busy machine does not lengthen much."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print all scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=("left-out", "noise", "nothing", "mixtures", "speed"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    hs.preferences.General.show_progressbar = False
    sources = read(arguments.folder)
    parts = {
        "left-out": lambda: left_out(sources),
        "noise": lambda: with_noise(sources),
        "nothing": lambda: nothing_to_answer(sources),
        "mixtures": lambda: print(*mixtures(), sep="\n"),
        "speed": speed,
    }
    for name, part in parts.items():
        if arguments.only in (None, name):
            part()


if __name__ == "__main__":
    main()
