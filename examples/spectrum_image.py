"""
A spectrum image
================

Which elements are in the layers of a superlattice, and where?
"""

# %%
# The simulated image of layers of SrTiO\ :sub:`3`, LaMnO\ :sub:`3` and BaTiO\ :sub:`3`; a part of it will do.

import matplotlib.pyplot as plt

from hyperspy_eelsid.data import superlattice

s = superlattice(shape=(24, 52)).inav[:30]
s

# %%
# Every pixel is identified. An element is listed when it is found in at least one per cent of the pixels.

found = s.identify_elements()
found

# %%
# Maps say how sure the networks are that the element is in the pixel, from 0 to 1. They are not amounts: those come
# from a fit, see :ref:`sphx_glr_auto_examples_model_and_composition.py`.

map_axes = found.plot_maps()

# %%
# One map is a HyperSpy signal with the axes of the scan.

manganese = found.probability["Mn"]
manganese.plot(cmap="viridis")

# %%
# It can choose the pixels whose spectra belong together.

layer = manganese.data > found.threshold
energy = s.axes_manager.signal_axes[0].axis
figure, axes = plt.subplots(layout="constrained")
axes.semilogy(energy, s.data[layer].mean(axis=0), label="pixels with Mn")
axes.semilogy(energy, s.data[~layer].mean(axis=0), label="other pixels")
axes.set(xlabel="Energy loss (eV)", ylabel="Counts in a pixel")
axes.legend()
