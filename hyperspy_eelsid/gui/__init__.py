"""Interactive form of the identification; importing it needs no toolkit."""
