"""Generalised oscillator strengths from first principles.

A Dirac-Hartree-Fock-Slater atom (:mod:`atom`) gives the bound orbitals and the potential that the ejected electron
moves in; the radial Dirac equation is solved in :mod:`dirac`; :mod:`oscillator_strength` joins bound and continuum
orbitals; :mod:`gosh` writes the table that exspy reads.
"""

from training.physics.gos.gosh import build

__all__ = ["build"]
