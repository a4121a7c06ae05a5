"""The library of computed near edges that is shipped."""

from importlib.resources import files

import h5py
import numpy as np
import pytest

PATH = files("hyperspy_eelsid.edges") / "near_edges.h5"


@pytest.fixture(scope="module")
def spectra():
    """Energy axis, and absorption of every entry by its name."""
    with h5py.File(PATH) as file:
        names = [
            f"{e}/{edge}/{ion}"
            for e in file
            if e != "energy"
            for edge in file[e]
            for ion in file[e][edge]
        ]
        return file["energy"][:], {name: file[name][:] for name in names}


def test_every_entry_is_an_absorption_of_unit_area(spectra):
    energy, entries = spectra
    for absorption in entries.values():
        assert (absorption >= 0).all()
        assert np.trapezoid(absorption, energy) == pytest.approx(1, abs=0.01)


def test_all_3d_metals_and_lanthanides_with_open_shells_are_there(spectra):
    present = {tuple(name.split("/")[:2]) for name in spectra[1]}
    assert {(e, "L") for e in "Sc Ti V Cr Mn Fe Co Ni Cu".split()} <= present
    lanthanides = "Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb".split()
    assert {(e, edge) for e in lanthanides for edge in "MN"} <= present


@pytest.mark.parametrize(
    ("ion", "splitting"), [("Mn2+", 11.2), ("Fe2+", 13.1), ("Co2+", 14.9), ("Ni2+", 17.3)]
)
def test_distance_of_l2_from_l3(spectra, ion, splitting):
    """Binding energies of the X-ray data booklet [eV]; ours lack the Breit interaction and are up to 15 % larger."""
    energy, entries = spectra
    name = next(n for n in entries if n.startswith(f"{ion[:2]}/L/{ion} 10Dq=1.0"))
    absorption = entries[name]
    above = energy > energy[absorption.argmax()] + 0.6 * splitting
    l3 = np.average(energy[~above], weights=absorption[~above])
    l2 = np.average(energy[above], weights=absorption[above])
    assert l2 - l3 == pytest.approx(splitting, rel=0.15)


def test_the_file_is_small():
    assert PATH.stat().st_size < 3e6
