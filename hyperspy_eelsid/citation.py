"""What to cite, as BibTeX."""

from __future__ import annotations

from importlib.metadata import version

_METHOD = """@article{annys2023deep,
  author  = {Annys, A. and Jannis, D. and Verbeeck, J.},
  title   = {Deep learning for automated materials characterisation in core-loss electron energy loss spectroscopy},
  journal = {Scientific Reports},
  volume  = {13},
  pages   = {13724},
  year    = {2023},
  doi     = {10.1038/s41598-023-40943-7},
}"""
_PROGRAM = """@software{{hyperspy_eelsid,
  author  = {{{{The hyperspy\\_eelsid developers}}}},
  title   = {{hyperspy\\_eelsid: find the elements in core-loss EELS spectrum images}},
  version = {{{version}}},
  note    = {{networks {networks}}},
}}"""


def citation(networks: str) -> str:
    """The work that a result rests on: the method, and this program with the networks.

    Parameters
    ----------
    networks
        Name of the networks.
    """
    program = _PROGRAM.format(version=version("hyperspy-eelsid"), networks=networks)
    return f"{_METHOD}\n\n{program}\n"
