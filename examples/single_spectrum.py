"""
A single spectrum
=================

Which elements are in one spectrum, and how sure is that?
"""

# %%
# The spectrum is the sum over a small simulated image of an oxide superlattice, between 380 and 1000 eV.
# Your own comes from :func:`hyperspy.api.load`.

from hyperspy_eelsid.data import superlattice

s = superlattice(shape=(4, 65)).sum()
s

# %%
# One line finds the elements. The table names the edges by which each can be recognised in this window, and in the
# last column elements whose edges lie at the same place.

found = s.identify_elements()
found

# %%
# The spectrum with these edges, and all 80 elements in a periodic table shaded by their probability. Those in
# red frames are found.

found.plot()

# %%
# Which part of the spectrum speaks for titanium? That which, covered, makes it less probable.

found.explain("Ti").plot()

# %%
# The probabilities can be used in further steps. Strontium is in the specimen too, but has no edge in this window: its
# probability is zero, which does not mean that there is none.

{element: round(found.strength[element], 3) for element in ("O", "Ti", "Sc", "Sr")}
