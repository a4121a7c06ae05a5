import matplotlib.pyplot as plt
import numpy as np
import pytest

from hyperspy_eelsid.exceptions import ArgumentError
from hyperspy_eelsid.gui import tool as gui
from hyperspy_eelsid.gui.linked import LinkedFigure

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


def form_of(signal):
    return signal.identify_elements_gui(display=False, toolkit="ipywidgets")["ipywidgets"]["wdict"]


@pytest.mark.parametrize("shape", [(), (6,), (4, 6)])
def test_jupyter_form(make_eels, shape):
    form = form_of(make_eels(shape))
    assert form["view"].layout.display == "none"
    form["run"].click()
    assert "<td>Ti-L 456</td>" in form["summary"].value
    assert form["view"].layout.display == "" and form["progress"].value == 1
    assert (form["map"].layout.display == "none") == (shape == ())
    if shape:
        assert form["map"].options == ("sum of the counts", "O probability", "Ti probability")
    form["threshold"].value = 1.0
    assert "No element found" in form["summary"].value
    assert form["map"].options in ((), ("sum of the counts",))


def test_the_periodic_table_excludes(make_eels):
    form = form_of(make_eels((4, 6)))
    form["run"].click()
    titanium = form["table"]["Ti"]
    assert "found" in titanium.tooltip
    titanium.click()
    assert form["exclude"].value == "Ti" and "excluded" in titanium.tooltip
    assert "Ti-L" not in form["summary"].value
    titanium.click()
    assert form["exclude"].value == "" and "Ti-L" in form["summary"].value
    assert len({(b.layout.grid_area) for b in form["table"].values()}) == 80


def test_a_rival_is_chosen(tool, monkeypatch):
    tool.identify()
    monkeypatch.setattr(type(tool.found), "rivals", {"O": ["V"], "Ti": []})
    form = tool.gui(display=False, toolkit="ipywidgets")["ipywidgets"]["wdict"]
    tool.found = tool.found.with_threshold(0.4)
    (choice,) = form["rivals"].children
    assert [label for label, _ in choice.options] == ["O, not V", "V, not O"]
    monkeypatch.setattr(type(tool.found), "rivals", {"Ti": []})
    choice.value = "V"
    assert form["exclude"].value == "O" and tool.found.elements == ["Ti"]


def test_fit_save_and_report(superlattice, tmp_path, monkeypatch):
    monkeypatch.undo()  # the networks that are shipped
    monkeypatch.chdir(tmp_path)
    tool = gui.IdentificationTool(superlattice.inav[:20, :4])
    assert tool.name == "Simulated_LaMnO3_BaTiO3_SrTiO3_superlattice"
    tool.fit()
    assert tool.message == "Identify first"
    form = tool.gui(display=False, toolkit="ipywidgets")["ipywidgets"]["wdict"]
    form["name"].value = "scan"
    for button in ("run", "fit", "save", "report"):
        form[button].click()
    assert "Composition [at.%]" in form["summary"].value
    assert {"O amount", "O at.%"} <= set(form["map"].options)
    assert {path.name for path in tmp_path.iterdir()} == {"scan.hspy", "scan.json", "scan.html"}
    assert "Composition</h2>" in (tmp_path / "scan.html").read_text(encoding="utf-8")
    assert form["message"].value.endswith("Written: scan.html</span>")
    form["report"].click()
    assert "already" in tool.message
    assert tool.model.elements == tool.found.elements
    tool.exclude = "Ti"  # the model is not that of what is found now
    assert tool.model is None and "O amount" not in form["map"].options


def test_a_fit_that_cannot_be_made_is_told(tool):
    tool.identify()
    tool.fit()
    assert "beam_energy" in tool.message and tool.model is None and not tool.busy


def test_unknown_symbols_are_told_whole(tool):
    tool.identify()
    tool.exclude = "Titanium"
    assert "'Titanium'" in tool.message


class Mouse:
    def __init__(self, axes, x, y):
        self.inaxes, self.xdata, self.ydata = axes, x, y


def test_the_map_is_linked_to_the_spectrum(make_eels):
    signal = make_eels((4, 6))
    tool = gui.IdentificationTool(signal)
    tool.identify()
    said = []
    view = LinkedFigure(signal, said.append)
    view.show(tool.found, None)
    np.testing.assert_allclose(view.spectrum, signal.data.sum(axis=(0, 1)))
    view._press(Mouse(view.figure.axes[0], 5.2, 2.9))
    view._release(Mouse(view.figure.axes[0], 5.2, 2.9))
    np.testing.assert_allclose(view.spectrum, signal.data[3, 5])
    spectrum = view.figure.axes[1]
    assert spectrum.get_title().startswith("pixel 5, 3: O ") and "Ti" not in spectrum.get_title()
    view._press(Mouse(view.figure.axes[0], 2, 3))
    view._release(Mouse(view.figure.axes[0], 0, 1))
    np.testing.assert_allclose(view.spectrum, signal.data[1:4, 0:3].sum(axis=(0, 1)))
    view.show_map("Ti probability")
    view._hover(Mouse(view.figure.axes[0], 0, 0))
    assert said[-1].startswith("Ti probability at 0, 0: ")
    view._press(Mouse(view.figure.axes[1], 0, 0))  # in the spectrum
    assert view.selection == (1, 3, 0, 2)


def test_spectra_of_other_axes(make_eels):
    """Lazy, decreasing, along a line: the spectrum rises with the energy and is that of the pixel."""
    for signal in (make_eels((6,), lazy=True), make_eels((6,)).isig[::-1]):
        view = LinkedFigure(signal)
        view.show(signal.identify_elements(), None)
        whole = view.spectrum
        view.select((0, 0), (0, 5))
        np.testing.assert_allclose(view.spectrum, whole)


def test_without_ipympl_a_picture_and_fields(make_eels, monkeypatch):
    monkeypatch.setattr("hyperspy_eelsid.gui.jupyter.find_spec", lambda name: None)
    tool = gui.IdentificationTool(make_eels((4, 6)))
    form = tool.gui(display=False, toolkit="ipywidgets")["ipywidgets"]
    x, y = form["wdict"]["view"].children[2:]
    assert (x.max, y.max) == (5, 3)
    tool.identify()
    before = bytes(form["wdict"]["canvas"].value)
    assert before.startswith(b"\x89PNG")
    x.value = 5
    assert bytes(form["wdict"]["canvas"].value) != before


def test_other_figures_keep_their_backend(make_eels):
    """Importing ipympl takes them over."""
    before = plt.get_backend()
    gui.IdentificationTool(make_eels((4, 6))).gui(display=False, toolkit="ipywidgets")
    assert plt.get_backend() == before


def test_no_windows_without_a_display(make_eels, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gui.sys, "platform", "linux")
    monkeypatch.setattr(gui, "find_spec", lambda name: name == "hyperspy_gui_traitsui")
    with pytest.raises(ArgumentError, match="no display"):
        make_eels().identify_elements_gui()
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert gui.has_display()


def test_the_form_goes_on_in_the_next_cell(make_eels):
    tool = make_eels((4, 6)).identify_elements_gui(toolkit="ipywidgets")
    assert tool.found is None and "not yet run" in repr(tool)
    tool.identify()
    assert tool.found.elements == ["O", "Ti"] and "'Ti'" in repr(tool)


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
