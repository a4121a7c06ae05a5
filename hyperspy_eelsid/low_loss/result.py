"""Zero-loss peaks that were modelled, as the user meets them: told, drawn, asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperspy_eelsid.arguments import instance, whole_number
from hyperspy_eelsid.low_loss.band_gap import BandGap, band_gap
from hyperspy_eelsid.low_loss.bands import ZeroLossBands
from hyperspy_eelsid.low_loss.deconvolution import (
    KramersKronig,
    fourier_log_deconvolution,
    kramers_kronig_analysis,
)
from hyperspy_eelsid.low_loss.estimate import Estimate
from hyperspy_eelsid.low_loss.loss_peak import LossPeak, fit_loss_peak
from hyperspy_eelsid.low_loss.thickness import thickness_of_peaks

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from matplotlib.figure import Figure


class ZeroLossPeak(ZeroLossBands):
    """The zero-loss peaks of a spectrum or an image, with the band that holds them with a probability of 68 %.

    Those of a lazy signal are lazy.

    Parameters
    ----------
    signal
        The spectra, their energies increasing and in eV.
    zlp
        Zero-loss peaks; the counts themselves where there is zero loss alone.
    lower, upper
        Ends of the band; NaN where an extrapolation says nothing.
    model
        What was fitted.
    centre
        Energy of the peak of each pixel [eV], NaN for one that was left out.
    vacuum_mask
        Which pixels are the vacuum that was used, bool, with the shape of the pixels.
    method
        Method that was used.
    random_state
        Seed of what is drawn.
    notes
        What has to be known about the result.
    """

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
        kind
            ``"direct"`` for the exponent 0.5, ``"indirect"`` for 1.5, ``"free"`` for one between 0.3 and 2.5, or an
            exponent; None for the first three.
        energy_range
            First and last energy [eV] of the only window, instead of those found in the data.
        show_progressbar
            Show the progress; None takes HyperSpy's preference.

        Returns
        -------
        BandGap
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
        density
            Density [g/cm3], for the mean free path of Iakoubovskii et al. and for its angular correction.
        mean_free_path
            Mean free path of inelastic scattering [nm]. Without it and without a density, the thickness is
            in mean free paths.
        method
            ``"log-ratio"`` of all counts to those of the zero loss; ``"single scattering"`` after a Fourier-log
            deconvolution, which loses less of a thick sample when the axis ends at some 50 eV, and takes longer.
        samples
            Number of zero-loss peaks drawn.
        show_progressbar
            Show the progress; None takes HyperSpy's preference.

        Returns
        -------
        Estimate
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
        <Signal2D, title: thickness (nm), dimensions: (|20, 3)>
        """
        whole_number("samples", samples)
        return thickness_of_peaks(self, density, mean_free_path, method, samples, show_progressbar)

    def fourier_log_deconvolution(
        self, samples: int = 30, show_progressbar: bool | None = None
    ) -> Estimate:
        """Electrons that were scattered once, by exspy's Fourier-log deconvolution.

        Parameters
        ----------
        samples
            Number of zero-loss peaks drawn, of which each is deconvolved.
        show_progressbar
            Show the progress; None takes HyperSpy's preference.

        Returns
        -------
        Estimate
            Spectra of the median and of the ends of the 68 % band, with the energies of the signal; lazy if it is.

        Raises
        ------
        ArgumentError
            If `samples` is not a positive whole number.

        References
        ----------
        Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope (2011), section 4.1.1.
        """
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
        n
            Refractive index, from which the thickness follows.
        t
            Thickness [nm] where it is known instead, one or a map.
        iterations
            Steps in which the losses of the surfaces are taken off; 1 leaves them in.
        delta
            Energy [eV] that keeps these steps stable.
        samples
            Number of zero-loss peaks drawn, of which each is analysed.
        show_progressbar
            Show the progress; None takes HyperSpy's preference.

        Returns
        -------
        KramersKronig
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
        whole_number("iterations", iterations)
        whole_number("samples", samples)
        return kramers_kronig_analysis(self, n, t, iterations, delta, samples, show_progressbar)

    def fit_loss_peak(
        self, energy_range: tuple[float, float], show_progressbar: bool | None = None
    ) -> LossPeak:
        """Energy, width and area of a peak of the inelastic spectrum, of an exciton or a plasmon.

        A Lorentzian on a straight line, convolved with the measured zero-loss peak, is fitted in each pixel. What is
        not known of the zero loss is part of the bands. The wider the window, the less does a straight line stand for
        what lies under the peak.

        Parameters
        ----------
        energy_range
            First and last energy [eV] of a window with one peak, from the zero-loss peak.
        show_progressbar
            Show the progress; None takes HyperSpy's preference.

        Returns
        -------
        LossPeak
            The peak; NaN in pixels where a straight line fits as well.

        Raises
        ------
        ArgumentError
            If the window cannot be used.
        """
        return fit_loss_peak(self, energy_range, show_progressbar)

    def plot(self, figure: Figure | None = None) -> Figure:
        """Mean spectrum with the zero-loss peak and its band on a logarithmic axis, and what is left without it.

        Parameters
        ----------
        figure
            Figure to draw in, a new one by default.

        Returns
        -------
        Figure
            The matplotlib figure.
        """
        from matplotlib.figure import Figure

        from hyperspy_eelsid.low_loss.plot import plot_zero_loss

        instance("figure", figure, Figure, "a matplotlib figure", or_none=True)
        return plot_zero_loss(self, figure)
