import numpy as np
import pytest

from hyperspy_eelsid.edges import ELEMENT_INDEX, ELEMENTS, visible_groups
from hyperspy_eelsid.exceptions import UnknownElementError
from hyperspy_eelsid.identification.rules import (
    candidates,
    claims,
    decide,
    hidden,
    rivals_of,
    supported,
    visible,
    with_prior,
    without_double_claims,
)


def answer(threshold=0.5, window=(380, 1000), **probabilities):
    p = np.zeros((1, 80))
    for element, value in probabilities.items():
        p[0, ELEMENT_INDEX[element]] = value
    return {ELEMENTS[i] for i in np.flatnonzero(decide(p, threshold, *window)[0])}


def test_without_rivals_the_threshold_decides():
    assert answer(O=0.9, Ti=0.51, Fe=0.49) == {"O", "Ti"}


def test_an_edge_is_not_claimed_twice():
    assert answer(N=0.8, Sc=0.6) == {"N"}
    assert answer(N=0.6, Sc=0.8) == {"Sc"}
    assert answer(Co=0.6, Ba=0.7) == {"Ba"}


def test_another_edge_in_the_window_speaks_for_an_element():
    """Ba M at 781 eV is where Co L is; Nb M and L tell it from its neighbours only when both are visible."""
    assert answer(window=(75, 600), B=0.9, P=0.8) == {"B", "P"}
    # Si L is alone at 99 eV, so Si K may stand beside the M edge of Sr at 1839/1940 eV
    assert answer(window=(75, 2500), Si=0.9, Sr=0.8) == {"Si", "Sr"}


def test_rivals_share_the_evidence_of_an_edge():
    lanthanides = {"Ce": 0.35, "Pr": 0.30, "La": 0.1}
    assert answer(window=(75, 380), **lanthanides) == {"Ce"}
    # far away elements do not share an edge
    assert answer(window=(75, 1000), O=0.35, Fe=0.30, Ti=0.1) == set()
    # nobody stands out
    assert answer(window=(75, 380), Ce=0.19, Pr=0.19, La=0.19, Nd=0.19) == set()


def test_claims():
    near = claims(380, 1000, 4.0)
    n, sc, o = (ELEMENT_INDEX[e] for e in ("N", "Sc", "O"))
    assert near[n, sc] and near[sc, n] and near[n, n]
    assert not near[o, n]
    assert not near[ELEMENT_INDEX["Sr"]].any()  # invisible here
    # Y has its L edge in this window, which no neighbour explains within 4 eV of both edges
    assert claims(75, 3000, 4.0)[ELEMENT_INDEX["Y"]].sum() == 1


@pytest.mark.parametrize("window", [(75, 380), (380, 1000), (75, 3071), (1500, 1540)])
def test_visible_elements_are_those_of_the_edge_table(window):
    expected = [bool(visible_groups(element, *window)) for element in ELEMENTS]
    np.testing.assert_array_equal(visible(*window), expected)


def test_rivals_are_named_strongest_first():
    p = np.zeros(80)
    for element, value in {"Nd": 0.5, "Pr": 0.3, "Pm": 0.2, "Ce": 0.05, "O": 0.9}.items():
        p[ELEMENT_INDEX[element]] = value
    assert rivals_of(ELEMENT_INDEX["Nd"], p, 75, 380) == ["Pr", "Pm"]


def test_weak_pixels_need_neighbours():
    found = np.zeros((8, 8, 80), bool)
    found[0, 0, 0] = True  # alone
    found[4, 2:6, 1] = True  # a line of one pixel's width
    found[7, 7, 2] = True  # alone, but strong
    probability = np.where(found, 0.6, 0.0)
    probability[7, 7, 2] = 0.95
    probability[2, 2] = np.nan
    counted = supported(found, probability, 0.5)
    assert counted[..., :3].sum(axis=(0, 1)).tolist() == [0, 2, 1]
    line = supported(found[4], probability[4], 0.5)
    assert line[:, 1].sum() == 4
    single = found[0, 0]
    assert supported(single, probability[0, 0], 0.5) is single


def test_an_image_explains_an_edge_once():
    """Co in some pixels of a Ba layer is Ba; Co where there is no Ba is Co."""
    ba, co = ELEMENT_INDEX["Ba"], ELEMENT_INDEX["Co"]
    probability = np.zeros((100, 80))
    probability[:50, ba] = 0.7
    probability[:20, co] = 0.75
    for there, expected in ((0.55, [ba]), (0.1, [ba, co])):
        probability[:20, ba] = there
        found = decide(probability, 0.5, 380, 1000)
        assert found[:20, co].all() and not found[:20, ba].any()
        kept = without_double_claims([ba, co], found, probability, 0.5, 380, 1000)
        assert kept == expected


def test_an_edge_belongs_to_the_claimant_that_can_be_there():
    """N K at 401 and Sc L at 402 eV: who rules Sc out has seen nitrogen."""
    p = np.zeros((1, 80))
    p[0, [ELEMENT_INDEX["N"], ELEMENT_INDEX["Sc"], ELEMENT_INDEX["O"]]] = 0.1, 0.9, 0.3
    without = with_prior(p, candidates(exclude=["Sc"]), 300, 700)
    assert without[0, ELEMENT_INDEX["N"]] == pytest.approx(0.1 / (0.1 + 0.9 * 0.1))
    assert without[0, ELEMENT_INDEX["Sc"]] == 0
    assert without[0, ELEMENT_INDEX["O"]] == 0.3
    np.testing.assert_array_equal(with_prior(p, ELEMENTS, 300, 700), p)


def test_candidates():
    assert candidates() == ELEMENTS
    assert candidates(["Ti", "O"]) == ("O", "Ti")
    assert "Sc" not in candidates(exclude="Sc")
    with pytest.raises(UnknownElementError, match="'Xx'"):
        candidates(exclude=["Xx"])


def test_weak_evidence_among_white_lines_is_no_element():
    """Ni L3 (855 eV) begins after La M4 (849 eV): nickel must be strong, or it is lanthanum's line."""
    la, ni = ELEMENT_INDEX["La"], ELEMENT_INDEX["Ni"]
    assert hidden(380, 1000)[ni, la] and not hidden(380, 1000)[la, ni]
    for nickel, expected in ((0.6, [la]), (0.9, [la, ni])):
        probability = np.zeros((10, 80))
        probability[:, la], probability[:5, ni] = 0.95, nickel
        probability[5:, ni] = nickel - 0.2
        found = probability > 0.5
        assert without_double_claims([la, ni], found, probability, 0.5, 380, 1000) == expected
    weak = np.zeros(80)
    weak[[la, ni]] = 0.95, 0.6
    assert rivals_of(la, weak, 380, 1000) == ["Ni"]
