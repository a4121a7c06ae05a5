"""Oxidation states of all pixels by a classifier, and what speaks for each answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.oxidation.background import background_window
from hyperspy_eelsid.oxidation.classifier import LEAST_SIMILARITY, OxidationStateClassifier
from hyperspy_eelsid.oxidation.edge import Region, WhiteLineEdge
from hyperspy_eelsid.oxidation.white_lines import RATIO_COLUMN, find_lines, measured

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class OxidationStates:
    """Oxidation states of every pixel, as signals with the navigation axes of the image.

    Pixels that are not accepted have no state and no probability (NaN).

    Parameters
    ----------
    probabilities
        Label to the probability that the spectrum belongs to the state, if it belongs to one of them. It is not the
        fraction of the state in a mixture: that is what ``s.oxidation_fractions`` fits.
    state
        Number of the most probable label.
    similarity
        Cosine to the nearest training spectrum.
    accepted
        Whether there are white lines, five standard errors strong, that are at least 0.9 similar.
    agrees_with_ratio
        Whether the ratio of the white lines is nearest to that of the same state; without a ratio it does not.
    labels
        States in the order of their numbers.
    edge
        Name of the edge.
    """

    probabilities: dict[str, BaseSignal]
    state: BaseSignal
    similarity: BaseSignal
    accepted: BaseSignal
    agrees_with_ratio: BaseSignal
    labels: tuple[str, ...]
    edge: str

    def __getitem__(self, label: str) -> BaseSignal:
        """Map of the probability of a state.

        Raises
        ------
        UnknownLabelError
            If the classifier has no such state.
        """
        arguments.label("label", label, self.probabilities)
        return self.probabilities[label]

    def __repr__(self) -> str:
        if self.state._lazy:
            return f"OxidationStates of {self.edge} ({', '.join(self.labels)}), not computed"
        state = self.state.data
        counts = (f"{label} in {int((state == i).sum())}" for i, label in enumerate(self.labels))
        agree = int((self.agrees_with_ratio.data & self.accepted.data).sum())
        return (
            f"OxidationStates of {self.edge}: {', '.join(counts)}, none in {int(np.isnan(state).sum())} of "
            f"{state.size} pixels; the ratio of the white lines agrees in {agree}"
        )

    def plot(self) -> Figure:
        """Maps of the state with a legend, of its probability, and of where the ratio does not agree."""
        from hyperspy_eelsid.oxidation.plot import plot_states

        probability = np.max([signal.data for signal in self.probabilities.values()], axis=0)
        return plot_states(
            self.state,
            probability,
            self.accepted.data,
            self.agrees_with_ratio.data,
            self.labels,
            self.edge.partition("_")[0],
        )


def oxidation_states(
    signal: EELSSpectrum,
    classifier: OxidationStateClassifier,
    background: tuple[float, float] | str | None = "auto",
    energy_offset: float = 0.0,
    low_loss: EELSSpectrum | None = None,
) -> OxidationStates:
    """Tell the oxidation state of every pixel by a classifier.

    Parameters
    ----------
    classifier
        From ``OxidationStateClassifier.fit`` or ``load``; it is run by ONNX Runtime.
    background
        Window before the edge [eV]; ``"auto"`` for all before it, and none where the signal has none; None when it
        has been removed.
    energy_offset
        How far the energy axis is off [eV], such as ``found.energy_offset`` of an identification.
    low_loss
        Low loss of the same pixels, or one spectrum for all: pixels of more than 0.6 mean free paths are left out.

    Returns
    -------
    OxidationStates
        Probabilities, state, similarity, acceptance and agreement with the ratio of the white lines, lazy if the signal
        is.

    Raises
    ------
    hyperspy_eelsid.exceptions.ArgumentError
        If `classifier` is none.
    hyperspy_eelsid.exceptions.EnergyAxisError
        If the window cuts a line, or the channels are wider than 1 eV.
    hyperspy_eelsid.exceptions.SignalTypeError
        If it is no EELS signal.
    hyperspy_eelsid.exceptions.ThicknessError
        If most of the specimen is too thick.

    Notes
    -----
    A classifier answers whatever it is given. Acceptance rejects what is no edge: noise, and steps without lines. It
    does not find wrong answers, nor mixtures, nor another element's edge.
    """
    if not isinstance(classifier, OxidationStateClassifier):
        raise ArgumentError(
            f"classifier must be one of OxidationStateClassifier.fit or load, not {classifier!r:.80}."
        )
    edge = WhiteLineEdge.of(classifier.edge)
    region = Region.of_edge(signal, edge, energy_offset, low_loss)
    window = background_window(region.energy, edge, background)
    number = len(classifier.labels)
    values = region.map(
        _judged,
        number + 4,
        energy=region.energy,
        edge=edge,
        window=window,
        classifier=classifier,
    )
    described = {
        "edge": classifier.edge,
        "labels": list(classifier.labels),
        "kernel": classifier.kernel,
        "align": classifier.align,
        "references": list(classifier.groups),
    }

    def result(data, title: str, quantity: str) -> BaseSignal:
        signal = region.as_map(data, title, quantity)
        signal.metadata.set_item("EELSID.oxidation", described)
        return signal

    return OxidationStates(
        probabilities={
            label: result(
                values[..., i],
                label,
                "Probability that the spectrum belongs to the state, if it belongs to one",
            )
            for i, label in enumerate(classifier.labels)
        },
        state=result(values[..., number], f"{edge.element} state", "Number of the state"),
        similarity=result(values[..., number + 1], "Similarity", "Cosine"),
        accepted=result(values[..., number + 2] > 0, "Accepted", "Truth"),
        agrees_with_ratio=result(values[..., number + 3] > 0, "Agrees with the ratio", "Truth"),
        labels=classifier.labels,
        edge=classifier.edge,
    )


def _judged(
    spectra: np.ndarray,
    variance: float | np.ndarray | None,
    *,
    energy: np.ndarray,
    edge: WhiteLineEdge,
    window: slice | None,
    classifier: OxidationStateClassifier,
) -> np.ndarray:
    """Probabilities, state, similarity, acceptance and agreement, shape (n, n_labels + 4)."""
    lines = find_lines(spectra, variance, energy=energy, edge=edge, window=window)
    values = measured(lines, energy)
    vectors = classifier.preparation.vectors(lines.net, lines.places[0], energy)
    probability, similarity = classifier.predict(vectors)
    accepted = np.isfinite(values[:, 0]) & (similarity >= LEAST_SIMILARITY)
    state = probability.argmax(axis=1).astype(float)
    ratio = values[:, RATIO_COLUMN]
    positive = ratio > 0
    logarithm = np.log(np.where(positive, ratio, 1))[:, np.newaxis]
    nearest = np.abs(logarithm - np.log(classifier.ratios)).argmin(axis=1)
    agrees = accepted & positive & (nearest == state)
    answers = np.where(accepted[:, np.newaxis], np.column_stack([probability, state]), np.nan)
    return np.column_stack([answers, similarity, accepted, agrees])
