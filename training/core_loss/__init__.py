"""Core-loss spectra of known elements: recipes, data sets, and the evaluation of networks on them."""
