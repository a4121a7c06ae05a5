"""Data sets of synthetic spectra: which seeds belong to which set, and the HDF5 files they are kept in.

While a set is made, each block of it is a file of its own in a folder beside the set, written under another name and
then renamed, with a checksum of every array. A process that is killed loses the blocks it was making and no other. When
all are there, they become one HDF5 file in the same way, whose arrays have checksums too.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import multiprocessing
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
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

_logger = logging.getLogger(__name__)

SAMPLES_PER_BLOCK = 160
IDENTITY = "identity.json"
TEMPORARY = ".tmp"


class DataSetError(ValueError):
    """A data set that cannot be written, or is not what it has to be."""


@dataclass(frozen=True)
class SpectraSet:
    """One of the published sets.

    Attributes
    ----------
    seed
        Second number of every seed of the set, so that sets never share a sample.
    samples_per_element
        Samples of which each of the 80 elements is the query element.
    spectra_per_sample
        Spectra of each sample.
    content
        ``"compounds"``, ``"elements"`` (pure) or ``"nothing"`` (no edge at all).
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
    recipe
        ``"pub"`` or ``"robust"``.
    without
        Effects of the recipe to leave out.
    formulas
        Text file of chemical formulas to draw from instead.

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
    """Simulate a data set into an HDF5 file; one that was not finished is gone on with.

    The file holds ``spectra`` (n, 3072) float32, ``labels`` (n, 80), ``edges`` (n, 107), ``fractions`` (n, 80,
    atomic), every drawn parameter of the spectra in the group ``parameters``, and what was drawn for each subshell in
    the table ``subshells``, whose columns ``spectrum`` and ``edge`` are indices of the spectrum and into
    :data:`hyperspy_eelsid.edges.EDGES`; its attributes name the elements, the edge groups, the entries of the library
    of near edges that ``computed`` counts, and the recipe. It comes into being when all blocks are made, which are kept
    in the folder ``path + ".blocks"`` until then.

    Parameters
    ----------
    path
        File to write.
    recipe, without, formulas
        As in :func:`make_simulator`.
    set_name
        ``"train"``, ``"validation"``, ``"test"``, ``"single-element"`` or ``"empty"``.
    seed
        The same seed gives the same labels, and on the same machine the same spectra to rounding, whatever the number
        of processes.
    spectra
        Number of spectra; by default that of the published set.
    processes
        Processes that simulate.
    show_progressbar
        Show a progress bar.

    Raises
    ------
    DataSetError
        If the file is another data set or none, the disk is full, or a process was killed. What is made stays.
    ValueError
        If a name is unknown or a number is out of its range.
    """
    path = Path(path)
    chosen = get_set(set_name)
    spectra = chosen.spectra if spectra is None else spectra
    for name, value, least in (
        ("spectra", spectra, 1),
        ("processes", processes, 1),
        ("seed", seed, 0),
    ):
        if not isinstance(value, int | np.integer) or value < least:
            raise DataSetError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    make = partial(make_simulator, recipe, without, formulas)
    if recipe not in RECIPES:
        make()  # raises
    described = asdict(RECIPES[recipe].without(*without))
    identity = {
        "recipe": json.dumps(described),
        "set": set_name,
        "seed": int(seed),
        "spectra": int(spectra),
    }
    blocks = Blocks(path.with_name(path.name + ".blocks"), identity)
    with _told(path):
        if not _is_finished(path, identity):
            blocks.open()
            _simulate(blocks, make, processes, show_progressbar)
            _assemble(blocks, path)
        blocks.remove()


