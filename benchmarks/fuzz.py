"""Generated signals of all kinds through identification, live use and the fit: ``python benchmarks/fuzz.py [SIGNALS]``.

A signal is made of its seed alone (``--first SEED`` begins with another one): any number of dimensions, axis and unit,
any type and layout of the numbers, spoilt in one or the other way, with right and wrong arguments. What it must hold:

- each call gives a result, or an error of this package; no other exception, no warning, within a minute;
- the signal is the same afterwards, its data, metadata and axes;
- the lazy signal gives what the one in memory gives, one pixel alone what it gives in its image, a live frame the same
  elements; differences of probabilities up to 1e-5, of areal densities 1e-5 of the largest;
- probabilities lie between 0 and 1, areal densities and variances are not negative, atomic fractions add up to 1.
"""

from __future__ import annotations

import argparse
import collections
import copy
import logging
import signal as signals
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask.array as da
import hyperspy.api as hs
import numpy as np
from exspy.signals import EELSSpectrum, LazyEELSSpectrum
from hyperspy.exceptions import VisibleDeprecationWarning

from hyperspy_eelsid.edges import ELEMENTS, visible_groups
from hyperspy_eelsid.energy_axis import measured_window
from hyperspy_eelsid.exceptions import EelsidError
from hyperspy_eelsid.live import LiveIdentification

LIMIT_S = 60
LARGEST_DIFFERENCE = 1e-5
ONSETS_EV = (188, 284, 401, 456, 532, 575, 640, 708, 779, 832, 855, 931, 1072, 1305, 1560, 1839)
UNITS = ("eV",) * 6 + ("keV", "meV", None, "", "ev", " eV", "nm", "electronvolt", "Hz")
DTYPES = (
    "f4 f4 f4 f4 f8 f8 f8 f8 f2 u1 u2 u2 u4 u8 i1 i2 i4 i8 ? c8 c16 >f4 >i2 longdouble O"
).split()
# shares of the signals that are spoilt in each way
SPOILT = {
    "nan": 0.08,
    "infinite": 0.05,
    "minus infinite": 0.03,
    "nan pixel": 0.05,
    "zero pixel": 0.07,
    "negative pixel": 0.06,
    "spikes": 0.08,
    "zero ends": 0.1,
    "offset": 0.05,
    "huge": 0.04,
    "tiny": 0.04,
    "denormal": 0.01,
    "constant": 0.03,
    "all zero": 0.02,
    "all negative": 0.02,
    "all nan": 0.01,
}
ARGUMENTS = [
    *(("threshold", v) for v in ("0.5", -1, 2, np.nan, [0.5], np.float32(0.4), 1, 0, True, 1j)),
    *(("min_fraction", v) for v in ("a", None, -1, np.nan, 1, 0, 2)),
    *(("elements", v) for v in ("Fe", ["Fe", "O"], [], "Xx", [1], 5, {"O"}, [None], {"O": 1})),
    *(("exclude", v) for v in ("O", ["U"], [], 3, ["O", "N"])),
    *(("networks", v) for v in ("nope", 3, "/", b"x", "", {}, "a\0b", "x" * 5000)),
    *(("device", v) for v in ("gpu", None, 0, [], "CPU")),
    *(("batch_size", v) for v in (0, -3, 1.5, "8", 10**9, np.int64(2), True, 2**70)),
    *(("show_progressbar", v) for v in ("x", 3)),
    ("add_elements", True),
]


@dataclass
class Case:
    """A generated signal: what it is made of, and the arguments of its identification."""

    data: np.ndarray
    axes: list[dict[str, Any]]
    metadata: dict[str, Any]
    rng: np.random.Generator
    arguments: dict[str, Any] = field(default_factory=dict)

    def signal(
        self, data: np.ndarray | da.Array | None = None, pixel: bool = False
    ) -> EELSSpectrum:
        """The signal, or one of other data, or of one pixel."""
        data = self.data if data is None else data
        kind = LazyEELSSpectrum if isinstance(data, da.Array) else EELSSpectrum
        axes = [axis for axis in self.axes if not (pixel and axis["navigate"])]
        return kind(data, axes=copy.deepcopy(axes), metadata=copy.deepcopy(self.metadata))

    @property
    def energy(self) -> np.ndarray:
        """Energies [eV] in the order of the data, if the unit is one of energy."""
        (axis,) = self.signal().axes_manager.signal_axes
        return axis.axis * {"keV": 1e3, "meV": 1e-3}.get(axis.units or "", 1.0)

    @property
    def energy_last(self) -> np.ndarray:
        place = next(i for i, axis in enumerate(self.axes) if not axis["navigate"])
        return np.moveaxis(self.data, place, -1)


