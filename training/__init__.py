"""Cross sections, synthetic spectra and networks: everything needed to retrain what hyperspy_eelsid ships."""
