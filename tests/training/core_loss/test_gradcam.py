import keras
import numpy as np
import pytest
from keras import layers

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS
from hyperspy_eelsid.exceptions import UnknownElementError
from training.core_loss.gradcam import default_layers, positions, relevance, share_at_onset
from training.networks import SIZES


def tiny(name, **numbers):
    network, published = SIZES[name, "published"]
    return network(**published | numbers)


@pytest.fixture(scope="module")
def vit():
    keras.utils.set_random_seed(0)
    return tiny("vit", stem=((8, 16, 8),), blocks=2, heads=2, key_size=4, mlp=8, reduction="token")


def step_model(reduction, kernel):
    """A network with two features, rises and falls of the spectrum."""
    spectra = keras.Input((3072,), name="spectra")
    x = layers.Reshape((3072, 1))(spectra)
    x = layers.Conv1D(2, 8, strides=4, padding="same", activation="relu", name="steps")(x)
    x = reduction(x)
    x = layers.Dense(len(ELEMENTS), activation="sigmoid", name="probability")(x)
    model = keras.Model(spectra, x, name="step")
    rise = np.repeat([-0.25, 0.25], 4)
    model.get_layer("steps").set_weights([np.stack([rise, -rise], axis=1)[:, None], np.zeros(2)])
    model.get_layer("probability").set_weights([kernel, np.zeros(len(ELEMENTS))])
    return model


@pytest.fixture(scope="module")
def step_network():
    """Rises of the spectrum mean iron, falls mean oxygen."""
    kernel = np.full((2, len(ELEMENTS)), -50.0)
    kernel[0, ELEMENT_INDEX["Fe"]] = kernel[1, ELEMENT_INDEX["O"]] = 5000
    return step_model(layers.GlobalAveragePooling1D(), kernel)


def edge_spectrum(onset):
    energy = np.arange(3072)
    return np.where(energy < onset, 0, 1 - (energy - onset) / 10000).astype(np.float32)


@pytest.mark.parametrize("onset", [708, 1299, 2505])
def test_relevance_sits_at_the_onset(step_network, onset):
    found = relevance(step_network, edge_spectrum(onset)[None], "Fe")
    assert found.shape == (1, 3072) and found.max() == 1
    assert abs(int(found.argmax()) - onset) <= 4
    assert found[0, onset - 8 : onset + 8].sum() > 0.95 * found.sum()


def test_positions_behind_a_shortcut():
    """The features of a residual network lie where those of its convolutions do, at every halving."""
    model = tiny("resnet", stages=((4, 1), (8, 1), (8, 1)))
    for stage, step in enumerate((1, 2, 4)):
        both = [f"stage{stage}_block0_{name}" for name in ("add", "conv1")]
        shortcut, convolved = (positions(model, model.get_layer(name).output) for name in both)
        assert len(shortcut) == 3072 // step
        np.testing.assert_allclose(shortcut, convolved, atol=step)


def test_share_at_the_onset():
    relevance = np.eye(3072)[[520, 540, 600, 900]]
    assert share_at_onset(relevance, np.full(4, 532)) == 0.5
    assert share_at_onset(relevance, np.array([532, 532, 560, 532])) == 0.75


def test_each_spectrum_has_its_own_element(step_network):
    both = np.stack([edge_spectrum(708)] * 2)
    both[:, 2000:] -= 0.5
    found = relevance(step_network, both, ["Fe", "O"])
    assert np.abs(found.argmax(axis=1) - (708, 2000)).max() <= 4
    assert found[0, 1900:2100].max() == 0
    # nothing speaks for an element with negative weights only
    assert not relevance(step_network, both, "Ca").any()


def test_saturated_probabilities_are_explained(step_network):
    """The gradient of the probability would be zero here."""
    sharp = 500 * edge_spectrum(708)[None]
    assert float(step_network(sharp)[0, ELEMENT_INDEX["Fe"]]) == 1
    assert abs(int(relevance(step_network, sharp, "Fe").argmax()) - 708) <= 4


def test_a_feature_that_speaks_for_an_element_at_one_energy_only():
    kernel = np.zeros((768, 2, len(ELEMENTS)))
    kernel[:, 0, ELEMENT_INDEX["Fe"]] = -1
    kernel[170:185, 0, ELEMENT_INDEX["Fe"]] = 10  # 680 to 740 eV
    model = step_model(layers.Flatten(), kernel.reshape(1536, -1))
    spectrum = (edge_spectrum(400) + edge_spectrum(708))[None]
    assert not relevance(model, spectrum, "Fe").any()
    found = relevance(model, spectrum, "Fe", local=True)
    assert abs(int(found.argmax()) - 708) <= 4
    assert found[0, 380:420].max() == 0


def test_positions(vit):
    attention = vit.get_layer("block1_attention").output
    # patches of 16 channels every 8 channels, after the class token
    np.testing.assert_array_equal(positions(vit, attention)[1:], 7.5 + 8 * np.arange(383))
    assert np.isnan(positions(vit, attention)[0])

    cct = tiny("cct", tokenizer=((4, 32, 2),) * 3, blocks=1, heads=1, key_size=4, mlp=4)
    centres = positions(cct, cct.get_layer("norm").output)
    np.testing.assert_array_equal(centres, 112 + 8 * np.arange(356))

    unet = tiny("unet", widths=(2, 2, 2), kernel=3, head=(), dropout=(0,))
    last = unet.get_layer(default_layers(unet)[0])
    assert last.name == "up0_conv0_relu"
    np.testing.assert_allclose(positions(unet, last.output), np.arange(3072))


def test_mean_over_all_attention_layers(vit):
    spectra = np.stack([edge_spectrum(708), edge_spectrum(1500)])
    names = ("block0_attention", "block1_attention")
    assert default_layers(vit) == names
    single = [relevance(vit, spectra, "Fe", (name,)) for name in names]
    mean = np.mean(single, axis=0)
    mean /= mean.max(axis=1, keepdims=True)
    np.testing.assert_allclose(relevance(vit, spectra, "Fe"), mean, atol=1e-6)


def test_what_cannot_be_explained(vit):
    spectra = edge_spectrum(708)[None]
    with pytest.raises(UnknownElementError, match="Unknown element 'Xx'"):
        relevance(vit, spectra, "Xx")
    with pytest.raises(ValueError, match="mlp has no features along the energy axis"):
        relevance(tiny("mlp", widths=(4,), pool=8), spectra, "Fe")
