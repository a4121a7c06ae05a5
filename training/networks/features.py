"""What a network sees of a spectrum: transforms of the input that live inside the network graph."""

from __future__ import annotations

import keras
from keras import layers, ops

from hyperspy_eelsid.identification.network_input import N_CHANNELS

FEATURES = "features"  # name of the layer
FLOOR = 1e-4
SMALLEST = 1e-12  # runtimes differ in whether a number like 1e-40 is zero
BACKGROUND_CHANNELS = 81
NOISE_CHANNELS = 25
VIEWS = ("spectrum", "logarithm", "flattened", "significance", "slope", "window")


@keras.saving.register_keras_serializable("hyperspy_eelsid")
class SpectralFeatures(keras.layers.Layer):
    """Views of a normalised spectrum, (batch, 3072) to (batch, 3072, number of views).

    In a core-loss spectrum the background falls by orders of magnitude and an edge can be a step of one per cent of
    it. The logarithm makes steps independent of the background, subtracting its running mean flattens the
    background, and dividing by the local noise tells a feature from a fluctuation. The views are: the spectrum, its
    logarithm, the logarithm less its mean over 81 channels in linear and in noise units, the slope over 8 channels
    in noise units, and the measured window.

    Parameters
    ----------
    views
        Some of `VIEWS`, in any order.

    Raises
    ------
    ValueError
        If there is no such view.
    """

    def __init__(self, views: tuple[str, ...] = VIEWS, **kwargs) -> None:
        super().__init__(**kwargs)
        if unknown := set(views) - set(VIEWS):
            raise ValueError(f"Unknown views {sorted(unknown)}, options are {', '.join(VIEWS)}.")
        self.views = tuple(view for view in VIEWS if view in views)

    def get_config(self):
        return super().get_config() | {"views": self.views}

    @staticmethod
    def _running_mean(x, mask, channels: int):
        total = ops.average_pool(x * mask, channels, strides=1, padding="same")
        share = ops.average_pool(mask, channels, strides=1, padding="same")
        return total / ops.maximum(share, 1e-3)

    def call(self, spectra):
        x = ops.expand_dims(spectra, -1)
        mask = ops.cast(ops.abs(x) > SMALLEST, x.dtype)
        log = ops.log(ops.maximum(x, FLOOR))
        flat = (log - self._running_mean(log, mask, BACKGROUND_CHANNELS)) * mask
        both = mask[:, 1:] * mask[:, :-1]
        jump = ops.pad((log[:, 1:] - log[:, :-1]) * both, ((0, 0), (0, 1), (0, 0)))
        both = ops.pad(both, ((0, 0), (0, 1), (0, 0)))
        noise = self._running_mean(ops.minimum(ops.abs(jump), 0.3), both, NOISE_CHANNELS) + 1e-3
        # padded by hand, because PyTorch pads even lengths in another way
        before, share = (
            ops.average_pool(ops.pad(v, ((0, 0), (1, 2), (0, 0))), 4, strides=1, padding="valid")
            for v in (flat, ops.ones_like(flat))
        )
        before = before / share
        after = ops.roll(before, -4, axis=1)
        slope = (after - before) * mask
        seen = (
            ops.clip(x, -1, 1),
            (log + 4) * mask / 2,
            5 * ops.clip(flat, -1, 1),
            ops.tanh(flat / noise / 8) * 2,
            ops.tanh(slope / noise / 4) * 2,
            mask,
        )
        return ops.concatenate([seen[VIEWS.index(view)] for view in self.views], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape, len(self.views))


def spectra_input(views: tuple[str, ...]) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input of a network, (batch, 3072), and what its first layer sees, (batch, 3072, n).

    Parameters
    ----------
    views
        Those of :class:`SpectralFeatures`; none for the spectrum as it is, as published.
    """
    spectra = keras.Input((N_CHANNELS,), name="spectra")
    if views:
        # in full precision always: half has three digits, and an edge may be a step of one per cent
        return spectra, SpectralFeatures(views, dtype="float32", name=FEATURES)(spectra)
    return spectra, layers.Reshape((N_CHANNELS, 1), name="channels")(spectra)
