"""The two networks of M. Chatzidakis and G. A. Botton, Sci. Rep. 9, 2126 (2019), for 300 channels and three states."""

from __future__ import annotations

import keras
from keras import layers

# filters and kernel of each convolution
CONVOLUTIONS = ((2, 9), (2, 7), (4, 7), (8, 5), (12, 3))
DROPOUT = 0.5


def dense(channels: int = 300, states: int = 3) -> keras.Model:
    """Two dense layers of 32 units; 11,043 parameters."""
    spectra = x = keras.Input((channels,), name="spectra")
    for number in (1, 2):
        x = layers.Dropout(DROPOUT, name=f"dropout_{number}")(x)
        x = layers.Dense(32, activation="relu", name=f"dense_{number}")(x)
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
    probability = layers.Dense(states, activation="softmax", name="state")(x)
    return keras.Model(spectra, probability, name="dense")


def convolutional(channels: int = 300, states: int = 3) -> keras.Model:
    """Five convolutions, each halved, and one for each state that is averaged over the spectrum; 741 parameters."""
    spectra = keras.Input((channels,), name="spectra")
    x = layers.Reshape((channels, 1), name="channels")(spectra)
    for number, (filters, kernel) in enumerate(CONVOLUTIONS, start=1):
        x = layers.Conv1D(filters, kernel, padding="same", name=f"conv_{number}")(x)
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
        x = layers.AveragePooling1D(2, name=f"pool_{number}")(x)
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    x = layers.Conv1D(states, 1, name="conv_states")(x)
    x = layers.BatchNormalization(name="norm_states")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    return keras.Model(spectra, layers.Softmax(name="state")(x), name="convolutional")


NETWORKS = {"convolutional, 741 parameters": convolutional, "dense, 11,043 parameters": dense}
