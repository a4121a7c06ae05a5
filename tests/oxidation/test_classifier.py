import json
import logging
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
from known_edges import as_eels, mixed
from numpy.testing import assert_allclose

pytest.importorskip("skl2onnx", reason="needs the extra oxidation")

from hyperspy_eelsid.exceptions import ArgumentError, EnergyAxisError, WeightsError
from hyperspy_eelsid.oxidation import OxidationStateClassifier, learning

LABELS = ("Mn2+", "Mn3+", "Mn4+")


def pure(charge, shape=(), **given):
    share = np.zeros((*shape, 3))
    share[..., charge - 2] = 1
    return mixed(share, **given)


def training_set(sessions=(0, 1), count=4):
    """Images of each state in sessions of other resolution and axis."""
    rows = []
    for session in sessions:
        for label, charge in zip(LABELS, (2, 3, 4), strict=True):
            signal = pure(
                charge, (count,), resolution=0.8 + 0.4 * session, seed=session, counts=500
            )
            signal.axes_manager[-1].offset += 1.5 * session
            rows.append((signal, label, f"session {session}"))
    return [list(column) for column in zip(*rows, strict=True)]


def fitted(**given):
    signals, labels, groups = training_set()
    return OxidationStateClassifier.fit(signals, labels, edge="Mn_L3", groups=groups, **given)


@pytest.fixture(scope="module", autouse=True)
def few_copies():
    """Enough to learn from spectra that differ little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "LEAST_VECTORS", 200)
        yield


@pytest.fixture(scope="module")
def classifier(few_copies):
    return fitted()


def unseen(charge, shape=(10,), **given):
    """From a third instrument: other noise, background, resolution and axis."""
    signal = pure(charge, shape, **({"resolution": 1.4, "seed": 9, "background": 3.0} | given))
    signal.axes_manager[-1].offset -= 2.0
    return signal


@pytest.mark.parametrize("kernel", ["cosine", "linear", "rbf", "sigmoid"])
def test_kernels_tell_states_on_another_instrument(kernel, classifier):
    told = classifier if kernel == "cosine" else fitted(kernel=kernel)
    for number, charge in enumerate((2, 3, 4)):
        states = unseen(charge).oxidation_states(told)
        assert (states.state.data == number).mean() > 0.9
        assert states.accepted.data.all()
    assert told.parameters["C"] > 0
    assert kernel in repr(told)


def test_probabilities_and_ratio(classifier):
    states = unseen(3).oxidation_states(classifier)
    total = sum(probability.data for probability in states.probabilities.values())
    assert_allclose(total, 1, atol=1e-5)
    assert states["Mn3+"].data.mean() > 0.8
    assert states.agrees_with_ratio.data.dtype == bool
    assert states.agrees_with_ratio.data.mean() > 0.7
    assert "Probability" in states["Mn3+"].metadata.Signal.quantity
    assert "raction" not in repr(states)
    assert states.state.metadata.EELSID.oxidation.labels == list(LABELS)


@pytest.mark.parametrize("factor", [1e-3, 1e6])
def test_intensity_does_not_change_a_cosine(classifier, factor):
    signal = unseen(3)
    expected, scaled = (s.oxidation_states(classifier) for s in (signal, signal * factor))
    for label in LABELS:
        assert_allclose(scaled[label].data, expected[label].data, atol=1e-6)


def test_noise_and_bare_steps_are_refused(classifier):
    energy = np.arange(600, 670, 0.1)
    rng = np.random.default_rng(0)
    step = 300 * (0.5 + np.arctan(2 * (energy - 641)) / np.pi)
    for clean in (0 * energy, 1000 + 0 * energy, step, 1000 + step):
        data = clean + rng.normal(0, 30, (100, len(energy)))
        states = as_eels(data, energy).oxidation_states(classifier)
        assert not states.accepted.data.any()
        assert np.isnan(states.state.data).all()
        assert np.isnan(states["Mn2+"].data).all()


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_signals_have_the_axes_of_the_image(classifier, shape, lazy):
    signal = unseen(2, shape)
    if shape:
        signal.data[0, 0] = np.nan
    states = (signal.as_lazy() if lazy else signal).oxidation_states(classifier)
    for quantity in (states.state, states.similarity, states.accepted, states["Mn2+"]):
        assert isinstance(quantity.data, da.Array) == lazy
        assert quantity.data.shape == (shape or (1,))
    accepted = np.asarray(states.accepted.data)
    assert accepted.sum() == accepted.size - bool(shape)


def test_shifts_without_alignment_are_learnt():
    signals, labels, groups = training_set(sessions=(0,))
    aligned, learnt = (
        OxidationStateClassifier.fit(signals, labels, "Mn_L3", groups, align=align)
        for align in (True, False)
    )
    far = pure(3, (10,), seed=5)
    far.axes_manager[-1].offset += 5
    assert (far.oxidation_states(aligned).state.data == 1).all()
    near = pure(3, (10,), seed=5)
    assert (near.oxidation_states(learnt).state.data == 1).mean() > 0.8


def test_cross_validation_leaves_a_group_out(classifier):
    table = classifier.cross_validate()
    assert list(table.index) == ["session 0", "session 1"]
    assert (table.accuracy > 0.8).all() and (table.spectra == 12).all()
    signals, labels, _ = training_set(sessions=(0,))
    alone = OxidationStateClassifier.fit(signals, labels, "Mn_L3").cross_validate()
    assert alone.remark.str.contains("not tested").all() and alone.accuracy.isna().all()


def test_a_state_of_one_group_is_not_tested():
    signals, labels, groups = training_set()
    kept = [
        i
        for i, row in enumerate(zip(labels, groups, strict=True))
        if row != (LABELS[0], "session 1")
    ]
    few = [[column[i] for i in kept] for column in (signals, labels, groups)]
    table = OxidationStateClassifier.fit(few[0], few[1], "Mn_L3", few[2]).cross_validate()
    assert "Mn2+" in table.remark["session 0"]
    assert table.accuracy["session 0"] > 0.8


def test_saved_and_loaded_it_is_the_same(classifier, tmp_path):
    classifier.save(tmp_path / "manganese")
    loaded = OxidationStateClassifier.load(tmp_path / "manganese")
    signal = unseen(4)
    for label in LABELS:
        assert_allclose(
            signal.oxidation_states(loaded)[label].data,
            signal.oxidation_states(classifier)[label].data,
        )
    assert loaded.labels == LABELS and loaded.groups == ("session 0", "session 1")
    with pytest.raises(ArgumentError, match="no training spectra"):
        loaded.cross_validate()
    with pytest.raises(FileExistsError):
        classifier.save(tmp_path / "manganese")
    classifier.save(tmp_path / "manganese", overwrite=True)


def test_the_runtime_agrees_with_scikit_learn(classifier):
    training = classifier._training
    machine, _ = learning.fit(training, classifier.preparation, "cosine", 0)
    inputs = classifier.preparation.normalised(training.vectors)
    expected = machine.predict_proba(inputs.astype(np.float32))
    assert_allclose(classifier.predict(training.vectors)[0], expected, atol=1e-5)


@pytest.mark.slow
def test_applying_needs_no_scikit_learn(classifier, tmp_path):
    classifier.save(tmp_path / "manganese")
    unseen(2).save(tmp_path / "signal.hspy")
    code = f"""
