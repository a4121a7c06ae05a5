"""Networks of finished runs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from training.networks import build


class Network(NamedTuple):
    """A trained network and where it came from.

    Attributes
    ----------
    name : Name of the run.
    model : The network with its final weights.
    spectra_seen : Number of spectra of the run.
    loss : Mean loss of its last epoch.
    """

    name: str
    model: keras.Model
    spectra_seen: int
    loss: float

    @property
    def size(self) -> str:
        """Size of the network, ``"compact"`` or ``"published"``."""
        return self.name.split(".")[1]

    def predict(self, spectra: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n, 80)."""
        return self.model.predict(spectra, batch_size=64, verbose=0)


def load_run(run: Path) -> Network:
    """The network of a finished run, whose folder is named NAME.SIZE.RECIPE.SEED."""
    name, size = run.name.split(".")[:2]
    model = build(name, size=size)
    model.load_weights(run / "final.weights.h5")
    with (run / "log.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return Network(run.name, model, int(last["spectra"]), float(last["loss"]))
