"""The card of an ensemble of networks: what its files are, and how their outputs are read."""

from __future__ import annotations

import hashlib
import json
import math
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperspy_eelsid.exceptions import WeightsError

CARD = "card.json"
REQUIRED = ("name", "threshold", "members")
LARGEST_CARD_BYTES = 4_000_000
LARGEST_NETWORK_BYTES = 1_000_000_000  # the largest of the published networks has a quarter of it
_NAME = re.compile(r"\w[\w .+-]{0,99}")  # stands in tables, pages and file names
_SHA256 = re.compile("[0-9a-f]{64}")


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
        bare = isinstance(name, str) and _NAME.fullmatch(name) is not None
        _expect(bare, f"file is {name!r}, not the name of a file beside the card")
        valid = isinstance(digest, str) and _SHA256.fullmatch(digest) is not None
        _expect(valid, f"sha256 of {name} is {digest!r}")
        return cls(name, digest)

    def read(self, folder: Path) -> bytes:
        """What the file holds, when it is the one that the card describes."""
        content = _read(folder / self.file, LARGEST_NETWORK_BYTES)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise WeightsError(
                f"{self.file} in {folder} is not the file that its card describes (its sha256 differs). "
                "Install hyperspy_eelsid again, or copy the folder again."
            )
        return content


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
        _expect(1e-3 <= weight <= 1e3, f"weight of {network.file} is {weight:g}, not 0.001 to 1000")
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
    test_output
        Probability of each label for the test spectrum of :mod:`hyperspy_eelsid.networks.session`.
    entries
        All entries as they were read, with those that the runtime does not need.
    """

    name: str
    labels: tuple[str, ...]
    threshold: float
    members: tuple[Member, ...]
    calibration: tuple[float, float] | None
    test_output: tuple[float, ...] | None
    entries: Mapping[str, Any]

    @property
    def files(self) -> list[NetworkFile]:
        """All files beside the card, each once."""
        listed = [file for m in self.members for file in (m.network, m.features) if file]
        return list(dict.fromkeys(listed))

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
        content = _read(path, LARGEST_CARD_BYTES)
        try:
            return cls.from_json(content.decode("utf-8"), labels)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise WeightsError(f"{path} is not the card of an ensemble ({error}).") from error

    @classmethod
    def from_json(cls, text: str, labels: str = "labels") -> Card:
        """Check the text of a card; a ValueError names the first entry that is wrong."""
        card = json.loads(text)
        _expect(isinstance(card, dict), "it is not an object")
        missing = [entry for entry in (*REQUIRED, labels) if entry not in card]
        _expect(not missing, f"{', '.join(missing)} missing")
        name = card["name"]
        valid = isinstance(name, str) and _NAME.fullmatch(name) is not None
        _expect(valid, f"name is {name!r}, not letters, digits, dots and hyphens")
        names = card[labels]
        valid = isinstance(names, list) and names and all(isinstance(x, str) for x in names)
        _expect(valid and len(set(names)) == len(names), f"{labels} is not a list of names")
        threshold = _number(card["threshold"], "threshold")
        _expect(0 <= threshold <= 1, f"threshold is {threshold:g}, not between 0 and 1")
        members = card["members"]
        _expect(isinstance(members, list) and members, "members is not a list of networks")
        members = tuple(Member.from_json(member) for member in members)
        networks = {member.network.file for member in members}
        _expect(len(networks) == len(members), "members names a network twice")
        calibration = card.get("calibration")
        if "calibration" in card:
            valid = isinstance(calibration, list) and len(calibration) == 2
            _expect(valid, f"calibration is {calibration!r}, not a slope and an intercept")
            calibration = tuple(_number(value, "calibration") for value in calibration)
            valid = 0.01 <= calibration[0] <= 100 and abs(calibration[1]) <= 20
            _expect(valid, f"calibration is {calibration}, of which the slope is not 0.01 to 100")
        expected = card.get("test_output")
        if "test_output" in card:
            valid = isinstance(expected, list) and len(expected) == len(names)
            _expect(valid, f"test_output is not a probability for each of the {len(names)} labels")
            expected = tuple(_number(value, "test_output") for value in expected)
        return cls(
            name=name,
            labels=tuple(names),
            threshold=threshold,
            members=members,
            calibration=calibration,
            test_output=expected,
            entries=card,
        )


def _read(path: Path, largest: int) -> bytes:
    """What a regular file of a plausible size holds; nothing else is opened."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
            raise WeightsError(
                f"{path} is not a regular file of at most {largest / 1e6:.0f} MB, as networks and "
                "cards are."
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(
            f"There is no {path.name} in {path.parent}. Install hyperspy_eelsid again, or retrain "
            "with python -m training."
        ) from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}).") from error


def _expect(condition: object, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def _number(value: Any, name: str) -> float:
    valid = isinstance(value, int | float) and not isinstance(value, bool)
    _expect(valid and math.isfinite(value), f"{name} is {value!r}, not a finite number")
    return float(value)
