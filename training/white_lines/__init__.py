"""The published classifiers of white lines rebuilt: simulated spectra, kernels, networks, shifts and noise."""
