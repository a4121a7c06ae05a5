import numpy as np
import pytest

from hyperspy_eelsid.exceptions import UnknownElementError
from hyperspy_eelsid.identification.relevance import WIDTH_EV, relevance


def test_relevance_sits_at_the_edge(step_networks, make_eels):
    found = make_eels().identify_elements()
    for element, onset in {"O": 532, "Ti": 456}.items():
        relevant = found.explain(element)
        axis = relevant.axes_manager[-1]
        assert (axis.offset, axis.size, axis.units) == (400, 300, "eV")
        assert abs(axis.axis[np.argmax(relevant.data)] - onset) <= WIDTH_EV
        assert abs(relevant.isig[600.0:].data).max() < 0.05 * relevant.data.max()
    for element, why in {"Uu": "Unknown element", "Fe": "no edge between 395 and 704 eV"}.items():
        with pytest.raises(UnknownElementError, match=why):
            found.explain(element)


def test_a_window_narrower_than_what_is_covered(step_networks):
    energy = np.arange(520.0, 520 + WIDTH_EV - 2)
    where, values = relevance(1.0 + (energy > 532), energy, "O")
    np.testing.assert_array_equal(where, energy)
    assert np.isfinite(values).all()


@pytest.mark.slow
def test_shipped_networks_look_at_the_onset(superlattice):
    """Of an element with one edge in the window the most relevant energy lies at that edge."""
    found = superlattice.sum().identify_elements()
    for element, onset in {"Ti": 456, "O": 532, "Mn": 640}.items():
        relevant = found.explain(element)
        assert abs(relevant.axes_manager[-1].axis[np.argmax(relevant.data)] - onset) < 2 * WIDTH_EV
