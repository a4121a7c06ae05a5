"""Energy-differential cross sections of all subshells, tabulated once for fast simulation.

The generalised oscillator strengths of ``hyperspy_eelsid/edges/dhfs.gosh`` are integrated over the momentum transfer
on a grid of beam energies and collection semi-angles and laid on 1 eV channels from the onset, so that a simulated
edge is a weighted sum of two rows.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy import constants
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import PchipInterpolator

from hyperspy_eelsid.edges import EDGES, ENERGY_MAX_EV, Edge
from hyperspy_eelsid.shipped import shipped

BEAM_ENERGIES_KEV = (60.0, 100.0, 200.0, 300.0)
COLLECTION_ANGLES_MRAD = np.geomspace(0.7, 110.0, 14)
TABLE_VERSION = 2  # of the cached table: to be raised when `tabulate` changes
RYDBERG_EV = constants.value("Rydberg constant times hc in eV")
BOHR_RADIUS_M = constants.value("Bohr radius")
REST_ENERGY_EV = constants.value("electron mass energy equivalent in MeV") * 1e6
BARN_M2 = 1e-28


@dataclass(frozen=True)
class OscillatorStrength:
    """Generalised oscillator strength of one subshell.

    Attributes
    ----------
    free_energy
        Energy above the onset [eV], shape (n_energies,).
    momentum
        Momentum transfer q [1/m], shape (n_momenta,).
    strength
        df/dE [1/eV], shape (n_energies, n_momenta).
    """

    free_energy: np.ndarray
    momentum: np.ndarray
    strength: np.ndarray


def read_oscillator_strength(file: h5py.File, edge: Edge) -> OscillatorStrength:
    """Read one subshell from an open .gosh file (the conventions are those of exspy's ``GoshGOS``)."""
    convention = file["metadata/edges_info"][edge.subshell].attrs
    group = file[edge.element][convention["table"]]
    strength = np.squeeze(group["data"][:].T) * convention["occupancy_ratio"]
    free_energy = group["free_energies"][:]
    return OscillatorStrength(free_energy - free_energy.min(), group["q"][:], strength)


def differential_cross_section(
    gos: OscillatorStrength, onset_energy: float, beam_energy: float, angles: np.ndarray
) -> np.ndarray:
    r"""Energy-differential cross section for a parallel beam.

    .. math:: \frac{d\sigma}{dE} = \frac{4 \pi a_0^2 R^2}{E T} \int \frac{df}{dE} \, d\ln(q a_0)^2

    Parameters
    ----------
    gos
        Oscillator strength of the subshell.
    onset_energy
        Onset energy [eV].
    beam_energy
        Beam energy [keV].
    angles
        Collection semi-angles [mrad], shape (n_angles,).

    Returns
    -------
    np.ndarray
        Cross section [barn/eV], shape (n_angles, n_energies), at ``onset_energy + gos.free_energy``.

    References
    ----------
    R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed. (2011), eqs. 3.151 and
    4.29 with the relativistic limits of q, eqs. 3.152 and 3.153.
    """
    energy = onset_energy + gos.free_energy
    kinetic = beam_energy * 1e3
    gamma = 1 + kinetic / REST_ENERGY_EV
    effective_energy = REST_ENERGY_EV * (1 - gamma**-2) / 2

    def wave_number(kinetic_energy: np.ndarray) -> np.ndarray:
        momentum = np.sqrt(kinetic_energy * (kinetic_energy + 2 * REST_ENERGY_EV))
        return momentum * constants.e / (constants.hbar * constants.c)

    k_in, k_out = wave_number(kinetic), wave_number(kinetic - energy)
    q_min = k_in - k_out
    half_angle = np.sin(angles[:, None] * 1e-3 / 2)
    q_max = np.sqrt(q_min**2 + 4 * k_in * k_out * half_angle**2)

    log_q2 = 2 * np.log(gos.momentum)
    grid = np.linspace(log_q2[0], log_q2[-1], 8 * len(log_q2))
    result = np.empty((len(angles), len(energy)))
    for i, strength in enumerate(gos.strength):
        integral = cumulative_trapezoid(np.interp(grid, log_q2, strength), grid, initial=0)
        # below the smallest tabulated q the oscillator strength has its optical limit
        below = min(2 * np.log(q_min[i]) - grid[0], 0) * strength[0]
        upper = np.interp(2 * np.log(q_max[:, i]), grid, integral)
        result[:, i] = upper - np.interp(2 * np.log(q_min[i]), grid, integral) - below
    prefactor = 4 * np.pi * BOHR_RADIUS_M**2 * RYDBERG_EV**2 / effective_energy / BARN_M2
    return result * prefactor / energy


def tabulate(gosh: Path) -> np.ndarray:
    """Cross sections of all subshells [barn/eV].

    Returns
    -------
    np.ndarray
        Shape (n_edges, 4 beam energies, n_angles, 3072); channel c holds the value at c eV above the onset.
    """
    channels = np.arange(ENERGY_MAX_EV + 1)
    shape = (len(EDGES), len(BEAM_ENERGIES_KEV), len(COLLECTION_ANGLES_MRAD), len(channels))
    table = np.zeros(shape, np.float32)
    with h5py.File(gosh) as file:
        for edge, rows in zip(EDGES, table, strict=True):
            gos = read_oscillator_strength(file, edge)
            # the mean of a channel, not its first value: half a channel above the onset
            at = channels + 0.5
            end = min(len(channels), int(ENERGY_MAX_EV - edge.onset_energy) + 50)
            for beam_energy, row in zip(BEAM_ENERGIES_KEV, rows, strict=True):
                values = differential_cross_section(
                    gos, edge.onset_energy, beam_energy, COLLECTION_ANGLES_MRAD
                )
                for angle_row, value in zip(row, values, strict=True):
                    smooth = PchipInterpolator(np.log1p(gos.free_energy), value)
                    angle_row[:end] = smooth(np.log1p(at[:end]))
    return table


def load(cache: Path | None = None) -> np.ndarray:
    """The table of :func:`tabulate` for the bundled cross sections, memory-mapped from a cache file.

    Parameters
    ----------
    cache
        Folder of the cache. By default ``hyperspy_eelsid`` in the user's cache folder.
    """
    folder = (
        cache or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hyperspy_eelsid"
    )
    gosh = shipped("edges/dhfs.gosh")
    tag = hashlib.sha256(gosh.read_bytes()).hexdigest()[:12]
    path = folder / f"cross_sections_{tag}_v{TABLE_VERSION}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.npy")
        np.save(temporary, tabulate(gosh))
        temporary.replace(path)
    return np.load(path, mmap_mode="r")
