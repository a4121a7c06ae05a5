"""Which oxidation states the near-edge structure tells: white lines, fractions of references, classes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "classifier": ["OxidationStateClassifier"],
        "fractions": ["OxidationFractions", "oxidation_fractions"],
        "references": ["references"],
        "states": ["OxidationStates", "oxidation_states"],
        "white_lines": ["WhiteLines", "white_lines"],
    },
)
