"""Networks of finished runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from training.networks import build


class Network(NamedTuple):
    """A trained network and where it came from.

    Attributes
    ----------
    name : Name of the run.
    model : The network with its final weights.
    described : Network, recipe and start of the run, as :func:`training.learning.train.train` writes them.
    spectra_seen : Number of spectra of the run.
    loss : Mean loss of its last epoch.
    """

    name: str
    model: keras.Model
    described: dict[str, Any]
    spectra_seen: int
    loss: float

    def predict(self, spectra: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n, 80)."""
        return self.model.predict(spectra, batch_size=64, verbose=0)


def load_run(run: Path) -> Network:
    """The network of a finished run from its folder."""
    described = json.loads((run / "run.json").read_text(encoding="utf-8"))
    model = build(**described["network"])
    model.load_weights(run / "final.weights.h5")
    with (run / "log.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return Network(run.name, model, described, int(last["spectra"]), float(last["loss"]))
