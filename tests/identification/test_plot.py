import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from hyperspy_eelsid.edges import ELEMENTS
from hyperspy_eelsid.identification.plot import periodic_place

pytestmark = pytest.mark.usefixtures("step_networks")


def test_places_in_the_periodic_table():
    places = {e: periodic_place(number) for number, e in enumerate(ELEMENTS, start=4)}
    assert len(set(places.values())) == 80
    expected = {
        "Be": (2, 2),
        "B": (2, 13),
        "Ne": (2, 18),
        "Mg": (3, 2),
        "Al": (3, 13),
        "Sc": (4, 3),
    }
    expected |= {
        "Fe": (4, 8),
        "Zn": (4, 12),
        "Kr": (4, 18),
        "Ba": (6, 2),
        "Hf": (6, 4),
        "Au": (6, 11),
    }
    expected |= {"Bi": (6, 15), "La": (8, 3), "Lu": (8, 17)}
    assert {element: places[element] for element in expected} == expected


@pytest.mark.parametrize("shape", [(), (6,), (4, 6)])
def test_plot_marks_the_edges_found(make_eels, shape):
    spectrum, table = make_eels(shape).identify_elements().plot()
    assert {text.get_text() for text in spectrum.texts} == {"O-K", "Ti-L"}
    assert {text.get_text() for text in table.texts} == set(ELEMENTS)
    bold = {text.get_text() for text in table.texts if text.get_fontweight() == "bold"}
    assert bold == {"O", "Ti"}


def test_maps_show_the_summed_image_and_the_elements(make_eels):
    found = make_eels((4, 6)).identify_elements()
    axes = found.plot_maps()
    assert [a.get_title() for a in axes] == ["Sum", "O", "Ti"]
    np.testing.assert_array_equal(axes[2].images[0].get_array(), found.probability["Ti"].data)


def test_colour_bars_have_units_and_the_image_a_scale(make_eels):
    signal = make_eels((4, 6))
    axes = signal.identify_elements().plot_maps()
    labels = [a.images[0].colorbar.ax.get_ylabel() for a in axes]
    assert labels == ["Counts", "Probability", "Probability"]
    assert [bool(a.artists or a.lines) for a in axes] == [True, False, False]
    for axis in signal.axes_manager.navigation_axes:
        axis.units = ""
    plain = signal.identify_elements().plot_maps(colorbar=None)
    assert not plain[0].artists and plain[0].images[0].colorbar is None


def test_pictures_are_those_of_pyplot_and_are_not_shown_twice(make_eels, tmp_path):
    """What a cell returns is no figure, which a notebook would show beside the one that pyplot shows."""
    found = make_eels((4, 6)).identify_elements()
    for name, draw in {"plot": found.plot, "maps": found.plot_maps}.items():
        axes = draw()
        assert all(a.figure is plt.gcf() for a in axes)
        assert not any(isinstance(value, Figure) for value in (axes, *axes))
        plt.savefig(tmp_path / f"{name}.png")
        picture = plt.imread(tmp_path / f"{name}.png")
        assert np.std(picture[..., :3]) > 0.1


def test_profiles_of_a_line_scan(make_eels):
    axes = make_eels((6,)).identify_elements().plot_maps()
    assert len(axes.lines) == 2 and axes.get_ylabel() == "Probability"


def test_there_are_no_maps_of_nothing(make_eels):
    with pytest.raises(ValueError, match="single spectrum"):
        make_eels().identify_elements().plot_maps()
    with pytest.raises(ValueError, match="No element was found"):
        make_eels((4, 6)).identify_elements(threshold=1.0).plot_maps()


def test_noise_in_single_pixels_does_not_shade_an_element(make_eels):
    """An element that is not reported is as dark as its mean, however sure its few pixels are."""
    signal = make_eels((20, 10), energy=np.arange(400.0, 800.0))
    signal.data[0, 0] = make_eels(energy=np.arange(400.0, 800.0)).data
    signal.data[1:, :5] = signal.data[-1, -1]
    signal.data[0, 1:5] = signal.data[-1, -1]
    found = signal.identify_elements()
    assert found.elements == ["O"]
    assert found.fraction["Ti"] == 1 / 200
    assert found.strength["Ti"] < 0.2 < found.probability.data[0, 0, ELEMENTS.index("Ti")]
