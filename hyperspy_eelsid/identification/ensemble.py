"""The networks that identify elements: an ensemble whose labels are the 80 elements."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from hyperspy_eelsid.edges import ELEMENTS, ENERGY_MAX_EV, ENERGY_MIN_EV
from hyperspy_eelsid.exceptions import ArgumentError, WeightsError
from hyperspy_eelsid.networks.card import Card
from hyperspy_eelsid.networks.session import Networks
from hyperspy_eelsid.shipped import PACKAGE, shipped

WEIGHTS = Path(__file__).parent / "weights"
ENSEMBLES_KEPT = 4
# of :mod:`hyperspy_eelsid.identification.network_input`
NETWORK_INPUT = {"energy_range": [ENERGY_MIN_EV, ENERGY_MAX_EV], "dispersion": 1.0}


class Ensemble(Networks):
    """Networks for the 80 elements.

    Parameters
    ----------
    path
        Folder with ``card.json`` and the ONNX files that it lists.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU when there is one.

    Raises
    ------
    WeightsError
        If a file is missing or altered, or the networks are for something else.
    """

    def __init__(self, path: Path, device: str = "auto") -> None:
        card = Card.read(path, labels="elements")
        if card.labels != ELEMENTS:
            raise WeightsError(f"The networks of {path} are for another list of elements.")
        for entry, value in NETWORK_INPUT.items():
            if card.entries.get(entry, value) != value:
                raise WeightsError(
                    f"The networks of {path} are for another input: their {entry} is "
                    f"{card.entries[entry]!r}, not {value!r}."
                )
        super().__init__(card, path, device)


def models() -> dict[str, Path]:
    """Names of the ensembles that are installed, and their folders."""
    return {Card.read(WEIGHTS, labels="elements").name: WEIGHTS}


def load(networks: str | Path | None = None, device: str = "auto") -> Ensemble:
    """An ensemble, read once and again when its files have changed.

    Parameters
    ----------
    networks
        Name of an installed ensemble, or the path of a folder with ``card.json``; by
        default the ensemble that is shipped.
    device
        As in :class:`Ensemble`.

    Raises
    ------
    WeightsError
        If there is no such ensemble, or a file is missing or altered.
    ArgumentError
        If `networks` is neither a text nor a path.
    """
    if networks is None:
        return _load(WEIGHTS, device, _state(WEIGHTS))
    if not isinstance(networks, str | os.PathLike):
        raise ArgumentError(
            f"networks must be a name or the path of a folder, not {networks!r}; eelsid models lists the names."
        )
    installed = models()
    path = installed.get(str(networks), Path(networks))
    if not str(networks) or not _is_folder(path):
        raise WeightsError(
            f"There is no ensemble {str(networks)[:200]!r}: it is neither a folder nor one of "
            f"those installed ({', '.join(installed)})."
        )
    return _load(path.resolve(), device, _state(path))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long, or with a null
        return False


def _state(path: Path) -> frozenset[tuple[str, int, int]]:
    """Names, times and sizes of the files of an ensemble: one retrained in its place is another ensemble."""
    states = ((file.name, file.lstat()) for file in path.iterdir())
    return frozenset((name, state.st_mtime_ns, state.st_size) for name, state in states)


@lru_cache(ENSEMBLES_KEPT)
def _load(path: Path, device: str, state: frozenset[tuple[str, int, int]]) -> Ensemble:
    if path == PACKAGE / "identification" / "weights":
        shipped("identification/weights/card.json")
    return Ensemble(path, device)
