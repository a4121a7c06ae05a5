import numpy as np
import pytest

from hyperspy_eelsid import report


@pytest.fixture
def energy():
    return np.arange(400.0, 900.0)


def test_spectrum_marks_the_edges_in_the_window(energy):
    figure = report.spectrum_figure(energy, 1e6 * energy**-2, ["Fe", "O", "Sr"])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["O K", "Fe L"]
    onsets = sorted(line.get_xdata()[0] for line in axes.lines[1:])
    assert onsets == [532, 708, 721]


def test_spectrum_with_empty_channels_is_drawn(energy, tmp_path):
    report.spectrum_figure(energy, np.zeros_like(energy), []).savefig(tmp_path / "spectrum.png")
    assert (tmp_path / "spectrum.png").stat().st_size > 0


def test_maps_stand_in_rows_and_columns():
    plane = np.arange(12.0).reshape(3, 4)
    figure = report.maps_figure({"truth": {"O": plane, "Sr": plane}, "fit": {"O": 2 * plane}})
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 1, 0]
    assert [axes.get_title() for axes in figure.axes] == ["O", "Sr", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["truth", "", "fit", ""]
    np.testing.assert_array_equal(figure.axes[2].images[0].get_array(), 2 * plane)
