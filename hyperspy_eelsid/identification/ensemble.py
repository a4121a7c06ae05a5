"""The networks that identify elements: an ensemble whose labels are the 80 elements."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.exceptions import WeightsError
from hyperspy_eelsid.networks.card import Card
from hyperspy_eelsid.networks.session import Networks

WEIGHTS = Path(__file__).parent / "weights"
ENSEMBLES_KEPT = 4


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
    """
    if networks is None:
        return _load(WEIGHTS, device, _modified(WEIGHTS))
    installed = models()
    path = installed.get(str(networks), Path(networks))
    if not path.is_dir():
        raise WeightsError(
            f"There is no ensemble {str(networks)!r}: it is neither a folder nor one of "
            f"those installed ({', '.join(installed)})."
        )
    return _load(path.resolve(), device, _modified(path))


def _modified(path: Path) -> int:
    """When a file of the ensemble was last written: one retrained in its place is another ensemble."""
    files = [*path.glob("card.json"), *path.glob("*.onnx")]
    return max((file.stat().st_mtime_ns for file in files), default=0)


@lru_cache(ENSEMBLES_KEPT)
def _load(path: Path, device: str, modified: int) -> Ensemble:
    return Ensemble(path, device)
