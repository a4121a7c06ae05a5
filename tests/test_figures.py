import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_eelsid.figures import Row, maps_figure, name_and_unit, round_length, with_common_scale


def maps_of(figure):
    """Axes that are no colour bars."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def test_maps_stand_in_rows_and_columns():
    plane = np.arange(12.0).reshape(3, 4)
    rows = {"truth": Row({"O": plane, "Sr": plane}), "fit": Row({"O": 2 * plane}, "atoms/nm²")}
    figure = maps_figure(rows, ["O", "Sr"])
    drawn = maps_of(figure)
    assert [len(axes.images) for axes in drawn] == [1, 1, 1, 0]
    assert [axes.get_title() for axes in drawn] == ["O", "Sr", "", ""]
    assert [axes.get_ylabel() for axes in drawn] == ["truth", "", "fit", ""]
    np.testing.assert_array_equal(drawn[2].images[0].get_array(), 2 * plane)
    assert drawn[2].images[0].colorbar.ax.get_ylabel() == "atoms/nm²"


def test_colours_can_be_compared():
    maps = {"O": np.full((3, 4), 0.1), "Ti": np.full((3, 4), 0.3), "La": np.full((3, 4), np.nan)}
    rows = {"own": Row(maps), "given": Row(maps, "", 1.0), "common": with_common_scale(Row(maps))}
    limits = [axes.images[0].get_clim() for axes in maps_of(maps_figure(rows, list(maps)))]
    assert limits[:3] == [(0, 0.1), (0, 0.3), (0, 1)]
    assert limits[3:6] == [(0, 1)] * 3 and limits[6:] == [(0, 0.3)] * 3


@pytest.mark.parametrize(("unit", "there"), [("nm", True), ("", False)])
def test_a_scale_bar_of_a_round_length(unit, there):
    image = hs.signals.Signal2D(np.ones((20, 40)))
    for axis in image.axes_manager.signal_axes:
        axis.scale, axis.units = 0.25, unit
    figure = maps_figure({"": Row({"O": image.data})}, ["O"], image)
    bars = maps_of(figure)[0].artists
    assert bool(bars) == there
    if there:
        assert bars[0].txt_label.get_text() == "2 nm"


def test_lengths_and_units():
    assert [round_length(x) for x in (0.7, 1, 4.9, 55, 2e-3)] == [0.5, 1, 2, 50, 2e-3]
    assert name_and_unit("Areal density (atoms/nm²)") == ("Areal density", "atoms/nm²")
    assert name_and_unit("Atomic fraction") == ("Atomic fraction", "")
