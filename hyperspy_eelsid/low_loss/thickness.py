"""Thickness from the share of electrons that lost no energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from exspy.utils.eels import iMFP_angular_correction, iMFP_Iakoubovskii

from hyperspy_eelsid import arguments
from hyperspy_eelsid.low_loss.bands import ZeroLossBands
from hyperspy_eelsid.low_loss.deconvolution import SingleScattering
from hyperspy_eelsid.low_loss.estimate import Estimate, over_draws
from hyperspy_eelsid.low_loss.peak import Axis
from hyperspy_eelsid.low_loss.survey import compute
from hyperspy_eelsid.microscope import required_parameters
from hyperspy_eelsid.signals import pixel_map


@dataclass(frozen=True)
class LogRatio:
    """Logarithm of all counts over those of the zero loss (Egerton 2011, eq. 5.1)."""

    axis: Axis

    def __call__(self, counts: np.ndarray, zlp: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Thickness in mean free paths, shape (n_pixels,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(counts.sum(axis=1) / zlp.sum(axis=1, dtype=float))


@dataclass(frozen=True)
class OnceScattered:
    """Electrons scattered once over those not scattered; fewer of them are lost beyond the end of the axis."""

    axis: Axis

    def __call__(self, counts: np.ndarray, zlp: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Thickness in mean free paths, shape (n_pixels,)."""
        single = SingleScattering(self.axis)(counts, zlp, centre)
        return single.sum(axis=1) / zlp.sum(axis=1, dtype=float)


METHODS = {"log-ratio": LogRatio, "single scattering": OnceScattered}


def thickness(
    peaks: ZeroLossBands,
    density: float | None,
    mean_free_path: float | None,
    method: str,
    samples: int,
    show_progressbar: bool | None,
) -> Estimate:
    """Thickness by the log-ratio method, see :meth:`ZeroLossPeak.thickness`."""
    for name, value in (("density", density), ("mean_free_path", mean_free_path)):
        if value is not None:
            arguments.positive(name, value)
    arguments.option("method", method, METHODS)
    arguments.flag("show_progressbar", show_progressbar, or_none=True)
    factor, title = 1.0, "thickness (mean free paths)"
    if density is not None:
        needed = ("beam_energy", "convergence_angle", "collection_angle")
        values = required_parameters(peaks.signal, needed, " or leave out the density")
        factor = iMFP_angular_correction(
            density, values["beam_energy"], values["convergence_angle"], values["collection_angle"]
        )
        if mean_free_path is None:
            mean_free_path = iMFP_Iakoubovskii(density, values["beam_energy"])
    if mean_free_path is not None:
        factor, title = factor * mean_free_path, "thickness (nm)"
    values = compute(
        over_draws(peaks, METHODS[method](peaks.model.axis), (), samples), show_progressbar
    )
    lower, value, upper = np.moveaxis(factor * values, -1, 0)
    return Estimate(*(pixel_map(peaks.signal, v, title, title) for v in (value, lower, upper)))
