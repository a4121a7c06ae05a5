"""
Prior knowledge
===============

What to do with what is known of the specimen, when the edges of two elements coincide.
"""

# %%
# An oxidised film of titanium nitride, simulated. N K begins at 401 eV, Sc L at 402 eV.

import matplotlib.pyplot as plt

from hyperspy_eelsid.data import titanium_oxynitride

s = titanium_oxynitride(shape=(16, 40))
found = s.identify_elements()
found

# %%
# An edge is explained once, by the more probable element; the last column and ``rivals`` keep the other in mind.

found.rivals

# %%
# Whoever knows that there is no scandium says so, and the evidence that the two shared is that of nitrogen. Nothing is
# computed anew.

without_scandium = found.with_candidates(exclude=["Sc"])
without_scandium

# %%
# When all elements that can be there are known, say from X-rays, only these are asked for. The arguments ``elements``
# and ``exclude`` of :meth:`identify_elements` do the same from the start.

found.with_candidates(elements=["Ti", "N", "O", "C"])

# %%
# The simulation knows where the nitrogen is. Probabilities of nitrogen and of scandium, and the truth:

truth = s.metadata.Simulation.areal_density.N
figure, axes = plt.subplots(1, 3, figsize=(10, 2), layout="constrained")
for panel, title, image, largest in (
    (axes[0], "N, probability", found.probability["N"], 1),
    (axes[1], "Sc, probability", found.probability["Sc"], 1),
    (axes[2], "N, true (atoms/nm²)", truth, None),
):
    picture = panel.imshow(image.data, vmin=0, vmax=largest)
    panel.set(title=title, xticks=[], yticks=[])
    figure.colorbar(picture, ax=panel)

# %%
# The threshold says how sure the networks have to be, ``min_fraction`` in how many pixels. A low threshold lists what
# else to look for, a high one what can be relied on.

for threshold in (0.2, 0.5, 0.8):
    judged = without_scandium.with_threshold(threshold, min_fraction=0.05)
    print(threshold, {element: f"{judged.fraction[element]:.0%}" for element in judged.elements})
