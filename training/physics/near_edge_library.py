"""The library of near edges: ``python -m training near-edges`` writes ``hyperspy_eelsid/edges/near_edges.h5``.

What is in it and how it is read: :mod:`hyperspy_eelsid.edges.near_edges`. Each of the two kinds has a module that
tells what there is to compute (``entries``), and computes it: :mod:`training.physics.ions` the multiplets, and
:mod:`training.physics.near_edge` the spectra by multiple scattering.

The file holds one dataset for each entry, ``Fe/L/Fe2+ 10Dq=1.0`` or ``O/K/MgO``: element, edge (L for L2 and L3
together) and ion or compound. Its attribute ``axis`` names the dataset of its energies [eV from the onset], its
attribute ``units`` tells what its values are:

- ``1/eV``: lines, of unit area on their axis. A continuum is to be added; the relative strength of both is not in it.
- ``absorption of the atom``: absorption relative to that of the embedded atom without its step, thus near 0 below the
  onset and around 1 far above: the edge of an atom, held at its onset's value below the onset, is multiplied by it.
  That of L3 holds for L2 too, which begins later.

Further attributes tell what was computed, with which parameters, program and version.
"""

from __future__ import annotations

import hashlib
import json
import logging
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
from tqdm import tqdm

from training.physics import ions, near_edge

KINDS: tuple[ModuleType, ...] = (ions, near_edge)
_log = logging.getLogger(__name__)
_KEY = "key"  # attribute that tells of which computation a spectrum is


def key(kind: ModuleType, entry: Any) -> str:
    """Changes with the version of the computation and its parameters."""
    text = json.dumps([kind.KIND, kind.VERSION, entry.parameters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _checkpoint(folder: Path, kind: ModuleType, entry: Any) -> Path:
    return folder / f"{key(kind, entry)}.npz"


def _shipped(path: Path) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Spectrum and attributes of each computation that a library holds."""
    found: dict[str, tuple[np.ndarray, dict[str, Any]]] = {}

    def add(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if _KEY in item.attrs:
            found[item.attrs[_KEY]] = (item[:], dict(item.attrs))

    if path.exists():
        with h5py.File(path) as file:
            file.visititems(add)
    return found


def build(path: Path, folder: Path, show_progressbar: bool = True) -> None:
    """Compute what neither the library nor `folder` holds, and write the library.

    Parameters
    ----------
    path
        HDF5 file to write.
    folder
        Folder of finished entries; a stopped computation goes on from it.
    show_progressbar
        Entries that are left and the time that they take.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shipped = _shipped(path)
    missing = [
        (kind, entry)
        for kind in KINDS
        for entry in kind.entries()
        if key(kind, entry) not in shipped and not _checkpoint(folder, kind, entry).exists()
    ]
    for kind, entry in tqdm(missing, disable=not show_progressbar):
        try:
            spectrum, found = kind.compute(entry)
        except RuntimeError as error:
            _log.warning("%s is left out: %s", entry.name, error)
            continue
        checkpoint = _checkpoint(folder, kind, entry)
        temporary = checkpoint.with_suffix(".part")
        with open(temporary, "wb") as file:
            np.savez(file, spectrum=spectrum, **found)
        temporary.replace(checkpoint)
    write(path, folder)


def write(path: Path, folder: Path) -> int:
    """Write the library from what is finished in `folder` and in the library itself; returns the number of entries."""
    shipped = _shipped(path)
    temporary = path.with_suffix(".part")
    count = 0
    with h5py.File(temporary, "w") as file:
        file.attrs["licence"] = "GPL-3.0-or-later"
        for kind in KINDS:
            axis = file.create_dataset(kind.AXIS, data=kind.ENERGY_EV.astype(np.float32))
            axis.attrs["units"] = "eV from the onset"
            for entry in kind.entries():
                found = _finished(folder, kind, entry) or shipped.get(key(kind, entry))
                if found is None:
                    continue
                spectrum, attributes = found
                dataset = file.create_dataset(
                    entry.name, data=spectrum.astype(np.float16), compression="gzip", shuffle=True
                )
                dataset.attrs.update(attributes | {"axis": kind.AXIS})
                count += 1
    temporary.replace(path)
    return count


def _finished(
    folder: Path, kind: ModuleType, entry: Any
) -> tuple[np.ndarray, dict[str, Any]] | None:
    """Spectrum and attributes from the folder of finished entries."""
    checkpoint = _checkpoint(folder, kind, entry)
    if not checkpoint.exists():
        return None
    with np.load(checkpoint) as saved:
        places = {name: float(saved[name]) for name in saved.files if name != "spectrum"}
        spectrum = saved["spectrum"]
    attributes = entry.description | places | {"units": kind.UNITS, _KEY: key(kind, entry)}
    attributes |= {"program": kind.PROGRAM, "program_version": version(kind.PROGRAM)}
    return spectrum, attributes
