"""A classifier of oxidation states: learnt from labelled spectra, kept as ONNX with its card."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import shutil
import weakref
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import ArgumentError, WeightsError
from hyperspy_eelsid.networks.card import CARD, Card, NetworkFile
from hyperspy_eelsid.networks.session import Networks
from hyperspy_eelsid.oxidation.background import background_window, smooth
from hyperspy_eelsid.oxidation.edge import Region, WhiteLineEdge
from hyperspy_eelsid.oxidation.preparation import NORMS, Preparation
from hyperspy_eelsid.oxidation.white_lines import IRON, RATIO_COLUMN, find_lines, measured

if TYPE_CHECKING:
    import pandas as pd
    from exspy.signals import EELSSpectrum

    from hyperspy_eelsid.oxidation.learning import TrainingSet

_logger = logging.getLogger(__name__)

KERNELS = ("cosine", "linear", "rbf", "sigmoid")
NETWORK, REFERENCES = "classifier.onnx", "references.npy"
LEAST_SIMILARITY = 0.9  # cosine to the nearest training spectrum, below which there is no answer
SMOOTHED_CHANNELS = 5  # half an eV
MOST_REFERENCES = 60  # of a state, that similarity is measured to
SAME_SPECTRUM = 0.999999  # cosine
BATCH_SIZE = 1024


class OxidationStateClassifier:
    """Tells to which of the oxidation states that it has learnt a spectrum belongs, if it belongs to one.

    Made by :meth:`fit` or :meth:`load`, applied with ``s.oxidation_states(classifier)``.

    Parameters
    ----------
    folder
        Folder with the files of a classifier that was saved.

    Attributes
    ----------
    edge
        Name of the edge, e.g. ``"Mn_L3"``.
    labels
        States that it tells, in the order of the probabilities.
    kernel
        ``"cosine"``, ``"linear"``, ``"rbf"`` or ``"sigmoid"``.
    align
        Whether spectra are moved so that their first lines lie at the same place.
    parameters
        Of the support vector machine, as the grid search chose them.
    spectra
        Number of training spectra of each label.
    groups
        Names of the groups of training spectra.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = arguments.path("folder", folder)
        card = Card.read(self.folder)
        try:
            described = card.entries["oxidation"]
            WhiteLineEdge.of(described["edge"])
            self.edge: str = described["edge"]
            self.kernel: str = described["kernel"]
            self.align = bool(described["align"])
            self.parameters: dict[str, float] = dict(described["parameters"])
            self.spectra: dict[str, int] = dict(described["spectra"])
            self.groups: tuple[str, ...] = tuple(described["groups"])
            self.ratios = np.array(described["ratios"], float)
            norm = described["norm"]
            references = NetworkFile.from_json(described["references"])
            if norm not in NORMS or self.ratios.shape != (len(card.labels),):
                raise ValueError("norm or ratios are not those of a classifier")
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{self.folder / CARD} is not the card of a classifier of oxidation states ({error})."
            ) from error
        self.labels = card.labels
        self.preparation = Preparation(self.edge, self.align, norm)
        self.references = _read_references(references, self.folder, len(self.preparation.energy))
        _networks(self.folder, references.sha256)
        self._digest = references.sha256
        self._training: TrainingSet | None = None
        self._seed = int(described.get("seed", 0))

    def __repr__(self) -> str:
        states = ", ".join(f"{label} ({self.spectra[label]})" for label in self.labels)
        return (
            f"OxidationStateClassifier of {self.edge}: {states} spectra, {self.kernel} kernel"
            f"{', aligned' if self.align else ''}"
        )

    @classmethod
    def fit(
        cls,
        signals: Sequence[EELSSpectrum],
        labels: Sequence[str],
        edge: str,
        groups: Sequence[str] | None = None,
        kernel: str = "cosine",
        align: bool = True,
        background: tuple[float, float] | str | None = "auto",
        seed: int = 0,
    ) -> OxidationStateClassifier:
        """Learn the states of labelled spectra.

        Background, window, alignment and normalisation are part of the classifier. It learns from copies of the
        spectra that differ in what other measurements differ in: what alignment leaves, resolution, the rest of a
        background, noise. A grid search chooses the parameters of a support vector machine, whose decisions become
        probabilities as J. Platt proposed (1999). Needs the extra ``oxidation``.

        Parameters
        ----------
        signals
            Spectra or images of pure states; all pixels of an image have its label.
        labels
            State of each signal, e.g. ``"Mn2+"``.
        edge
            Edge, e.g. ``"Mn_L3"``.
        groups
            Session, sample or paper of each signal; what :meth:`cross_validate` leaves out at once.
        kernel
            ``"cosine"``, which intensity does not change; ``"linear"``, ``"rbf"`` or ``"sigmoid"``.
        align
            Bring the maximum of the first line to the same place in all spectra, for axes are rarely calibrated to what
            tells states. False where they are, as iron needs it.
        background
            As in ``s.white_lines``.
        seed
            Of the copies.

        Raises
        ------
        ArgumentError
            If labels are missing or of one state only, or a spectrum is in two groups or has two labels.
        EnergyAxisError
            If a window cuts the lines, or channels are wider than 1 eV.
        ImportError
            If scikit-learn is not installed.
        """
        from hyperspy_eelsid.oxidation.learning import TrainingSet

        white_lines = WhiteLineEdge.of(edge)
        if not isinstance(kernel, str) or kernel not in KERNELS:
            raise ArgumentError(f"Unknown kernel {kernel!r}, options are {', '.join(KERNELS)}.")
        arguments.flag("align", align)
        arguments.whole_number("seed", seed, least=0)
        signals = arguments.items("signals", signals)
        names, groups = _checked_labels(signals, labels, groups)
        if white_lines.element == "Fe" and align:
            _logger.warning("%s", IRON)
        preparation = Preparation(white_lines.name, align, _norm(kernel))
        parts = [_vectors_of(signal, white_lines, preparation, background) for signal in signals]
        counts = [len(vectors) for vectors, _ in parts]
        training = TrainingSet(
            np.concatenate([vectors for vectors, _ in parts]),
            np.repeat(names, counts),
            np.repeat(groups, counts),
        )
        if not len(training.vectors) or len(np.unique(training.labels)) < 2:
            raise ArgumentError("Spectra with white lines of at least two states are needed.")
        _check_duplicates(training)
        ratios = np.concatenate([ratios for _, ratios in parts])
        return cls._learnt(training, ratios, preparation, kernel, seed)

    @classmethod
    def _learnt(
        cls,
        training: TrainingSet,
        ratios: np.ndarray,
        preparation: Preparation,
        kernel: str,
        seed: int,
    ) -> OxidationStateClassifier:
        from hyperspy_eelsid.oxidation import learning

        machine, parameters = learning.fit(training, preparation, kernel, seed)
        labels = [str(label) for label in machine.classes_]
        folder = Path(mkdtemp(prefix="oxidation_"))
        network = learning.as_onnx(machine, training.vectors.shape[1])
        of_label = [np.flatnonzero(training.labels == label) for label in labels]
        kept = np.concatenate([rows[:: -(-len(rows) // MOST_REFERENCES)] for rows in of_label])
        buffer = io.BytesIO()
        np.save(buffer, _compared(training.vectors[kept]), allow_pickle=False)
        card = {
            "name": f"{preparation.edge} {kernel}",
            "labels": labels,
            "threshold": 0.5,
            "members": [_file(folder / NETWORK, network)],
            "oxidation": {
                "edge": preparation.edge,
                "kernel": kernel,
                "align": preparation.align,
                "norm": preparation.norm,
                "parameters": parameters,
                "spectra": {label: len(rows) for label, rows in zip(labels, of_label, strict=True)},
                "groups": [str(group) for group in np.unique(training.groups)],
                "ratios": [float(np.nanmedian(ratios[rows])) for rows in of_label],
                "references": _file(folder / REFERENCES, buffer.getvalue()),
                "seed": seed,
            },
        }
        (folder / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
        card["test_output"] = Networks(Card.read(folder), folder, "cpu").test_output()
        (folder / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
        classifier = cls(folder)
        classifier._training = training
        weakref.finalize(classifier, shutil.rmtree, folder, ignore_errors=True)
        return classifier

    def cross_validate(self) -> pd.DataFrame:
        """Accuracy on each group of training spectra by a classifier that has learnt from all other groups.

        Only this tells how a classifier does with spectra of another session: halves of the same images share their
        axis, resolution and specimen.

        Returns
        -------
        pd.DataFrame
            A :class:`pandas.DataFrame` with a row for each group: ``spectra``, ``accuracy`` (mean over the states of
            the group) and ``remark``, which says "not tested" where nothing could be.

        Raises
        ------
        ArgumentError
            If the classifier was loaded, so that its training spectra are not there.
        """
        import pandas as pd

        from hyperspy_eelsid.oxidation import learning

        if self._training is None:
            raise ArgumentError(
                "A classifier that was loaded has no training spectra; cross-validate it before it is saved."
            )
        training = self._training
        rows = []
        for group in self.groups:
            left_out = training.groups == group
            others = training.without(group)
            known = np.isin(training.labels, others.labels)
            tested = left_out & known
            remark = ""
            accuracy = np.nan
            if len(self.groups) == 1:
                remark = "not tested: there is one group"
            elif len(np.unique(others.labels)) < 2 or not tested.any():
                remark = "not tested: the other groups do not have the states"
            else:
                machine, _ = learning.fit(others, self.preparation, self.kernel, self._seed)
                vectors = self.preparation.normalised(training.vectors[tested]).astype(np.float32)
                right = machine.predict(vectors) == training.labels[tested]
                states = training.labels[tested]
                accuracy = float(np.mean([right[states == s].mean() for s in np.unique(states)]))
                missing = sorted(set(training.labels[left_out]) - set(others.labels))
                if missing:
                    remark = f"not tested: {', '.join(missing)}, which no other group has"
            rows.append((int(left_out.sum()), accuracy, remark))
        return pd.DataFrame(
            rows,
            columns=["spectra", "accuracy", "remark"],
            index=pd.Index(self.groups, name="group"),
        )

    def save(self, folder: str | Path, overwrite: bool = False) -> None:
        """Save the classifier as a folder with an ONNX file, reference spectra and a card with their checksums.

        Parameters
        ----------
        folder
            Folder to make.
        overwrite
            Write into a folder that is there.

        Raises
        ------
        FileExistsError
            If the folder is there.
        """
        folder = arguments.path("folder", folder)
        arguments.flag("overwrite", overwrite)
        folder.mkdir(parents=True, exist_ok=overwrite)
        for name in (NETWORK, REFERENCES, CARD):
            shutil.copyfile(self.folder / name, folder / name)

    @classmethod
    def load(cls, folder: str | Path) -> OxidationStateClassifier:
        """A classifier that was saved; nothing in its files is run but ONNX.

        Parameters
        ----------
        folder
            Folder that :meth:`save` has made.

        Raises
        ------
        WeightsError
            If there is none, or a file is not the one that the card describes.
        """
        return cls(folder)

    def predict(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities, shape (n, n_labels), and similarities to the nearest training spectrum, shape (n,).

        Parameters
        ----------
        vectors
            Of :attr:`preparation`, not normalised, shape (n, n_energies).

        Raises
        ------
        ArgumentError
            If they are not finite numbers of that shape.
        """
        vectors = np.asarray(vectors)
        channels = len(self.preparation.energy)
        if (
            vectors.dtype.kind not in "fiu"
            or vectors.shape[1:] != (channels,)
            or not np.isfinite(vectors).all()
        ):
            raise ArgumentError(
                f"vectors must be finite numbers of the shape (n, {channels}), not {vectors!r:.80}."
            )
        inputs = self.preparation.normalised(vectors).astype(np.float32)
        probability = _networks(self.folder, self._digest).predict(inputs, BATCH_SIZE)
        return probability, (_compared(vectors) @ self.references.T).max(axis=1)


@cache
def _networks(folder: Path, digest: str) -> Networks:
    """The classifier of a folder, read once in each process."""
    del digest  # another classifier in the same folder is another one
    return Networks(Card.read(folder), folder, "cpu")


def _compared(vectors: np.ndarray) -> np.ndarray:
    """Smoothed vectors of length one, whose products tell similarity of shapes and not of noise."""
    smoothed = smooth(vectors, SMOOTHED_CHANNELS)
    lengths = np.linalg.norm(smoothed, axis=1, keepdims=True)
    return (smoothed / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _norm(kernel: str) -> str:
    return "l2" if kernel == "cosine" else "maximum"


def _file(path: Path, content: bytes) -> dict[str, Any]:
    path.write_bytes(content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}


def _read_references(file: NetworkFile, folder: Path, channels: int) -> np.ndarray:
    try:
        references = np.load(io.BytesIO(file.read(folder)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise WeightsError(f"{folder / file.file} holds no spectra ({error}).") from error
    if references.ndim != 2 or references.shape[1] != channels:
        raise WeightsError(f"{folder / file.file} holds no spectra of {channels} channels.")
    return references


def _checked_labels(
    signals: Sequence[EELSSpectrum], labels: Sequence[str], groups: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    labels = arguments.items("labels", labels)
    groups = ["all"] * len(signals) if groups is None else arguments.items("groups", groups)
    if not len(signals) == len(labels) == len(groups):
        raise ArgumentError(
            f"There are {len(signals)} signals, {len(labels)} labels and {len(groups)} groups; each signal needs one "
            "of each."
        )
    for values, name in ((labels, "label"), (groups, "group")):
        missing = [i for i, value in enumerate(values) if value is None or not str(value).strip()]
        missing += [
            i for i, value in enumerate(values) if isinstance(value, float) and value != value
        ]
        if missing:
            raise ArgumentError(f"The signals {missing} have no {name}.")
    names = [str(label) for label in labels]
    if len(set(names)) < 2:
        raise ArgumentError(
            f"All spectra have the label {names[0] if names else ''!r}: a classifier tells at least two states."
        )
    return names, [str(group) for group in groups]


def _vectors_of(
    signal: EELSSpectrum,
    edge: WhiteLineEdge,
    preparation: Preparation,
    background: tuple[float, float] | str | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and ratios of the spectra of a signal that have white lines."""
    region = Region.of_edge(signal, edge)
    spectra, variance = region.sample(region.spectra.size)
    window = background_window(region.energy, edge, background)
    if not len(spectra):
        return np.empty((0, len(preparation.energy))), np.empty(0)
    lines = find_lines(spectra, variance, energy=region.energy, edge=edge, window=window)
    values = measured(lines, region.energy)
    seen = np.isfinite(values[:, 0])
    vectors = preparation.vectors(lines.net, lines.places[0], region.energy)
    return vectors[seen], values[seen, RATIO_COLUMN]


def _check_duplicates(training: TrainingSet) -> None:
    unit = training.vectors / np.linalg.norm(training.vectors, axis=1, keepdims=True)
    first, second = np.nonzero(np.triu(unit @ unit.T > SAME_SPECTRUM, 1))
    for values, name in ((training.groups, "groups"), (training.labels, "labels")):
        twice = values[first] != values[second]
        if twice.any():
            i, j = first[twice][0], second[twice][0]
            raise ArgumentError(
                f"The training spectra {i} and {j} are the same but have the {name} {values[i]!r} and {values[j]!r}. "
                "Leave one out."
            )
