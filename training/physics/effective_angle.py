"""The collection angle at which a parallel beam would give what a convergent one does."""

from __future__ import annotations

import math

from numba import njit


@njit(cache=False)
def effective_angle(beam_energy, energy_loss, convergence, collection):
    """Effective collection angle [mrad] of a convergent beam.

    Parameters
    ----------
    beam_energy
        Energy of the electrons [keV].
    energy_loss
        Energy loss, such as the onset of an edge [eV].
    convergence, collection
        Half angles of the probe and of the spectrometer's entrance aperture [mrad].

    References
    ----------
    R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 2nd ed. (1996), p. 420.
    """
    if convergence == 0:
        return float(collection)
    twice_kinetic = beam_energy * (1 + beam_energy / 1022) / (1 + beam_energy / 511)
    characteristic = energy_loss / twice_kinetic  # angle of inelastic scattering [mrad]
    a, b, t = (1e-3 * convergence) ** 2, (1e-3 * collection) ** 2, (1e-3 * characteristic) ** 2
    log_range = math.log(1 + b / t)  # of the cross section of a parallel beam
    overlap = math.sqrt((a + b + t) ** 2 - 4 * a * b) - a - b - t
    overlap += 2 * b * math.log(0.5 / t * (math.sqrt((a + t - b) ** 2 + 4 * b * t) + a + t - b))
    overlap += 2 * a * math.log(0.5 / t * (math.sqrt((b + t - a) ** 2 + 4 * a * t) + b + t - a))
    collected = overlap / (2 * a * log_range)
    if convergence > collection:
        collected *= a / b
    return characteristic * math.sqrt(math.exp(collected * log_range) - 1)
