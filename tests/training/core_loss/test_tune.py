"""Networks are tuned to measured spectra, and judged by samples that they did not learn from."""

import json

import numpy as np
import pytest
from known_edges import as_eels

from hyperspy_eelsid.edges import ELEMENT_INDEX
from training import __main__ as program
from training.core_loss import dataset, release, tune
from training.learning import metrics, train
from training.learning.export import export_member, write_card
from training.networks import build

FORMULAS = ["SrTiO3", "LaMnO3", "BN", "Fe2O3", "GaAs"]
CHANGES = {"widths": [8, 12, 16], "head": [16]}
ENERGY = np.arange(300.0, 900.0)


@pytest.fixture
def write_catalogue(tmp_path):
    """Write a catalogue of spectra with or without O K, four spectra of each sample."""

    def write(number):
        rng = np.random.default_rng(0)
        entries = []
        for i in range(number):
            oxygen = i // 4 % 2
            expected = 1e5 * (ENERGY / 300) ** -3 * (1 + oxygen * (ENERGY > 532))
            name = f"{i}.hspy"
            as_eels(rng.poisson(expected).astype(float), ENERGY).save(tmp_path / name)
            entry = {"id": str(i), "file": name, "sample": i // 4, "dont_care": ["Ti"]}
            entries.append(entry | {"elements": ["O"] * oxygen, "has_N_edge": False})
        path = tmp_path / "catalogue.json"
        path.write_text(json.dumps(entries))
        return path

    return write


@pytest.fixture
def networks(tmp_path, pub_simulator):
    """An ensemble of one small network that learned nothing."""
    folder = tmp_path / "networks"
    check = pub_simulator.block((21,), 8).spectra
    model = build("unet", changes=CHANGES)
    rng = np.random.default_rng(1)
    for weight in model.weights:  # zeros would not be in the file
        if not weight.path.endswith("kernel"):
            weight.assign(rng.uniform(0.5, 1, weight.shape))
    member = export_member(model, folder / "tiny.onnx", check)
    described = {"network": "unet", "changes": CHANGES}
    run = {"run": "tiny", "recipe": "robust", "published_share": 0.0, "start": None}
    run |= {"spectra_seen": 64, "loss": 1.0, "network": described}
    write_card(folder, "tiny", [member | {"weight": 2.0}], 0.5, {"runs": [run]}, {})
    return folder


def test_too_few_spectra_are_refused(write_catalogue, steps_folder, tmp_path, monkeypatch):
    catalogue = write_catalogue(24)
    with pytest.raises(tune.TooFewError, match="24 spectra of 6 samples. At least 40"):
        tune.tune(catalogue, tmp_path / "tuned", steps_folder)
    with pytest.raises(SystemExit, match="tune: .* At least 40 spectra of 8 samples"):
        program.main(["tune", str(catalogue), "--out", "tuned", "--networks", str(steps_folder)])
    with pytest.raises(ValueError, match="kept_share must be between 0 and 1, not 1.5"):
        tune.tune(catalogue, tmp_path / "tuned", steps_folder, kept_share=1.5)
    assert not list(tmp_path.glob("tuned*"))


def test_samples_are_not_divided(write_catalogue, steps_folder):
    catalogue = write_catalogue(40)
    measured = tune.read_catalogue(catalogue, steps_folder, kept_share=0.25, seed=1)
    kept = measured.kept.reshape(10, 4)
    assert (kept.all(axis=1) == kept.any(axis=1)).all()
    assert measured.kept.sum() == 12
    again = tune.read_catalogue(catalogue, steps_folder, kept_share=0.25, seed=1)
    other = tune.read_catalogue(catalogue, steps_folder, kept_share=0.25, seed=2)
    assert (again.kept == measured.kept).all() and (other.kept != measured.kept).any()
    expected = [entry["elements"] == ["O"] for entry in measured.entries]
    assert (measured.labels[:, ELEMENT_INDEX["O"]] == expected).all()
    unsure = measured.labels[:, ELEMENT_INDEX["Ti"]]  # what the networks say: there is no step
    assert ((unsure > 0) & (unsure < 0.5)).all()


def test_spectra_drawn_anew_are_moved_and_noisy():
    spectrum = np.zeros(3072, np.float32)
    spectrum[300:900] = (ENERGY / 300) ** -3
    rng = np.random.default_rng(0)
    drawn = np.array([tune.drawn_anew(spectrum, rng) for _ in range(50)])
    starts = {int(np.flatnonzero(row)[0]) for row in drawn}
    assert min(starts) >= 297 and max(starts) <= 303 and len(starts) > 4
    assert drawn.max() == 1 and (drawn[:, 910:] == 0).all()
    assert len({round(float(np.abs(np.diff(row[400:800])).mean()), 7) for row in drawn}) > 40


@pytest.mark.slow
def test_tuned_networks_run_and_say_what_they_are(write_catalogue, networks, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "materials_project_formulas", lambda: FORMULAS)
    monkeypatch.setattr(train, "SPECTRA_PER_EPOCH", 128)
    monkeypatch.setattr(train, "VALIDATION_SPECTRA", 80)
    monkeypatch.setattr(release, "RESTORE_SPECTRA", 64)
    monkeypatch.setattr(release, "EMPTY_SPECTRA", 32)
    monkeypatch.setattr(metrics, "calibration", lambda labels, probability: (1.0, 0.0))
    out = tmp_path / "tuned"
    arguments = {"spectra": 128, "test_spectra": 64, "measured_share": 0.5}
    scores = tune.tune(write_catalogue(40), out, networks, **arguments)
    card = json.loads((out / "card.json").read_text())
    assert card["name"] == "tuned" and card["tuned"]["from"] == "tiny"
    assert len(card["tuned"]["kept apart"]) == 12
    assert card["tuned"]["spectra learned from"] == 28
    assert card["tuned"]["after"]["emr"] == scores["after"]["emr"]
    assert set(scores["before"]) >= {"f1", "emr", "intervals"}
    assert card["members"][0]["weight"] == 2.0
    signal = as_eels((ENERGY / 300) ** -3, ENERGY)
    assert signal.identify_elements(networks=out).networks == str(out)
