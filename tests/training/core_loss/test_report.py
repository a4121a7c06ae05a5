import json
import re

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_eelsid.edges import ELEMENTS, edge_groups
from training.core_loss import evaluate, report


@pytest.fixture
def quick_sets(monkeypatch, pub_simulator, simulator):
    """Sets from a stand-in for the cross sections."""
    recipes = {"pub": pub_simulator, "robust": simulator}
    monkeypatch.setattr(evaluate, "make_simulator", lambda recipe: recipes[recipe])


class Onsets:
    """A stand-in for a network: an element is there where the spectrum rises at an onset of its."""

    name = "onsets"

    def count_params(self):
        return 0

    def predict(self, spectra, **options):
        result = np.zeros((len(spectra), len(ELEMENTS)), np.float32)
        for i, element in enumerate(ELEMENTS):
            for onset in edge_groups(element).values():
                at = round(onset)
                rise = spectra[:, at + 2 : at + 22].mean(axis=1) - spectra[
                    :, at - 22 : at - 2
                ].mean(axis=1)
                result[:, i] = np.maximum(result[:, i], np.clip(rise * 4, 0, 1))
        return result


@pytest.mark.slow
def test_report_holds_all_sets(quick_sets, monkeypatch, tmp_path, make_eels):
    network = report.Network("onsets.compact.robust.0", Onsets(), report.Run("vit"), 123, 0.04)
    read = []

    def source_of(run):
        """The two batches that a run of 123 spectra has read."""
        read.append(run.seed)
        return lambda: lambda step: (np.zeros((64, 3072)), np.ones((64, 80)) * (step < 2)), ()

    monkeypatch.setattr(report, "source_of", source_of)

    def relevance(model, spectra, elements, local):
        """The published way sees nothing, the local one the first onset of the element."""
        onsets = [round(min(edge_groups(element).values())) for element in elements]
        return np.eye(3072)[onsets] * local

    monkeypatch.setattr(report, "relevance", relevance)
    monkeypatch.setattr(report, "load_run", lambda run: network)
    make_eels().save(tmp_path / "one.hspy")
    entry = {"id": "one", "file": "one.hspy", "elements": ["Ti", "O"], "dont_care": []}
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps([entry | {"has_N_edge": False}]))
    report.report([tmp_path], tmp_path / "out", spectra=320, catalog=catalog)
    text = (tmp_path / "out" / "report.md").read_text()
    for word in (
        "| 123 |",
        "Ne beside others",
        "empty right",
        "trained on",
        "measured without N edges",
    ):
        assert word in text
    assert read == [0, report.UNSEEN_SEED]
    for word in ("By jump ratio", "By counts", "By element", "Most confused"):
        assert word in text
    (shares,) = re.findall(r"\| (0\.\d\d) / (0\.\d\d) \|", text)
    assert shares[0] == "0.00" < shares[1]
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_onset_of_the_only_edge(quick_sets):
    of = evaluate.simulated(lambda x: np.zeros((len(x), 80)), "pub", "single-element", 160, seed=0)
    onset, offset = of.parameters["only_onset"], of.parameters["energy_offset"]
    for row in np.flatnonzero(np.isfinite(onset)):
        (element,) = np.flatnonzero(of.labels[row])
        assert onset[row] - offset[row] in edge_groups(ELEMENTS[element]).values()
    # elements with one major group always show one edge only
    assert np.isfinite(onset[of.parameters["query"] == ELEMENTS.index("O")]).all()


def test_confusion_of_pure_elements(quick_sets):
    def sees_scandium(spectra):
        """Whatever is there, scandium is seen too."""
        result = np.zeros((len(spectra), len(ELEMENTS)), np.float32)
        result[:, ELEMENTS.index("Sc")] = 0.8
        return result

    pure = evaluate.simulated(sees_scandium, "pub", "single-element", 160, seed=0)
    matrix = report.confusion(pure)
    nitrogen, scandium = ELEMENTS.index("N"), ELEMENTS.index("Sc")
    assert matrix[nitrogen, scandium] > 0
    assert matrix[nitrogen, nitrogen] == 0
    assert all(pair.startswith("Sc for") for pair in report.confused_pairs(pure))


def test_neon_stands_beside_another_element(quick_sets):
    of = evaluate.beside_neon(lambda spectra: np.zeros((len(spectra), 80)), 160, seed=0)
    assert of.labels[:, ELEMENTS.index("Ne")].all()
    assert (of.labels.sum(axis=1) <= 2).all() and (of.labels.sum(axis=1) == 2).any()


def test_counts_are_drawn_anew(make_eels, tmp_path):
    make_eels((2, 3)).save(tmp_path / "one.hspy")
    entry = {"id": "one", "file": "one.hspy", "elements": [], "dont_care": [], "has_N_edge": False}
    (tmp_path / "catalog.json").write_text(json.dumps([entry]))
    _, (signal,) = evaluate.measured(
        tmp_path / "catalog.json", lambda s: s, total_counts=5000, offset=3
    )
    assert signal.data.sum() == pytest.approx(5000, rel=0.1)
    assert signal.axes_manager[-1].offset == 403
    assert isinstance(signal, type(hs.load(tmp_path / "one.hspy").sum()))


@pytest.mark.slow
def test_of_thresholds_that_are_as_good_the_most_cautious_is_taken():
    """Right up to 0.6, where true elements with 0.62 begin to be lost; false ones have 0.3."""
    labels = np.zeros((400, 80), np.uint8)
    labels[:, ELEMENTS.index("O")] = 1
    probability = labels * 0.62
    probability[:, ELEMENTS.index("Fe")] = 0.3
    windows = np.tile([380.0, 1000.0], (400, 1))
    of = evaluate.Simulated(np.empty(0), labels, probability, windows, {})
    assert evaluate.best_threshold(of) == pytest.approx(0.6)
