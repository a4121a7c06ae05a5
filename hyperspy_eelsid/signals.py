"""The signal class of element probabilities."""

from __future__ import annotations

from hyperspy.signals import BaseSignal, LazySignal1D, Signal1D

from hyperspy_eelsid.edges import ELEMENTS, element_index


class ElementProbability(Signal1D):
    """Probability of each of the 80 elements along the signal axis, which counts them from Be to Bi."""

    _signal_type = "ElementProbability"

    def __getitem__(self, element: str) -> BaseSignal:
        """Map of one element: ``probability["Ti"]``.

        Raises
        ------
        UnknownElementError
            If `element` is not the symbol of one of the 80 elements.
        """
        index = element_index(element)
        chosen = self.isig[index]
        chosen.metadata.General.title = ELEMENTS[index]
        return chosen.T if self.axes_manager.navigation_dimension else chosen


class LazyElementProbability(ElementProbability, LazySignal1D):
    """Element probabilities that are computed when they are asked for."""
