"""What a run of training is asked to do, and the network that came of it."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from training.learning.objectives import LOSSES
from training.networks import build

SCHEDULES = ("cosine", "plateau")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class Run:
    """Everything that decides what a run of training learns; it is kept as ``run.json`` in the run's folder.

    Attributes
    ----------
    network, size, reduction, views, changes
        The network, as in :func:`training.networks.build`.
    recipe, without
        Recipe of the spectra and the effects of it that are left out.
    formulas
        Text file of chemical formulas, as in :func:`training.core_loss.dataset.make_simulator`.
    published_share
        Share of the published recipe among the simulated spectra, labelled by visibility.
    data
        Data set file, written by :func:`training.core_loss.dataset.write`, whose spectra are taken instead of fresh
        ones. The validation spectra are simulated by the recipe of the file.
    spectra
        Number of spectra of the whole run.
    batch_size
        Spectra of one step.
    seed
        Seed of the spectra and of the initial weights.
    loss
        ``"crossentropy"``, or ``"crossentropy+f1"``, the published one.
    learning_rate
        Highest learning rate.
    schedule
        ``"cosine"``: the learning rate falls by a cosine to zero over the whole run, after a short warm-up.
        ``"plateau"``, as published: it is halved when :func:`training.learning.train.plateau_rate` says so.
    validate_every
        Epochs between two validations.
    precision
        ``"float32"``, ``"mixed_bfloat16"`` or ``"mixed_float16"``: in the mixed ones layers compute with 16 bits, which
        a GPU and some CPUs do faster; weights and loss keep 32.
    start
        Folder of a run of the same network whose weights this one begins with, or those of its last checkpoint
        if it is not finished.
    teachers
        Folders of finished runs. The network learns the mean of the labels and of their mean probability.

    Raises
    ------
    ValueError
        If a value is none of its options or out of its range.
    """

    network: str
    size: str = "compact"
    reduction: str | None = None
    views: tuple[str, ...] | None = None
    changes: dict[str, Any] | None = None
    recipe: str = "robust"
    without: tuple[str, ...] = ()
    formulas: str | None = None
    published_share: float = 0.0
    data: str | None = None
    spectra: int = 1_000_000
    batch_size: int = 64
    seed: int = 0
    loss: str = "crossentropy"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    validate_every: int = 4
    precision: str = "float32"
    start: str | None = None
    teachers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("formulas", "data", "start"):
            if (path := getattr(self, name)) is not None:
                object.__setattr__(self, name, str(path))
        for name in ("views", "without", "teachers"):
            values = getattr(self, name)
            if isinstance(values, str):
                raise ValueError(f"{name} must be a list, not {values!r}.")
            if values is not None:
                object.__setattr__(self, name, tuple(str(value) for value in values))
        for name, options in (
            ("loss", LOSSES),
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
        ):
            if (value := getattr(self, name)) not in options:
                raise ValueError(f"Unknown {name} {value!r}, options are {', '.join(options)}.")
        for name in ("spectra", "batch_size", "validate_every"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number above zero, not {value!r}.")
        if not 0 <= self.published_share <= 1:
            raise ValueError(f"published_share must be 0 to 1, not {self.published_share!r}.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above zero, not {self.learning_rate!r}.")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Run:
        """A run from its entries.

        Raises
        ------
        ValueError
            If there is an entry that runs do not have, or the network is missing.
        """
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise ValueError(
                f"Unknown entries of a run: {', '.join(unknown)}; options are {', '.join(known)}."
            )
        if "network" not in values:
            raise ValueError("A run needs the entry network.")
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> Run:
        """A run from the text of its ``run.json``."""
        return cls.from_dict(json.loads(text))

    def to_json(self) -> str:
        """Text of ``run.json``."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def differences(self, other: Run) -> list[str]:
        """Names of the entries that two runs do not share."""
        ours, theirs = json.loads(self.to_json()), json.loads(other.to_json())
        return [name for name, value in ours.items() if value != theirs[name]]

    def build(self) -> keras.Model:
        """The untrained network."""
        return build(self.network, self.reduction, self.size, self.views, self.changes)


class Network(NamedTuple):
    """A trained network and where it came from.

    Attributes
    ----------
    name
        Name of the run.
    model
        The network with its final weights.
    run
        What it was trained with.
    spectra_seen
        Number of spectra of the run.
    loss
        Mean loss of its last epoch.
    """

    name: str
    model: keras.Model
    run: Run
    spectra_seen: int
    loss: float

    def predict(self, spectra: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n, 80)."""
        return self.model.predict(spectra, batch_size=64, verbose=0)


def write_run(folder: Path, network: Network) -> None:
    """Keep a trained network as a finished run, from which another can begin or learn."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(network.run.to_json(), encoding="utf-8")
    with (folder / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("epoch", "spectra", "loss"))
        writer.writerow((1, network.spectra_seen, network.loss))
    save_weights(folder, network.model)


def save_weights(folder: Path, model: keras.Model) -> None:
    """Keep the final weights of a run; what a killed program wrote in part does not count as such."""
    part = folder / "part.weights.h5"
    model.save_weights(part)
    part.replace(folder / "final.weights.h5")


def epochs_done(folder: Path) -> int:
    """Number of epochs in the newest checkpoint of a run; 0 if there is none."""
    state = folder / "state.json"
    return json.loads(state.read_text())["epoch"] if state.exists() else 0


def checkpoint(folder: Path, epoch: int) -> Path:
    """File that holds everything that the next epoch depends on; weights are called w0, w1 and so on."""
    return folder / f"epoch{epoch}.npz"


def load_weights(folder: Path, model: keras.Model) -> None:
    """Load the final weights of a run, or those of its newest checkpoint if it is not finished.

    Raises
    ------
    FileNotFoundError
        If it has neither.
    """
    final, epoch = folder / "final.weights.h5", epochs_done(folder)
    if final.exists():
        model.load_weights(final)
    elif epoch:
        with np.load(checkpoint(folder, epoch)) as values:
            model.set_weights([values[f"w{i}"] for i in range(len(model.weights))])
    else:
        raise FileNotFoundError(f"{folder} holds no trained network.")


def load_run(folder: Path | str) -> Network:
    """The network of a run from its folder, as far as it was trained."""
    folder = Path(folder)
    run = Run.from_json((folder / "run.json").read_text(encoding="utf-8"))
    model = run.build()
    load_weights(folder, model)
    with (folder / "log.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return Network(folder.name, model, run, int(last["spectra"]), float(last["loss"]))
