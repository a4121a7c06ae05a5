"""Write the generalised oscillator strengths of all edges to a GOSH file, which exspy reads.

The GOSH format (Segger, Guzzinati and Kohl, doi:10.5281/zenodo.7645765) is HDF5: ``/<element>/<table>`` holds
``data`` (momenta, energies) [1/eV], ``q`` [1/m] and ``free_energies`` [eV]; ``/metadata/edges_info/<subshell>`` says
which table a subshell uses.
"""

from __future__ import annotations

import multiprocessing
from itertools import groupby
from pathlib import Path

import h5py
import numpy as np
from scipy import constants
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from hyperspy_eelsid.edges import EDGES, Edge
from training.physics.gos import atom
from training.physics.gos.oscillator_strength import generalised_oscillator_strengths

FREE_ENERGIES_EV = np.concatenate([[0.02], np.geomspace(0.2, 3200, 47)])
MOMENTA = np.geomspace(0.02, 25, 48)  # 1/bohr
BOHR_RADIUS_M = constants.value("Bohr radius")


def _element(edges: list[Edge]) -> dict[str, np.ndarray]:
    with threadpool_limits(1):
        onsets = {edge.subshell: edge.onset_energy for edge in edges}
        solved = atom.solve(edges[0].atomic_number)
        return generalised_oscillator_strengths(solved, onsets, FREE_ENERGIES_EV, MOMENTA)


def build(path: Path, processes: int | None = None, show_progressbar: bool = True) -> None:
    """Compute the table of all subshells of the 80 elements and write it to `path`.

    Parameters
    ----------
    path
        File to write; replaced only when the whole table is computed.
    processes
        Number of processes, by default one for each processor.
    """
    elements = [list(edges) for _, edges in groupby(EDGES, key=lambda edge: edge.element)]
    temporary = path.with_suffix(".part")
    with (
        multiprocessing.get_context("spawn").Pool(processes) as pool,
        h5py.File(temporary, "w") as file,
    ):
        _write_metadata(file)
        # heavy atoms take longest: begin with them
        todo = elements[::-1]
        tables = tqdm(pool.imap(_element, todo), total=len(todo), disable=not show_progressbar)
        for edges, strengths in zip(todo, tables, strict=True):
            for edge in edges:
                _write_subshell(file, edge, strengths[edge.subshell])
    temporary.replace(path)


def _write_metadata(file: h5py.File) -> None:
    reference = file.create_group("metadata/data_ref")
    reference.attrs["data_doi"] = "none: computed by hyperspy_eelsid, training.physics.gos"
    reference.attrs["data_author"] = "the hyperspy_eelsid developers"
    reference.attrs["data_licence"] = "GPL-3.0-or-later"
    file["metadata"].attrs["description"] = (
        "Dirac-Hartree-Fock-Slater generalised oscillator strengths, plane-wave Born approximation"
    )
    # one axis for all tables, to which each of them links
    file["metadata/q"] = MOMENTA / BOHR_RADIUS_M
    file["metadata/free_energies"] = FREE_ENERGIES_EV
    for subshell in sorted({edge.subshell for edge in EDGES}):
        convention = file.create_group(f"metadata/edges_info/{subshell}")
        convention.attrs["table"] = subshell
        convention.attrs["occupancy_ratio"] = 1.0


def _rounded(values: np.ndarray) -> np.ndarray:
    """float32 with 13 significant bits (a relative error of 1e-4), which gzip packs twice as tightly."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x400) & np.uint32(0xFFFFF800)).view(np.float32)


def _write_subshell(file: h5py.File, edge: Edge, strength: np.ndarray) -> None:
    group = file.create_group(f"{edge.element}/{edge.subshell}")
    data = _rounded(strength.T)
    group.create_dataset("data", data=data, compression="gzip", compression_opts=9, shuffle=True)
    group["q"], group["free_energies"] = file["metadata/q"], file["metadata/free_energies"]
    group.attrs["onset_energy"] = edge.onset_energy
