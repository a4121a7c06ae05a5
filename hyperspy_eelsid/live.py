"""Elements of spectra as they come from an acquisition."""

from hyperspy_eelsid.identification.live import LiveIdentification

__all__ = ["LiveIdentification"]
