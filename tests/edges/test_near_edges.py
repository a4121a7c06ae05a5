"""The library of computed near edges that is shipped."""

from importlib.resources import files

import h5py
import numpy as np
import pytest

from hyperspy_eelsid.edges import computed_near_edges

PATH = files("hyperspy_eelsid.edges") / "near_edges.h5"


@pytest.fixture(scope="module")
def library():
    """All entries: energies, values and attributes."""
    found = []
    with h5py.File(PATH) as file:
        file.visititems(
            lambda name, item: (
                found.append((file[item.attrs["axis"]][:], item[:].astype(float), dict(item.attrs)))
                if "element" in item.attrs
                else None
            )
        )
    return found


def test_lines_are_of_unit_area(library):
    for energy, values, attributes in library:
        if attributes["units"] == "1/eV":
            assert (values >= 0).all()
            assert np.trapezoid(values, energy) == pytest.approx(1, abs=0.01)


def test_absorption_of_crystals_goes_from_none_to_that_of_the_atom(library):
    of_crystals = [entry for entry in library if entry[2]["units"] == "absorption of the atom"]
    assert of_crystals
    for energy, values, attributes in of_crystals:
        name = f"{attributes['element']} {attributes['edge']} of {attributes['compound']}"
        assert (values >= 0).all(), name
        assert values[energy < -6].max() < 0.15, name
        # zero of the energies is where half of the step is reached
        assert abs(energy[np.argmax(values >= 0.5)]) <= 1.01 * (energy[1] - energy[0]), name
        assert values[energy > 60].mean() == pytest.approx(1, abs=0.1), name
        assert np.abs(values[energy > 60] - 1).max() < 0.4, name


def test_all_3d_metals_and_lanthanides_with_open_shells_are_there():
    for element in "Sc Ti V Cr Mn Fe Co Ni Cu".split():
        assert computed_near_edges(element, "L")
    for element in "La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb".split():
        assert computed_near_edges(element, "M") and computed_near_edges(element, "N")
    assert computed_near_edges("Ba", "M")
    for element in ("Th", "U"):
        assert computed_near_edges(element, "N")


def test_core_holes_pull_the_strength_to_the_onset():
    with_hole, without = (
        next(e for e in computed_near_edges("Mg", "K") if e.name.endswith(name))
        for name in ("/Mg", "/Mg no hole")
    )
    first = (with_hole.energy > 0) & (with_hole.energy < 5)
    assert with_hole.values[first].mean() > 1.05 * without.values[first].mean()


def test_entries_of_an_edge():
    beryllium = computed_near_edges("Be", "K")
    assert {"BeO"} <= {entry.attributes["compound"] for entry in beryllium}
    assert not any(entry.lines for entry in beryllium)
    assert all(entry.lines for entry in computed_near_edges("Fe", "L"))
    assert computed_near_edges("Xe", "K") == ()
    with pytest.raises(ValueError, match="read-only"):
        beryllium[0].values[0] = 1


@pytest.mark.parametrize(
    ("ion", "splitting"), [("Mn2+", 11.2), ("Fe2+", 13.1), ("Co2+", 14.9), ("Ni2+", 17.3)]
)
def test_distance_of_l2_from_l3(ion, splitting):
    """Binding energies of the X-ray data booklet [eV]; ours lack the Breit interaction and are up to 15 % larger."""
    of_element = computed_near_edges(ion[:2], "L")
    entry = next(e for e in of_element if e.name.endswith(f"{ion} 10Dq=1.0"))
    energy, absorption = entry.energy, entry.values
    above = energy > energy[absorption.argmax()] + 0.6 * splitting
    l3 = np.average(energy[~above], weights=absorption[~above])
    l2 = np.average(energy[above], weights=absorption[above])
    assert l2 - l3 == pytest.approx(splitting, rel=0.15)


def test_the_file_is_small():
    assert PATH.stat().st_size < 3e6
