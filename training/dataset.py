"""Data sets of synthetic spectra: which seeds belong to which set, and the HDF5 files they are kept in."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
from tqdm.auto import tqdm

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.preprocessing import N_CHANNELS
from training.compositions import Compositions, materials_project_formulas, read_formulas
from training.edge_library import load
from training.recipes import RECIPES
from training.simulation import Simulator

# the second number of every seed: sets never share a spectrum
SETS = {"train": 0, "validation": 1, "test": 2}
SAMPLES_PER_BLOCK = 160


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


def write(
    simulator: Simulator,
    path: Path,
    spectra: int,
    seed: int,
    set_name: str = "test",
    show_progressbar: bool = True,
) -> None:
    """Simulate a data set into an HDF5 file.

    Parameters
    ----------
    path : File to write: ``spectra`` (n, 3072) float32, ``labels`` (n, 80), ``fractions`` (n, 80) and the drawn
        parameters in the group ``parameters``.
    spectra : Number of spectra.
    seed : The same seed gives the same spectra.
    set_name : ``"train"``, ``"validation"`` or ``"test"``.
    """
    if set_name not in SETS:
        raise ValueError(f"Unknown set {set_name!r}, options are {', '.join(SETS)}.")
    recipe = asdict(simulator.recipe) | {"effects": sorted(simulator.recipe.effects)}
    with h5py.File(path, "w") as file:
        file.attrs["elements"] = list(ELEMENTS)
        file.attrs["seed"] = seed
        file.attrs["set"] = set_name
        file.attrs["recipe"] = json.dumps(recipe)
        for number, first in enumerate(
            tqdm(range(0, spectra, SAMPLES_PER_BLOCK), disable=not show_progressbar)
        ):
            block = simulator.block((seed, SETS[set_name], number), SAMPLES_PER_BLOCK)
            arrays = {
                "spectra": block.spectra,
                "labels": block.labels,
                "fractions": block.fractions,
            } | {f"parameters/{name}": values for name, values in block.parameters.items()}
            size = min(SAMPLES_PER_BLOCK, spectra - first)
            for name, values in arrays.items():
                if name not in file:
                    file.create_dataset(
                        name,
                        shape=(spectra, *values.shape[1:]),
                        dtype=values.dtype,
                        chunks=(min(16, spectra), *values.shape[1:])
                        if values.shape[1:] == (N_CHANNELS,)
                        else True,
                        compression="gzip",
                        shuffle=True,
                    )
                file[name][first : first + size] = np.asarray(values)[:size]
