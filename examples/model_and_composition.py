"""
Model and composition
=====================

How much of each element is there?
"""

# %%
# The simulated image comes with the truth, the atoms per nm² of every element, in its metadata.

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_eelsid.data import superlattice

s = superlattice(shape=(24, 52))
density = dict(s.metadata.Simulation.areal_density)
found = s.identify_elements()
found.elements

# %%
# The model has a background and the edges of what was found, with the cross sections of the package. Beam energy and
# angles are in the metadata; otherwise :meth:`set_microscope_parameters` sets them.

m = s.auto_model(identification=found)
m.components

# %%
# All pixels are fitted at once. Without a low-loss spectrum the unit of the maps is arbitrary, but the same for all
# elements.

maps = m.elemental_maps()
map_axes = hs.plot.plot_images(
    list(maps.values()),
    label=list(maps),
    vmin=0,
    per_row=3,
    cmap="viridis",
    axes_decor="off",
    suptitle="",
    fig=plt.figure(figsize=(9, 3)),
)

# %%
# Ratios of maps are ratios of atoms. In every layer there are three atoms of oxygen for one of titanium or manganese,
# which a profile across the layers shows.

ratio = maps["O"].data.sum(axis=0) / (maps["Ti"] + maps["Mn"]).data.sum(axis=0)
position = maps["O"].axes_manager[0].axis
figure, axes = plt.subplots(layout="constrained")
axes.plot(position, ratio, label="fitted")
axes.axhline(3, color="black", ls="--", label="true")
axes.set(xlabel="x (nm)", ylabel="O / (Ti + Mn)", ylim=(0, 5))
axes.legend()

# %%
# The composition in atomic per cent is that of the elements with an edge in the window: strontium is not among them.

mean = {element: amount.data.mean() for element, amount in maps.items()}
true = {element: density[element].data.mean() for element in maps}
for element in maps:
    fitted_per_cent = 100 * mean[element] / sum(mean.values())
    true_per_cent = 100 * true[element] / sum(true.values())
    print(f"{element:2} {fitted_per_cent:5.1f} % fitted, {true_per_cent:5.1f} % true")

# %%
# Standard errors come with the maps.

error = np.sqrt(maps["Ti"].metadata.Signal.Noise_properties.variance.data)
print(f"Ti: {np.median(error / maps['Ti'].data.mean()):.1%} of the mean amount in the median pixel")
