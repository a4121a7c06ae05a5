"""Which oxidation states the near-edge structure tells: white lines, fractions of references, classes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "fractions": ["OxidationFractions", "oxidation_fractions"],
        "references": ["references"],
        "white_lines": ["WhiteLines", "white_lines"],
    },
)
