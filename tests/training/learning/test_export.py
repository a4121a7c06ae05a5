import hashlib
import json
import shutil

import keras
import numpy as np
import pytest

from hyperspy_eelsid.identification import ensemble
from training.learning import export
from training.networks import build

pytestmark = pytest.mark.slow  # two networks are exported


@pytest.fixture(scope="module")
def exported(pub_simulator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    check = pub_simulator.block((21,), 80).spectra
    models = [build("vit"), build("unet")]
    members = [export.export_member(m, folder / f"{m.name}.compact.onnx", check) for m in models]
    export.write_card(folder, "untrained", members, 0.4, {"recipe": "none"}, {})
    return folder, models, check


def test_shipped_code_runs_what_is_exported(exported):
    folder, models, check = exported
    networks = ensemble.Ensemble(folder)
    expected = np.mean([model.predict(check, verbose=0) for model in models], axis=0)
    np.testing.assert_allclose(networks.predict(check), expected, atol=1e-5)
    assert networks.threshold == 0.4


def test_parity_on_noise(exported):
    folder, models, _ = exported
    noise = np.random.default_rng(0).random((4, 3072), np.float32)
    expected = np.mean([model.predict(noise, verbose=0) for model in models], axis=0)
    np.testing.assert_allclose(ensemble.Ensemble(folder).predict(noise), expected, atol=1e-5)


def test_card_describes_the_files(exported):
    folder, models, _ = exported
    card = json.loads((folder / "card.json").read_text())
    for member, model in zip(card["members"], models, strict=True):
        content = (folder / member["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == member["sha256"]
        assert member["parameters"] == model.count_params()


def test_a_network_that_changed_on_export_is_refused(exported, tmp_path, monkeypatch):
    _, models, check = exported
    monkeypatch.setattr(export, "PARITY", -1.0)
    with pytest.raises(RuntimeError, match="differs from the Keras network"):
        export.export_member(models[0], tmp_path / "vit.onnx", check[:2])


def test_features_are_computed_once_for_all_members(exported):
    folder, _, _ = exported
    card = json.loads((folder / "card.json").read_text())
    (features,) = {member["features"]["sha256"] for member in card["members"]}
    assert hashlib.sha256((folder / "features.onnx").read_bytes()).hexdigest() == features


def test_members_have_weights(exported, tmp_path):
    folder, models, check = exported
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    card = json.loads((folder / "card.json").read_text())
    card["members"][1]["weight"] = 3
    export.save_card(tmp_path, card)
    one, other = (model.predict(check, verbose=0) for model in models)
    expected = (one + 3 * other) / 4
    np.testing.assert_allclose(ensemble.Ensemble(tmp_path).predict(check), expected, atol=1e-5)


def test_a_network_that_sees_the_plain_spectrum(exported, tmp_path):
    spectra = keras.Input((3072,))
    model = keras.Model(spectra, keras.layers.Dense(80, activation="sigmoid")(spectra), name="line")
    member = export.export_member(model, tmp_path / "line.onnx", exported[2])
    assert "features" not in member
    export.write_card(tmp_path, "line", [member], 0.5, {}, {})
    expected = model.predict(exported[2], verbose=0)
    np.testing.assert_allclose(
        ensemble.Ensemble(tmp_path).predict(exported[2]), expected, atol=1e-5
    )
