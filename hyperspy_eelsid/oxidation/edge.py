"""A pair of white lines, and the part of a signal that holds it: one gate for all methods of this room."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
from hyperspy.signals import BaseSignal

from hyperspy_eelsid import arguments
from hyperspy_eelsid.edges import EDGES, element_edges
from hyperspy_eelsid.energy_axis import check_eels, in_order
from hyperspy_eelsid.exceptions import (
    ArgumentError,
    EnergyAxisError,
    ThicknessError,
    UnknownElementError,
)
from hyperspy_eelsid.low_loss.thickness import relative_thickness
from hyperspy_eelsid.signals import pixel_map

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum

LARGEST_CHANNEL_EV = 1.0  # lines cannot be told from each other beyond
LEAST_BEFORE_EV = 3.0
LEAST_AFTER_EV = 4.0  # of the second line and what the level of the continuum is read from
BACKGROUND_EV = 50.0  # what is kept before the first line
TAIL_EV = 20.0  # and after the second
LARGEST_THICKNESS = 0.6  # mean free paths
# 2p -> 3d and 3d -> 4f; of Zn and of Lu the shells are full
_SERIES = {("L3", "L2"): range(21, 30), ("M5", "M4"): range(57, 71)}
SERIES_ELEMENTS = tuple(
    dict.fromkeys(
        edge.element
        for edge in EDGES
        if any(edge.atomic_number in numbers for numbers in _SERIES.values())
    )
)


@dataclass(frozen=True)
class WhiteLineEdge:
    """The two spin-orbit partners of an edge into an open shell, L3 and L2 or M5 and M4.

    Parameters
    ----------
    element
        Symbol.
    lines
        Names of the subshells, that of the lower energy first.
    onsets
        Their onset energies [eV].
    """

    element: str
    lines: tuple[str, str]
    onsets: tuple[float, float]

    @classmethod
    def of(cls, name: str) -> WhiteLineEdge:
        """The edge of an element, ``"Mn"``, or of one of its lines, ``"Mn_L3"``.

        Raises
        ------
        UnknownElementError
            If the element has no white lines, or not those that are named.
        ArgumentError
            If it is no text.
        """
        element, _, line = arguments.text("edge", name).partition("_")
        subshells = {edge.subshell: edge for edge in element_edges(element)}
        for lines, atomic_numbers in _SERIES.items():
            pair = [subshells[subshell] for subshell in lines if subshell in subshells]
            if len(pair) == 2 and pair[0].atomic_number in atomic_numbers and line in ("", *lines):
                return cls(element, lines, (pair[0].onset_energy, pair[1].onset_energy))
        raise UnknownElementError(
            f"{name!r} has no white lines. Oxidation states are read from L3 and L2 of Sc to Cu, and from M5 and "
            "M4 of La to Yb."
        )

    @property
    def name(self) -> str:
        """Name in HyperSpy's notation, e.g. ``"Mn_L3"``."""
        return f"{self.element}_{self.lines[0]}"

    @property
    def distance(self) -> float:
        """Distance of the lines [eV]."""
        return self.onsets[1] - self.onsets[0]


