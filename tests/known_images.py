"""Spectrum images of known amounts, for the tests of models."""

import hyperspy.api as hs
import numpy as np

from hyperspy_eelsid.edges import edges_in_window
from hyperspy_eelsid.edges.component import CoreLossEdge

PARAMETERS = {"beam_energy": 200.0, "convergence_angle": 10.0, "collection_angle": 30.0}
ENERGY = np.arange(400.0, 900.0)
AMOUNTS = {"O": 9.0, "Ti": 3.0, "Fe": 4.0}


def cross_section(element, energy=ENERGY):
    total = np.zeros_like(energy)
    for edge in edges_in_window(element, energy[0], energy[-1]):
        component = CoreLossEdge(edge.name)
        component.set_microscope_parameters(*PARAMETERS.values(), energy_scale=1.0)
        total += component.function(energy)
    return total


def make_image(amounts, shape=(), counts=None, seed=0, exponent=3.0):
    """Power law and edges; each pixel of an image holds another multiple of every element."""
    rng = np.random.default_rng(seed)
    factors = {e: rng.uniform(0.2, 1.8, shape) if shape else np.array(1.0) for e in amounts}
    data = np.zeros((*shape, len(ENERGY)))
    for element, amount in amounts.items():
        data += (amount * factors[element])[..., None] * cross_section(element)
    data += 4 * data.mean() * (ENERGY / 500) ** -exponent
    scale = 1.0
    if counts is not None:
        scale = counts / data.mean()
        data = rng.poisson(data * scale).astype(float)
    signal = hs.signals.Signal1D(data)
    signal.set_signal_type("EELS")
    axis = signal.axes_manager[-1]
    axis.offset, axis.scale, axis.units = ENERGY[0], 1.0, "eV"
    for number, axis in enumerate(signal.axes_manager.navigation_axes):
        axis.scale, axis.units, axis.name = 0.2, "nm", "xyz"[number]
    return signal, {e: amounts[e] * factors[e] * scale for e in amounts}


def with_parameters(signal):
    signal.set_microscope_parameters(**PARAMETERS)
    return signal
