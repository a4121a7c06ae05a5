"""The card of an ensemble of networks: what its files are, and how their outputs are read."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperspy_eelsid.exceptions import WeightsError

CARD = "card.json"
REQUIRED = ("name", "threshold", "members")


@dataclass(frozen=True)
class NetworkFile:
    """A file in the folder of the card, and its checksum."""

    file: str
    sha256: str

    @classmethod
    def from_json(cls, entry: Any) -> NetworkFile:
        _expect(isinstance(entry, dict), f"a member is {entry!r}")
        name, digest = entry.get("file"), entry.get("sha256")
        # a bare name: a card must not reach out of its folder
        bare = isinstance(name, str) and Path(name).name == name and not set(name) & set("/\\:\0")
        _expect(bare, f"file is {name!r}, not the name of a file beside the card")
        valid = isinstance(digest, str) and len(digest) == 64
        _expect(valid, f"sha256 of {name} is {digest!r}")
        return cls(name, digest)

    def checked(self, folder: Path) -> Path:
        """Path of the file, when it is the one that the card describes."""
        path = folder / self.file
        if not path.exists():
            raise WeightsError(
                f"{path.name} is missing in {folder}. Install hyperspy_eelsid again."
            )
        if path.is_symlink() or not path.is_file():
            raise WeightsError(f"{path.name} in {folder} is not a regular file.")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self.sha256:
            raise WeightsError(
                f"{path.name} is not the file that its card describes (its sha256 differs). "
                "Install hyperspy_eelsid again."
            )
        return path


@dataclass(frozen=True)
class Member:
    """One network, its weight in the mean, and the network that prepares its input, if any."""

    network: NetworkFile
    weight: float = 1.0
    features: NetworkFile | None = None

    @classmethod
    def from_json(cls, entry: Any) -> Member:
        network = NetworkFile.from_json(entry)
        weight = _number(entry.get("weight", 1), f"weight of {network.file}")
        _expect(weight > 0, f"weight of {network.file} is {weight:g}, not positive")
        features = entry.get("features")
        return cls(network, weight, NetworkFile.from_json(features) if features else None)


@dataclass(frozen=True)
class Card:
    """What is known of an ensemble.

    Parameters
    ----------
    name
        Name of the ensemble.
    labels
        What each output of the networks stands for.
    threshold
        Probability from which a label counts as found.
    members
        The networks.
    calibration
        Slope and intercept of Platt's calibration of the log-odds.
    entries
        All entries as they were read, with those that the runtime does not need.
    """

    name: str
    labels: tuple[str, ...]
    threshold: float
    members: tuple[Member, ...]
    calibration: tuple[float, float] | None
    entries: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path, labels: str = "labels") -> Card:
        """Read the card of a folder.

        Parameters
        ----------
        folder
            Folder with ``card.json``.
        labels
            Entry that lists the labels.

        Raises
        ------
        WeightsError
            If there is none, or an entry is missing or not what it has to be.
        """
        path = folder / CARD
        if not path.exists():
            raise WeightsError(
                f"There is no {path.name} in {folder}. Install hyperspy_eelsid again, or retrain "
                "with python -m training."
            )
        try:
            return cls.from_json(path.read_text(encoding="utf-8"), labels)
        except (ValueError, RecursionError, OSError) as error:
            raise WeightsError(f"{path} is not the card of an ensemble ({error}).") from error

    @classmethod
    def from_json(cls, text: str, labels: str = "labels") -> Card:
        """Check the text of a card; a ValueError names the first entry that is wrong."""
        card = json.loads(text)
        _expect(isinstance(card, dict), "it is not an object")
        missing = [entry for entry in (*REQUIRED, labels) if entry not in card]
        _expect(not missing, f"{', '.join(missing)} missing")
        _expect(isinstance(card["name"], str) and card["name"], f"name is {card['name']!r}")
        names = card[labels]
        valid = isinstance(names, list) and names and all(isinstance(x, str) for x in names)
        _expect(valid, f"{labels} is not a list of names")
        threshold = _number(card["threshold"], "threshold")
        _expect(0 <= threshold <= 1, f"threshold is {threshold:g}, not between 0 and 1")
        members = card["members"]
        _expect(isinstance(members, list) and members, "members is not a list of networks")
        calibration = card.get("calibration")
        if "calibration" in card:
            valid = isinstance(calibration, list) and len(calibration) == 2
            _expect(valid, f"calibration is {calibration!r}, not a slope and an intercept")
            calibration = tuple(_number(value, "calibration") for value in calibration)
            _expect(calibration[0] > 0, "the slope of calibration is not positive")
        return cls(
            name=card["name"],
            labels=tuple(names),
            threshold=threshold,
            members=tuple(Member.from_json(member) for member in members),
            calibration=calibration,
            entries=card,
        )


def _expect(condition: object, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def _number(value: Any, name: str) -> float:
    valid = isinstance(value, int | float) and not isinstance(value, bool)
    _expect(valid and math.isfinite(value), f"{name} is {value!r}, not a finite number")
    return float(value)
