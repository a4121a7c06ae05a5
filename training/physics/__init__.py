"""Atoms, edges, low losses, backgrounds and detectors: what a simulated spectrum is made of."""
