"""Elements of spectra as they come from an acquisition, one frame after the other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hyperspy_eelsid import arguments
from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.energy_axis import (
    checked_energy,
    edge_range,
    plausible,
    without_nan_at_ends,
)
from hyperspy_eelsid.exceptions import InvalidSpectraError
from hyperspy_eelsid.identification import rules
from hyperspy_eelsid.identification.predict import NetworkSettings, predict_spectra


class LiveIdentification:
    """Identify spectra of one energy axis as fast as possible, without making signals of them.

    Parameters
    ----------
    energy
        Energies of the channels [eV], shape (n_channels,).
    threshold
        Probability from which an element is found; by default the one that belongs to the
        networks.
    elements, exclude, networks, device
        As in ``EELSSpectrum.identify_elements``.
    accumulate
        Identify the sum of all frames since :meth:`reset`, instead of each one for itself.

    Raises
    ------
    hyperspy_eelsid.exceptions.EnergyAxisError
        If the axis holds nothing to identify.
    ValueError
        If the threshold is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from hyperspy_eelsid.identification.live import LiveIdentification
    >>> live = LiveIdentification(np.arange(400.0, 900.0))
    >>> frame = 1e4 * np.arange(400.0, 900.0) ** -3.0
    >>> live.push(frame)
    {}
    """

    def __init__(
        self,
        energy: np.ndarray,
        threshold: float | None = None,
        elements: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        networks: str | Path | None = None,
        device: str = "auto",
        accumulate: bool = False,
    ) -> None:
        self.energy = arguments.energies("energy", energy)
        checked_energy(self.energy)
        arguments.flag("accumulate", accumulate)
        self.accumulate = accumulate
        self._networks = NetworkSettings(networks, device)
        self.threshold = self._networks.load().threshold if threshold is None else threshold
        arguments.share("threshold", self.threshold)
        self._candidates = rules.candidates(elements, exclude)
        self.reset()

    def reset(self) -> None:
        """Forget the frames that were added up."""
        self._sum: np.ndarray | float = 0.0

    def push(self, counts: np.ndarray) -> dict[str, float]:
        """Identify one frame.

        Parameters
        ----------
        counts
            Shape (n_channels,), or (n_rows, n_channels) of a detector, whose rows are
            added.

        Returns
        -------
        dict[str, float]
            Probabilities of the elements that are found, strongest first.

        Raises
        ------
        InvalidSpectraError
            If the frame has another number of channels, or no finite, positive counts; it is then not added
            to the others.
        """
        counts = self._numbers(counts)
        if counts.ndim not in (1, 2) or counts.shape[-1] != len(self.energy):
            raise InvalidSpectraError(
                f"A frame has {len(self.energy)} channels along its last axis, not {counts.shape}."
            )
        spectrum = without_nan_at_ends(counts.reshape(-1, len(self.energy)).sum(axis=0))
        if not plausible(
            spectrum
        ).all():  # before it is added, for the sum would never be finite again
            raise InvalidSpectraError("The frame has no finite, positive counts in the window.")
        if self.accumulate:
            spectrum = self._sum = self._sum + spectrum
        window = edge_range(self.energy)
        probability = predict_spectra(
            spectrum[np.newaxis], energy=self.energy, networks=self._networks
        )
        if np.isnan(probability).any():
            raise InvalidSpectraError("The frame has no finite, positive counts in the window.")
        judged = rules.judge(
            probability[0, :-1], self.threshold, *window, possible=self._candidates
        )
        return {ELEMENTS[i]: float(judged.probability[0, i]) for i in judged.elements}

    @staticmethod
    def _numbers(values: object) -> np.ndarray:
        """An array of real numbers."""
        try:
            return np.asarray(values, float)
        except (TypeError, ValueError) as error:
            raise InvalidSpectraError(
                f"A frame is an array of numbers, not {values!r:.80}."
            ) from error
