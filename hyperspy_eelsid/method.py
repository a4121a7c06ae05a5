"""The method of an identification and a fit: every setting, the networks' checksums and the versions, as a file."""

from __future__ import annotations

import inspect
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hyperspy_eelsid import arguments
from hyperspy_eelsid.exceptions import ArgumentError, UnusableFileError, WeightsError

__all__ = ["Method"]

PACKAGES = (
    "hyperspy-eelsid",
    "exspy",
    "hyperspy",
    "numpy",
    "scipy",
    "onnxruntime-gpu",
    "onnxruntime",
)
LARGEST_FILE_BYTES = 1_000_000
_KIND, _FORMAT = "hyperspy_eelsid method", 1
_IDENTIFICATION = {"threshold", "min_fraction", "elements", "networks"}
# arguments of auto_model that say what is fitted or belong to one signal, and those that only say how it is shown
_NOT_A_SETTING = {
    "self",
    "signal",
    "identification",
    "elements",
    "low_loss",
    "fit",
    "show_progressbar",
}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages on which results depend."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # one of the two builds of ONNX Runtime
            continue
    return found


@dataclass(frozen=True)
class Method:
    """Settings that repeat an identification, and a fit after it, with other data.

    ``found.to_method()`` makes one. ``s.identify_elements(**method.identification)`` and
    ``s.auto_model(found, **method.fit)`` repeat it, as ``eelsid repeat method.json FILE`` does.

    Parameters
    ----------
    identification
        Arguments of ``s.identify_elements()``.
    fit
        Arguments of ``s.auto_model()``.
    weights
        File -> sha256 of the networks; empty if they are not known.
    versions
        Package -> version; by default those that are installed.
    reading
        How files were read: ``eels``, ``assume_ev``, see ``hyperspy_eelsid.files.load_eels``.
    """

    identification: Mapping[str, Any]
    fit: Mapping[str, Any]
    weights: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=versions)
    reading: Mapping[str, bool] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps({_KIND: _FORMAT, **asdict(self)}, indent=1) + "\n"

    def save(self, filename: str | Path, overwrite: bool = False) -> None:
        """Write the method into a file.

        Parameters
        ----------
        filename
            Name of the file, e.g. ``method.json``.
        overwrite
            Replace a file that is there.

        Raises
        ------
        FileExistsError
            If the file is there and is not to be replaced.
        """
        arguments.flag("overwrite", overwrite)
        path = arguments.path("filename", filename)
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(self.to_json())

    @classmethod
    def load(cls, filename: str | Path) -> Method:
        """A method that was saved.

        Parameters
        ----------
        filename
            Name of the file.

        Raises
        ------
        UnusableFileError
            If it cannot be read, or holds something else.
        """
        path = arguments.path("filename", filename)
        try:
            if path.stat().st_size > LARGEST_FILE_BYTES:
                raise ValueError("it is too large")
            held = json.loads(path.read_text(encoding="utf-8"))
            return cls(**_checked(held))
        except OSError as error:
            raise UnusableFileError(
                f"The method {path} cannot be read: {error.strerror}."
            ) from error
        except (ValueError, RecursionError) as error:
            raise UnusableFileError(f"The file {path} does not hold a method: {error}.") from error

    def check_weights(self, files: Mapping[str, str]) -> None:
        """Raise a WeightsError if networks are not those of the method.

        Parameters
        ----------
        files
            File -> sha256 of the networks that would run.
        """
        arguments.instance("files", files, Mapping, "a mapping of files to checksums")
        if self.weights and dict(files) != dict(self.weights):
            written = self.versions.get("hyperspy-eelsid", "another version")
            raise WeightsError(
                f"The networks {self.identification['networks']!r} are not those of the method, which was written "
                f"with hyperspy_eelsid {written}: their checksums differ. Install that version, or give the settings "
                "by hand."
            )

    def other_versions(self) -> dict[str, tuple[str, str]]:
        """Packages whose version is another one now: package -> version of the method, and the one installed."""
        now = versions()
        return {
            name: (then, now.get(name, "none"))
            for name, then in self.versions.items()
            if now.get(name) != then
        }


def with_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``auto_model``, those that are not given with their defaults, as JSON writes them.

    Raises
    ------
    ArgumentError
        If one is no argument that a method can hold.
    """
    from exspy.signals import EELSSpectrum

    parameters = inspect.signature(EELSSpectrum.auto_model).parameters
    settings = {n: p.default for n, p in parameters.items() if n not in _NOT_A_SETTING}
    if unknown := [name for name in given if name not in settings]:
        raise ArgumentError(
            f"A method holds no setting {unknown[0]!r} of a fit, options are {', '.join(settings)}."
        )
    settings |= given
    try:
        return json.loads(json.dumps(settings, allow_nan=False, default=_plain))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"A setting of the fit cannot be written: {error}.") from error


def _plain(value: Any) -> Any:
    """A number of NumPy, an array or a path in types that JSON knows."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} is neither a number nor a text")


def _checked(held: Any) -> dict[str, Any]:
    """Entries of a file that are what they have to be; a ValueError names the first that is not."""
    if not isinstance(held, dict) or held.pop(_KIND, None) != _FORMAT:
        raise ValueError(f"it does not begin with {_KIND!r}: {_FORMAT}")
    expected = {"identification", "fit", "weights", "versions", "reading"}
    if held.keys() != expected or not all(isinstance(entry, dict) for entry in held.values()):
        raise ValueError(f"its entries are not {', '.join(sorted(expected))}")
    if held["identification"].keys() != _IDENTIFICATION:
        raise ValueError(f"identification does not hold {', '.join(sorted(_IDENTIFICATION))}")
    for name in ("weights", "versions"):
        if not all(isinstance(value, str) for value in held[name].values()):
            raise ValueError(f"{name} are not texts")
    if not all(isinstance(value, bool) for value in held["reading"].values()):
        raise ValueError("reading is not true or false")
    try:
        with_defaults(held["fit"])
    except ArgumentError as error:
        raise ValueError(str(error)) from error
    return held
