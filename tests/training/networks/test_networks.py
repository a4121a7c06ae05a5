import keras
import numpy as np
import pytest

from training.networks import SIZES, build
from training.networks.features import VIEWS, SpectralFeatures
from training.networks.head import ClassToken, SequencePooling
from training.networks.resnet import PaddedShortcut

NAMES = ("mlp", "cnn", "unet", "resnet", "vit", "cct")
ALL_REDUCTIONS = ("global average", "feature weighting", "flatten", "token", "sequence pooling")
WITHOUT_TOKEN = {"mlp", "cnn", "unet", "resnet"}  # a class token needs attention


@pytest.fixture(scope="module")
def spectra(pub_simulator):
    block = pub_simulator.block((11,), 160)
    return block.spectra, block.labels


def test_unknown_network():
    with pytest.raises(ValueError, match="Unknown network perceptron/compact, options are mlp/"):
        build("perceptron")
    with pytest.raises(ValueError, match="Unknown network vit/huge"):
        build("vit", size="huge")


@pytest.mark.slow
def test_chosen_views(spectra):
    everything = np.asarray(SpectralFeatures()(spectra[0][:4]))
    chosen = np.asarray(SpectralFeatures(("window", "logarithm"))(spectra[0][:4]))
    np.testing.assert_array_equal(chosen, everything[..., [1, 5]])
    assert build("unet", views=()).count_params() < build("unet").count_params()
    with pytest.raises(ValueError, match="Unknown views .'colour'"):
        build("unet", views=("colour",))


def test_features_do_not_depend_on_the_scale_of_the_background(spectra):
    """A step of 5 % looks the same on a background ten times lower: what tells edges from their place."""
    energy = np.arange(3072)
    smooth = np.where((energy > 200) & (energy < 1500), (np.maximum(energy, 1) / 200.0) ** -2.5, 0)
    early, late = (smooth * (1 + 0.05 * (energy >= onset)) for onset in (500, 1200))
    features = np.asarray(SpectralFeatures()(np.stack([early, late]).astype(np.float32)))
    assert features.shape == (2, 3072, len(VIEWS))
    flat = features[..., 2]
    assert flat[0, 500:505].mean() == pytest.approx(flat[1, 1200:1205].mean(), rel=0.15)
    np.testing.assert_array_equal(features[..., 5], np.stack([smooth, smooth]) > 0)
    assert not features[:, :150].any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "millions"),
    [("mlp", 55.9), ("cnn", 45.4), ("unet", 19.9), ("resnet", 40.8), ("vit", 2.0), ("cct", 5.2)],
)
def test_published_networks(name, millions):
    """The counts that follow from the layers of Annys, Jannis and Verbeeck (2023)."""
    model = build(name, size="published")
    assert round(model.count_params() / 1e6, 1) == millions
    probability = model(np.zeros((1, 3072), np.float32))
    assert probability.shape == (1, 80)


@pytest.mark.parametrize("name", NAMES)
def test_probabilities(name, spectra):
    model = build(name)
    probability = model.predict(spectra[0][:8], verbose=0)
    assert probability.shape == (8, 80)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert 0.5e6 < model.count_params() < 3e6


def test_compact_networks_keep_their_weights():
    """Checkpoints of runs and the shipped networks depend on these."""
    vit, unet = build("vit"), build("unet")
    assert (vit.count_params(), len(vit.weights)) == (1_161_584, 79)
    assert (unet.count_params(), len(unet.weights)) == (2_305_104, 103)
    assert [w.path for w in vit.weights[:2]] == ["patches0/kernel", "patches0/bias"]
    assert vit.get_layer("feature_weighting").kernel.shape == (1, 96, 32)
    assert unet.get_layer("feature_weighting").kernel.shape == (1, 24, 8)


@pytest.mark.slow
@pytest.mark.parametrize("reduction", ALL_REDUCTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_reductions(name, reduction, spectra):
    """Those that A. Annys (2023) compared are there, and a network refuses what it cannot have."""
    if name == "mlp" or (reduction == "token" and name in WITHOUT_TOKEN):
        with pytest.raises(ValueError, match=f"Unknown reduction '{reduction}' of {name}, options"):
            build(name, reduction)
        return
    model = build(name, reduction)
    assert model(spectra[0][:2]).shape == (2, 80)
    names = {layer.name for layer in model.layers}
    assert ("class_token" in names) == (reduction == "token")
    assert reduction.replace(" ", "_").replace("token", "take_token") in names


def test_parts():
    x = np.arange(24, dtype=np.float32).reshape(1, 6, 4)
    shortcut = keras.ops.convert_to_numpy(PaddedShortcut(7)(x))
    np.testing.assert_array_equal(shortcut[0, :, 1:5], x[0, ::2])
    assert not shortcut[..., 0].any() and not shortcut[..., 5:].any()

    pooling = SequencePooling()
    pooling.build(x.shape)
    pooling.set_weights([np.array([[0.0], [0.0], [0.0], [1.0]])])
    weights = np.exp(x[0, :, 3]) / np.exp(x[0, :, 3]).sum()
    np.testing.assert_allclose(pooling(x)[0], weights @ x[0], rtol=1e-5)

    token = ClassToken()
    tokens = keras.ops.convert_to_numpy(token(x))
    np.testing.assert_array_equal(tokens[:, 1:], x)
    np.testing.assert_array_equal(tokens[0, 0], token.get_weights()[0][0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_networks_are_rebuilt_from_their_configuration(name, spectra):
    model = build(name, "token") if name == "cct" else build(name)
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    x = spectra[0][:4]
    np.testing.assert_allclose(copy(x), model(x), atol=1e-6)


# the published networks with few and narrow layers
TINY = {
    "mlp": {"widths": (64, 32), "pool": 2},
    "cnn": {"stride": 8, "stages": ((8,), (16,), (16, 16)), "kernel": 8, "head": (64, 64)},
    "unet": {"widths": (4, 8, 16), "kernel": 8, "head": (64, 64), "dropout": (0, 0.1, 0)},
    "resnet": {"stride": 8, "stages": ((8, 1), (16, 2), (32, 1)), "kernel": 8},
    "vit": {"stem": ((32, 32, 32),), "blocks": 1, "heads": 2, "mlp": 32},
    "cct": {
        "tokenizer": ((8, 8, 8), (16, 8, 4)),
        "blocks": 1,
        "heads": 2,
        "key_size": 8,
        "mlp": 32,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_loss_falls(name, spectra):
    keras.utils.set_random_seed(0)
    x, y = spectra
    network, numbers = SIZES[name, "published"]
    model = network(**numbers | TINY[name])
    model.compile(keras.optimizers.AdamW(2e-3), "binary_crossentropy")
    history = model.fit(x, y, batch_size=16, epochs=15, verbose=0).history["loss"]  # 150 steps
    # always answering the mean label gives this
    mean = np.clip(y.mean(axis=0), 1e-6, 1 - 1e-6)
    entropy = -np.mean(mean * np.log(mean) + (1 - mean) * np.log(1 - mean))
    assert history[-1] < 1.1 * entropy < history[0]
