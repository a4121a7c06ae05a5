import numpy as np
import pytest

from hyperspy_eelsid.edges import EDGES
from training.compositions import Compositions
from training.edge_library import BEAM_ENERGIES_KEV, COLLECTION_ANGLES_MRAD
from training.recipes import PUB, ROBUST
from training.simulation import Simulator

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
