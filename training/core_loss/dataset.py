"""Data sets of synthetic spectra: which seeds belong to which set, and the HDF5 files they are kept in."""

from __future__ import annotations

import json
import multiprocessing
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from tqdm.auto import tqdm

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.identification.network_input import N_CHANNELS
from training.core_loss.compositions import Compositions, materials_project_formulas, read_formulas
from training.core_loss.recipes import RECIPES
from training.core_loss.simulation import Block, Simulator
from training.physics.computed_edges import library
from training.physics.cross_section_table import load
from training.physics.ionisation import EDGE_GROUPS

SAMPLES_PER_BLOCK = 160


@dataclass(frozen=True)
class SpectraSet:
    """One of the published sets.

    Attributes
    ----------
    seed : Second number of every seed of the set, so that sets never share a sample.
    samples_per_element : Samples of which each of the 80 elements is the query element.
    spectra_per_sample : Spectra of each sample.
    content : ``"compounds"``, ``"elements"`` (pure) or ``"nothing"`` (no edge at all).
    """

    seed: int
    samples_per_element: float
    spectra_per_sample: int
    content: str = "compounds"

    @property
    def spectra(self) -> int:
        """Number of spectra of the published set."""
        return round(len(ELEMENTS) * self.samples_per_element * self.spectra_per_sample)


SETS = {
    "train": SpectraSet(0, 1400, 5),
    "validation": SpectraSet(1, 300, 2),
    "test": SpectraSet(2, 300, 5),
    "single-element": SpectraSet(3, 100, 1, "elements"),
    "empty": SpectraSet(4, 12.5, 1, "nothing"),
}


def make_simulator(
    recipe: str, without: tuple[str, ...] = (), formulas: Path | None = None
) -> Simulator:
    """A simulator with the bundled cross sections and the Materials Project compositions.

    Parameters
    ----------
    recipe : ``"pub"`` or ``"robust"``.
    without : Effects of the recipe to leave out.
    formulas : Text file of chemical formulas to draw from instead.

    Raises
    ------
    ValueError
        If there is no such recipe or effect.
    """
    if recipe not in RECIPES:
        raise ValueError(f"Unknown recipe {recipe!r}, options are {', '.join(RECIPES)}.")
    names = read_formulas(formulas) if formulas else materials_project_formulas()
    return Simulator(RECIPES[recipe].without(*without), Compositions(names), load())


def get_set(name: str) -> SpectraSet:
    """One of the published sets by its name.

    Raises
    ------
    ValueError
        If there is no such set.
    """
    if name not in SETS:
        raise ValueError(f"Unknown set {name!r}, options are {', '.join(SETS)}.")
    return SETS[name]


def simulate_block(simulator: Simulator, set_name: str, seed: int, number: int) -> Block:
    """Block `number` of a set: 160 samples, two of each element.

    The same seed and number give the same spectra, in whichever process and order they are made.
    """
    chosen = get_set(set_name)
    full_seed = (seed, chosen.seed, number)
    if chosen.content == "compounds":
        return simulator.block(full_seed, SAMPLES_PER_BLOCK, chosen.spectra_per_sample)
    query = np.arange(SAMPLES_PER_BLOCK) % len(ELEMENTS)
    pure = np.eye(len(ELEMENTS), dtype=np.float32)[query]
    fractions = pure if chosen.content == "elements" else np.zeros_like(pure)
    return simulator.simulate(np.random.default_rng(full_seed), query, fractions)


_worker_simulator: Simulator | None = None


def _start_worker(make) -> None:
    global _worker_simulator
    _worker_simulator = make()


def _work(set_name: str, seed: int, number: int) -> Block:
    return simulate_block(_worker_simulator, set_name, seed, number)


