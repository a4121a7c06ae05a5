"""The trained networks: ONNX files described by a card, run by ONNX Runtime."""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import sys
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from scipy.special import expit, logit

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.exceptions import DeviceError, WeightsError

_logger = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parent / "weights"
BATCH_SIZE = 32  # fastest on the CPU
SMALLEST = 1e-6  # network outputs nearer to 0 or 1 are not told apart
REQUIRED = ("name", "elements", "threshold", "members")  # entries of a card
ENSEMBLES_KEPT = 4
DEVICES = ("auto", "cpu", "cuda")
_GPU, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def _has_cuda_driver() -> bool:
    """Whether there is an NVIDIA driver; ONNX Runtime complains aloud when it looks for CUDA in vain."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _session(path: Path, device: str) -> onnxruntime.InferenceSession:
    """A session on `device`; ``"auto"`` is the GPU when CUDA really loads, else the CPU.

    It uses one core: blocks of spectra are spread over the cores, which is twice as fast as one network on all.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    problem: object = "this build of ONNX Runtime has no CUDA, or there is no NVIDIA driver"
    if device != "cpu" and _GPU in onnxruntime.get_available_providers() and _has_cuda_driver():
        try:
            onnxruntime.preload_dlls()  # those of the extra `gpu`
            return onnxruntime.InferenceSession(path, options, providers=[_GPU, _CPU])
        except Exception as error:  # ONNX Runtime raises many kinds when CUDA is half installed
            problem = error
            _logger.info("CUDA cannot be used: %s", error)
    if device == "cuda":
        raise DeviceError(
            f"The networks cannot run on the GPU: {problem}. Install hyperspy_eelsid[gpu], or use "
            "device='auto'."
        )
    return onnxruntime.InferenceSession(path, options, providers=[_CPU])


def _run(session: onnxruntime.InferenceSession, inputs: np.ndarray) -> np.ndarray:
    (output,) = session.run(None, {session.get_inputs()[0].name: inputs})
    return output


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / "card.json"
    if not path.exists():
        raise WeightsError(
            f"There is no {path.name} in {folder}. Install hyperspy_eelsid again, or retrain with "
            "python -m training."
        )
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        missing = [entry for entry in REQUIRED if entry not in card]
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path} is not the card of an ensemble ({error}).") from error
    if missing:
        raise WeightsError(f"{path} is not the card of an ensemble: {', '.join(missing)} missing.")
    return card


class Ensemble:
    """Networks whose weighted mean, calibrated as the card says, is the probability of each element.

    Parameters
    ----------
    path : Folder with ``card.json`` and the ONNX files that it lists; or one of these files, to use it alone.
    device : ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU when there is one.

    Attributes
    ----------
    card : What is known of the networks: training, scores, threshold, checksums.

    Raises
    ------
    WeightsError
        If a file is missing or is not the one that the card describes.
    DeviceError
        If `device` is ``"cuda"`` and the networks cannot run there.
    ValueError
        If there is no such device.
    """

    def __init__(self, path: Path, device: str = "auto") -> None:
        if device not in DEVICES:
            raise ValueError(f"Unknown device {device!r}, options are {', '.join(DEVICES)}.")
        folder = path.parent if path.suffix == ".onnx" else path
        self.card = _read_card(folder)
        if tuple(self.card["elements"]) != ELEMENTS:
            raise WeightsError(f"The networks of {folder} are for another list of elements.")
        members = self.card["members"]
        if path.suffix == ".onnx":
            members = [member for member in members if member["file"] == path.name]
            if not members:
                raise WeightsError(f"The card in {folder} does not describe {path.name}.")
        # what the networks see of a spectrum is computed once for all that share it
        self._features: dict[str, onnxruntime.InferenceSession] = {}
        self._members: list[tuple[str | None, float, onnxruntime.InferenceSession]] = []
        for member in members:
            seen = member.get("features")
            if seen and seen["file"] not in self._features:
                self._features[seen["file"]] = _session(self._checked(folder, seen), device)
            session = _session(self._checked(folder, member), device)
            self._members.append((seen and seen["file"], member.get("weight", 1), session))

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
        return self._members[0][2].get_providers()[0]

    def predict(self, spectra: np.ndarray, batch_size: int | None = None) -> np.ndarray:
        """Probability of each element.

        Parameters
        ----------
        spectra : Network input, float32, shape (n, 3072).
        batch_size : Number of spectra that a network sees at once; None is the fastest on the CPU, 32.

        Returns
        -------
        float32, shape (n, 80).
        """
        result = np.zeros((len(spectra), len(ELEMENTS)), np.float32)
        size = batch_size or BATCH_SIZE
        for first in range(0, len(spectra), size):
            batch = np.ascontiguousarray(spectra[first : first + size], np.float32)
            seen: dict[str | None, np.ndarray] = {None: batch}
            seen |= {file: _run(session, batch) for file, session in self._features.items()}
            for file, weight, session in self._members:
                result[first : first + size] += weight * _run(session, seen[file])
        return self.calibrated(result / sum(weight for _, weight, _ in self._members))

    def calibrated(self, probability: np.ndarray) -> np.ndarray:
        """Platt's calibration of the mean, so that elements with the probability p are there in a share p of cases."""
        if "calibration" not in self.card:
            return probability
        slope, intercept = self.card["calibration"]
        odds = logit(np.clip(probability, SMALLEST, 1 - SMALLEST))
        return expit(slope * odds + intercept).astype(np.float32)


def models() -> dict[str, Path]:
    """Names of the ensembles that are installed, and their folders."""
    return {_name(WEIGHTS): WEIGHTS}


@cache
def _name(folder: Path) -> str:
    return _read_card(folder)["name"]


def load(model: str | Path | None = None, device: str = "auto") -> Ensemble:
    """An ensemble, read once and again when its files have changed.

    Parameters
    ----------
    model : Name of an installed ensemble, or the path of a folder with ``card.json`` or of an ONNX file beside it;
        by default the ensemble that is shipped.
    device : As in :class:`Ensemble`.

    Raises
    ------
    WeightsError
        If there is no such ensemble, or a file is missing or altered.
    """
    if model is None:
        return _load(WEIGHTS, device, _modified(WEIGHTS))
    installed = models()
    path = installed.get(str(model), Path(model))
    if not path.exists():
        raise WeightsError(
            f"There is no ensemble {str(model)!r}: it is neither a file nor a folder, nor one of "
            f"those installed ({', '.join(installed)})."
        )
    return _load(path.resolve(), device, _modified(path))


def _modified(path: Path) -> int:
    """When a file of the ensemble was last written: one retrained in its place is another ensemble."""
    folder = path if path.is_dir() else path.parent
    files = [*folder.glob("card.json"), *folder.glob("*.onnx")]
    return max((file.stat().st_mtime_ns for file in files), default=0)


@lru_cache(ENSEMBLES_KEPT)
def _load(path: Path, device: str, modified: int) -> Ensemble:
    return Ensemble(path, device)