import sys
import hyperspy.api as hs
from hyperspy_eelsid.oxidation import OxidationStateClassifier
for name in ("sklearn", "skl2onnx", "onnx"):
    sys.modules[name] = None
classifier = OxidationStateClassifier.load({str(tmp_path / "manganese")!r})
states = hs.load({str(tmp_path / "signal.hspy")!r}).oxidation_states(classifier)
assert (states.state.data == 0).all()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_files_that_were_changed_are_refused(classifier, tmp_path):
    folder = tmp_path / "manganese"
    classifier.save(folder)
    for name in ("classifier.onnx", "references.npy"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-1] + b"x")
        with pytest.raises(WeightsError, match="sha256"):
            OxidationStateClassifier.load(folder)
        (folder / name).write_bytes(content)
    card = json.loads((folder / "card.json").read_text())
    del card["oxidation"]["edge"]
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="not the card of a classifier"):
        OxidationStateClassifier.load(folder)
    with pytest.raises(WeightsError, match="There is no"):
        OxidationStateClassifier.load(tmp_path / "nothing")


def test_what_cannot_be_learnt():
    signals, labels, groups = training_set(sessions=(0,), count=1)
    fit = OxidationStateClassifier.fit
    with pytest.raises(ArgumentError, match="at least two states"):
        fit(signals, ["Mn2+"] * 3, "Mn_L3")
    with pytest.raises(ArgumentError, match="3 signals, 2 labels"):
        fit(signals, labels[:2], "Mn_L3")
    with pytest.raises(ArgumentError, match="have no label"):
        fit(signals, ["Mn2+", None, "Mn4+"], "Mn_L3")
    with pytest.raises(ArgumentError, match="Unknown kernel"):
        fit(signals, labels, "Mn_L3", kernel="quadratic")
    twice = [*signals, signals[0]]
    with pytest.raises(ArgumentError, match="are the same"):
        fit(twice, [*labels, "Mn2+"], "Mn_L3", groups=["a", "a", "a", "b"])
    with pytest.raises(ArgumentError, match="are the same"):
        fit(twice, [*labels, "Mn3+"], "Mn_L3")
    with pytest.raises(EnergyAxisError, match="cuts Mn L2"):
        fit([s.isig[:650.0] for s in signals], labels, "Mn_L3")


def test_iron_warns(caplog):
    signals = [mixed(share, element="Fe") for share in np.eye(2)]
    with caplog.at_level(logging.WARNING):
        OxidationStateClassifier.fit(signals, ["Fe2+", "Fe3+"], "Fe_L3")
    assert "calibrated" in caplog.text


def test_plot(classifier):
    signal = unseen(2, (3, 4))
    signal.data[0, 0] = 0
    figure = signal.oxidation_states(classifier).plot()
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [*LABELS, "none"]
