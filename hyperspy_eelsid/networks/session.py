"""Networks on a device: sessions of ONNX Runtime, and the weighted mean of several of them."""

from __future__ import annotations

import ctypes
import logging
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.special import expit, logit

from hyperspy_eelsid.exceptions import ArgumentError, DeviceError, WeightsError
from hyperspy_eelsid.networks import onnx_file
from hyperspy_eelsid.networks.card import Card, NetworkFile

_logger = logging.getLogger(__name__)

BATCH_SIZE = 32  # fastest on the CPU
SMALLEST = 1e-6  # network outputs nearer to 0 or 1 are not told apart
DEVICES = ("auto", "cpu", "cuda")
TEST_TOLERANCE = 0.01  # half precision on a GPU differs by less, a damaged network by more
_GPU, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def _has_cuda_driver() -> bool:
    """Whether there is an NVIDIA driver; ONNX Runtime complains aloud when it looks for CUDA in vain."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def check_device(device: object) -> None:
    """Raise an ArgumentError if there is no such device."""
    if not isinstance(device, str) or device not in DEVICES:
        raise ArgumentError(f"Unknown device {device!r:.80}, options are {', '.join(DEVICES)}.")


def session(file: NetworkFile, folder: Path, device: str) -> onnxruntime.InferenceSession:
    """A session on `device`; ``"auto"`` is the GPU when CUDA really loads, else the CPU.

    It uses one core: blocks of spectra are spread over the cores, which is twice as fast as one network on all.
    What runs is what was checked: the file is read once, and no other file with it.
    """
    network = file.read(folder)
    try:
        onnx_file.check(network)
    except ValueError as error:
        raise WeightsError(f"{folder / file.file} is not a network to be run: {error}.") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised
    problem: object = "this build of ONNX Runtime has no CUDA, or there is no NVIDIA driver"
    if device != "cpu" and _GPU in onnxruntime.get_available_providers() and _has_cuda_driver():
        try:
            onnxruntime.preload_dlls()  # those of the extra `gpu`
            return onnxruntime.InferenceSession(network, options, providers=[_GPU, _CPU])
        except Exception as error:  # ONNX Runtime raises many kinds when CUDA is half installed
            problem = error
            _logger.info("CUDA cannot be used: %s", error)
    if device == "cuda":
        raise DeviceError(
            f"The networks cannot run on the GPU: {problem}. Install hyperspy_eelsid[gpu], or use "
            "device='auto'."
        )
    try:
        return onnxruntime.InferenceSession(network, options, providers=[_CPU])
    except Exception as error:  # of a damaged file ONNX Runtime raises many kinds
        raise WeightsError(
            f"{folder / file.file} is not a network that can be run ({error})."
        ) from error


def run(network: onnxruntime.InferenceSession, inputs: np.ndarray) -> np.ndarray:
    try:
        (output,) = network.run(None, {network.get_inputs()[0].name: inputs})
    except Exception as error:  # wrong shapes or types, or a number of outputs other than one
        raise WeightsError(f"A network cannot run on spectra of its card ({error}).") from error
    return output


class Networks:
    """Networks whose weighted mean, calibrated as the card says, is the probability of each label.

    Parameters
    ----------
    card
        What the networks are.
    folder
        Where their files lie.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU when there is one.

    Raises
    ------
    WeightsError
        If a file is missing or is not the one that the card describes.
    DeviceError
        If `device` is ``"cuda"`` and the networks cannot run there.
    ArgumentError
        If there is no such device.
    """

    def __init__(self, card: Card, folder: Path, device: str = "auto") -> None:
        check_device(device)
        self.card = card
        # what the networks see of a spectrum is computed once for all that share it
        self._features = {
            features: session(features, folder, device)
            for features in {member.features for member in card.members if member.features}
        }
        self._members = [
            (member, session(member.network, folder, device)) for member in card.members
        ]
        self._test(folder)

    def test_spectra(self) -> np.ndarray:
        """Spectra for trying the networks: a power law with steps, and two other powers, shape (3, n_channels)."""
        network = next(iter(self._features.values()), self._members[0][1])
        shape = network.get_inputs()[0].shape
        if len(shape) != 2 or not isinstance(shape[1], int) or shape[1] < 1:
            raise WeightsError(
                f"The networks {self.name} take inputs of the shape {shape}, not (number of spectra, "
                "number of channels)."
            )
        channel = np.linspace(1, 10, shape[1])
        steps = 1 + 0.3 * (np.arange(shape[1]) * 17 // shape[1] % 2)
        return np.stack([steps / channel**2, channel**-3, channel**-1]).astype(np.float32) / 2

    def test_output(self) -> list[float]:
        """Probabilities of the first test spectrum, as a card stores them."""
        return self.predict(self.test_spectra())[0].round(4).tolist()

    def test_difference(self) -> float | None:
        """Largest difference of the first test spectrum's probabilities from those of the card; None without them.

        Raises
        ------
        WeightsError
            If a network does not give a probability for each label.
        """
        output = self.predict(self.test_spectra())[0]
        if self.card.test_output is None:
            return None
        return float(np.abs(output - self.card.test_output).max())

    def _test(self, folder: Path) -> None:
        difference = self.test_difference()
        if difference is not None and not difference < TEST_TOLERANCE:
            raise WeightsError(
                f"The networks of {folder} do not give what their card says of the test spectrum: "
                f"probabilities differ by {difference:.2g}. Install hyperspy_eelsid again, or copy "
                "the folder again."
            )

    @property
    def name(self) -> str:
        """Name of the ensemble."""
        return self.card.name

    @property
    def threshold(self) -> float:
        """Probability from which a label counts as found."""
        return self.card.threshold

    @property
    def provider(self) -> str:
        """Execution provider that runs the networks, e.g. ``"CPUExecutionProvider"``."""
        return self._members[0][1].get_providers()[0]

    def predict(self, spectra: np.ndarray, batch_size: int | None = None) -> np.ndarray:
        """Probability of each label, float32, shape (n, n_labels).

        The arguments and what is raised are those of :meth:`predict_and_compare`.
        """
        probability, _ = self.predict_and_compare(spectra, batch_size)
        return probability

    def predict_and_compare(
        self, spectra: np.ndarray, batch_size: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probability of each label, and how far the networks are apart.

        Parameters
        ----------
        spectra
            Network input, float32, shape (n, n_channels).
        batch_size
            Number of spectra that a network sees at once; None is the fastest on the CPU, 32.

        Returns
        -------
        probability
            float32, shape (n, n_labels).
        spread
            Largest difference of what two networks give a label, same shape; zero where there is one network.

        Raises
        ------
        WeightsError
            If a network does not give a probability for each label.
        """
        result = np.zeros((len(spectra), len(self.card.labels)), np.float32)
        lowest, highest = np.ones_like(result), np.zeros_like(result)
        size = batch_size or BATCH_SIZE
        for first in range(0, len(spectra), size):
            rows = slice(first, first + size)
            batch = np.ascontiguousarray(spectra[rows], np.float32)
            seen = {None: batch}
            seen |= {features: run(network, batch) for features, network in self._features.items()}
            for member, network in self._members:
                output = run(network, seen[member.features])
                if output.shape != result[rows].shape or not ((output >= 0) & (output <= 1)).all():
                    raise WeightsError(
                        f"{member.network.file} does not give a probability for each of the "
                        f"{len(self.card.labels)} labels of its card."
                    )
                result[rows] += member.weight * output
                np.minimum(lowest[rows], output, out=lowest[rows])
                np.maximum(highest[rows], output, out=highest[rows])
        mean = result / sum(member.weight for member in self.card.members)
        return self.calibrated(mean), highest - lowest

    def calibrated(self, probability: np.ndarray) -> np.ndarray:
        """Platt's calibration of the mean: labels with the probability p are right in a share p of cases."""
        if self.card.calibration is None:
            return probability
        slope, intercept = self.card.calibration
        odds = logit(np.clip(probability, SMALLEST, 1 - SMALLEST))
        return expit(slope * odds + intercept).astype(np.float32)
