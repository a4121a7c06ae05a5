"""
An image larger than the memory
===============================

Lazy signals are read block by block.
"""

# %%
# A file as a large scan would be: stored in chunks of whole spectra.

import tempfile
from pathlib import Path

import hyperspy.api as hs

from hyperspy_eelsid.data import superlattice

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "large.hspy"
superlattice(shape=(20, 52)).save(path, chunks=(10, 26, 1240))

# %%
# With ``lazy=True`` nothing is read until it is needed.

s = hs.load(path, lazy=True)
s

# %%
# Everything else is as ever. The table asks for the result: now the data are read, once.

found = s.identify_elements()
found

# %%

map_axes = found.plot_maps()

# %%
# The model is fitted block by block too.

maps = s.auto_model(identification=found).elemental_maps()
maps

# %%
# On a cluster, ``dask.distributed.Client`` before these lines lets its workers do the same.

s.close_file()
folder.cleanup()
