"""The low loss: zero-loss peak, inelastic spectrum, band gap and thickness, with their errors."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "band_gap": ["BandGap"],
        "deconvolution": ["KramersKronig"],
        "estimate": ["Estimate"],
        "loss_peak": ["LossPeak"],
        "thickness": ["thickness"],
        "zero_loss": ["model_zero_loss_peak", "remove_zero_loss_peak"],
        "network": ["NetworkMethod"],
        "result": ["ZeroLossPeak"],
    },
)
