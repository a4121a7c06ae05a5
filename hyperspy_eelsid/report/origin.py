"""Where a signal comes from and how it was recorded, as far as its metadata say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperspy_eelsid.report.result import Result

if TYPE_CHECKING:
    from hyperspy.axes import BaseDataAxis

# what to call it, where it stands, its unit
_ENTRIES = (
    ("Date of measurement", "General.date", ""),
    ("Time", "General.time", ""),
    ("Instrument", "Acquisition_instrument.TEM.microscope", ""),
    ("Detector", "Acquisition_instrument.TEM.Detector.EELS.spectrometer", ""),
    ("Operator", "General.authors", ""),
    ("Beam energy", "Acquisition_instrument.TEM.beam_energy", "keV"),
    ("Convergence semi-angle", "Acquisition_instrument.TEM.convergence_angle", "mrad"),
    ("Collection semi-angle", "Acquisition_instrument.TEM.Detector.EELS.collection_angle", "mrad"),
    ("Beam current", "Acquisition_instrument.TEM.beam_current", "nA"),
    ("Exposure", "Acquisition_instrument.TEM.Detector.EELS.exposure", "s"),
    ("Dwell time", "Acquisition_instrument.TEM.Detector.EELS.dwell_time", "s"),
)
# without which a reader would ask
_EXPECTED = {"Date of measurement", "Instrument", "Beam energy"}
_EXPECTED |= {"Convergence semi-angle", "Collection semi-angle"}
NOT_STATED = "not stated in the file"


def origin(result: Result) -> dict[str, str]:
    """Title, file, date, instrument, beam, angles and axes; what the file does not say is told."""
    signal = result.found.spectrum if result.model is None else result.model.signal
    metadata = signal.metadata
    known = {"File": result.file} if result.file else {}
    for name, place, unit in _ENTRIES:
        value = metadata.get_item(place)
        if value not in (None, ""):
            known[name] = f"{value:g} {unit}" if unit else str(value)
        elif name in _EXPECTED:
            known[name] = NOT_STATED
    found = result.found
    scan = found.intensity.axes_manager.signal_axes
    if scan:
        known["Pixels"] = " x ".join(map(_described, scan))
        if left_out := found.probability.data[..., 0].size - found._judgement.found.shape[0]:
            known["Pixels left out"] = str(left_out)
    energy = found.energy
    step = abs(energy[-1] - energy[0]) / max(len(energy) - 1, 1)
    known["Energy axis"] = (
        f"{energy.min():g} to {energy.max():g} eV, {len(energy)} channels of {step:.3g} eV"
    )
    return known


def title(result: Result) -> str:
    """Title of the signal, or the name of its file."""
    return result.found.spectrum.metadata.get_item("General.title") or result.name


def _described(axis: BaseDataAxis) -> str:
    has_unit = axis.is_uniform and axis.units and str(axis.units) != "<undefined>"
    return f"{axis.size}{f' (of {abs(axis.scale):.3g} {axis.units})' if has_unit else ''}"
