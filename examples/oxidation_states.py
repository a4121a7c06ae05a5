r"""
Oxidation states
================

Where is manganese Mn\ :sup:`2+`, where Mn\ :sup:`3+`, and which answers are doubtful?
"""

# %%
# A simulated particle has a core of MnO, which is seen through a shell of Mn\ :sub:`2`\ O\ :sub:`3`. Its energy axis
# is off by 1.4 eV, as axes are.

import matplotlib.pyplot as plt
import numpy as np

from hyperspy_eelsid.data import core_shell_particle
from hyperspy_eelsid.oxidation import OxidationStateClassifier, references

s = core_shell_particle()
truth = s.metadata.Simulation.fraction
s

# %%
# **The ratio of the white lines** needs nothing else. It is noisy, and knows no mixtures.

lines = s.white_lines("Mn")
lines

# %%
# **Fractions** come from a fit of reference spectra. One's own, of the same session, are best; here they are computed,
# and of another resolution than the image. The fit shifts and broadens them.

fractions = s.oxidation_fractions(references("Mn", dispersion=0.2, resolution=0.8)[:2])
fractions

# %%
# Errors are true where chi-squared is one; there is no fraction where there is no manganese.

shell = fractions["Mn3+ (computed)"]
error = np.sqrt(shell.metadata.Signal.Noise_properties.variance.data)
maps = {
    "True share of Mn3+": truth.data,
    "Fitted": shell.data,
    "Its standard error": error,
    "Chi-squared": fractions.chi_squared.data,
}
figure, axes = plt.subplots(1, 4, figsize=(12, 3), layout="constrained")
for panel, (title, values) in zip(axes, maps.items(), strict=True):
    limits = {"vmin": 0, "vmax": 1} if title in ("True share of Mn3+", "Fitted") else {}
    figure.colorbar(panel.imshow(values, **limits), ax=panel, shrink=0.8)
    panel.set(title=title, xticks=[], yticks=[], facecolor="lightgrey")
print(f"mean error {np.nanmean(np.abs(shell.data - truth.data)):.3f}")

# %%
# **A classifier** gives each pixel one state, which is quick and robust. It learns from labelled spectra: here from
# computed ones of three resolutions, which stand for three sessions.

resolutions = (0.6, 1.0, 1.6)
classifier = OxidationStateClassifier.fit(
    [ion for width in resolutions for ion in references("Mn", 0.1, width)],
    ["Mn2+", "Mn3+", "Mn4+"] * len(resolutions),
    edge="Mn_L3",
    groups=np.repeat(["first", "second", "third"], 3),
)
states = s.oxidation_states(classifier)
states

# %%
# The ring of mixed pixels gets one state or the other: **a probability is not a fraction**. Where the ratio of the
# white lines says something else, one should look again.

figure = states.plot()

# %%
# The probability of Mn\ :sup:`3+` jumps where its share passes one half or so; the fitted fraction follows the truth.

figure, axes = plt.subplots(layout="constrained")
axes.plot(truth.data.ravel(), states["Mn3+"].data.ravel(), ".", label="probability")
axes.plot(truth.data.ravel(), shell.data.ravel(), ".", label="fitted fraction")
axes.plot([0, 1], [0, 1], color="black")
axes.set(xlabel="True share of Mn3+", ylabel="Answer for Mn3+")
axes.legend()
