"""
Prior knowledge
===============

What to do with what is known of the specimen, and with elements whose edges coincide.
"""

# %%
# A line scan across the layers of the simulated specimen, with few counts in each spectrum.

import matplotlib.pyplot as plt
import numpy as np

from hyperspy_eelsid.demo import superlattice

s = superlattice(shape=(2, 78), seed=3).signal.inav[:, 0]
found = s.identify_elements()
found

# %%
# The M edge of barium (781 eV) and the L edge of cobalt (779 eV) coincide. An edge is explained once, by the more
# probable element; the last column and ``rivals`` keep the other in mind. Whoever knows the specimen decides.

found.rivals

# %%
# Knowing that there is no barium, the edge is one of cobalt.

found.with_candidates(exclude=["Ba"])

# %%
# Knowing which elements can be there at all, say from X-rays, leaves no room for others. The arguments ``elements`` and
# ``exclude`` of :meth:`identify_elements` do the same from the start.

found.with_candidates(elements=["Sr", "Ti", "La", "Mn", "Ba", "O"])

# %%
# Shares of few pixels are chance as a rule. ``min_fraction`` leaves them out.

found.with_threshold(found.threshold, min_fraction=0.05)

# %%
# The threshold says how sure the networks have to be. Another one needs no second run: a low one lists what else to
# look for, a high one what can be relied on.

for threshold in (0.2, 0.5, 0.9):
    print(threshold, *found.with_threshold(threshold, min_fraction=0.05).elements)

# %%
# Shares of the pixels in which an element is found, over the threshold.

thresholds = np.linspace(0.1, 0.95, 18)
shares = [found.with_threshold(threshold).fraction for threshold in thresholds]
figure, axes = plt.subplots(layout="constrained")
for element in ("O", "Ti", "Mn", "La", "Ba", "Co"):
    axes.plot(thresholds, [share[element] for share in shares], label=element)
axes.set(xlabel="Threshold", ylabel="Share of the pixels")
axes.legend()
