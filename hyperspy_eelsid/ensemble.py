"""The trained networks: ONNX files described by a card, run by ONNX Runtime."""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.exceptions import WeightsError

_logger = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parent / "weights"
BATCH_SIZE = 32  # fastest on the CPU
_GPU, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def _has_cuda_driver() -> bool:
    """Whether there is an NVIDIA driver; ONNX Runtime complains aloud when it looks for CUDA in vain."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _session(path: Path) -> onnxruntime.InferenceSession:
    """A session on the GPU when CUDA really loads, else on the CPU.

    It uses one core: blocks of spectra are spread over the cores, which is twice as fast as one network on all.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if _GPU in onnxruntime.get_available_providers() and _has_cuda_driver():
        try:
            onnxruntime.preload_dlls()  # those of the extra `gpu`
            return onnxruntime.InferenceSession(path, options, providers=[_GPU, _CPU])
        except Exception as error:  # ONNX Runtime raises many kinds when CUDA is half installed
            _logger.info("CUDA cannot be used: %s", error)
    return onnxruntime.InferenceSession(path, options, providers=[_CPU])


class Ensemble:
    """Networks whose mean is the probability of each element.

    Parameters
    ----------
    folder : Folder with ``card.json`` and the ONNX files that it lists.

    Attributes
    ----------
    card : What is known of the networks: training, scores, threshold, checksums.

    Raises
    ------
    WeightsError
        If a file is missing or is not the one that the card describes.
    """

    def __init__(self, folder: Path) -> None:
        card = folder / "card.json"
        if not card.exists():
            raise WeightsError(
                f"There is no {card.name} in {folder}. Install hyperspy_eelsid again, or retrain "
                "with python -m training."
            )
        self.card: dict[str, Any] = json.loads(card.read_text(encoding="utf-8"))
        if tuple(self.card["elements"]) != ELEMENTS:
            raise WeightsError(f"The networks of {folder} are for another list of elements.")
        self._sessions = [
            _session(self._checked(folder, member)) for member in self.card["members"]
        ]

    @staticmethod
    def _checked(folder: Path, member: dict[str, Any]) -> Path:
        path = folder / member["file"]
        if not path.exists():
            raise WeightsError(
                f"{path.name} is missing in {folder}. Install hyperspy_eelsid again."
            )
        if hashlib.sha256(path.read_bytes()).hexdigest() != member["sha256"]:
            raise WeightsError(
                f"{path.name} is not the file that its card describes (its sha256 differs). "
                "Install hyperspy_eelsid again."
            )
        return path

    @property
    def name(self) -> str:
        """Name of the ensemble."""
        return self.card["name"]

    @property
    def threshold(self) -> float:
        """Probability from which an element counts as found."""
        return self.card["threshold"]

    @property
    def provider(self) -> str:
        """Execution provider that runs the networks, e.g. ``"CPUExecutionProvider"``."""
        return self._sessions[0].get_providers()[0]

    def predict(self, spectra: np.ndarray) -> np.ndarray:
        """Probability of each element.

        Parameters
        ----------
        spectra : Network input, float32, shape (n, 3072).

        Returns
        -------
        float32, shape (n, 80).
        """
        result = np.zeros((len(spectra), len(ELEMENTS)), np.float32)
        for first in range(0, len(spectra), BATCH_SIZE):
            batch = np.ascontiguousarray(spectra[first : first + BATCH_SIZE], np.float32)
            for session in self._sessions:
                (output,) = session.run(None, {session.get_inputs()[0].name: batch})
                result[first : first + BATCH_SIZE] += output
        return result / len(self._sessions)


@cache
def load(folder: Path = WEIGHTS) -> Ensemble:
    """The ensemble of a folder, by default the one that is shipped; read once."""
    return Ensemble(folder)
