"""Inner-shell ionisation edges: the table of the 80 elements, the component of one edge, and computed near edges."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "component": ["CoreLossEdge"],
        "fine_structure": ["FineStructure"],
        "near_edges": ["NearEdge", "computed_near_edges"],
        "table": [
            "EDGES",
            "ELEMENTS",
            "ELEMENT_INDEX",
            "ENERGY_MAX_EV",
            "ENERGY_MIN_EV",
            "Edge",
            "edge_groups",
            "edges_in_window",
            "element_edges",
            "element_index",
            "symbols",
            "visible_groups",
        ],
    },
)
