"""Crystals whose near edges are computed: space group, lattice and the places of the atoms.

Lattice constants and places are those of R. W. G. Wyckoff, Crystal Structures, 2nd ed., vols. 1-3 (1963-1965), rounded
to some 0.1 %, unless a crystal says otherwise. Perovskites are the cubic ones, also where the crystal is slightly
distorted at room temperature. Hydrogen is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

# formulas below are written in the order of the sites
_NAMES = {
    "FeFe2O4": "Fe3O4",
    "CoCo2O4": "Co3O4",
    "FeFe3N": "Fe4N",
    "MgO2 brucite": "Mg(OH)2",
    "CaO2 portlandite": "Ca(OH)2",
    "NiO2 theophrastite": "Ni(OH)2",
}
WYCKOFF = "Wyckoff, Crystal Structures (1963-1965)"
Site = tuple[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Crystal:
    """One crystal.

    Attributes
    ----------
    compound
        Formula, with the name where several crystals share it.
    structure
        Type of structure.
    group
        Space group; where there are two settings, the first origin and hexagonal axes.
    lattice
        a, b, c [angstrom], alpha, beta, gamma [degree].
    sites
        Element and fractional coordinates of each inequivalent site.
    source
        Of lattice and coordinates.
    """

    compound: str
    structure: str
    group: str
    lattice: tuple[float, float, float, float, float, float]
    sites: tuple[Site, ...]
    source: str = WYCKOFF

    @property
    def elements(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(element for element, _ in self.sites))


def cluster(crystal: Crystal, site: int, radius: float) -> tuple[list[str], np.ndarray]:
    """Atoms around a site, the nearest first.

    Parameters
    ----------
    crystal
        The crystal.
    site
        Index of the site at the origin.
    radius
        Radius of the cluster [angstrom].

    Returns
    -------
    tuple[list[str], np.ndarray]
        Elements, and places [angstrom] of shape (n, 3).
    """
    from pymatgen.core.lattice import Lattice

    matrix = Lattice.from_parameters(*crystal.lattice).matrix
    orbits = [(element, _orbit(crystal.group, place)) for element, place in crystal.sites]
    centre = np.array(crystal.sites[site][1])
    # cells that reach into the sphere: the planes of the lattice are 1 / |reciprocal vector| apart
    reach = np.ceil(radius * np.linalg.norm(np.linalg.inv(matrix), axis=0)).astype(int) + 1
    cells = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1)
    cells = cells.reshape(-1, 3)
    elements, places = [], []
    for element, orbit in orbits:
        atoms = ((orbit[:, None] + cells - centre).reshape(-1, 3)) @ matrix
        atoms = atoms[np.linalg.norm(atoms, axis=1) < radius]
        elements += [element] * len(atoms)
        places.append(atoms)
    atoms = np.concatenate(places)
    order = np.argsort(np.linalg.norm(atoms, axis=1), kind="stable")
    return [elements[i] for i in order], atoms[order]


def multiplicity(crystal: Crystal, site: int) -> int:
    """Number of atoms of a site in the cell."""
    return len(_orbit(crystal.group, crystal.sites[site][1]))


@cache
def _orbit(group: str, place: tuple[float, float, float]) -> np.ndarray:
    """All places in the cell that the symmetry makes of one."""
    operations = _operations(group)
    places = (operations[:, :3, :3] @ place + operations[:, :3, 3]) % 1.0
    _, first = np.unique(places.round(5) % 1.0, axis=0, return_index=True)
    return places[first]


@cache
def _operations(group: str) -> np.ndarray:
    """Affine matrices of a space group, shape (n, 4, 4)."""
    from pymatgen.symmetry.groups import SpaceGroup

    return np.array([operation.affine_matrix for operation in SpaceGroup(group).symmetry_ops])


def _cubic(a: float) -> tuple[float, ...]:
    return (a, a, a, 90.0, 90.0, 90.0)


def _tetragonal(a: float, c: float) -> tuple[float, ...]:
    return (a, a, c, 90.0, 90.0, 90.0)


def _hexagonal(a: float, c: float) -> tuple[float, ...]:
    return (a, a, c, 90.0, 90.0, 120.0)


def _orthorhombic(a: float, b: float, c: float) -> tuple[float, ...]:
    return (a, b, c, 90.0, 90.0, 90.0)


_THIRD = (1 / 3, 2 / 3)
_ORIGIN, _CENTRE, _QUARTER = (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def _cubic_types() -> list[Crystal]:
    """Crystals whose only parameter is the lattice constant [angstrom]."""
    types = {
        "fcc": ("Fm-3m", (_ORIGIN,), "Al 4.050 Ca 5.588 Ni 3.524 Cu 3.615 Ag 4.086 Pd 3.890"),
        "bcc": ("Im-3m", (_ORIGIN,), "Na 4.291 V 3.024 Cr 2.885 Fe 2.866 Nb 3.300 Mo 3.147"),
        "diamond": ("Fd-3m", (_ORIGIN,), "C 3.567 Si 5.431 Ge 5.658"),
        "rock salt": (
            "Fm-3m",
            (_ORIGIN, _CENTRE),
            "MgO 4.212 CaO 4.811 SrO 5.160 BaO 5.539 MnO 4.445 FeO 4.307 CoO 4.260 NiO 4.177 CdO 4.695 LiF 4.026 "
            "NaF 4.634 KF 5.347 RbF 5.640 AgF 4.920 LiCl 5.130 NaCl 5.640 KCl 6.293 RbCl 6.581 AgCl 5.549 NaBr 5.973 "
            "KBr 6.600 NaI 6.473 MgS 5.200 CaS 5.695 SrS 6.020 MnS 5.224 BaS 6.386 PbS 5.936 TiC 4.328 VC 4.165 "
            "ZrC 4.698 NbC 4.470 HfC 4.638 TaC 4.456 ScN 4.500 TiN 4.240 VN 4.139 CrN 4.149 ZrN 4.577 LaN 5.301",
        ),
        "zincblende": (
            "F-43m",
            (_ORIGIN, _QUARTER),
            "BN 3.615 BP 4.538 BAs 4.777 BeS 4.865 BeSe 5.139 BeTe 5.626 SiC 4.360 AlP 5.451 AlAs 5.662 AlSb 6.136 "
            "GaP 5.451 GaAs 5.653 InP 5.869 ZnS 5.409 ZnSe 5.668 CuCl 5.416",
        ),
        "caesium chloride": ("Pm-3m", (_ORIGIN, _CENTRE), "CsCl 4.123 TlCl 3.834 NiAl 2.887"),
        "fluorite": (
            "Fm-3m",
            (_ORIGIN, _QUARTER),
            "CaF2 5.463 SrF2 5.800 BaF2 6.200 CdF2 5.388 PbF2 5.940 SrCl2 6.977 CeO2 5.411 ZrO2 5.070 HfO2 5.115 "
            "ThO2 5.597 UO2 5.470 NiSi2 5.406 CoSi2 5.367",
        ),
        "antifluorite": (
            "Fm-3m",
            (_QUARTER, _ORIGIN),
            "Be2C 4.330 Li2O 4.619 Na2O 5.550 K2O 6.436 Li2S 5.708 Na2S 6.526 Mg2Si 6.338 Be2B 4.670",
        ),
        "perovskite": (
            "Pm-3m",
            (_ORIGIN, _CENTRE, (0.5, 0.5, 0.0)),
            "SrTiO3 3.905 BaTiO3 4.006 CaTiO3 3.840 KNbO3 4.020 KTaO3 3.989 BaZrO3 4.193 BaSnO3 4.116 LaAlO3 3.790 "
            "LaMnO3 3.880 LaFeO3 3.930 LaCoO3 3.820 SrMnO3 3.805 SrRuO3 3.930 KMgF3 3.989 KMnF3 4.182 KFeF3 4.120 "
            "KCoF3 4.069 KNiF3 4.012 KZnF3 4.055",
        ),
        "anti-ReO3": ("Pm-3m", (((0.5, 0.0, 0.0)), _ORIGIN), "Cu3N 3.807"),
        "iron nitride": ("Pm-3m", (_ORIGIN, (0.0, 0.5, 0.5), _CENTRE), "FeFe3N 3.795"),
    }
    return [
        Crystal(formula, name, group, _cubic(float(a)), _named(formula, places))
        for name, (group, places, list_of_crystals) in types.items()
        for formula, a in zip(*[iter(list_of_crystals.split())] * 2, strict=True)
    ]


def _named(formula: str, places: tuple[tuple[float, ...], ...]) -> tuple[Site, ...]:
    """Places with the elements of a formula, in its order."""
    names = re.findall("[A-Z][a-z]?", formula.split()[0])
    return tuple(zip(names, places, strict=True))


def _uniaxial_types() -> list[Crystal]:
    """Crystals of two lattice constants [angstrom] and at most two parameters."""
    result = []

    def add(structure: str, group: str, lattice, places, rows) -> None:
        for formula, a, c, *u in rows:
            result.append(
                Crystal(formula, structure, group, lattice(a, c), _named(formula, places(*u)))
            )

    add(
        "hcp",
        "P6_3/mmc",
        _hexagonal,
        lambda: ((*_THIRD, 0.25),),
        [
            ("Be", 2.286, 3.584),
            ("Mg", 3.209, 5.211),
            ("Sc", 3.309, 5.273),
            ("Ti", 2.951, 4.684),
            ("Co", 2.507, 4.070),
            ("Zn", 2.665, 4.947),
            ("Y", 3.647, 5.731),
            ("Zr", 3.232, 5.147),
        ],
    )
    add(
        "wurtzite",
        "P6_3mc",
        _hexagonal,
        lambda u: ((*_THIRD, 0.0), (*_THIRD, u)),
        [
            ("BeO", 2.698, 4.377, 0.378),
            ("AlN", 3.111, 4.978, 0.382),
            ("GaN", 3.190, 5.189, 0.377),
            ("InN", 3.533, 5.693, 0.379),
            ("ZnO", 3.250, 5.207, 0.382),
            ("CdS", 4.136, 6.713, 0.378),
        ],
    )
    add(
        "diboride",
        "P6/mmm",
        _hexagonal,
        lambda: (_ORIGIN, (*_THIRD, 0.5)),
        [
            ("MgB2", 3.086, 3.524),
            ("AlB2", 3.009, 3.262),
            ("TiB2", 3.030, 3.230),
            ("CrB2", 2.969, 3.066),
            ("ZrB2", 3.169, 3.530),
            ("NbB2", 3.089, 3.303),
        ],
    )
    add(
        "rutile",
        "P4_2/mnm",
        _tetragonal,
        lambda u: (_ORIGIN, (u, u, 0.0)),
        [
            ("TiO2", 4.594, 2.959, 0.305),
            ("VO2", 4.554, 2.856, 0.300),
            ("CrO2", 4.421, 2.916, 0.301),
            ("MnO2", 4.398, 2.873, 0.305),
            ("RuO2", 4.492, 3.107, 0.306),
            ("SnO2", 4.737, 3.186, 0.307),
            ("SiO2 stishovite", 4.179, 2.665, 0.306),
            ("MgF2", 4.621, 3.052, 0.303),
            ("MnF2", 4.873, 3.310, 0.305),
            ("FeF2", 4.697, 3.309, 0.300),
            ("CoF2", 4.695, 3.180, 0.306),
            ("NiF2", 4.651, 3.084, 0.302),
            ("ZnF2", 4.703, 3.134, 0.303),
        ],
    )
    add(
        "corundum",
        "R-3c",
        _hexagonal,
        lambda z, x: ((0.0, 0.0, z), (x, 0.0, 0.25)),
        [
            ("Al2O3", 4.759, 12.991, 0.3522, 0.3063),
            ("Ti2O3", 5.149, 13.642, 0.345, 0.313),
            ("V2O3", 4.952, 14.003, 0.3463, 0.3118),
            ("Cr2O3", 4.958, 13.594, 0.3475, 0.3060),
            ("Fe2O3", 5.036, 13.749, 0.3553, 0.3059),
            ("Ga2O3", 4.979, 13.429, 0.3554, 0.3050),
        ],
    )
    add(
        "calcite",
        "R-3c",
        _hexagonal,
        lambda x: (_ORIGIN, (0.0, 0.0, 0.25), (x, 0.0, 0.25)),
        [
            ("MgCO3", 4.634, 15.016, 0.2775),
            ("CaCO3", 4.990, 17.061, 0.2570),
            ("MnCO3", 4.773, 15.664, 0.2698),
            ("FeCO3", 4.691, 15.380, 0.2743),
            ("ZnCO3", 4.653, 15.025, 0.2764),
            ("NaNO3", 5.070, 16.820, 0.2450),
            ("ScBO3", 4.748, 15.262, 0.2902),
            ("InBO3", 4.823, 15.456, 0.2857),
        ],
    )
    add(
        "nickel arsenide",
        "P6_3/mmc",
        _hexagonal,
        lambda: (_ORIGIN, (*_THIRD, 0.25)),
        [("FeS", 3.440, 5.880), ("CoS", 3.367, 5.160), ("NiS", 3.420, 5.300), ("VS", 3.360, 5.813)],
    )
    add(
        "cadmium iodide",
        "P-3m1",
        _hexagonal,
        lambda z: (_ORIGIN, (*_THIRD, z)),
        [
            ("TiS2", 3.408, 5.701, 0.25),
            ("MgO2 brucite", 3.142, 4.766, 0.222),
            ("CaO2 portlandite", 3.585, 4.895, 0.234),
            ("NiO2 theophrastite", 3.117, 4.595, 0.24),
        ],
    )
    for formula, a, c, z, source in [
        ("MgCl2", 3.636, 17.666, 0.2578, "Partin, O'Keeffe, J. Solid State Chem. 95, 176 (1991)"),
        ("MnCl2", 3.711, 17.590, 0.2500, "Tornero, Fayos, Z. Kristallogr. 192, 147 (1990)"),
        ("FeCl2", 3.598, 17.536, 0.2543, "Vettier, Yelon, J. Phys. Chem. Solids 36, 401 (1975)"),
        ("NiCl2", 3.483, 17.400, 0.2550, "Ferrari et al., Acta Cryst. 16, 846 (1963)"),
    ]:
        sites = _named(formula, (_ORIGIN, (0.0, 0.0, z)))
        lattice = _hexagonal(a, c)
        result.append(Crystal(formula, "chlorides in layers", "R-3m", lattice, sites, source))
    add(
        "molybdenite",
        "P6_3/mmc",
        _hexagonal,
        lambda z: ((*_THIRD, 0.25), (*_THIRD, z)),
        [("MoS2", 3.160, 12.295, 0.621), ("WS2", 3.154, 12.362, 0.6225)],
    )
    add(
        "molybdenum disilicide",
        "I4/mmm",
        _tetragonal,
        lambda z: (_ORIGIN, (0.0, 0.0, z)),
        [
            ("MoSi2", 3.200, 7.850, 0.3333),
            ("CaC2", 3.890, 6.380, 0.406),
            ("BaO2", 3.810, 6.840, 0.391),
        ],
    )
    add(
        "zircon",
        "I4_1/amd",
        _tetragonal,
        lambda y, z: (_ORIGIN, (0.0, 0.0, 0.5), (0.0, y, z)),
        [
            ("ZrSiO4", 6.607, 5.982, 0.184, 0.320),
            ("YPO4", 6.882, 6.018, 0.1753, 0.3408),
            ("YVO4", 7.118, 6.289, 0.1843, 0.3268),
        ],
    )
    add(
        "tungsten carbide",
        "P-6m2",
        _hexagonal,
        lambda: (_ORIGIN, (*_THIRD, 0.5)),
        [("WC", 2.906, 2.837), ("MoC", 2.898, 2.809)],
    )
    return result


def _parameter_types() -> list[Crystal]:
    """Cubic crystals of one parameter."""
    result = []

    def add(structure: str, group: str, places, rows) -> None:
        for formula, a, u in rows:
            result.append(Crystal(formula, structure, group, _cubic(a), _named(formula, places(u))))

    add(
        "spinel",
        "Fd-3m",
        lambda u: (_ORIGIN, (0.625, 0.625, 0.625), (u, u, u)),
        [
            ("MgAl2O4", 8.083, 0.387),
            ("ZnAl2O4", 8.086, 0.3886),
            ("MgCr2O4", 8.333, 0.3862),
            ("FeCr2O4", 8.378, 0.3866),
            ("ZnFe2O4", 8.441, 0.3852),
            ("FeFe2O4", 8.394, 0.3798),
            ("CoCo2O4", 8.084, 0.389),
            ("LiMn2O4", 8.248, 0.3882),
        ],
    )
    add(
        "pyrite",
        "Pa-3",
        lambda u: (_ORIGIN, (u, u, u)),
        [
            ("FeS2", 5.418, 0.385),
            ("CoS2", 5.535, 0.3896),
            ("NiS2", 5.677, 0.395),
            ("MnS2", 6.097, 0.4012),
        ],
    )
    add(
        "hexaboride",
        "Pm-3m",
        lambda u: (_ORIGIN, (u, 0.5, 0.5)),
        [("CaB6", 4.152, 0.2019), ("LaB6", 4.157, 0.1993), ("SrB6", 4.198, 0.203)],
    )
    return result


CEMENTITE = "Herbstein, Smuts, Inorg. Chem. 3, 616 (1964)"


def _others() -> list[Crystal]:
    """Crystals with a type of their own."""
    return [
        Crystal(
            "C graphite",
            "graphite",
            "P6_3/mmc",
            _hexagonal(2.464, 6.711),
            (("C", (0.0, 0.0, 0.25)), ("C", (*_THIRD, 0.25))),
        ),
        Crystal(
            "BN hexagonal",
            "boron nitride",
            "P6_3/mmc",
            _hexagonal(2.504, 6.661),
            (("B", (*_THIRD, 0.25)), ("N", (*_THIRD, 0.75))),
        ),
        Crystal(
            "P black",
            "black phosphorus",
            "Cmce",
            _orthorhombic(3.3136, 10.478, 4.3763),
            (("P", (0.0, 0.1017, 0.0806)),),
            "Brown, Rundqvist, Acta Cryst. 19, 684 (1965)",
        ),
        Crystal(
            "SiO2 quartz",
            "quartz",
            "P3_221",
            _hexagonal(4.913, 5.405),
            (("Si", (0.4697, 0.0, 2 / 3)), ("O", (0.4135, 0.2669, 0.7858))),
            "Levien, Prewitt, Weidner, Am. Mineral. 65, 920 (1980)",
        ),
        Crystal(
            "SiO2 cristobalite",
            "cristobalite",
            "P4_12_12",
            _tetragonal(4.978, 6.948),
            (("Si", (0.3003, 0.3003, 0.0)), ("O", (0.2392, 0.1044, 0.1787))),
            "Dollase, Z. Kristallogr. 121, 369 (1965)",
        ),
        Crystal(
            "BeF2",
            "quartz",
            "P3_221",
            _hexagonal(4.733, 5.179),
            (("Be", (0.4700, 0.0, 2 / 3)), ("F", (0.4164, 0.2671, 0.7845))),
        ),
        Crystal(
            "TiO2 anatase",
            "anatase",
            "I4_1/amd",
            _tetragonal(3.785, 9.514),
            (("Ti", _ORIGIN), ("O", (0.0, 0.0, 0.208))),
        ),
        Crystal("Cu2O", "cuprite", "Pn-3m", _cubic(4.270), (("Cu", _QUARTER), ("O", _ORIGIN))),
        Crystal(
            "CuO",
            "tenorite",
            "C2/c",
            (4.684, 3.423, 5.129, 90.0, 99.54, 90.0),
            (("Cu", (0.25, 0.25, 0.0)), ("O", (0.0, 0.4184, 0.25))),
            "Asbrink, Norrby, Acta Cryst. B 26, 8 (1970)",
        ),
        Crystal(
            "ReO3",
            "rhenium trioxide",
            "Pm-3m",
            _cubic(3.750),
            (("Re", _ORIGIN), ("O", (0.5, 0.0, 0.0))),
        ),
        Crystal(
            "Si3N4",
            "silicon nitride",
            "P6_3/m",
            _hexagonal(7.608, 2.911),
            (
                ("Si", (0.1744, 0.7691, 0.25)),
                ("N", (*_THIRD, 0.25)),
                ("N", (0.3299, 0.0303, 0.25)),
            ),
            "Gruen, Acta Cryst. B 35, 800 (1979)",
        ),
        Crystal(
            "Li3N",
            "lithium nitride",
            "P6/mmm",
            _hexagonal(3.648, 3.875),
            (("Li", (0.0, 0.0, 0.5)), ("Li", (*_THIRD, 0.0)), ("N", _ORIGIN)),
            "Rabenau, Schulz, J. Less-Common Met. 50, 155 (1976)",
        ),
        Crystal(
            "Fe3C",
            "cementite",
            "Pnma",
            _orthorhombic(5.091, 6.743, 4.526),
            (
                ("Fe", (0.186, 0.063, 0.328)),
                ("Fe", (0.036, 0.25, 0.852)),
                ("C", (0.890, 0.25, 0.450)),
            ),
            CEMENTITE,
        ),
        Crystal(
            "La2O3",
            "lanthanum oxide",
            "P-3m1",
            _hexagonal(3.937, 6.129),
            (("La", (*_THIRD, 0.245)), ("O", (*_THIRD, 0.645)), ("O", _ORIGIN)),
        ),
        Crystal(
            "Y2O3",
            "bixbyite",
            "Ia-3",
            _cubic(10.604),
            (
                ("Y", _QUARTER),
                ("Y", (-0.0327, 0.0, 0.25)),
                ("O", (0.391, 0.152, 0.380)),
            ),
        ),
        Crystal(
            "Y3Al5O12",
            "garnet",
            "Ia-3d",
            _cubic(12.000),
            (
                ("Y", (0.125, 0.0, 0.25)),
                ("Al", _ORIGIN),
                ("Al", (0.375, 0.0, 0.25)),
                ("O", (-0.0306, 0.0512, 0.1500)),
            ),
            "Euler, Bruce, Acta Cryst. 19, 971 (1965)",
        ),
        Crystal(
            "Mg2SiO4",
            "forsterite",
            "Pbnm",
            _orthorhombic(4.756, 10.207, 5.980),
            (
                ("Mg", _ORIGIN),
                ("Mg", (0.9915, 0.2774, 0.25)),
                ("Si", (0.4262, 0.0940, 0.25)),
                ("O", (0.7657, 0.0913, 0.25)),
                ("O", (0.2215, 0.4474, 0.25)),
                ("O", (0.2777, 0.1628, 0.0331)),
            ),
            "Hazen, Am. Mineral. 61, 1280 (1976)",
        ),
        Crystal(
            "LiFePO4",
            "triphylite",
            "Pnma",
            _orthorhombic(10.332, 6.010, 4.692),
            (
                ("Li", _ORIGIN),
                ("Fe", (0.2822, 0.25, 0.9747)),
                ("P", (0.0948, 0.25, 0.4182)),
                ("O", (0.0968, 0.25, 0.7428)),
                ("O", (0.4571, 0.25, 0.2060)),
                ("O", (0.1656, 0.0465, 0.2848)),
            ),
            "Streltsov et al., Acta Cryst. B 49, 147 (1993)",
        ),
        Crystal(
            "AlPO4",
            "berlinite",
            "P3_121",
            _hexagonal(4.943, 10.974),
            (
                ("Al", (0.4664, 0.0, 1 / 3)),
                ("P", (0.4669, 0.0, 5 / 6)),
                ("O", (0.4163, 0.2922, 0.3977)),
                ("O", (0.4156, 0.2576, 0.8837)),
            ),
            "Schwarzenbach, Z. Kristallogr. 123, 161 (1966)",
        ),
        Crystal(
            "CaSO4",
            "anhydrite",
            "Amma",
            _orthorhombic(6.993, 6.995, 6.245),
            (
                ("Ca", (0.75, 0.0, 0.3476)),
                ("S", (0.25, 0.0, 0.1556)),
                ("O", (0.25, 0.1699, 0.0162)),
                ("O", (0.0819, 0.0, 0.2975)),
            ),
            "Hawthorne, Ferguson, Can. Mineral. 13, 289 (1975)",
        ),
        Crystal(
            "BaSO4",
            "barite",
            "Pnma",
            _orthorhombic(8.884, 5.457, 7.157),
            (
                ("Ba", (0.1845, 0.25, 0.1585)),
                ("S", (0.4370, 0.75, 0.1908)),
                ("O", (0.5870, 0.75, 0.1060)),
                ("O", (0.3176, 0.75, 0.0498)),
                ("O", (0.4194, 0.9704, 0.3118)),
            ),
            "Jacobsen et al., Can. Mineral. 36, 1053 (1998)",
        ),
        Crystal(
            "CuFeS2",
            "chalcopyrite",
            "I-42d",
            _tetragonal(5.289, 10.423),
            (("Cu", _ORIGIN), ("Fe", (0.0, 0.0, 0.5)), ("S", (0.2574, 0.25, 0.125))),
            "Hall, Stewart, Acta Cryst. B 29, 579 (1973)",
        ),
        Crystal(
            "FeSi",
            "iron silicide",
            "P2_13",
            _cubic(4.489),
            (("Fe", (0.137, 0.137, 0.137)), ("Si", (0.842, 0.842, 0.842))),
        ),
    ]


@cache
def crystals() -> dict[str, Crystal]:
    """All crystals by their compound."""
    found = [*_cubic_types(), *_uniaxial_types(), *_parameter_types(), *_others()]
    found = [replace(c, compound=_NAMES.get(c.compound, c.compound)) for c in found]
    return {crystal.compound: crystal for crystal in found}