def write(
    path: Path,
    recipe: str = "pub",
    set_name: str = "test",
    seed: int = 0,
    spectra: int | None = None,
    without: tuple[str, ...] = (),
    formulas: Path | None = None,
    processes: int = 1,
    show_progressbar: bool = True,
) -> None:
    """Simulate a data set into an HDF5 file; a file that was not finished is gone on with.

    The file holds ``spectra`` (n, 3072) float32, ``labels`` (n, 80), ``edges`` (n, 107), ``fractions`` (n, 80,
    atomic), every drawn parameter of the spectra in the group ``parameters``, and what was drawn for each subshell in
    the table ``subshells``, whose columns ``spectrum`` and ``edge`` are indices of the spectrum and into
    :data:`hyperspy_eelsid.edges.EDGES`; its attributes name the elements, the edge groups, the entries of the library
    of near edges and the recipe.

    Parameters
    ----------
    path : File to write.
    recipe, without, formulas : As in :func:`make_simulator`.
    set_name : ``"train"``, ``"validation"``, ``"test"``, ``"single-element"`` or ``"empty"``.
    seed : The same seed gives the same spectra, whatever the number of processes.
    spectra : Number of spectra; by default that of the published set.
    processes : Processes that simulate.
    show_progressbar : Show a progress bar.

    Raises
    ------
    ValueError
        If the file holds another data set, or a name is unknown.
    """
    chosen = get_set(set_name)
    spectra = chosen.spectra if spectra is None else spectra
    per_block = SAMPLES_PER_BLOCK * chosen.spectra_per_sample
    make = partial(make_simulator, recipe, without, formulas)
    if recipe not in RECIPES:
        make()  # raises
    described = asdict(RECIPES[recipe].without(*without))
    identity = {
        "recipe": json.dumps(described | {"effects": sorted(described["effects"])}),
        "set": set_name,
        "seed": seed,
        "spectra": spectra,
    }
    with h5py.File(path, "a") as file:
        done = _blocks_done(file, identity)
        numbers = range(done, -(-spectra // per_block))
        work = partial(_work, set_name, seed)
        parallel = processes > 1
        if not parallel:
            _start_worker(make)
        context = multiprocessing.get_context("spawn")
        with context.Pool(processes, _start_worker, (make,)) if parallel else nullcontext() as pool:
            blocks = pool.imap(work, numbers) if parallel else map(work, numbers)
            with tqdm(total=spectra, initial=min(done * per_block, spectra), unit="spectra") as bar:
                bar.disable = not show_progressbar
                for number, block in zip(numbers, blocks, strict=True):
                    first = number * per_block
                    size = min(per_block, spectra - first)
                    _append(file, block, first, size, spectra)
                    file.attrs["blocks_done"] = number + 1
                    file.attrs["subshells_done"] = len(file["subshells"])
                    file.flush()
                    bar.update(size)


def _blocks_done(file: h5py.File, identity: dict[str, object]) -> int:
    """Number of blocks that a file already holds."""
    if "blocks_done" not in file.attrs:
        file.attrs["elements"] = list(ELEMENTS)
        file.attrs["edge_groups"] = list(EDGE_GROUPS)
        file.attrs["computed_edges"] = list(library().names)
        file.attrs.update(identity)
        file.attrs["blocks_done"] = 0
    different = [name for name, value in identity.items() if file.attrs[name] != value]
    if different:
        raise ValueError(
            f"{file.filename} holds another data set (its {', '.join(different)} differ). Give another file name."
        )
    return int(file.attrs["blocks_done"])


def _append(file: h5py.File, block: Block, first: int, size: int, total: int) -> None:
    arrays = {
        "spectra": block.spectra,
        "labels": block.labels,
        "edges": block.groups,
        "fractions": block.fractions,
    } | {f"parameters/{name}": values for name, values in block.parameters.items()}
    for name, values in arrays.items():
        if name not in file:
            shape = values.shape[1:]
            rows = 16 if shape == (N_CHANNELS,) else 1000
            file.create_dataset(
                name,
                shape=(total, *shape),
                dtype=values.dtype,
                chunks=(min(rows, total), *shape),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
        file[name][first : first + size] = values[:size]
    _append_subshells(file, block.subshells[block.subshells["spectrum"] < size], first)


def _append_subshells(file: h5py.File, rows: np.ndarray, first: int) -> None:
    """Add the rows of a block; those that a killed process has left of the same block are overwritten."""
    if "subshells" not in file:
        file.create_dataset(
            "subshells",
            shape=(0,),
            maxshape=(None,),
            dtype=rows.dtype,
            chunks=(4096,),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        file.attrs["subshells_done"] = 0
    done = int(file.attrs["subshells_done"])
    rows = rows.copy()
    rows["spectrum"] += first
    file["subshells"].resize((done + len(rows),))
    file["subshells"][done:] = rows


def abundances(file: h5py.File) -> dict[str, tuple[int, int]]:
    """Spectra of a data set that contain each element, and those in which an edge of it is visible."""
    contained = np.zeros(len(ELEMENTS), int)
    visible = np.zeros(len(ELEMENTS), int)
    for first in range(0, len(file["labels"]), 10000):
        rows = slice(first, first + 10000)
        contained += (file["fractions"][rows] > 0).sum(axis=0)
        visible += file["labels"][rows].astype(bool).sum(axis=0)
    pairs = zip(contained.tolist(), visible.tolist(), strict=True)
    return dict(zip(ELEMENTS, pairs, strict=True))
