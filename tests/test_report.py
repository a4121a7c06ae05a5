import numpy as np

from hyperspy_eelsid import report


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
