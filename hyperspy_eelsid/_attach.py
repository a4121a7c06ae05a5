"""The methods that exspy's classes gain; the only module that touches a class of another package.

The methods are attached right after the module that defines a class has run, whatever is imported
first. What they do is imported on first use, so that importing HyperSpy stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import MethodType, ModuleType
from typing import Any

from wrapt import when_imported


class LazyMethod:
    """A method that is a function of a module, imported on first use.

    Seen from the class it is the function itself, so that help and documentation show its signature.

    Parameters
    ----------
    target
        Where the function is, as ``"module:function"``.
    """

    def __init__(self, target: str) -> None:
        self._module, self._name = target.split(":")

    @property
    def function(self) -> Callable[..., Any]:
        """The function."""
        return getattr(import_module(self._module), self._name)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self.function if instance is None else MethodType(self.function, instance)


class LazyProperty(LazyMethod):
    """A property that is a function of a module, imported on first use."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return property(self.function) if instance is None else self.function(instance)


_IDENTIFICATION = "hyperspy_eelsid.identification"
_QUANTIFICATION = "hyperspy_eelsid.quantification"
_LOW_LOSS = "hyperspy_eelsid.low_loss"
_OXIDATION = "hyperspy_eelsid.oxidation"

METHODS = {
    "EELSSpectrum": {
        "identify_elements": LazyMethod(f"{_IDENTIFICATION}.identify:identify_elements"),
        "identify_elements_gui": LazyMethod("hyperspy_eelsid.gui.tool:identify_elements_gui"),
        "auto_model": LazyMethod(f"{_QUANTIFICATION}.auto_model:auto_model"),
        "model_zero_loss_peak": LazyMethod(f"{_LOW_LOSS}.zero_loss:model_zero_loss_peak"),
        "remove_zero_loss_peak": LazyMethod(f"{_LOW_LOSS}.zero_loss:remove_zero_loss_peak"),
        "thickness": LazyMethod(f"{_LOW_LOSS}.thickness:thickness"),
        "white_lines": LazyMethod(f"{_OXIDATION}.white_lines:white_lines"),
        "oxidation_states": LazyMethod(f"{_OXIDATION}.states:oxidation_states"),
        "oxidation_fractions": LazyMethod(f"{_OXIDATION}.fractions:oxidation_fractions"),
    },
    "EELSModel": {
        "elements": LazyProperty(f"{_QUANTIFICATION}.linear_model:elements"),
        "fit_linear": LazyMethod(f"{_QUANTIFICATION}.linear_model:fit_linear"),
        "estimate_onset_shifts": LazyMethod(
            f"{_QUANTIFICATION}.pixel_shifts:estimate_onset_shifts"
        ),
        "elemental_maps": LazyMethod(f"{_QUANTIFICATION}.maps:elemental_maps"),
        "composition": LazyMethod(f"{_QUANTIFICATION}.maps:composition"),
        "volume_densities": LazyMethod(f"{_QUANTIFICATION}.maps:volume_densities"),
        "total_composition": LazyMethod(f"{_QUANTIFICATION}.totals:total_composition"),
        "plot_maps": LazyMethod(f"{_QUANTIFICATION}.plot:plot_maps"),
        "plot_sum": LazyMethod(f"{_QUANTIFICATION}.plot:plot_sum"),
        "fine_structure": LazyMethod(f"{_QUANTIFICATION}.near_edge_structure:fine_structure"),
        "residual": LazyMethod(f"{_QUANTIFICATION}.maps:residual"),
        "significance": LazyMethod(f"{_QUANTIFICATION}.second_opinion:significance"),
        "doubtful": LazyProperty(f"{_QUANTIFICATION}.second_opinion:doubtful"),
    },
}
# where exspy defines the classes: up to 0.3, and later
_DEFINING_MODULES = (
    "exspy.signals.eels",
    "exspy.signals._eels",
    "exspy.models.eelsmodel",
    "exspy.models._eelsmodel",
)


def arrange() -> None:
    """Attach the methods now or when the classes come into being."""
    for name in _DEFINING_MODULES:
        when_imported(name)(_attach)


def _attach(module: ModuleType) -> None:
    for class_name, methods in METHODS.items():
        if hasattr(module, class_name):
            for name, method in methods.items():
                setattr(getattr(module, class_name), name, method)
