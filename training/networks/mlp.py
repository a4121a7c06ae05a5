"""Multi-layer perceptron: every channel connected with every unit."""

from __future__ import annotations

import keras
from keras import layers

from training.networks.features import VIEWS, spectra_input
from training.networks.head import dense_head


def mlp(
    views: tuple[str, ...], pool: int, widths: tuple[int, ...], dropout: float, activation: str
) -> keras.Model:
    """Build a multi-layer perceptron.

    Parameters
    ----------
    views
        What it sees, as in :func:`training.networks.features.spectra_input`.
    pool
        Channels that are averaged before the first layer.
    widths
        Widths of the dense layers.
    dropout
        Dropout rate between them.
    activation
        Their activation, after a batch normalisation.
    """
    spectra, x = spectra_input(views)
    if pool > 1:
        x = layers.AveragePooling1D(pool, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    rates = (0.0, *(dropout for _ in widths[1:]), 0.0)
    return dense_head(spectra, x, widths, rates, "mlp", activation, batch_norm=True)


SIZES = {
    "published": (
        mlp,
        {
            "views": (),
            "pool": 1,
            "widths": (6144, 3072, 3072, 1536, 1536, 768, 384),
            "dropout": 0.3,
            "activation": "relu",
        },
    ),
    "compact": (
        mlp,
        {
            "views": VIEWS,
            "pool": 8,
            "widths": (512, 512, 256),
            "dropout": 0.1,
            "activation": "silu",
        },
    ),
}
REDUCTIONS: tuple[str, ...] = ()  # there is nothing to reduce
