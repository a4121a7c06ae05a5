"""Images of white lines whose truth is known, for the tests of oxidation states."""

import hyperspy.api as hs
import numpy as np

from hyperspy_eelsid.oxidation import references


def as_eels(data, energy, lazy=False):
    """An EELS signal of spectra along the last axis."""
    axes = [
        {"size": size, "name": name, "scale": 0.5, "offset": 3.0, "units": "nm"}
        for size, name in zip(data.shape[:-1], "zyx"[-(data.ndim - 1) :], strict=False)
    ]
    axes.append(
        {
            "size": len(energy),
            "name": "Energy loss",
            "scale": energy[1] - energy[0],
            "offset": energy[0],
            "units": "eV",
        }
    )
    signal = hs.signals.Signal1D(data, axes=axes)
    signal.set_signal_type("EELS")
    return signal.as_lazy() if lazy else signal


def mixed(fractions, counts=1000.0, background=1.0, element="Mn", dispersion=0.2, seed=0, **given):
    """Image of computed ions, mixed by area, on a power law; counts at the maximum of the first ion.

    Parameters
    ----------
    fractions
        Shares of the ions, the lowest charge first, shape (..., n_ions).
    counts
        At the maximum of the first ion; None for no noise.
    background
        At 30 eV before the edge, in parts of the maximum.
    **given
        To `references`.
    """
    ions = references(element, dispersion, **({"resolution": 0.8} | given))
    energy = ions[0].axes_manager[-1].axis
    shapes = np.stack([ion.data for ion in ions])
    top = counts or 1.0
    clean = fractions @ shapes[: fractions.shape[-1]] / shapes[0].max() * top
    clean = clean + background * top * (energy / (energy[0] + 20)) ** -3.3
    rng = np.random.default_rng(seed)
    return as_eels(rng.poisson(clean).astype(float) if counts else clean, energy)
