"""Find the elements in core-loss EELS spectra and map them: a HyperSpy extension.

Nothing has to be imported: HyperSpy imports this package when it looks up its extensions, and
exspy's EELSSpectrum then has the methods ``identify_elements`` and ``auto_model``.
"""

from importlib.metadata import version

from hyperspy_eelsid import _attach, _fork

__version__ = version("hyperspy-eelsid")

_attach.arrange()
_fork.arrange()
