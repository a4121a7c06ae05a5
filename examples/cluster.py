"""
Several processes
=================

Workers of ``dask.distributed`` identify and fit the blocks of a lazy image, on this computer or on others.
"""

import tempfile
from pathlib import Path

import hyperspy.api as hs
from dask.distributed import Client, LocalCluster

from hyperspy_eelsid.data import superlattice

# %%
# In a script, what starts workers stands behind ``if __name__ == "__main__"``, for each worker reads the script again;
# in a notebook it needs no such thing. Workers on other computers need this package and the same path to the file.


def main() -> None:
    """Identify and fit an image with two workers."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "large.hspy"
    superlattice(shape=(16, 52)).save(path, chunks=(8, 26, 1240))

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        with Client(cluster):
            s = hs.load(path, lazy=True)
            found = s.identify_elements()
            print(found)
            print(s.auto_model(identification=found).composition())
            s.close_file()
    folder.cleanup()


# %%
# Networks are loaded once in each worker, which reads and identifies blocks of spectra. For the model, workers read the
# blocks, and the fit, which takes little of the time, is made here.

if __name__ == "__main__":
    main()
