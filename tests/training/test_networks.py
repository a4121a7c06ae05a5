import keras
import numpy as np
import pytest

from training.networks import build
from training.networks.features import N_FEATURES, SpectralFeatures

NAMES = ("vit", "unet")


@pytest.fixture(scope="module")
def spectra(pub_simulator):
    block = pub_simulator.block((11,), 160)
    return block.spectra, block.labels


def test_unknown_network():
    with pytest.raises(ValueError, match="options are vit/compact"):
        build("perceptron")


def test_features_do_not_depend_on_the_scale_of_the_background(spectra):
    """A step of 5 % looks the same on a background ten times lower: what tells edges from their place."""
    energy = np.arange(3072)
    smooth = np.where((energy > 200) & (energy < 1500), (np.maximum(energy, 1) / 200.0) ** -2.5, 0)
    early, late = (smooth * (1 + 0.05 * (energy >= onset)) for onset in (500, 1200))
    features = np.asarray(SpectralFeatures()(np.stack([early, late]).astype(np.float32)))
    assert features.shape == (2, 3072, N_FEATURES)
    flat = features[..., 2]
    assert flat[0, 500:505].mean() == pytest.approx(flat[1, 1200:1205].mean(), rel=0.15)
    np.testing.assert_array_equal(features[..., 5], np.stack([smooth, smooth]) > 0)
    assert not features[:, :150].any()


@pytest.mark.parametrize("name", NAMES)
def test_probabilities(name, spectra):
    model = build(name)
    probability = model.predict(spectra[0][:8], verbose=0)
    assert probability.shape == (8, 80)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert model.count_params() < 3e6


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_rebuilt_from_their_configuration(name, spectra):
    model = build(name)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    x = spectra[0][:4]
    np.testing.assert_allclose(copy(x), model(x), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_loss_falls(name, spectra):
    keras.utils.set_random_seed(0)
    x, y = spectra
    model = build(name)
    model.compile(keras.optimizers.AdamW(2e-3), "binary_crossentropy")
    history = model.fit(x, y, batch_size=32, epochs=6, verbose=0).history["loss"]
    # always answering the mean label would give about 0.13
    assert history[-1] < 0.12 < history[0]
