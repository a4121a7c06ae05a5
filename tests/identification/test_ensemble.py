import json

import numpy as np
import pytest
from step_ensemble import write_ensemble

from hyperspy_eelsid.edges import ELEMENT_INDEX
from hyperspy_eelsid.exceptions import DeviceError, WeightsError
from hyperspy_eelsid.identification.ensemble import WEIGHTS, Ensemble, load, models


@pytest.fixture
def spectra():
    energy = np.arange(3072.0)
    return np.stack([0.5 + 0.5 * (energy > onset) for onset in (532, 708, 3000)]).astype(np.float32)


def test_probability(steps_folder, spectra):
    probability = Ensemble(steps_folder).predict(spectra)
    assert probability.shape == (3, 80)
    assert probability[0, ELEMENT_INDEX["O"]] > 0.99 > 0.1 > probability[0, ELEMENT_INDEX["Fe"]]
    assert probability[1, ELEMENT_INDEX["Fe"]] > 0.99


def test_members_are_averaged(tmp_path, spectra):
    for name, sharpness in {"a": (20.0,), "b": (60.0,), "both": (20.0, 60.0)}.items():
        (tmp_path / name).mkdir()
        write_ensemble(tmp_path / name, sharpness)
    a, b, both = (Ensemble(tmp_path / name).predict(spectra) for name in ("a", "b", "both"))
    np.testing.assert_allclose(both, (a + b) / 2, atol=1e-6)


def test_batches_do_not_matter(steps_folder):
    networks = Ensemble(steps_folder)
    spectra = np.random.default_rng(0).random((300, 3072), np.float32)
    together = networks.predict(spectra)
    for row in (0, 127, 128, 299):
        np.testing.assert_allclose(
            networks.predict(spectra[row : row + 1])[0], together[row], atol=1e-6
        )
    assert networks.predict(spectra[:0]).shape == (0, 80)


def test_missing_and_altered_files(tmp_path):
    with pytest.raises(WeightsError, match=r"no card\.json"):
        Ensemble(tmp_path)
    write_ensemble(tmp_path)
    path = tmp_path / "steps0.onnx"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WeightsError, match="sha256 differs"):
        Ensemble(tmp_path)
    path.unlink()
    with pytest.raises(WeightsError, match=r"no steps0\.onnx"):
        Ensemble(tmp_path)


def test_networks_for_other_elements_are_refused(tmp_path):
    write_ensemble(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    card["elements"] = card["elements"][::-1]
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="another list of elements"):
        Ensemble(tmp_path)


def test_shipped_ensemble():
    """What is shipped loads, runs, is a ViT and a U-Net at least, and is small enough."""
    networks = load()
    assert {member["architecture"] for member in networks.card.entries["members"]} >= {
        "vit",
        "unet",
    }
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 40e6
    assert 0 < networks.threshold < 1
    assert networks.card.entries["scores"]
    probability = networks.predict(np.zeros((1, 3072), np.float32))
    assert probability.shape == (1, 80)
    # nothing was measured, so nothing is found
    assert probability.max() < networks.threshold


def test_ensembles_by_name_are_read_once():
    (name,) = models()
    assert load(name) is load()
    with pytest.raises(WeightsError, match="no ensemble 'large'"):
        load("large")


def test_an_ensemble_replaced_in_its_folder_is_read_anew(tmp_path, spectra):
    write_ensemble(tmp_path, (20.0,))
    before = load(tmp_path)
    assert load(tmp_path) is before
    write_ensemble(tmp_path, (60.0,))
    assert not np.allclose(load(tmp_path).predict(spectra), before.predict(spectra))


def test_devices(steps_folder, monkeypatch):
    assert Ensemble(steps_folder, "cpu").provider == "CPUExecutionProvider"
    with pytest.raises(ValueError, match="Unknown device 'tpu'"):
        Ensemble(steps_folder, "tpu")
    monkeypatch.setattr("hyperspy_eelsid.networks.session._has_cuda_driver", lambda: False)
    with pytest.raises(DeviceError, match="device='auto'"):
        Ensemble(steps_folder, "cuda")


def test_calibration_of_the_card_is_applied(tmp_path, spectra):
    write_ensemble(tmp_path)
    raw = Ensemble(tmp_path).predict(spectra)
    card = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | {"calibration": [0.5, -1.0]}))
    calibrated = Ensemble(tmp_path).predict(spectra)
    between = (raw > 1e-5) & (raw < 1 - 1e-5)
    odds = raw[between] / (1 - raw[between])
    expected = np.sqrt(odds) * np.exp(-1)
    np.testing.assert_allclose(calibrated[between], expected / (1 + expected), rtol=1e-3)


@pytest.mark.parametrize(
    "text", ["", "[3", "3", "[]", '{"name": "x", "members": []}', "[" * 200000]
)
def test_a_broken_card_is_told(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(WeightsError, match="not the card of an ensemble"):
        load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": "0.5"},
        {"threshold": 5},
        {"threshold": float("nan")},
        {"threshold": None},
        {"calibration": [1]},
        {"calibration": [float("nan"), 0]},
        {"calibration": [-1, 0]},
        {"elements": None},
        {"name": 5},
        {"members": []},
        {"members": {"a": 1}},
        {"members": ["x"]},
        {"members": None},
    ],
)
def test_wrong_entries_of_a_card(tmp_path, change):
    write_ensemble(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | change))
    with pytest.raises(
        WeightsError, match=f"not the card of an ensemble .*{next(iter(change))[:6]}"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../outside.onnx"},
        {"file": "/etc/hostname"},
        {"file": 5},
        {"sha256": None},
        {"weight": 0},
        {"weight": -3},
        {"weight": "1"},
        {"weight": float("nan")},
    ],
)
def test_wrong_members_of_a_card(tmp_path, change):
    write_ensemble(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    card["members"][0] |= change
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match=f"not the card of an ensemble .*{next(iter(change))}"):
        load(tmp_path)


def test_a_new_name_in_the_same_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("hyperspy_eelsid.identification.ensemble.WEIGHTS", write_ensemble(tmp_path))
    assert list(models()) == ["steps"]
    card = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | {"name": "new"}))
    assert list(models()) == ["new"] and load("new").name == "new"
