"""Networks come back from their ONNX files as they were, and go on learning."""

import numpy as np
import pytest

from training.learning.export import export_member
from training.learning.restore import restore_member
from training.networks import build

SMALL = {
    "unet": {"widths": (8, 12, 16), "head": (16,)},
    "vit": {"stem": ((8, 8, 4), (12, 8, 8)), "blocks": 2, "heads": 2, "key_size": 4, "mlp": 8},
}


def untrained(name, seed):
    """A small network, its batch normalisations far from their initial values."""
    model = build(name, changes=SMALL[name])
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        low = 0.5 if weight.path.endswith(("variance", "gamma")) else -0.2
        if not weight.path.endswith("kernel"):
            weight.assign(rng.uniform(low, low + 0.5, weight.shape))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_restored_networks_are_equal(name, pub_simulator, tmp_path):
    spectra = pub_simulator.block((31,), 96).spectra
    original = untrained(name, seed=1)
    path = tmp_path / f"{name}.onnx"
    export_member(original, path, spectra[:16])
    restored = untrained(name, seed=2)
    restore_member(restored, path, spectra)
    expected = original.predict(spectra, verbose=0)
    np.testing.assert_allclose(restored.predict(spectra, verbose=0), expected, atol=2e-6)
    if name == "unet":
        # the statistics are those of the spectra: what training computes is nearly the same too
        norm = restored.get_layer("down0_norm0")
        assert not np.allclose(norm.moving_mean, original.get_layer("down0_norm0").moving_mean)
        learning = np.asarray(restored(spectra, training=True))
        np.testing.assert_allclose(learning, expected, atol=0.05)
        assert np.abs(np.asarray(original(spectra, training=True)) - expected).max() > 0.1


@pytest.mark.slow
def test_another_network_is_refused(pub_simulator, tmp_path):
    spectra = pub_simulator.block((31,), 8).spectra
    path = tmp_path / "unet.onnx"
    export_member(untrained("unet", seed=1), path, spectra)
    wider = build("unet", changes=SMALL["unet"] | {"widths": (8, 12, 24)})
    with pytest.raises(ValueError, match=r"unet.onnx has no .*kernel of shape"):
        restore_member(wider, path, spectra)
    deeper = build("unet", changes=SMALL["unet"] | {"widths": (8, 12, 16, 16)})
    with pytest.raises(ValueError, match="unet.onnx has no"):
        restore_member(deeper, path, spectra)
