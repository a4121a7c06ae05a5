"""The energy axis of a simulated spectrum: its errors and the width of its channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.physics.draws import Range, integers, log_uniform, some


@dataclass(frozen=True)
class Calibration:
    """Effect: an axis that is off by more than the published recipe has it.

    Attributes
    ----------
    wide, offset
        Share of the spectra whose offset is drawn from a wider range, and its largest value [eV].
    dispersion_error, largest_error, stretched
        Standard deviation and limit of the relative error of the dispersion, and the share of spectra that have one.
    """

    wide: float = 0.4
    offset: int = 20
    dispersion_error: float = 0.004
    largest_error: float = 0.02
    stretched: float = 0.5

    def draw(self, rng: np.random.Generator, n: int, offset: np.ndarray) -> dict[str, np.ndarray]:
        """Offsets [eV], of which some replace those given, and relative errors of the dispersion, shape (n,)."""
        wide = rng.random(n) < self.wide
        offset = np.where(wide, integers(rng, (-self.offset, self.offset), n), offset)
        limit = self.largest_error
        error = np.clip(rng.normal(0, self.dispersion_error, n), -limit, limit)
        return {"energy_offset": offset, "dispersion_error": some(rng, self.stretched, error)}


@dataclass(frozen=True)
class Dispersion:
    """Effect: channels of another width, resampled to 1 eV.

    Attributes
    ----------
    native
        Share of the spectra with channels of 1 eV.
    channel
        Width of the channels of the others [eV]; log-uniform.
    """

    native: float = 0.55
    channel: Range = (0.1, 4.0)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Width of the channels [eV], and where the first begins, in channels; shape (n,)."""
        kind = rng.random(n)
        return {
            "dispersion": np.where(kind < self.native, 1, log_uniform(rng, self.channel, n)),
            "channel_phase": rng.random(n),
        }
