"""
Zero-loss peak, band gap and thickness
======================================

What a low-loss image says before the first edge, with errors.
"""

# %%
# The image is simulated: a semiconducting flake with vacuum at its left edge, whose band gap rises from 1.6 to 2.0 eV
# downwards and whose thickness rises to the right. Its peaks are not aligned.

import hyperspy.api as hs

from hyperspy_eelsid.data import nanostructure

s = nanostructure(shape=(12, 30), electrons=1e7)
s

# %%
# The pixels of the vacuum show the zero-loss peak without any losses. Scaled, moved and broadened to the peak of each
# pixel it is the model; what may differ in its tail is a Gaussian process, whose spread is the band.

peak = s.model_zero_loss_peak(vacuum="auto")
peak

# %%
# The mean spectrum of the flake, with the band at a probability of 68 %, and what is left without the zero loss:

peak.plot()

# %%
# The band gap of each pixel, with the energy resolution folded in, and half of its band. In the vacuum there is none.

gap = peak.band_gap("indirect")
gap

# %%

gap.plot()

# %%
# Whether the gap is direct or indirect is often not in the spectrum. Of one pixel all kinds are asked for:

pixel = s.inav[25, 6].model_zero_loss_peak(vacuum=s.inav[:5, :].mean())
pixel.band_gap()

# %%
# Thickness in mean free paths, after a deconvolution, since the axis ends before the losses of a thick sample do; and
# what the zero loss leaves uncertain.

thickness = peak.thickness(method="single scattering", samples=10)
hs.plot.plot_images(
    [thickness.value, thickness.uncertainty],
    label=["t/λ", "uncertainty"],
    axes_decor="off",
    cmap="viridis",
)
