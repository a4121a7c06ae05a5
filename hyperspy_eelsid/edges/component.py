"""The edge component of models: exspy's EELSCLEdge on the cross sections that come with the package."""

from __future__ import annotations

import numpy as np
from exspy.components import EELSCLEdge

from hyperspy_eelsid._upstream import GoshGOS, is_one_spectrum, rebuilt_from, suppressed
from hyperspy_eelsid.edges import element_edges
from hyperspy_eelsid.edges.table import subshell
from hyperspy_eelsid.exceptions import UnknownElementError
from hyperspy_eelsid.shipped import PACKAGE, shipped

GOSH_PATH = str(PACKAGE / "edges" / "dhfs.gosh")


_SETTINGS = (
    "E0",
    "energy_scale",
    "fine_structure_smoothing",
    "fine_structure_width",
    "fine_structure_spline_onset",
    "fine_structure_spline_active",
    "fine_structure_active",
)


class BundledGOS(GoshGOS):
    """Generalised oscillator strength of one subshell from ``dhfs.gosh``.

    Unlike exspy's class it knows all subshells of ``edges.csv``, also those that exspy's element table
    lacks (S K, Cl K, Ru L).
    """

    def __init__(self, element_subshell: str) -> None:
        super().__init__(element_subshell, gos_file_path=str(shipped("edges/dhfs.gosh")))

    def read_elements(self) -> None:
        """Find the onset energy in the edge table."""
        edges = {edge.subshell: edge for edge in element_edges(self.element)}
        if self.subshell not in edges:
            raise UnknownElementError(
                f"There are no cross sections of {self.element}_{self.subshell}, options for "
                f"{self.element} are {', '.join(edges)}."
            )
        self.onset_energy = edges[self.subshell].onset_energy
        self.Z = edges[self.subshell].atomic_number


class CoreLossEdge(EELSCLEdge):
    """Ionisation edge with the cross sections of the package, which needs no download.

    Models that hold it can be sliced, stored, saved and loaded offline.

    Parameters
    ----------
    element_subshell
        Element and subshell, for instance ``"Ti_L3"``.
    """

    def __init__(self, element_subshell: str) -> None:
        element, subshell_name = subshell(element_subshell)
        # exspy's constructor knows neither this table nor every subshell: build any edge, then exchange its GOS
        super().__init__("C_K", GOS="hydrogenic")
        self.element, self.subshell = element, subshell_name
        self.name = element_subshell
        self.GOS = BundledGOS(element_subshell)
        with suppressed(self.onset_energy.events.value_changed):
            self.onset_energy.value = self.GOS.onset_energy
        rebuilt_from(self, element_subshell=element_subshell)

    def function_nd(
        self, *args: np.ndarray, parameters_values: list[np.ndarray] | None = None
    ) -> np.ndarray:
        """The edge in all pixels at once; lazy models and ``as_signal`` need it.

        Parameters
        ----------
        *args
            Energy axis [eV], shape (n_channels,).
        parameters_values
            Values of the parameters in all pixels; by default those of their maps.

        Returns
        -------
        np.ndarray
            Shape (..., n_channels).
        """
        (energy,) = args
        if is_one_spectrum(self):
            return self.function(energy)
        if parameters_values is None:
            parameters_values = [parameter.map["values"] for parameter in self.parameters]
        intensity, coefficients, angle, onset = parameters_values
        shaping = np.column_stack(
            [angle.ravel(), onset.ravel(), coefficients.reshape(intensity.size, -1)]
        )
        different, which = np.unique(shaping, axis=0, return_inverse=True)
        # another component, so that neither the values of this one nor those of its twins change
        edge = CoreLossEdge(f"{self.element}_{self.subshell}")
        for name in _SETTINGS:
            setattr(edge, name, getattr(self, name))
        edge.intensity.value = 1.0
        shapes = []
        for angle, onset, *coefficients in different:
            edge.effective_angle.value, edge.onset_energy.value = angle, onset
            if len(coefficients) > 1:
                edge.fine_structure_coeff.value = tuple(coefficients)
            shapes.append(edge.function(energy))
        spectra = np.stack(shapes)[which.ravel()].reshape(*intensity.shape, len(energy))
        return intensity[..., None] * spectra
