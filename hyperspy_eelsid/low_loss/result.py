"""Zero-loss peaks that were modelled, and what is left without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from hyperspy.api import load

from hyperspy_eelsid._upstream import with_data
from hyperspy_eelsid.arguments import whole_number
from hyperspy_eelsid.low_loss.model import ZeroLossModel
from hyperspy_eelsid.low_loss.noise import Noise
from hyperspy_eelsid.low_loss.survey import (
    Spectrum,
    Survey,
    compute,
    in_blocks,
    mean_spectrum,
    per_pixel,
)

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import BaseSignal
    from matplotlib.figure import Figure

    from hyperspy_eelsid.low_loss.band_gap import BandGap
    from hyperspy_eelsid.low_loss.deconvolution import KramersKronig
    from hyperspy_eelsid.low_loss.estimate import Estimate

_NODE = "EELSID.zero_loss"


@dataclass(frozen=True, repr=False, eq=False)
class ZeroLossPeak:
    """The zero-loss peaks of a spectrum or an image, with the band that holds them with a probability of 68 %.

    Those of a lazy signal are lazy.

    Parameters
    ----------
    signal : The spectra, their energies increasing and in eV.
    zlp : Zero-loss peaks; the counts themselves where there is zero loss alone.
    lower, upper : Ends of the band; NaN where an extrapolation says nothing.
    model : What was fitted.
    centre : Energy of the peak of each pixel [eV], NaN for one that was left out.
    vacuum_mask : Which pixels are the vacuum that was used, bool, with the shape of the pixels.
    method : Method that was used.
    random_state : Seed of what is drawn.
    notes : What has to be known about the result.
    """

    signal: EELSSpectrum
    zlp: EELSSpectrum
    lower: EELSSpectrum
    upper: EELSSpectrum
    model: ZeroLossModel
    centre: np.ndarray
    vacuum_mask: np.ndarray
    method: str
    random_state: int
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        signal: EELSSpectrum,
        survey: Survey,
        model: ZeroLossModel,
        method: str,
        vacuum_mask: np.ndarray,
        random_state: int,
        notes: tuple[str, ...],
        show_progressbar: bool | None = None,
    ) -> ZeroLossPeak:
        """Model all pixels, those of a lazy signal when they are asked for."""
        bands = per_pixel(
            survey.blocks, model, (3, model.axis.size), survey.centre, dtype=np.float32
        )
        values = bands if signal._lazy else compute(bands, show_progressbar)
        titles = ("zero-loss peak", "zero-loss peak, lower end", "zero-loss peak, upper end")
        signals = [_like(signal, values[..., k, :], title) for k, title in enumerate(titles)]
        shape = signal.axes_manager.navigation_shape[::-1]
        return cls(
            signal,
            *signals,
            model,
            survey.centre.reshape(shape),
            vacuum_mask.reshape(shape),
            method,
            random_state,
            notes,
        )

    def __repr__(self) -> str:
        start, end = self.zlp_range
        noise = self.noise
        lines = [
            f"{type(self).__name__} by the method '{self.method}'",
            f"width {self.model.fwhm:.3f} eV, zero loss alone up to {end:.2f} eV (fitted from {start:.2f} eV)",
            f"noise: variance {noise.gain:.3g} x counts + {noise.floor:.3g}, correlation {noise.correlation:.2g}",
        ]
        if self.model.reach is not None:
            lines.append(
                f"extrapolated; beyond {self.model.reach:.2f} eV nothing is known of the zero loss"
            )
        if self.vacuum_mask.any():
            lines.append(f"vacuum in {self.vacuum_mask.sum()} of {self.vacuum_mask.size} pixels")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    @property
    def zlp_range(self) -> tuple[float, float]:
        """First and last energy from the peak [eV] between which there is zero loss alone."""
        return self.model.zlp_range

    @property
    def noise(self) -> Noise:
        """Noise of the counts of a pixel."""
        return self.model.noise

    @cached_property
    def uncertainty(self) -> EELSSpectrum:
        """Half the width of the band."""
        half = (self.upper.data - self.lower.data) / 2
        return _like(self.signal, half, "uncertainty of the zero-loss peak")

    @cached_property
    def inelastic(self) -> EELSSpectrum:
        """The spectra without their zero-loss peaks; counts that noise makes negative are kept."""
        data = self.signal.data.astype(np.float32) - self.zlp.data
        return _like(self.signal, data, "without zero-loss peak")

    def samples(self, n: int = 30, random_state: int | None = None) -> EELSSpectrum:
        """Zero-loss peaks that may be, drawn from the model.

        What follows from the peak, computed for each of them, has the spread that is its error. In one draw the tails
        of all pixels err alike.

        Parameters
        ----------
        n : Number of draws, with an axis of their own before those of the pixels.
        random_state : Seed; by default that of the model.
        """
        whole_number("n", n)
        seed = self.random_state if random_state is None else random_state
        shape = (n, self.model.axis.size)
        data = self.per_pixel(
            _drawn, shape, dtype=np.float32, model=self.model, seed=seed, number=n
        )
        data = data.transpose(data.ndim - 2, *range(data.ndim - 2), data.ndim - 1)
        if not self.signal._lazy:
            data = data.compute()
        pixels = self.signal.axes_manager.navigation_shape[::-1]
        data = data.reshape(n, *pixels, self.model.axis.size)
        axes = self.signal.axes_manager.as_dictionary()
        sample = {"_type": "UniformDataAxis", "name": "Draw", "size": n, "navigate": True}
        return type(self.signal)(
            data, axes=[sample, *axes.values()], metadata=self.signal.metadata.as_dictionary()
        )

    def band_gap(
        self,
        kind: str | float | None = None,
        energy_range: tuple[float, float] | None = None,
        show_progressbar: bool | None = None,
    ) -> BandGap:
        """Fit A (E - Eg)^b, convolved with the measured peak, to the inelastic counts of each pixel.

        What is not known of the zero loss is fitted with it. The end of the window is varied, and what that changes
        is part of the band. A direct and an indirect gap are both reported, since chi-squared often cannot tell them
        apart, and the energy depends on which it is.

        Parameters
        ----------
        kind : ``"direct"`` for the exponent 0.5, ``"indirect"`` for 1.5, ``"free"`` for one between 0.3 and 2.5, or an
            exponent; None for the first three.
        energy_range : First and last energy [eV] of the only window, instead of those found in the data.
        show_progressbar : Show the progress; None takes HyperSpy's preference.

        Returns
        -------
        The gaps, see :class:`hyperspy_eelsid.low_loss.band_gap.BandGap`; NaN in pixels without an onset of three
        standard deviations.

        Raises
        ------
        ZeroLossError
            If no inelastic counts are seen.
        ExtrapolationError
            If the onset lies where nothing is known of the zero loss.
        ValueError
            If `kind` or `energy_range` is none that can be fitted.

        References
        ----------
        Rafferty and Brown, Phys. Rev. B 58, 10326 (1998).
        """
        from hyperspy_eelsid.low_loss.band_gap import band_gap

        return band_gap(self, kind, energy_range, show_progressbar)

    def thickness(
        self,
        density: float | None = None,
        mean_free_path: float | None = None,
        method: str = "log-ratio",
        samples: int = 30,
        show_progressbar: bool | None = None,
    ) -> Estimate:
        """Thickness of each pixel, from the share of electrons that lost no energy.

        The band is the error of the zero loss; that of the mean free path, 10 to 20 % where it is computed from the
        density, is not in it. Losses beyond the end of the energy axis are missed.

        Parameters
        ----------
        density : Density [g/cm3], for the mean free path of Iakoubovskii et al. and for its angular correction.
        mean_free_path : Mean free path of inelastic scattering [nm]. Without it and without a density, the thickness is
            in mean free paths.
        method : ``"log-ratio"`` of all counts to those of the zero loss; ``"single scattering"`` after a Fourier-log
            deconvolution, which loses less of a thick sample when the axis ends at some 50 eV, and takes longer.
        samples : Number of zero-loss peaks drawn.
        show_progressbar : Show the progress; None takes HyperSpy's preference.

        Returns
        -------
        Maps of the median and of the ends of the 68 % band.

        Raises
        ------
        MissingParametersError
            If a density is given and the metadata lack a parameter of the microscope.
        ArgumentError
            If an argument is not positive, or the method unknown.

        References
        ----------
        Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope (2011), section 5.1.
        Iakoubovskii, Mitsuishi, Nakayama and Furuya, Microsc. Res. Tech. 71, 626 (2008).

        Examples
        --------
        >>> from hyperspy_eelsid.data import nanostructure
        >>> peak = nanostructure(shape=(3, 20)).model_zero_loss_peak(vacuum="auto")
        >>> peak.thickness(mean_free_path=100.0).value
        <BaseSignal, title: thickness (nm), dimensions: (20, 3|)>
        """
        from hyperspy_eelsid.low_loss.thickness import thickness

        whole_number("samples", samples)
        return thickness(self, density, mean_free_path, method, samples, show_progressbar)

    def fourier_log_deconvolution(
        self, samples: int = 30, show_progressbar: bool | None = None
    ) -> Estimate:
        """Electrons that were scattered once, by exspy's Fourier-log deconvolution.

        Parameters
        ----------
        samples : Number of zero-loss peaks drawn, of which each is deconvolved.
        show_progressbar : Show the progress; None takes HyperSpy's preference.

        Returns
        -------
        Spectra of the median and of the ends of the 68 % band, with the energies of the signal; lazy if it is.

        Raises
        ------
        ArgumentError
            If `samples` is not a positive whole number.

        References
        ----------
        Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope (2011), section 4.1.1.
        """
        from hyperspy_eelsid.low_loss.deconvolution import fourier_log_deconvolution

        whole_number("samples", samples)
        return fourier_log_deconvolution(self, samples, show_progressbar)

    def kramers_kronig_analysis(
        self,
        n: float | None = None,
        t: float | BaseSignal | None = None,
        iterations: int = 1,
        delta: float = 0.5,
        samples: int = 30,
        show_progressbar: bool | None = None,
    ) -> KramersKronig:
        """Dielectric function, by exspy's Kramers-Kronig analysis of the single scattering.

        Peaks need not lie at 0 eV: energies are counted from them. Below the zero-loss-only range the single scattering
        is set to zero.

        Parameters
        ----------
        n : Refractive index, from which the thickness follows.
        t : Thickness [nm] where it is known instead, one or a map.
        iterations : Steps in which the losses of the surfaces are taken off; 1 leaves them in.
        delta : Energy [eV] that keeps these steps stable.
        samples : Number of zero-loss peaks drawn, of which each is analysed.
        show_progressbar : Show the progress; None takes HyperSpy's preference.

        Returns
        -------
        Dielectric function, loss function and thickness with their 68 % bands.

        Raises
        ------
        ArgumentError
            If not one of `n` and `t` is given, or a value makes no sense.
        MissingParametersError
            If the metadata lack the beam energy or the collection angle.

        References
        ----------
        Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope (2011), section 4.2.
        """
        from hyperspy_eelsid.low_loss.deconvolution import kramers_kronig_analysis

        whole_number("iterations", iterations)
        whole_number("samples", samples)
        return kramers_kronig_analysis(self, n, t, iterations, delta, samples, show_progressbar)

    def mean_spectrum(self) -> Spectrum:
        """Mean spectrum of the pixels that are not vacuum, their peaks at 0 eV."""
        blocks, centre = self._blocks()
        centre = np.where(self.vacuum_mask.reshape(centre.shape), np.nan, centre)
        return mean_spectrum(blocks, centre, self.model.axis, self.noise)

    def per_pixel(
        self,
        function: Callable[..., np.ndarray],
        shape: tuple[int, ...],
        *maps: np.ndarray,
        dtype: type = np.float64,
        **arguments: Any,
    ) -> da.Array:
        """A function of the counts, of the energies of the peaks and of other maps, lazy, shape (..., *shape)."""
        blocks, centre = self._blocks()
        maps = (centre, *(values.reshape(centre.shape) for values in maps))
        return per_pixel(blocks, function, shape, *maps, dtype=dtype, **arguments)

    def _blocks(self) -> tuple[da.Array, np.ndarray]:
        data = self.signal.data if self.signal.data.ndim > 1 else self.signal.data[np.newaxis]
        return in_blocks(data), self.centre.reshape(data.shape[:-1])

    def plot(self, figure: Figure | None = None) -> Figure:
        """Mean spectrum with the zero-loss peak and its band on a logarithmic axis, and what is left without it.

        Parameters
        ----------
        figure : Figure to draw in, a new one by default.

        Returns
        -------
        The matplotlib figure.
        """
        from hyperspy_eelsid.low_loss.plot import plot_zero_loss

        return plot_zero_loss(self, figure)

    def save(self, filename: str | Path, **kwargs: Any) -> None:
        """Save the spectra, the peaks and the model in one file that HyperSpy can read.

        Parameters
        ----------
        filename : Name of the file, ending in ``.hspy`` or ``.zspy``.
        **kwargs : Passed to :meth:`hyperspy.api.signals.BaseSignal.save`, e.g. ``overwrite=True``.
        """
        signal = self.signal.deepcopy()
        signal.metadata.set_item(
            _NODE,
            {
                "zlp": self.zlp,
                "lower": self.lower,
                "upper": self.upper,
                "model": self.model.as_dictionary(),
                "centre": self.centre,
                "vacuum_mask": self.vacuum_mask,
                "method": self.method,
                "random_state": self.random_state,
                "notes": list(self.notes),
            },
        )
        signal.save(filename, **kwargs)

    @classmethod
    def load(cls, filename: str | Path, **kwargs: Any) -> ZeroLossPeak:
        """A result that was saved by :meth:`save`.

        Parameters
        ----------
        filename : Name of the file.
        **kwargs : Passed to :func:`hyperspy.api.load`, e.g. ``lazy=True``.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        signal = load(filename, escape_square_brackets=True, **kwargs)
        node = getattr(signal, "metadata", None) and signal.metadata.get_item(_NODE)
        if not node:
            raise ValueError(f"{filename} does not hold zero-loss peaks that were saved.")
        del signal.metadata.EELSID.zero_loss
        return cls(
            signal,
            node.zlp,
            node.lower,
            node.upper,
            ZeroLossModel.from_dictionary(node.model.as_dictionary()),
            np.asarray(node.centre),
            np.asarray(node.vacuum_mask),
            node.method,
            node.random_state,
            tuple(node.notes),
        )


def _drawn(
    counts: np.ndarray, centre: np.ndarray, model: ZeroLossModel, seed: int, number: int
) -> np.ndarray:
    return model.draws(counts, centre, number, seed).transpose(1, 0, 2)


def _like(signal: EELSSpectrum, data: np.ndarray | da.Array, title: str) -> EELSSpectrum:
    """A signal with the axes and the metadata of another."""
    result = with_data(signal, data.reshape(signal.data.shape))
    name = signal.metadata.General.title
    result.metadata.General.title = f"{name}, {title}" if name else title
    return result
