"""The interactive form of ``identify_elements``: what it does here, how it looks in the toolkits' modules."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import traits.api as t
from dask.callbacks import Callback
from hyperspy.api import preferences
from hyperspy.ui_registry import add_gui_method

from hyperspy_eelsid import arguments
from hyperspy_eelsid.energy_axis import check_eels
from hyperspy_eelsid.exceptions import ArgumentError, EelsidError
from hyperspy_eelsid.identification import ensemble
from hyperspy_eelsid.report import write_report

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from matplotlib.figure import Figure

    from hyperspy_eelsid.identification import ElementIdentification


_PACKAGES = {"ipywidgets": "hyperspy_gui_ipywidgets", "traitsui": "hyperspy_gui_traitsui"}


def identify_elements_gui(
    signal: EELSSpectrum, display: bool = True, toolkit: str | None = None
) -> IdentificationTool | dict[str, Any]:
    """Identify elements in an interactive form: run the networks, judge with other settings, fit, save and report.

    Parameters
    ----------
    display
        Display the form; if False, return its widgets in a dictionary instead.
    toolkit
        ``"ipywidgets"`` or ``"traitsui"``; None for the one in which it can be shown: that of Jupyter where it is
        installed and enabled, else windows, where there is a display.

    Returns
    -------
    IdentificationTool | dict[str, Any]
        The form, whose ``found`` and ``model`` go on in the next cell; or its widgets.

    Raises
    ------
    ImportError
        If no toolkit is installed and enabled.
    SignalTypeError
        If it is no EELS signal.
    ArgumentError
        If `display` or `toolkit` is none of its values, or windows are asked for where there is no display.
    """
    check_eels(signal)
    arguments.flag("display", display)
    arguments.option("toolkit", toolkit, _PACKAGES, or_none=True)
    # HyperSpy takes every toolkit that some extension has registered for installed
    enabled = [
        name
        for name, package in _PACKAGES.items()
        if find_spec(package) and getattr(preferences.GUIs, f"enable_{name}_gui")
    ]
    if toolkit is None and not enabled:
        raise ImportError(
            "The form needs hyperspy_gui_ipywidgets or hyperspy_gui_traitsui, enabled in HyperSpy's "
            "preferences: pip install hyperspy_eelsid[gui-jupyter]."
        )
    toolkit = enabled[0] if toolkit is None else toolkit
    if toolkit == "traitsui" and not has_display():  # Qt ends the process, and a kernel with it
        raise ArgumentError(
            "There is no display for the windows of toolkit='traitsui'; in Jupyter use toolkit='ipywidgets' "
            "(pip install hyperspy_eelsid[gui-jupyter])."
        )
    tool: Any = IdentificationTool(signal)  # HyperSpy adds the method `gui`
    widgets = tool.gui(display=display, toolkit=toolkit)
    return tool if display else widgets


def has_display() -> bool:
    """Whether windows can be shown."""
    if sys.platform in ("win32", "darwin"):
        return True
    without = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0] in ("offscreen", "minimal")
    return without or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@add_gui_method(toolkey="hyperspy_eelsid.identify_elements")
class IdentificationTool(t.HasTraits):
    """Identify the elements of a signal and judge them anew whenever a setting changes.

    The networks run once; threshold, smallest fraction and candidates only judge their probabilities.

    Parameters
    ----------
    signal
        The signal.

    Attributes
    ----------
    found
        The :class:`~hyperspy_eelsid.identification.ElementIdentification`, None before the
        networks ran.
    model
        The fitted model of what is found; None before a fit, and when what is found has changed.
    name
        Name of the files that are saved, without ending.
    progress, busy
        How much of the spectra is identified, and whether something is running.
    """

    threshold = t.Range(0.0, 1.0, label="Threshold")
    min_fraction = t.Range(0.0, 1.0, 0.01, label="Smallest share of pixels")
    elements = t.Str(label="Only these elements", desc="symbols, e.g. Ti, O; empty for all")
    exclude = t.Str(label="Not these elements", desc="symbols, e.g. Sc")
    progress = t.Range(0.0, 1.0, 0.0)
    busy = t.Bool()
    message = t.Str()
    found = t.Any()
    model = t.Any()
    name = t.Str("elements", label="Name of files")

    def __init__(self, signal: EELSSpectrum) -> None:
        super().__init__(threshold=ensemble.load().threshold)
        self.signal = signal
        title = signal.metadata.get_item("General.title") or "elements"
        self.name = re.sub(r"[^\w.-]+", "_", title).strip("._")[:60] or "elements"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.found.elements if self.found else 'not yet run'}>"

    def identify(self) -> None:
        """Run the networks."""
        self.message = "Identifying"
        self.busy = True
        try:
            with _Progress(self):
                found = self.signal.identify_elements(show_progressbar=False)
                found.compute(show_progressbar=False)
        except EelsidError as error:
            self.message = str(error)
            return
        finally:
            self.busy = False
        self.progress = 1.0  # also for few spectra, which no dask tasks identify
        self._judge(found)

    @t.observe("threshold, min_fraction, elements, exclude")
    def _settings_changed(self, event: Any) -> None:
        if self.found is not None:
            self._judge(self.found)

    def _judge(self, found: ElementIdentification) -> None:
        try:
            found = found.with_candidates(_symbols(self.elements) or None, _symbols(self.exclude))
        except EelsidError as error:  # a symbol that is still being typed
            self.message = str(error)
            return
        self.message = ""
        self.found = found.with_threshold(self.threshold, self.min_fraction)

    @t.observe("found")
    def _found_changed(self, event: Any) -> None:
        old = event.old
        if old is None or old.elements != event.new.elements:
            self.model = None

    def add_elements(self) -> None:
        """Declare the elements that are found on the signal."""
        if self.found is not None:
            self.signal.add_elements(tuple(self.found.elements))
            self.message = f"Declared: {', '.join(self.found.elements)}"

    def toggle(self, element: str) -> None:
        """Exclude an element, or admit it again."""
        excluded = _symbols(self.exclude)
        others = [other for other in excluded if other.capitalize() != element]
        self.exclude = ", ".join(others if len(others) < len(excluded) else [*excluded, element])

    def prefer(self, rival: str, element: str) -> None:
        """Take a rival in the place of an element that was found."""
        wanted = [e for e in _symbols(self.exclude) if e.capitalize() != rival]
        self.exclude = ", ".join([*wanted, element])

    def fit(self) -> None:
        """Fit a model of what is found in all pixels."""
        if self.found is None:
            self.message = "Identify first"
            return
        self.message, self.busy = "Fitting", True
        try:
            self.model = self.signal.auto_model(identification=self.found, show_progressbar=False)
        except EelsidError as error:
            self.message = str(error)
            return
        finally:
            self.busy = False
        doubtful = self.model.doubtful
        self.message = f"The fit does not confirm {', '.join(doubtful)}" if doubtful else "Fitted"

    def save(self) -> None:
        """Save what is found in a file of HyperSpy, and the method beside it."""
        self._write(lambda path: self._save(path), ".hspy")

    def _save(self, path: Path) -> None:
        self.found.save(path)
        self.found.to_method().save(path.with_suffix(".json"), overwrite=True)

    def report(self) -> None:
        """Write a report of what is found and fitted."""
        self._write(lambda path: write_report(path, self.found, self.model), ".html")

    def _write(self, write: Callable[[Path], None], ending: str) -> None:
        if self.found is None:
            self.message = "Identify first"
            return
        path = Path(f"{self.name}{ending}")
        if path.exists():
            self.message = f"{path} is there already; choose another name"
            return
        try:
            write(path)
        except OSError as error:
            self.message = f"{path} was not written ({error.strerror or error})"
            return
        self.message = f"Written: {path}"


def _symbols(text: str) -> list[str]:
    return text.replace(",", " ").split()


class _Progress(Callback):
    """Follows dask's tasks and tells the tool how many are done."""

    def __init__(self, tool: IdentificationTool) -> None:
        super().__init__()
        self._tool = tool

    def _start_state(self, dsk: Any, state: dict[str, Any]) -> None:
        self._tool.progress = 0.0

    def _posttask(
        self, key: Any, result: Any, dsk: Any, state: dict[str, Any], worker: Any
    ) -> None:
        done = len(state["finished"])
        self._tool.progress = done / (
            done + sum(len(state[x]) for x in ("ready", "waiting", "running"))
        )


def has_maps(found: ElementIdentification) -> bool:
    """Whether there is something to draw for ``plot_maps``."""
    return found.probability.axes_manager.navigation_dimension in (1, 2) and bool(found.elements)


def as_png(figure: Figure) -> bytes:
    """The picture of a figure, which is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    plt.close(figure)
    return buffer.getvalue()
