"""The interactive form of ``identify_elements``: what it does here, how it looks in the toolkits' modules."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import traits.api as t
from dask.callbacks import Callback
from hyperspy.api import preferences
from hyperspy.ui_registry import add_gui_method

from hyperspy_eelsid import arguments
from hyperspy_eelsid.energy_axis import check_eels
from hyperspy_eelsid.exceptions import EelsidError
from hyperspy_eelsid.identification import ensemble

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from matplotlib.figure import Figure

    from hyperspy_eelsid.identification import ElementIdentification


_PACKAGES = {"ipywidgets": "hyperspy_gui_ipywidgets", "traitsui": "hyperspy_gui_traitsui"}


def identify_elements_gui(
    signal: EELSSpectrum, display: bool = True, toolkit: str | None = None
) -> dict[str, Any] | None:
    """Identify elements in an interactive form: run the networks, then judge with other settings.

    Parameters
    ----------
    display
        Display the form; if False, return its widgets in a dictionary instead.
    toolkit
        ``"ipywidgets"`` or ``"traitsui"``; None for all that are installed and enabled.

    Raises
    ------
    ImportError
        If no toolkit is installed and enabled.
    SignalTypeError
        If it is no EELS signal.
    ArgumentError
        If `display` or `toolkit` is none of its values.
    """
    check_eels(signal)
    arguments.flag("display", display)
    arguments.option("toolkit", toolkit, _PACKAGES, or_none=True)
    # HyperSpy takes every toolkit that some extension has registered for installed
    enabled = {
        name
        for name, package in _PACKAGES.items()
        if find_spec(package) and getattr(preferences.GUIs, f"enable_{name}_gui")
    }
    if toolkit is None and not enabled:
        raise ImportError(
            "The form needs hyperspy_gui_ipywidgets or hyperspy_gui_traitsui, enabled in HyperSpy's "
            "preferences: pip install hyperspy_eelsid[gui-jupyter]."
        )
    tool: Any = IdentificationTool(signal)  # HyperSpy adds the method `gui`
    return tool.gui(display=display, toolkit=toolkit or tuple(enabled))


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
    progress, busy
        How much of the spectra is identified, and whether the networks are running.
    """

    threshold = t.Range(0.0, 1.0, label="Threshold")
    min_fraction = t.Range(0.0, 1.0, 0.01, label="Smallest fraction of the pixels")
    elements = t.Str(label="Only these elements", desc="symbols, e.g. Ti, O; empty for all")
    exclude = t.Str(label="Not these elements", desc="symbols, e.g. Sc")
    progress = t.Range(0.0, 1.0, 0.0)
    busy = t.Bool()
    message = t.Str()
    found = t.Any()

    def __init__(self, signal: EELSSpectrum) -> None:
        super().__init__(threshold=ensemble.load().threshold)
        self.signal = signal

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

    def add_elements(self) -> None:
        """Declare the elements that are found on the signal."""
        if self.found is not None:
            self.signal.add_elements(tuple(self.found.elements))
            self.message = f"Declared: {', '.join(self.found.elements)}"


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
