"""Settings for all tests: no windows, no progress bars; and a small image for several of them."""

import matplotlib
import pytest
from traits.etsconfig.api import ETSConfig

ETSConfig.toolkit = "null"
matplotlib.use("agg")

import hyperspy.api as hs  # noqa: E402 (after the toolkits are chosen)
import matplotlib.pyplot as plt  # noqa: E402

hs.preferences.General.show_progressbar = False


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def superlattice():
    """The demo's spectrum image at a tenth of its pixels, with the truth; not to be changed."""
    from hyperspy_eelsid import demo

    return demo.superlattice(shape=(12, 65), seed=1)
