"""Near-edge structure as a component of models: what an edge has more or less than the atom's cross section."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
from exspy.components import EELSCLEdge
from hyperspy.component import Component

from hyperspy_eelsid import arguments
from hyperspy_eelsid._upstream import is_one_spectrum
from hyperspy_eelsid.edges.table import subshell
from hyperspy_eelsid.exceptions import ArgumentError


class FineStructure(Component):
    """Difference between an edge in a solid and the edge of the atom, linear between knots.

    The edges of an element in a model have the cross sections of its atom. This component adds, at the energy
    of each knot, a multiple of these cross sections, and is linear between the knots:

        f(E) = h(E - onset) * sum of the cross sections of the shell,

    with h zero at the first and the last knot and beyond. Before the onset, where a chemical shift or the resolution
    puts intensity, the cross section is that at the onset. It takes its cross sections from the edges of the same
    shell in its model, whichever GOS they have; without them it is zero.

    Parameters
    ----------
    element_subshell
        Element and the subshell from whose onset the knots are counted, for instance ``"Ti_L3"``.
    offsets
        Energies of the knots from the onset [eV], increasing; the first and the last are where it ends. Two that all
        but coincide let it jump.

    Attributes
    ----------
    coefficients
        Parameter The factors h at the knots but the first and the last, in the unit of the edge's intensity; may be
        negative. Fixed, so that HyperSpy's fits leave alone what ``m.fit_linear()`` has found; free them to let those
        fits change it.
    onset_energy
        Parameter In a model of ``auto_model`` the twin of the edge's.
    """

    def __init__(self, element_subshell: str, offsets: Iterable[float]) -> None:
        super().__init__(["coefficients", "onset_energy"])
        self.element, self.subshell = subshell(element_subshell)
        self.offsets = tuple(arguments.numbers("offsets", offsets))
        if len(self.offsets) < 3 or (np.diff(self.offsets) <= 0).any():
            raise ArgumentError(
                f"offsets must be three or more increasing energies, not {self.offsets!r:.80}."
            )
        self.name = f"{element_subshell}_fine_structure"
        self.coefficients._number_of_elements = len(self.offsets) - 2
        self.coefficients.free = self.onset_energy.free = False
        self.onset_energy.units = "eV"
        self._position = self.onset_energy
        self._splines: dict[tuple[str, float, float], object] = {}
        self._whitelist["element_subshell"] = ("init", element_subshell)
        self._whitelist["offsets"] = ("init", self.offsets)

    @property
    def edges(self) -> list[EELSCLEdge]:
        """Active edges of the same shell in the model."""
        return [
            component
            for component in self.model or ()
            if isinstance(component, EELSCLEdge)
            and component.active
            and component.element == self.element
            and component.subshell[0] == self.subshell[0]
        ]

    def function(self, energy: np.ndarray) -> np.ndarray:
        """Counts per eV, shape (n_channels,).

        Parameters
        ----------
        energy
            Energy axis [eV], shape (n_channels,).
        """
        from_onset = energy - self.onset_energy.value
        heights = [0.0, *np.atleast_1d(self.coefficients.value), 0.0]
        return np.interp(from_onset, self.offsets, heights) * self.cross_section(from_onset)

    def function_nd(
        self, *args: np.ndarray, parameters_values: list[np.ndarray] | None = None
    ) -> np.ndarray:
        """The fine structure in all pixels at once; lazy models and ``as_signal`` need it.

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
        coefficients, onset = map(np.asarray, parameters_values)
        result = np.empty((*onset.shape, len(energy)))
        for value in np.unique(onset):
            there = onset == value
            result[there] = coefficients[there] @ self.shapes(energy, value).T
        return result

    def shapes(self, energy: np.ndarray, onset: float | None = None) -> np.ndarray:
        """What a factor of one at each knot adds to the edge [barn/eV], shape (n_channels, n_knots).

        Parameters
        ----------
        energy
            Energy axis [eV], shape (n_channels,).
        onset
            Onset energy [eV]; by default the present value of the parameter.
        """
        from_onset = energy - (self.onset_energy.value if onset is None else onset)
        heights = np.eye(len(self.offsets))[1:-1]
        hats = np.stack([np.interp(from_onset, self.offsets, height) for height in heights], axis=1)
        return hats * self.cross_section(from_onset)[:, None]

    def cross_section(self, from_onset: np.ndarray) -> np.ndarray:
        """Cross section of the shell [barn/eV], that at the onset before it, shape (n_channels,).

        Parameters
        ----------
        from_onset
            Energies from the onset of the component's subshell [eV], shape (n_channels,).
        """
        total = np.zeros(len(from_onset))
        edges = self.edges
        own = next((edge for edge in edges if edge.subshell == self.subshell), None)
        if own is None:
            return total
        near = (from_onset >= self.offsets[0]) & (from_onset <= self.offsets[-1])
        energy = own.GOS.onset_energy + from_onset[near]
        for edge in edges:
            onset = edge.GOS.onset_energy
            values = self._tabulated(edge)(np.maximum(energy, onset))
            total[near] += np.where((energy >= onset) | (edge is own), values, 0.0)
        return total

    def _tabulated(self, edge: EELSCLEdge) -> object:
        """Cross section of an edge at its tabulated onset as a function of the energy."""
        key = (edge.name, edge.effective_angle.value, edge.E0)
        if key not in self._splines:
            gos = copy.copy(edge.GOS)  # which remembers the last onset that it was integrated for
            self._splines[key] = gos.integrateq(gos.onset_energy, key[1] * 1e-3, edge.E0)
        return self._splines[key]
