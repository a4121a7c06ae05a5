"""Tables, pictures and pages of an identification and a fit, for people without a Python session."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"page": ["write_report"]},
)
