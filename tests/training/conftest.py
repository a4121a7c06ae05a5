import json
from dataclasses import asdict

import h5py
import numpy as np
import pytest

from hyperspy_eelsid.edges import EDGES
from training.core_loss.compositions import Compositions
from training.core_loss.recipes import PUB, ROBUST
from training.core_loss.simulation import Simulator
from training.physics.cross_section_table import BEAM_ENERGIES_KEV, COLLECTION_ANGLES_MRAD

FORMULAS = ["SrTiO3", "LaMnO3", "BaTiO3", "GaAs", "SiO2", "Fe2O3", "BN", "Nd2O3", "PbZrO3", "CaCO3"]


@pytest.fixture(scope="session")
def saw_tooth_table():
    """A stand-in for the cross sections: every edge falls as a power law from its onset and grows with angle."""
    energy = np.arange(3072) + 0.5
    shape = (len(EDGES), len(BEAM_ENERGIES_KEV), len(COLLECTION_ANGLES_MRAD), 3072)
    table = np.empty(shape, np.float32)
    for edge, rows in zip(EDGES, table, strict=True):
        profile = 1e4 * edge.onset_energy**-2 * (1 + energy / edge.onset_energy) ** -3.5
        rows[:] = profile * np.log1p(COLLECTION_ANGLES_MRAD)[:, None]
    return table


@pytest.fixture(scope="session", params=[PUB, ROBUST], ids=lambda recipe: recipe.name)
def simulator(request, saw_tooth_table):
    return Simulator(request.param, Compositions(FORMULAS), saw_tooth_table)


@pytest.fixture(scope="session")
def pub_simulator(saw_tooth_table):
    return Simulator(PUB, Compositions(FORMULAS), saw_tooth_table)


@pytest.fixture
def formulas(tmp_path):
    """Text file of a few formulas."""
    path = tmp_path / "formulas.txt"
    path.write_text("SrTiO3\nLaMnO3\nBN\nFe2O3\nGaAs\n")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set file of 200 spectra that tell their number."""
    path = tmp_path_factory.mktemp("sets") / "train.h5"
    with h5py.File(path, "w") as file:
        file["spectra"] = np.repeat(np.arange(200, dtype=np.float32)[:, None], 3072, axis=1) / 200
        file["labels"] = (np.arange(200)[:, None] % 80 == np.arange(80)).astype(np.uint8)
        file.attrs["recipe"] = json.dumps(asdict(PUB))
    return path
