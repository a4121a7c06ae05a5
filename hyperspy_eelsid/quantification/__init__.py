"""How much of each element there is: models of background and edges, fitted in all pixels at once."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "plot": ["plot_maps", "plot_sum"],
        "totals": ["AtomicFraction", "total_composition"],
        "near_edge_structure": ["fine_structure"],
        "maps": ["composition", "elemental_maps", "residual", "volume_densities"],
        "second_opinion": ["Significance", "significance"],
    },
)
