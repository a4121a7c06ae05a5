"""Example spectrum images, simulated in a second or so, whose truth is known."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "images": ["superlattice", "titanium_oxynitride"],
        "low_loss": ["nanostructure"],
        "particle": ["core_shell_particle"],
    },
)
