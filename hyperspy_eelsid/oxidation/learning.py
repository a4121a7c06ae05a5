"""Support vector machines that tell oxidation states; the only module here that needs scikit-learn.

The kernels, and Platt's probabilities, are those of D. del-Pozo-Bueno et al., Ultramicroscopy 253, 113828 (2023).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from hyperspy_eelsid.oxidation.preparation import STEP_EV, Preparation
from hyperspy_eelsid.oxidation.references import FWHM_PER_SIGMA

try:
    from skl2onnx import to_onnx
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
    from sklearn.svm import SVC
except ImportError as error:
    raise ImportError(
        "Fitting a classifier needs scikit-learn and skl2onnx: pip install 'hyperspy-eelsid[oxidation]'. To apply one "
        "that was saved needs neither."
    ) from error

# kernel -> norm of the vectors, and the grid that is searched. The cosine kernel is the linear one of vectors of
# length one.
KERNELS: dict[str, tuple[str, dict[str, list]]] = {
    "cosine": ("l2", {"C": [0.1, 1, 10, 100], "kernel": ["linear"]}),
    "linear": ("maximum", {"C": [0.01, 0.1, 1, 10], "kernel": ["linear"]}),
    "rbf": ("maximum", {"C": [1, 10, 100], "gamma": [0.01, 0.1, 1], "kernel": ["rbf"]}),
    "sigmoid": (
        "maximum",
        {
            "C": [10, 100, 1000],
            "gamma": [1e-4, 1e-3, 1e-2],
            "coef0": [1e-3, 0.1, 1],
            "kernel": ["sigmoid"],
        },
    ),
}
FOLDS = 5
LEAST_VECTORS = 1000  # with copies
MOST_COPIES = 40
# What copies differ in: what alignment leaves, or how far axes are off [eV]; further blur [eV]; slope and level that a
# background leaves, and noise, in parts of the maximum.
ALIGNED_SHIFT_EV, SHIFT_EV = 0.4, 1.75
BLUR_EV = 0.5
SLOPE, LEVEL, NOISE = 0.05, 0.01, 0.05


@dataclass(frozen=True)
class TrainingSet:
    """Vectors to learn from.

    Parameters
    ----------
    vectors
        Prepared, not normalised, shape (n, n_channels).
    labels
        Shape (n,).
    groups
        Of spectra that are not independent, shape (n,).
    """

    vectors: np.ndarray
    labels: np.ndarray
    groups: np.ndarray

    def without(self, group: str) -> TrainingSet:
        """All but a group."""
        kept = self.groups != group
        return TrainingSet(self.vectors[kept], self.labels[kept], self.groups[kept])


def copies(
    training: TrainingSet, align: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copies of the spectra with what other measurements differ in.

    Returns
    -------
    vectors : np.ndarray
        Maximum about one, shape (n_copies * n, n_channels).
    labels : np.ndarray
        Shape (n_copies * n,).
    origins : np.ndarray
        Number of the spectrum of which each is a copy.
    """
    count, channels = training.vectors.shape
    number = int(np.clip(-(-LEAST_VECTORS // count), 1, MOST_COPIES))
    origins = np.repeat(np.arange(count), number)
    shift = ALIGNED_SHIFT_EV if align else SHIFT_EV
    shifts = rng.uniform(-shift, shift, len(origins)) / STEP_EV
    blurs = rng.uniform(0, BLUR_EV, len(origins)) / FWHM_PER_SIGMA / STEP_EV
    place, ramp = np.arange(channels), np.linspace(-1, 1, channels)
    vectors = np.empty((len(origins), channels))
    for row, origin in enumerate(origins):
        moved = np.interp(place - shifts[row], place, training.vectors[origin])
        if blurs[row] > 0.1:
            moved = gaussian_filter1d(moved, blurs[row], mode="nearest")
        vectors[row] = moved / moved.max()
    vectors += rng.uniform(-SLOPE, SLOPE, (len(origins), 1)) * ramp
    vectors += rng.normal(0, LEVEL, (len(origins), 1))
    vectors += rng.normal(0, 1, vectors.shape) * rng.uniform(0, NOISE, (len(origins), 1))
    return vectors, training.labels[origins], origins


def fit(
    training: TrainingSet, preparation: Preparation, kernel: str, seed: int
) -> tuple[CalibratedClassifierCV, dict[str, float]]:
    """Support vector machine with Platt's probabilities, and the parameters that the grid search chose.

    Copies of a spectrum stay together in the folds of the search and of the calibration; groups do where each state
    is in several of them.
    """
    rng = np.random.default_rng(seed)
    vectors, labels, origins = copies(training, preparation.align, rng)
    vectors = preparation.normalised(vectors).astype(np.float32)
    folds = _folds(labels, training.groups[origins], origins)
    search = GridSearchCV(
        SVC(class_weight="balanced"), KERNELS[kernel][1], scoring="balanced_accuracy", cv=folds
    )
    search.fit(vectors, labels)
    chosen = {name: value for name, value in search.best_params_.items() if name != "kernel"}
    machine = SVC(class_weight="balanced", **search.best_params_)
    calibrated = CalibratedClassifierCV(machine, method="sigmoid", cv=folds, ensemble=False)
    calibrated.fit(vectors, labels)
    return calibrated, chosen


def _folds(
    labels: np.ndarray, groups: np.ndarray, origins: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds that keep groups together, or else the copies of a spectrum, or else nothing."""
    for together in (groups, origins):
        fewest = min(len(np.unique(together[labels == label])) for label in np.unique(labels))
        if fewest > 1:
            splitter = StratifiedGroupKFold(min(FOLDS, fewest))
            folds = list(splitter.split(labels, labels, together))
            if all(len(np.unique(labels[train])) == len(np.unique(labels)) for train, _ in folds):
                return folds
    return list(StratifiedKFold(FOLDS).split(labels, labels))


def as_onnx(machine: CalibratedClassifierCV, channels: int) -> bytes:
    """The machine as ONNX: spectra in, probabilities out, in the order of its sorted labels."""
    example = np.zeros((1, channels), np.float32)
    with warnings.catch_warnings():  # of attributes that scikit-learn 1.9 deprecates
        warnings.simplefilter("ignore", FutureWarning)
        model = to_onnx(machine, example, options={id(machine): {"zipmap": False}})
    outputs = [output for output in model.graph.output if output.name == "probabilities"]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return model.SerializeToString()
