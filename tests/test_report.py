import numpy as np
import pytest

from hyperspy_eelsid import report
from hyperspy_eelsid.data import core_shell_particle
from hyperspy_eelsid.exceptions import EelsidError, EnergyAxisError, UnknownElementError


def test_maps_stand_in_rows_and_columns():
    plane = np.arange(12.0).reshape(3, 4)
    rows = {"truth": {"O": plane, "Sr": plane}, "fit": {"O": 2 * plane}}
    figure = report.maps_figure(rows, ["O", "Sr"])
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 1, 0]
    assert [axes.get_title() for axes in figure.axes] == ["O", "Sr", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["truth", "", "fit", ""]
    np.testing.assert_array_equal(figure.axes[2].images[0].get_array(), 2 * plane)


def test_colours_of_probabilities_can_be_compared():
    faint = np.full((3, 4), 0.1)
    figure = report.maps_figure({"probability": {"O": faint}, "model fit": {"O": faint}}, ["O"])
    assert [axes.images[0].get_clim() for axes in figure.axes] == [(0, 1), (0, 0.1)]


@pytest.fixture(scope="module")
def particle():
    return core_shell_particle((10, 10)).identify_elements()


def test_white_lines_of_what_was_found(particle):
    lines = particle.oxidation("Mn")
    assert lines.edge == "Mn_L3"
    assert 2 < lines.ratio.data[0] < 3.5  # between those of Mn3+ and Mn2+
    table = report.white_lines_table(particle)
    assert "Mn-L3" in table and "3+" in table
    assert table in report._section(report.Result("particle", particle, {}))


def test_the_axis_is_that_of_the_edges():
    """Lines that are 12 eV off are found, because the identification tells the offset."""
    signal = core_shell_particle((10, 10), counts=3000)
    signal.axes_manager.signal_axes[0].offset += 10
    found = signal.identify_elements(elements=["Mn"])
    assert found.energy_offset == pytest.approx(11, abs=3)
    assert 650 < found.oxidation("Mn").position.data[0] < 654


def test_white_lines_that_cannot_be_told(particle, superlattice):
    with pytest.raises(UnknownElementError, match="not found in these"):
        particle.oxidation("Fe")
    with pytest.raises(EelsidError, match="Unknown"):
        particle.oxidation("Xx")
    found = superlattice.identify_elements()
    with pytest.raises(UnknownElementError, match="no white lines"):
        found.oxidation("O")
    assert "O-K" not in report.white_lines_table(found)
    cut = core_shell_particle((10, 10)).isig[:652.0].identify_elements(elements=["Mn"])
    with pytest.raises(EnergyAxisError, match="cuts Mn L2"):
        cut.oxidation("Mn")
    assert report.white_lines_table(cut) == ""
