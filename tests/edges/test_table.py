import json
from itertools import pairwise
from pathlib import Path

import pytest

from hyperspy_eelsid import edges

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "edges107.json"


def test_80_elements_and_107_groups():
    assert len(edges.ELEMENTS) == 80
    assert (edges.ELEMENTS[0], edges.ELEMENTS[-1]) == ("Be", "Bi")
    groups = {element: edges.edge_groups(element) for element in edges.ELEMENTS}
    assert sum(map(len, groups.values())) == 107
    onsets = [onset for group in groups.values() for onset in group.values()]
    assert min(onsets) >= 95 and max(onsets) <= 3071


def test_groups_are_the_reference_ones():
    if not REFERENCE.exists():
        pytest.skip("../shared/reference/edges107.json is not there")
    reference = json.loads(REFERENCE.read_text())
    assert {e: set(edges.edge_groups(e)) for e in edges.ELEMENTS} == {
        element: set(groups) for element, groups in reference.items()
    }


def test_onset_of_a_group_is_its_lowest_subshell():
    assert edges.edge_groups("Si") == {"L": 99.2, "K": 1839}
    assert edges.edge_groups("Fe") == {"L": 708}


def test_edges_in_a_window():
    assert [edge.name for edge in edges.edges_in_window("Fe", 700, 800)] == ["Fe_L2", "Fe_L3"]
    assert edges.visible_groups("La", 400, 1000) == {"M": 832}
    assert edges.visible_groups("La", 75, 1000) == {"N": 99, "M": 832}
    assert edges.visible_groups("Sr", 380, 1000) == {}


def test_inner_subshells_are_bound_more_tightly():
    order = {s: i for i, s in enumerate("K L1 L2 L3 M1 M2 M3 M4 M5 N1 N2 N3 N4 N5 N6 N7".split())}
    for element in edges.ELEMENTS:
        listed = [edge for edge in edges.element_edges(element) if edge.subshell in order]
        onsets = [e.onset_energy for e in sorted(listed, key=lambda e: order[e.subshell])]
        # the sources of the table differ by an electronvolt
        assert all(b <= a + 1.5 for a, b in pairwise(onsets)), element


def test_unknown_element():
    with pytest.raises(ValueError, match="Unknown element 'Uu'"):
        edges.element_edges("Uu")
