"""Vision transformer for spectra (Dosovitskiy et al., arXiv:2010.11929), with patches along the energy axis."""

from __future__ import annotations

import keras
from keras import layers

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.preprocessing import N_CHANNELS
from training.networks.features import SpectralFeatures


@keras.saving.register_keras_serializable("hyperspy_eelsid")
class EnergyEmbedding(layers.Layer):
    """Add a learned vector for the place of every patch on the energy axis."""

    def build(self, input_shape):
        self.embedding = self.add_weight(
            shape=(1, *input_shape[1:]), initializer=keras.initializers.RandomNormal(stddev=0.02)
        )

    def call(self, tokens):
        return tokens + self.embedding


def vit(
    stem: tuple[tuple[int, int, int], ...],
    blocks: int,
    heads: int,
    mlp: int,
    reduced: int,
    head: tuple[int, ...],
    dropout: float = 0.1,
) -> keras.Model:
    """Build a vision transformer.

    Parameters
    ----------
    stem : Features, kernel and stride of the convolutions that cut the spectrum into patches; one convolution is the
        original embedding, several small ones learn faster (Xiao et al., arXiv:2106.14881). The last number of
        features is the width of a token.
    blocks, heads : Number of transformer blocks, and of attention heads in each.
    mlp : Hidden width of the perceptron in a block.
    reduced : Features a token is reduced to by the 1x1 convolution before the dense layers.
    head : Widths of the dense layers before the output.
    dropout : Dropout rate before the output.
    """
    spectra = keras.Input((N_CHANNELS,), name="spectra")
    x = SpectralFeatures(name="features")(spectra)
    for i, (width, kernel, stride) in enumerate(stem):
        x = layers.Conv1D(width, kernel, strides=stride, padding="same", name=f"patches{i}")(x)
        if i < len(stem) - 1:
            x = layers.Activation("silu", name=f"patches{i}_silu")(x)
    x = EnergyEmbedding(name="energy_embedding")(x)
    for i in range(blocks):
        y = layers.LayerNormalization(epsilon=1e-5, name=f"block{i}_attention_norm")(x)
        y = layers.MultiHeadAttention(heads, width // heads, name=f"block{i}_attention")(y, y)
        x = layers.Add(name=f"block{i}_attention_add")([x, y])
        y = layers.LayerNormalization(epsilon=1e-5, name=f"block{i}_mlp_norm")(x)
        y = layers.Dense(mlp, activation="silu", name=f"block{i}_mlp_in")(y)
        y = layers.Dense(width, name=f"block{i}_mlp_out")(y)
        x = layers.Add(name=f"block{i}_mlp_add")([x, y])
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    x = layers.Conv1D(reduced, 1, activation="silu", name="feature_weighting")(x)
    x = layers.Flatten(name="flatten")(x)
    return dense_head(spectra, x, head, dropout, "vit")


def dense_head(
    spectra: keras.KerasTensor,
    x: keras.KerasTensor,
    head: tuple[int, ...],
    dropout: float,
    name: str,
) -> keras.Model:
    """Dense layers and the sigmoid output of 80 elements."""
    for i, width in enumerate(head):
        x = layers.Dense(width, activation="silu", name=f"head{i}")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(len(ELEMENTS), activation="sigmoid", dtype="float32", name="probability")(x)
    return keras.Model(spectra, x, name=name)