@dataclass(frozen=True)
class Region:
    """A part of the energy axis of a signal, on a uniform axis.

    Parameters
    ----------
    energy
        Energies [eV] with the offset of the axis taken off, shape (n_channels,), uniform.
    spectra
        Shape (..., n_channels), navigation shape first; lazy if the signal is.
    variance
        Of the spectra, where the metadata of the signal tell it: a number or shape (..., n_channels).
    signal
        Where it comes from, energy last and increasing.
    """

    energy: np.ndarray
    spectra: np.ndarray | da.Array
    variance: float | np.ndarray | da.Array | None
    signal: EELSSpectrum

    @classmethod
    def between(
        cls, signal: EELSSpectrum, start: float, end: float, energy_offset: float = 0.0
    ) -> Region:
        """What a signal holds between two energies [eV]."""
        signal = in_order(signal)
        axis = signal.axes_manager.signal_axes[0].axis - energy_offset
        first, last = np.searchsorted(axis, (start, end))
        kept = slice(max(first - 1, 0), last + 1)
        axis = axis[kept]
        variance = signal.metadata.get_item("Signal.Noise_properties.variance")
        if isinstance(variance, BaseSignal):
            variance = in_order(variance).data[..., kept]
        energy = _uniform(axis)
        spectra = _on_axis(signal.data[..., kept], axis, energy)
        if np.ndim(variance):
            variance = _on_axis(variance, axis, energy)
        return cls(energy, spectra, variance, signal)

    @classmethod
    def of_edge(
        cls,
        signal: EELSSpectrum,
        edge: WhiteLineEdge,
        energy_offset: float = 0.0,
        low_loss: EELSSpectrum | None = None,
    ) -> Region:
        """What a signal holds of a pair of white lines.

        Parameters
        ----------
        signal
            EELS signal.
        edge
            The edge.
        energy_offset
            How far the axis is off [eV], positive when edges are seen above their onsets.
        low_loss
            Of the same pixels or of the whole image; spectra of more than 0.6 mean free paths become NaN.

        Raises
        ------
        SignalTypeError
            If it is no EELS signal.
        EnergyAxisError
            If the lines are not in the window, or the channels are too wide.
        ThicknessError
            If most of the specimen is too thick.
        """
        check_eels(signal)
        arguments.number("energy_offset", energy_offset)
        signal = in_order(signal)
        _check_window(signal.axes_manager.signal_axes[0].axis - energy_offset, edge)
        first, second = edge.onsets
        region = cls.between(signal, first - BACKGROUND_EV, second + TAIL_EV, energy_offset)
        return region if low_loss is None else region._thin(low_loss)

    def _thin(self, low_loss: EELSSpectrum) -> Region:
        """The region with NaN where the specimen is too thick."""
        thickness = relative_thickness(low_loss)[0]
        shape = self.spectra.shape[:-1]
        if thickness.shape not in ((1,), shape):
            raise ArgumentError(
                f"low_loss has the navigation shape {thickness.shape[::-1]}, the signal {shape[::-1]}."
            )
        usual = np.nanmedian(thickness)
        if usual > LARGEST_THICKNESS:
            raise ThicknessError(
                f"The specimen is {usual:.2f} mean free paths thick; above {LARGEST_THICKNESS:g} plural "
                "scattering changes white lines too much. Deconvolve the spectra first, for instance with "
                "s.fourier_ratio_deconvolution(low_loss)."
            )
        thick = np.broadcast_to(thickness > LARGEST_THICKNESS, shape or (1,))
        if not shape:
            thick = thick[0]
        choose = da.where if isinstance(self.spectra, da.Array) else np.where
        return replace(self, spectra=choose(thick[..., np.newaxis], np.nan, self.spectra))

    @property
    def dispersion(self) -> float:
        """Width of a channel [eV]."""
        return float(self.energy[1] - self.energy[0])

    def sample(self, most: int) -> tuple[np.ndarray, float | np.ndarray | None]:
        """At most so many usable spectra, evenly from all over the image, and their variance."""
        spectra = self.spectra.reshape(-1, len(self.energy))
        step = -(-len(spectra) // most)
        variance = self.variance
        if np.ndim(variance):
            variance = variance.reshape(spectra.shape)[::step]
        spectra, variance = dask.compute(spectra[::step], variance)
        spectra = np.asarray(spectra, float)
        valid = usable(spectra)
        if np.ndim(variance):
            variance = np.asarray(variance, float)[valid]
        return spectra[valid], variance

    def map(self, function: Any, columns: int, **arguments: Any) -> np.ndarray | da.Array:
        """Apply a function to all spectra, block by block where they are lazy.

        Parameters
        ----------
        function
            Takes spectra, shape (n, n_channels), their variance (shape like them, a number or None) and the
            `arguments`, and gives an array of shape (n, columns).
        columns
            Number of values for a spectrum.

        Returns
        -------
        np.ndarray | da.Array
            Navigation shape x columns, float64; NaN for spectra with a channel that is not finite, or without counts.
        """

        def block(spectra: np.ndarray, variance: Any = self.variance) -> np.ndarray:
            pixels = np.asarray(spectra, float).reshape(-1, spectra.shape[-1])
            valid = usable(pixels)
            if np.ndim(variance):
                variance = np.asarray(variance, float).reshape(pixels.shape)[valid]
            result = np.full((len(pixels), columns), np.nan)
            if valid.any():
                result[valid] = function(pixels[valid], variance, **arguments)
            return result.reshape(*spectra.shape[:-1], columns)

        if not isinstance(self.spectra, da.Array):
            return block(self.spectra)
        spectra = self.spectra.rechunk({-1: -1})
        inputs = [spectra]
        if np.ndim(self.variance):
            inputs.append(da.asarray(self.variance).rechunk(spectra.chunks))
        return da.map_blocks(
            block,
            *inputs,
            chunks=(*spectra.chunks[:-1], (columns,)),
            dtype=np.float64,
            meta=np.empty((0,) * spectra.ndim),
        )

    def as_map(self, values: np.ndarray | da.Array, title: str, quantity: str) -> BaseSignal:
        """A map of the pixels of the signal."""
        return pixel_map(self.signal, values, title, quantity)


def usable(spectra: np.ndarray) -> np.ndarray:
    """Which spectra are finite in all channels and hold counts, bool, shape (n,)."""
    return np.isfinite(spectra).all(axis=1) & (spectra != 0).any(axis=1)


def _check_window(axis: np.ndarray, edge: WhiteLineEdge) -> None:
    first, second = edge.onsets
    if axis[-1] < first or axis[0] > second:
        raise EnergyAxisError(
            f"{edge.element} {edge.lines[0]} ({first:g} eV) is not in the window from {axis[0]:g} to {axis[-1]:g} eV."
        )
    if axis[0] > first - LEAST_BEFORE_EV:
        raise EnergyAxisError(
            f"The window begins at {axis[0]:g} eV, {edge.element} {edge.lines[0]} at {first:g} eV: at least "
            f"{LEAST_BEFORE_EV:g} eV before it are needed."
        )
    if axis[-1] < second + LEAST_AFTER_EV:
        raise EnergyAxisError(
            f"The window ends at {axis[-1]:g} eV and cuts {edge.element} {edge.lines[1]} ({second:g} eV): it is needed "
            f"up to {second + LEAST_AFTER_EV:g} eV."
        )
    near = axis[(axis > first - LEAST_BEFORE_EV) & (axis < second + LEAST_AFTER_EV)]
    widest = np.diff(near).max()
    if widest > LARGEST_CHANNEL_EV * 1.001:
        raise EnergyAxisError(
            f"The channels are {widest:.2g} eV wide; white lines need at most {LARGEST_CHANNEL_EV:g} eV."
        )


def _uniform(axis: np.ndarray) -> np.ndarray:
    """A uniform axis over the same energies [eV], the axis itself where it is uniform."""
    steps = np.diff(axis)
    if np.ptp(steps) < 1e-3 * steps.mean():
        return axis
    return np.linspace(axis[0], axis[-1], max(int(np.ptp(axis) / np.median(steps)), 2) + 1)


def _on_axis(
    data: np.ndarray | da.Array, axis: np.ndarray, energy: np.ndarray
) -> np.ndarray | da.Array:
    """Data of one axis on another by linear interpolation, the data themselves where both are the same."""
    if axis is energy:
        return data
    right = np.clip(np.searchsorted(axis, energy), 1, len(axis) - 1)
    share = (energy - axis[right - 1]) / (axis[right] - axis[right - 1])
    return data[..., right - 1] * (1 - share) + data[..., right] * share