@dataclass
class Outcome:
    """What came of a call."""

    result: Any
    error: BaseException | None
    warnings: list[str]


class TooLongError(BaseException):
    """The call took more than a minute."""


def _stop(*_: object) -> None:
    raise TooLongError


def energies(rng: np.random.Generator, size: int) -> np.ndarray:
    """Energies of the channels [eV]: uniform, stretched or irregular, increasing or decreasing."""
    offset = rng.choice([-500, -10, 0, 50, 80, 100, 100, 200, 200, 300, 400, 400, 1000, 3000, 5000])
    scale = rng.choice([0.01, 0.05, 0.1, 0.25, 0.25, 0.5, 0.5, 1, 1, 2, 5, 10, 50])
    steps = np.full(size, scale)
    kind = rng.choice(["uniform", "stretched", "irregular"], p=[0.75, 0.12, 0.13])
    if kind == "stretched":
        steps *= 1 + 0.3 * np.arange(size) / size
    elif kind == "irregular":
        steps *= rng.uniform(0.1, 2, size)
    energy = offset + np.cumsum(steps) - steps[0]
    return energy[::-1] if rng.random() < 0.12 else energy


def counts(rng: np.random.Generator, energy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Power laws with edges, noise, or flat spectra; shape (*shape, n_channels)."""
    kind = rng.choice(["edges", "noise", "flat", "square wave"], p=[0.7, 0.1, 0.1, 0.1])
    values = np.ones((*shape, len(energy)))
    if kind == "noise":
        return rng.normal(0, 1, values.shape)
    if kind == "square wave":
        return values * np.sign(np.sin(energy / 50)) * 1e3
    if kind == "edges":
        positive = np.clip(energy, 20, None)
        values *= (positive / 300) ** -rng.uniform(2, 4)
        for onset in rng.choice(ONSETS_EV, rng.integers(4), replace=False):
            height = rng.uniform(0.05, 1) * (onset / 300) ** -3 * rng.uniform(0.2, 1, (*shape, 1))
            values += height * (energy > onset) * np.clip(positive / onset, 1, None) ** -3
    values *= 10 ** rng.uniform(0.5, 6)
    return rng.poisson(np.clip(values, 0, 1e15)).astype(float) if rng.random() < 0.5 else values


def spoil(rng: np.random.Generator, values: np.ndarray) -> None:
    """Change the spectra in place, in none, one or several ways."""
    flat = values.reshape(-1, values.shape[-1])
    if not flat.size:
        return
    some = values.reshape(-1)
    channels = flat.shape[1]
    for way, share in SPOILT.items():
        if rng.random() >= share:
            continue
        pixel, places = rng.integers(len(flat)), rng.integers(some.size, size=2)
        if way in ("nan", "infinite", "minus infinite", "spikes"):
            some[places] = dict(zip(SPOILT, (np.nan, np.inf, -np.inf), strict=False)).get(way, 1e12)
        elif way.endswith("pixel"):
            replaced = {"nan pixel": np.nan, "zero pixel": 0.0, "negative pixel": -7.0}
            flat[pixel] = replaced[way]
        elif way == "zero ends":
            flat[:, : rng.integers(channels // 2 + 1)] = 0
            flat[:, channels - max(1, channels // 20) :] = 0
        elif way == "offset":
            flat -= np.nanmedian(flat[np.isfinite(flat)]) if np.isfinite(flat).any() else 0
        elif way in ("huge", "tiny", "denormal"):
            flat *= {"huge": 1e15, "tiny": 1e-30, "denormal": 1e-310}[way]
        else:
            flat[:] = {"constant": 7, "all zero": 0, "all negative": -5, "all nan": np.nan}[way]


def stored(rng: np.random.Generator, values: np.ndarray, folder: Path) -> np.ndarray:
    """The spectra in some type and some layout of memory."""
    dtype = np.dtype(rng.choice(DTYPES))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.clip(np.nan_to_num(values), limits.min, float(limits.max) * 0.999999)
    elif dtype.kind == "?":
        values = values > 0
    elif dtype.kind == "c" and rng.random() < 0.5:
        values = values * (1 + 0.1j)
    values = values.astype(dtype)
    layout = rng.choice(
        ["C", "F", "read only", "file", "strided", "masked"], p=[0.6, 0.1, 0.1, 0.07, 0.08, 0.05]
    )
    if layout == "F":
        return np.asfortranarray(values)
    if layout == "read only":
        values.flags.writeable = False
    elif layout == "file" and values.size and dtype.kind != "O":
        np.save(folder / "spectra.npy", values)
        return np.load(folder / "spectra.npy", mmap_mode="r")
    elif layout == "strided":
        return np.repeat(values, 2, axis=-1)[..., ::2]
    elif layout == "masked":
        return np.ma.MaskedArray(values, mask=rng.random(values.shape) < 0.01)
    return values


def make(seed: int, folder: Path) -> Case:
    """The signal of a seed."""
    rng = np.random.default_rng(seed)
    dimensions = rng.choice([0, 1, 2, 3], p=[0.3, 0.25, 0.35, 0.1])
    shape = tuple(int(n) for n in rng.choice([1, 1, 2, 3, 4], dimensions))
    if np.prod(shape) > 8:
        shape = tuple(min(n, 2) for n in shape)
    if rng.random() < 0.01:
        shape = (140,)  # more than one batch
    size = int(
        rng.choice(
            [1, 2, 7, 8, 9, 20, 50, 100, 300, 1024, 2048, 4096, 12000],
            p=[0.01, 0.01, 0.02, 0.02, 0.02, 0.05, 0.1, 0.2, 0.2, 0.2, 0.1, 0.06, 0.01],
        )
    )
    energy = energies(rng, size)
    unit = UNITS[rng.integers(len(UNITS))]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = counts(rng, energy, shape)
        spoil(rng, values)
        data = stored(rng, values, folder)
    along = energy / {"keV": 1e3, "meV": 1e-3}.get(unit or "", 1.0)
    axis = {"name": "Energy loss", "units": unit, "navigate": False}
    steps = np.diff(along)
    if size > 1 and np.allclose(steps, steps[0]):
        axis |= {"size": size, "offset": float(along[0]), "scale": float(steps[0])}
    else:
        axis |= {"_type": "DataAxis", "axis": along}
    axes = [
        {"name": f"n{i}", "size": n, "navigate": True, "scale": 0.5, "units": "nm"}
        for i, n in enumerate(shape)
    ]
    axes.append(axis)
    if shape and rng.random() < 0.06:
        data, axes = np.moveaxis(data, -1, 0), [axes[-1], *axes[:-1]]
    metadata: dict[str, Any] = {
        "General": {"title": f"<b>{seed}"},
        "Signal": {"signal_type": "EELS"},
    }
    if rng.random() < 0.8:
        angle = {"Detector": {"EELS": {"collection_angle": 40.0}}}
        tem = {"beam_energy": 200.0, "convergence_angle": 20.0, **angle}
        metadata["Acquisition_instrument"] = {"TEM": tem}
    case = Case(data, axes, metadata, rng)
    if rng.random() < 0.25:
        mask = rng.random(shape or (1,)) < 0.3
        choices = (mask, mask.T, mask.astype(int), mask.tolist(), np.zeros((7, 5, 2), bool))
        case.arguments["navigation_mask"] = choices[rng.integers(len(choices))]
    if rng.random() < 0.12:
        name, value = ARGUMENTS[rng.integers(len(ARGUMENTS))]
        case.arguments[name] = value
    return case


def attempt(function: Callable[[], Any]) -> Outcome:
    """Call a function, with its error and warnings."""
    result, error = None, None
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", VisibleDeprecationWarning)  # HyperSpy's about itself
        signals.alarm(LIMIT_S)
        try:
            result = function()
        except (Exception, TooLongError) as raised:
            error = raised
        finally:
            signals.alarm(0)
    return Outcome(result, error, [f"{w.category.__name__}: {w.message}" for w in told])


def judged(name: str, outcome: Outcome) -> Iterator[str]:
    """What is wrong with a call: an error that is not ours, and warnings."""
    if outcome.error is not None and not isinstance(outcome.error, EelsidError):
        yield f"{name}: {type(outcome.error).__name__}: {outcome.error!s:.100}"
    for warning in dict.fromkeys(outcome.warnings):
        yield f"{name}: {warning:.120}"


def state(signal: EELSSpectrum) -> tuple[Any, ...]:
    """All that must not change."""
    data = np.ma.getdata(signal.data)
    values = repr(data.tolist()) if data.dtype == object else data.tobytes()
    return (
        values,
        data.dtype,
        data.shape,
        repr(signal.metadata.as_dictionary()),
        repr(signal.axes_manager.as_dictionary()),
        type(signal),
    )


def chunked(case: Case) -> da.Array:
    """The data in chunks: one, small ones, or of any sizes."""
    shape = case.data.shape
    kind = case.rng.integers(3)
    if kind == 0 or not case.data.size:
        return da.from_array(case.data, chunks=shape)
    if kind == 1:
        return da.from_array(case.data, chunks=tuple(max(1, n // 3) for n in shape))
    cuts = [np.unique([0, n, *case.rng.integers(1, n + 1, min(3, n))]) for n in shape]
    return da.from_array(case.data, chunks=tuple(tuple(map(int, np.diff(c))) for c in cuts))


def far_apart(first: np.ndarray, second: np.ndarray, scale: float = 1.0) -> bool:
    """Whether two results differ, also in what is missing."""
    if first.shape != second.shape or (np.isnan(first) != np.isnan(second)).any():
        return True
    return bool((np.abs(first - second) > LARGEST_DIFFERENCE * scale).any())


def identify(signal: EELSSpectrum, arguments: dict[str, Any]) -> Any:
    found = signal.identify_elements(**arguments)
    return found, found.elements  # a lazy one is computed for them


def check_identification(case: Case) -> Iterator[str]:
    """Identify in memory, lazily, one pixel alone, and live."""
    signal = case.signal()
    before = state(signal)
    outcome = attempt(lambda: identify(signal, case.arguments))
    yield from judged("identification", outcome)
    if case.arguments.get("add_elements") is not True and state(signal) != before:
        yield "identification: the signal is changed"
    lazy = attempt(lambda: identify(case.signal(chunked(case)), case.arguments))
    yield from judged("lazy identification", lazy)
    if type(outcome.error) is not type(lazy.error):
        yield f"lazy identification: {lazy.error!r:.80} instead of {outcome.error!r:.80}"
    if outcome.error or lazy.error:
        return
    found, elements = outcome.result
    probability = found.probability.data
    if np.nanmin(probability) < 0 or np.nanmax(probability) > 1:
        yield "identification: probabilities beyond 0 and 1"
    if elements != lazy.result[1] or far_apart(probability, lazy.result[0].probability.data):
        yield "lazy identification: differs"
    yield from judged(
        "result", attempt(lambda: (repr(found), found._repr_html_(), found.to_dataframe()))
    )
    finite = np.argwhere(np.isfinite(probability[..., 0]))
    if found.probability.axes_manager.navigation_dimension and len(finite):
        pixel = tuple(finite[case.rng.integers(len(finite))])
        alone = {
            k: v for k, v in case.arguments.items() if k not in ("navigation_mask", "add_elements")
        }
        one = attempt(lambda: identify(case.signal(case.energy_last[pixel], pixel=True), alone))
        yield from judged("one pixel", one)
        if not one.error and far_apart(one.result[0].probability.data, probability[pixel]):
            yield "one pixel: differs"
    elif not case.arguments:
        frame = (
            np.ma.filled(np.ma.asarray(case.data, float), np.nan)
            if case.data.dtype.kind != "c"
            else None
        )
        if frame is not None:
            live = attempt(lambda: LiveIdentification(case.energy).push(frame))
            yield from judged("live", live)
            if not live.error and list(live.result) != elements:
                yield "live: differs"


def quantify(signal: EELSSpectrum, elements: list[str]) -> dict[str, np.ndarray]:
    """Areal densities, their variances, and atomic fractions, shape (n_elements, *navigation)."""
    model = signal.auto_model(elements=elements)
    maps, fractions = model.elemental_maps(), model.composition()
    model.significance(), model.doubtful, model.residual()
    variances = [m.metadata.Signal.Noise_properties.variance.data for m in maps.values()]
    return {
        "density": np.stack([m.data for m in maps.values()]),
        "variance": np.stack(variances),
        "fraction": np.stack([m.data for m in fractions.values()]),
    }


def check_model(case: Case) -> Iterator[str]:
    """Fit elements that have an edge in the window, in memory and lazily."""
    signal = case.signal()
    window = measured_window(case.energy)
    seen = [e for e in ELEMENTS if visible_groups(e, *window)] or ["O"]
    elements = case.rng.choice(seen, min(len(seen), int(case.rng.integers(1, 5))), replace=False)
    elements = elements.tolist()
    before = state(signal)
    outcome = attempt(lambda: quantify(signal, elements))
    yield from judged("fit", outcome)
    if state(signal) != before:
        yield "fit: the signal is changed"
    lazy = attempt(lambda: quantify(case.signal(chunked(case)), elements))
    yield from judged("lazy fit", lazy)
    if type(outcome.error) is not type(lazy.error):
        yield f"lazy fit: {lazy.error!r:.80} instead of {outcome.error!r:.80}"
    if outcome.error or lazy.error:
        return
    yield "fitted"
    for name, values in outcome.result.items():
        if (values < 0).any() or np.isinf(values).any():
            yield f"fit: {name} negative or infinite"
    total = outcome.result["fraction"].sum(axis=0)
    if (np.abs(total[np.isfinite(total)] - 1) > 1e-6).any():
        yield "fit: atomic fractions do not add up to 1"
    densities = outcome.result["density"], lazy.result["density"]
    largest = np.nanmax(densities[0]) if np.isfinite(densities[0]).any() else 0
    if far_apart(*densities, scale=largest):
        yield "lazy fit: differs"


def main() -> int:
    """Print how many signals hold what is promised and, for each kind of fault, the first seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", nargs="?", type=int, default=300, metavar="SIGNALS")
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--fit-every", type=int, default=2, metavar="N")
    options = parser.parse_args()
    hs.preferences.General.show_progressbar = False
    logging.disable(logging.ERROR)
    signals.signal(signals.SIGALRM, _stop)
    faults: dict[str, list[int]] = collections.defaultdict(list)
    tried: collections.Counter[str] = collections.Counter()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.count):
            case = make(seed, Path(folder))
            made = attempt(lambda case=case: case.signal())
            if made.error:  # HyperSpy makes no signal of it
                tried["no signals"] += 1
                continue
            tried["signals"] += 1
            found = list(check_identification(case))
            if seed % options.fit_every == 0:
                tried["tried to fit"] += 1
                found += check_model(case)
            for fault in dict.fromkeys(found):
                if fault == "fitted":
                    tried["fitted"] += 1
                else:
                    faults[fault].append(seed)
    minutes = (time.monotonic() - start) / 60
    print(f"{dict(tried)} in {minutes:.1f} min; faults of {len(faults)} kinds")
    for fault, seeds in sorted(faults.items()):
        print(f"{len(seeds):5d}  {fault}  (seeds {', '.join(map(str, seeds[:5]))})")
    return int(bool(faults))  # exit codes end at 255


if __name__ == "__main__":
    sys.exit(main())
