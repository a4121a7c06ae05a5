"""Zero-loss peaks that were modelled, as the user meets them: told, drawn, asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperspy_eelsid.low_loss.band_gap import BandGap, band_gap
from hyperspy_eelsid.low_loss.bands import ZeroLossBands

if TYPE_CHECKING:
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

    def plot(self, figure: Figure | None = None) -> Figure:
        """Mean spectrum with the zero-loss peak and its band on a logarithmic axis, and what is left without it.

        Parameters
        ----------
        figure
            Figure to draw in, a new one by default.

        Returns
        -------
        The matplotlib figure.
        """
        from hyperspy_eelsid.low_loss.plot import plot_zero_loss

        return plot_zero_loss(self, figure)