@dataclass(frozen=True)
class Blocks:
    """The folder of the blocks of a data set that is being made.

    Attributes
    ----------
    folder
        Where the blocks lie.
    identity
        What tells the data set from others.
    """

    folder: Path
    identity: dict[str, object]

    @property
    def spectra_per_block(self) -> int:
        """Spectra of each block but the last, of which some may be left over."""
        return SAMPLES_PER_BLOCK * get_set(str(self.identity["set"])).spectra_per_sample

    @property
    def numbers(self) -> range:
        """Numbers of the blocks."""
        return range(-(-int(self.identity["spectra"]) // self.spectra_per_block))

    def size(self, number: int) -> int:
        """Spectra of a block that belong to the data set."""
        left = int(self.identity["spectra"]) - number * self.spectra_per_block
        return min(self.spectra_per_block, left)

    def path(self, number: int) -> Path:
        """Where a block is kept."""
        return self.folder / f"{number:06d}.npz"

    def open(self) -> None:
        """Make the folder, or see that it is the one of this data set."""
        self.folder.mkdir(exist_ok=True)
        self._tidy()
        path = self.folder / IDENTITY
        if not path.exists():
            if any(self.folder.iterdir()):
                raise DataSetError(
                    f"{self.folder} is not empty and holds no data set. Give another file name."
                )
            with _renamed(path) as temporary:
                temporary.write_text(json.dumps(self.identity), encoding="utf-8")
        _check_same(json.loads(path.read_text(encoding="utf-8")), self.identity, self.folder)

    def _tidy(self) -> None:
        """Remove what killed processes have left unfinished."""
        for unfinished in self.folder.glob(f"*{TEMPORARY}"):
            unfinished.unlink()

    def missing(self) -> list[int]:
        """Numbers of the blocks that are not there, or are damaged, which is told."""
        missing = []
        for number in self.numbers:
            path = self.path(number)
            if path.exists():
                try:
                    self.read(number)
                    continue
                except DataSetError as error:
                    _logger.warning("%s It is made anew.", error)
            missing.append(number)
        return missing

    def write(self, number: int, block: Block) -> None:
        """Write a block, which is there whole or not at all."""
        size = self.size(number)
        arrays = {
            "spectra": block.spectra[:size],
            "labels": block.labels[:size],
            "edges": block.groups[:size],
            "fractions": block.fractions[:size],
            "subshells": block.subshells[block.subshells["spectrum"] < size],
        } | {f"parameters/{name}": values[:size] for name, values in block.parameters.items()}
        arrays["identity"] = self._stamp(number)
        with (
            _renamed(self.path(number)) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            for name, values in arrays.items():
                with archive.open(f"{name}.npy", "w") as entry:
                    np.lib.format.write_array(entry, values, allow_pickle=False)

    def read(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of a block.

        Raises
        ------
        DataSetError
            If the block is damaged or belongs elsewhere.
        """
        path = self.path(number)
        try:
            with np.load(path, allow_pickle=False) as archive:  # which checks the checksums
                arrays = {name: archive[name] for name in archive.files}
        except Exception as error:  # of a damaged archive zipfile and NumPy raise many kinds
            raise DataSetError(f"The block {path} is damaged ({error}).") from error
        stamp = arrays.pop("identity", None)
        if stamp is None or stamp != self._stamp(number):
            raise DataSetError(f"The block {path} belongs to another data set or place.")
        return arrays

    def _stamp(self, number: int) -> np.ndarray:
        return np.array(json.dumps(self.identity | {"block": number}))

    def remove(self) -> None:
        """Remove the folder, when it is the one of this data set; its identity last."""
        identity = self.folder / IDENTITY
        if identity.exists():
            self._tidy()
            for number in self.numbers:
                self.path(number).unlink(missing_ok=True)
            identity.unlink()
        if self.folder.exists() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def _work(blocks: Blocks, number: int) -> int:
    """Make a block; its number of spectra."""
    identity = blocks.identity
    block = simulate_block(_worker_simulator, identity["set"], identity["seed"], number)
    blocks.write(number, block)
    return blocks.size(number)


def _simulate(blocks: Blocks, make: partial, processes: int, show_progressbar: bool) -> None:
    """Make the blocks that are missing."""
    missing = blocks.missing()
    total = int(blocks.identity["spectra"])
    done = total - sum(map(blocks.size, missing))
    work = partial(_work, blocks)
    with tqdm(total=total, initial=done, unit="spectra", disable=not show_progressbar) as bar:
        if processes == 1 or not missing:
            if missing:
                _start_worker(make)
            for size in map(work, missing):
                bar.update(size)
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, _start_worker, (make,)) as pool:
            try:
                for size in pool.map(work, missing):
                    bar.update(size)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _assemble(blocks: Blocks, path: Path) -> None:
    """Write the HDF5 file of all blocks."""
    with _renamed(path, blocks.folder) as temporary, _PatientFile(temporary, "w+b") as disk:
        with h5py.File(disk, "w", libver="latest") as file:  # whose structure has checksums
            for number in blocks.numbers:
                _append(file, blocks.read(number), number * blocks.spectra_per_block, blocks)
                disk.check()
            file.attrs["elements"] = list(ELEMENTS)
            file.attrs["edge_groups"] = list(EDGE_GROUPS)
            file.attrs["computed_edges"] = list(library().names)
            file.attrs.update(blocks.identity)
            file.attrs["blocks_done"] = len(blocks.numbers)
        disk.check()


class _PatientFile(io.FileIO):
    """A file that tells of a full disk when asked; of one that it cannot write HDF5 ends the process."""

    problem: OSError | None = None

    def write(self, data: bytes) -> int:
        left = memoryview(data).cast("B")
        try:
            while left and self.problem is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.problem = error
        return len(data)

    def check(self) -> None:
        """Raise what could not be written."""
        if self.problem is not None:
            raise self.problem


def _append(file: h5py.File, arrays: dict[str, np.ndarray], first: int, blocks: Blocks) -> None:
    """Write the arrays of a block into the file, its first spectrum being number `first` of all."""
    total = int(blocks.identity["spectra"])
    options = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
    for name, values in arrays.items():
        if name == "subshells":
            values["spectrum"] += first
            if name not in file:
                file.create_dataset(
                    name, (0,), values.dtype, maxshape=(None,), chunks=(4096,), **options
                )
            done = len(file[name])
            file[name].resize((done + len(values),))
            file[name][done:] = values
            continue
        if name not in file:
            shape = values.shape[1:]
            rows = 16 if shape == (N_CHANNELS,) else 1000
            file.create_dataset(
                name, (total, *shape), values.dtype, chunks=(min(rows, total), *shape), **options
            )
        file[name][first : first + len(values)] = values


def _is_finished(path: Path, identity: dict[str, object]) -> bool:
    """Whether a path is this very data set; False when there is nothing.

    Raises
    ------
    DataSetError
        If it is something else.
    """
    if path.is_file() and not path.stat().st_size or not os.path.lexists(path):
        return False
    with opened(path) as file:
        _check_same(dict(file.attrs), identity, path)
    return True


def _check_same(found: dict[str, object], identity: dict[str, object], path: Path) -> None:
    different = [name for name, value in identity.items() if found.get(name) != value]
    if different:
        raise DataSetError(
            f"{path} holds another data set (its {', '.join(different)} differ). Give another file name."
        )


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A finished data set, to be read.

    Raises
    ------
    DataSetError
        If the file is none, or was not finished.
    """
    try:
        file = h5py.File(path)
    except OSError as error:
        raise DataSetError(f"{path} is not a data set that can be read ({error}).") from error
    with file:
        if not {"elements", "edge_groups", "recipe", "blocks_done"} <= set(file.attrs):
            raise DataSetError(f"{path} is not a data set of synthetic spectra.")
        chosen = get_set(file.attrs["set"])
        per_block = SAMPLES_PER_BLOCK * chosen.spectra_per_sample
        if int(file.attrs["blocks_done"]) * per_block < int(file.attrs["spectra"]):
            raise DataSetError(f"{path} was left unfinished by an earlier version; delete it.")
        yield file


def damaged(path: Path) -> list[str]:
    """Which parts of a data set cannot be read, as ``"labels, rows 1000 to 1999"``.

    Raises
    ------
    DataSetError
        If the file is no data set.
    """
    bad: list[str] = []

    def look(name: str, dataset: object) -> None:
        if not isinstance(dataset, h5py.Dataset):
            return
        rows = dataset.chunks[0] if dataset.chunks else len(dataset)
        for first in range(0, len(dataset), rows):
            last = min(first + rows, len(dataset))
            try:
                dataset[first:last]
            except OSError:
                bad.append(f"{name}, rows {first} to {last - 1}")

    with opened(path) as file:
        try:
            file.visititems(look)
        except (OSError, RuntimeError, KeyError) as error:
            raise DataSetError(f"{path} is damaged ({error}).") from error
    return bad


@contextmanager
def _renamed(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """A temporary name in a folder on the same disk; what is written there gets its own name when it is complete."""
    temporary = (folder or path.parent) / f"{path.name}.{os.getpid()}{TEMPORARY}"
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in one line what the system does not let us do."""
    again = "What is made is kept: the same command goes on."
    try:
        yield
    except BrokenProcessPool as error:
        raise DataSetError(f"A process that made {path} was killed. {again}") from error
    except OSError as error:
        if error.errno == errno.ENOSPC or "No space left" in str(error):
            raise DataSetError(f"The disk of {path} is full. {again}") from error
        raise DataSetError(f"{path} was not written: {error}") from error


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
