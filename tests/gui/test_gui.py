import matplotlib.pyplot as plt
import pytest

from hyperspy_eelsid.gui import tool as gui

pytestmark = pytest.mark.usefixtures("step_networks")


@pytest.fixture
def tool(make_eels):
    return gui.IdentificationTool(make_eels((4, 6)))


def test_settings_judge_without_the_networks(tool, monkeypatch):
    tool.identify()
    assert tool.found.elements == ["O", "Ti"] and tool.progress == 1
    monkeypatch.setattr(tool, "identify", None)
    tool.min_fraction = 0.8
    assert tool.found.elements == ["O"]
    tool.min_fraction, tool.exclude = 0.01, "o"
    assert tool.found.elements == ["Ti"]
    tool.exclude = "O, X"  # still typing Xe
    assert tool.found.elements == ["Ti"] and "'X'" in tool.message
    tool.exclude = ""
    assert tool.found.elements == ["O", "Ti"] and not tool.message
    tool.threshold = 1.0
    assert tool.found.elements == []


def test_elements_are_declared(tool):
    tool.add_elements()
    tool.identify()
    tool.add_elements()
    assert set(tool.signal.metadata.Sample.elements) == {"O", "Ti"}


def test_errors_are_told_in_the_form(make_eels):
    signal = make_eels((2, 2))
    signal.data[:] = 0
    tool = gui.IdentificationTool(signal)
    tool.identify()
    assert "None of the 4 spectra" in tool.message and tool.found is None


@pytest.mark.parametrize("shape", [(), (6,), (4, 6)])
def test_jupyter_form(make_eels, shape):
    widgets = make_eels(shape).identify_elements_gui(display=False, toolkit="ipywidgets")
    form = widgets["ipywidgets"]["wdict"]
    form["run"].click()
    assert "<td>Ti-L 456</td>" in form["table"].value
    assert bytes(form["picture"].value).startswith(b"\x89PNG")
    assert (form["maps"].layout.display == "none") == (shape == ())
    assert form["progress"].value == 1
    before = form["picture"].value
    form["threshold"].value = 1.0
    assert "No element found" in form["table"].value
    assert form["picture"].value != before
    assert form["maps"].layout.display == "none"


def test_no_toolkit(make_eels, monkeypatch):
    monkeypatch.setattr(gui, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="gui-jupyter"):
        make_eels().identify_elements_gui()


def test_desktop_form(tool, make_eels):
    desktop = pytest.importorskip(
        "hyperspy_eelsid.gui.desktop", reason="needs the extra gui-traitsui"
    )
    _, options = desktop.identify_elements.__wrapped__(tool)
    handler = options["handler"]
    handler.run = True
    assert "<td>Ti-L 456</td>" in handler.table and handler.percent == 100 and not tool.busy
    figures = handler.periodic_table, handler.maps
    assert [len(figure.axes) for figure in figures] == [3, 6]  # each map has its scale
    tool.exclude = "O"
    assert "O-K" not in handler.table
    assert (handler.periodic_table, handler.maps) == figures
    assert [axes.get_title() for axes in handler.maps.axes[:4:2]] == ["Sum", "Ti"]
    assert {text.get_text() for text in handler.periodic_table.axes[0].texts} == {"Ti-L"}
    plt.close(handler.maps)
    tool.exclude = ""
    assert handler.maps is not figures[1] and len(handler.maps.axes) == 6
    tool.threshold = 1.0
    assert "No element found" in handler.table and not handler.maps.axes
    tool.threshold = 0.5
    handler.add = True
    assert set(tool.signal.metadata.Sample.elements) == {"O", "Ti"}
    tool.signal = make_eels()
    tool.identify()
    assert len(handler.periodic_table.axes) == 3 and not handler.maps.axes
