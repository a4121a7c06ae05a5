"""Crystals whose near edges are computed, against tabulated radii of ions and atoms and measured densities."""

import numpy as np
import pytest

pymatgen = pytest.importorskip("pymatgen.core")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Full symbol not available"
)  # of orthorhombic groups

from training.physics.crystals import cluster, crystals, multiplicity  # noqa: E402

# R. D. Shannon, Acta Cryst. A 32, 751 (1976), six neighbours; of nitrogen four
ANIONS = {"O": (-2, 1.40), "F": (-1, 1.33), "Cl": (-1, 1.81), "Br": (-1, 1.96), "I": (-1, 2.20)}
ANIONS |= {"S": (-2, 1.84), "Se": (-2, 1.98), "Te": (-2, 2.21), "N": (-3, 1.46)}
# pairs of sulphur and oxygen are one anion of charge -2
IN_PAIRS = {"FeS2": 2, "CoS2": 2, "NiS2": 2, "MnS2": 2, "BaO2": 2}
ROMAN = "0 I II III IV V VI VII VIII IX X XI XII".split()
# [g/cm^3], CRC Handbook of Chemistry and Physics, and of minerals the Handbook of Mineralogy
DENSITIES = {
    "Al": 2.70,
    "Mg": 1.74,
    "Ti": 4.51,
    "Fe": 7.87,
    "Zr": 6.52,
    "C": 3.51,
    "C graphite": 2.26,
    "P black": 2.69,
    "BN hexagonal": 2.27,
    "BN": 3.49,
    "AlN": 3.26,
    "Si3N4": 3.19,
    "Li3N": 1.29,
    "GaAs": 5.32,
    "SiC": 3.21,
    "WC": 15.6,
    "Fe3C": 7.69,
    "CaC2": 2.22,
    "TiB2": 4.52,
    "LaB6": 4.72,
    "MoSi2": 6.26,
    "MgO": 3.60,
    "Al2O3": 3.99,
    "SiO2 quartz": 2.65,
    "SiO2 stishovite": 4.29,
    "SiO2 cristobalite": 2.32,
    "TiO2": 4.23,
    "TiO2 anatase": 3.89,
    "Fe2O3": 5.25,
    "Fe3O4": 5.18,
    "MgAl2O4": 3.58,
    "Cu2O": 6.11,
    "CuO": 6.51,
    "Y2O3": 5.03,
    "La2O3": 6.51,
    "Y3Al5O12": 4.56,
    "CeO2": 7.22,
    "SrTiO3": 5.12,
    "ZrSiO4": 4.67,
    "Mg2SiO4": 3.22,
    "LiFePO4": 3.60,
    "AlPO4": 2.62,
    "CaCO3": 2.71,
    "MgCO3": 3.01,
    "NaNO3": 2.26,
    "CaSO4": 2.97,
    "BaSO4": 4.48,
    "CaF2": 3.18,
    "NaCl": 2.17,
    "MgCl2": 2.33,
    "NiCl2": 3.51,
    "FeCl2": 3.16,
    "FeS2": 5.01,
    "MoS2": 5.06,
    "CuFeS2": 4.19,
}


def neighbours(crystal, site):
    """Element of the nearest neighbours that are of another kind than the site, and their distances [angstrom]."""
    elements, places = cluster(crystal, site, 5.0)
    distance = np.linalg.norm(places, axis=1)
    first = next(i for i, element in enumerate(elements) if element != elements[0])
    near = np.array(elements) == elements[first]
    return elements[first], distance[near & (distance < 1.2 * distance[first])]


def composition(crystal):
    """Number of atoms of each element in the cell."""
    atoms = dict.fromkeys(crystal.elements, 0)
    for site, (element, _) in enumerate(crystal.sites):
        atoms[element] += multiplicity(crystal, site)
    return atoms


def valences(crystal):
    """Of each element, where the formula tells them."""
    if crystal.compound in IN_PAIRS:
        return {crystal.elements[0]: IN_PAIRS[crystal.compound]}
    formula = crystal.compound if "(OH)" in crystal.compound else crystal.compound.split()[0]
    guesses = pymatgen.Composition(formula).oxi_state_guesses()
    return guesses[0] if guesses else {}


def ionic_radii(element, valence, neighbours):
    """Of the tabulated number of neighbours that is nearest, for both spins."""
    table = pymatgen.Element(element).data["Shannon radii"].get(str(round(valence)), {})
    known = {key: ROMAN.index(key) for key in table if key in ROMAN}
    known = known or {key: ROMAN.index(key.rstrip("PYSQ")) for key in table}
    nearest = min(known, key=lambda key: abs(known[key] - neighbours), default=None)
    return [radius["ionic_radius"] for radius in table.get(nearest, {}).values()]


ELEMENTS = [name for name, crystal in crystals().items() if len(crystal.elements) == 1]
COMPOUNDS = [name for name in crystals() if name not in ELEMENTS]


@pytest.mark.parametrize("name", ELEMENTS)
def test_atoms_of_an_element_are_as_far_as_they_are_large(name):
    crystal = crystals()[name]
    element = pymatgen.Element(crystal.elements[0])
    covalent = element.symbol in ("C", "Si", "Ge", "P")
    radius = element.atomic_radius if covalent else element.metallic_radius
    _, places = cluster(crystal, 0, 5.0)
    assert np.linalg.norm(places[1]) == pytest.approx(2 * radius, rel=0.12 if covalent else 0.05)


@pytest.mark.parametrize("name", COMPOUNDS)
def test_neighbours_are_as_far_as_ions_or_atoms_are_large(name):
    crystal = crystals()[name]
    states = valences(crystal)
    shortest = {}
    for site, (element, _) in enumerate(crystal.sites):
        other, distances = neighbours(crystal, site)
        _, anion = ANIONS.get(other, (0, 0))
        valence = states.get(element, 0)
        radii = ionic_radii(element, valence, len(distances)) if anion and valence > 0 else []
        if radii:
            ratios = distances.mean() / (np.array(radii) + anion)
            assert np.abs(ratios - 1).min() < 0.1, (element, other)
        elif element not in ANIONS:
            pair = (element, other)
            shortest[pair] = min(distances.min(), shortest.get(pair, np.inf))
    for pair, distance in shortest.items():  # covalent or metallic
        radii = [pymatgen.Element(symbol).atomic_radius for symbol in pair]
        assert distance == pytest.approx(sum(radii), rel=0.16), pair


@pytest.mark.parametrize("name", DENSITIES)
def test_density(name):
    crystal = crystals()[name]
    mass = sum(pymatgen.Element(e).atomic_mass * n for e, n in composition(crystal).items())
    volume = pymatgen.Lattice.from_parameters(*crystal.lattice).volume
    assert float(mass) / volume * 1.66054 == pytest.approx(DENSITIES[name], rel=0.03)
