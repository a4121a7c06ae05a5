"""Vision transformer for spectra (Dosovitskiy et al., arXiv:2010.11929), with patches along the energy axis."""

from __future__ import annotations

import keras
from keras import layers

from training.networks.features import VIEWS, spectra_input
from training.networks.head import ALONG_ENERGY, ClassToken, dense_head, reduce


@keras.saving.register_keras_serializable("hyperspy_eelsid")
class EnergyEmbedding(layers.Layer):
    """Add a learned vector for the place of every patch on the energy axis."""

    def build(self, input_shape):
        self.embedding = self.add_weight(
            name="embedding",
            shape=(1, *input_shape[1:]),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, tokens):
        return tokens + self.embedding


@keras.saving.register_keras_serializable("hyperspy_eelsid")
def gelu(x):
    """Gaussian error linear unit in its tanh form; the exact one cannot be exported to ONNX."""
    return keras.activations.gelu(x, approximate=True)


ACTIVATIONS = {"gelu": gelu, "silu": keras.activations.silu}


def encoder(
    x: keras.KerasTensor,
    blocks: int,
    heads: int,
    key_size: int,
    mlp: int,
    activation: str,
    dropout: float,
) -> keras.KerasTensor:
    """Transformer blocks with normalisation before attention and perceptron, and a last normalisation.

    Parameters
    ----------
    x
        Tokens, shape (batch, token, width).
    blocks, heads, key_size
        Number of blocks, of attention heads in each, and of features a head compares.
    mlp
        Hidden width of the perceptron in a block.
    activation
        ``"gelu"`` or ``"silu"``.
    dropout
        Dropout rate of the attention and of the perceptron.
    """

    def dropped(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.Dropout(dropout, name=name)(x) if dropout else x

    width = x.shape[-1]
    for i in range(blocks):
        y = layers.LayerNormalization(epsilon=1e-5, name=f"block{i}_attention_norm")(x)
        y = layers.MultiHeadAttention(heads, key_size, dropout=dropout, name=f"block{i}_attention")(
            y, y
        )
        x = layers.Add(name=f"block{i}_attention_add")([x, y])
        y = layers.LayerNormalization(epsilon=1e-5, name=f"block{i}_mlp_norm")(x)
        y = layers.Dense(mlp, activation=ACTIVATIONS[activation], name=f"block{i}_mlp_in")(y)
        y = dropped(y, f"block{i}_mlp_in_dropout")
        y = layers.Dense(width, name=f"block{i}_mlp_out")(y)
        y = dropped(y, f"block{i}_mlp_out_dropout")
        x = layers.Add(name=f"block{i}_mlp_add")([x, y])
    return layers.LayerNormalization(epsilon=1e-5, name="norm")(x)


def vit(
    views: tuple[str, ...],
    stem: tuple[tuple[int, int, int], ...],
    padding: str,
    blocks: int,
    heads: int,
    key_size: int,
    mlp: int,
    activation: str,
    block_dropout: float,
    reduction: str,
    reduced: int,
    reduced_activation: str | None,
    head: tuple[int, ...],
    dropout: tuple[float, ...],
) -> keras.Model:
    """Build a vision transformer.

    Parameters
    ----------
    views
        What it sees, as in :func:`training.networks.features.spectra_input`.
    stem
        Features, kernel and stride of the convolutions that cut the spectrum into patches; one convolution is the
        original embedding, several small ones learn faster (Xiao et al., arXiv:2106.14881). The last number of features
        is the width of a token.
    padding
        Padding of these convolutions.
    blocks, heads, key_size, mlp, activation, block_dropout
        As in :func:`encoder`.
    reduction, reduced, reduced_activation
        As in :func:`training.networks.head.reduce`.
    head, dropout
        As in :func:`training.networks.head.dense_head`.
    """
    spectra, x = spectra_input(views)
    for i, (width, kernel, stride) in enumerate(stem):
        x = layers.Conv1D(width, kernel, strides=stride, padding=padding, name=f"patches{i}")(x)
        if i < len(stem) - 1:
            x = layers.Activation("silu", name=f"patches{i}_silu")(x)
    if reduction == "token":
        x = ClassToken(name="class_token")(x)
    x = EnergyEmbedding(name="energy_embedding")(x)
    x = encoder(x, blocks, heads, key_size, mlp, activation, block_dropout)
    x = reduce(x, reduction, reduced, reduced_activation)
    return dense_head(spectra, x, head, dropout, "vit", ACTIVATIONS[activation])


SIZES = {
    "published": (
        vit,
        {
            "views": (),
            "stem": ((128, 16, 8),),
            "padding": "valid",
            "blocks": 8,
            "heads": 16,
            "key_size": 16,
            "mlp": 256,
            "activation": "gelu",
            "block_dropout": 0.1,
            "reduction": "feature weighting",
            "reduced": 1,
            "reduced_activation": None,
            "head": (512, 256, 128),
            "dropout": (0.1, 0.1, 0.1, 0),
        },
    ),
    "compact": (
        vit,
        {
            "views": VIEWS,
            "stem": ((32, 8, 4), (64, 8, 4), (96, 4, 2)),
            "padding": "same",
            "blocks": 4,
            "heads": 6,
            "key_size": 16,
            "mlp": 192,
            "activation": "silu",
            "block_dropout": 0,
            "reduction": "feature weighting",
            "reduced": 32,
            "reduced_activation": "silu",
            "head": (256,),
            "dropout": (0, 0.1),
        },
    ),
}
REDUCTIONS = (*ALONG_ENERGY, "token")
