"""The commands that look at what is installed: ``eelsid models`` and ``eelsid doctor``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from hyperspy_eelsid.cli.say import complain
from hyperspy_eelsid.exceptions import EelsidError

if TYPE_CHECKING:
    from hyperspy_eelsid.identification.ensemble import Ensemble
    from hyperspy_eelsid.networks.card import Card


def models(arguments: argparse.Namespace) -> int:
    """List networks, or check them."""
    from hyperspy_eelsid.identification import ensemble

    failed = False
    for name in arguments.networks or ensemble.models():
        try:
            networks = ensemble.load(name)
            lines = _verified(networks) if arguments.verify else _described(networks.card)
        except EelsidError as error:
            failed = True
            complain(name, error)
            continue
        print(f"{name}: {networks.name}, threshold {networks.threshold:g}")
        for line in lines:
            print(f"  {line}")
    return int(failed)


def _verified(networks: Ensemble) -> Iterator[str]:
    """What was checked of networks that could be loaded."""
    for file in networks.card.files:
        yield f"{file.file}: sha256 {file.sha256}, as the card says"
    difference = networks.test_difference()
    if difference is None:
        yield "a probability for each element of the test spectrum; the card has none to compare with"
    else:
        yield f"test spectrum: as the card says, within {difference:.1g}"


def _described(card: Card) -> Iterator[str]:
    """What the card says of networks and scores."""
    for member in card.members:
        yield f"{member.network.file}, weight {member.weight:g}"
    for label, scores in dict(card.entries.get("scores") or {}).items():
        if isinstance(scores, dict):
            numbers = {key: value for key, value in scores.items() if isinstance(value, float)}
            yield f"{label}: {', '.join(f'{key} {value:.3g}' for key, value in numbers.items())}"


def doctor(arguments: argparse.Namespace) -> int:
    """Tell versions and devices, and identify and fit a simulated image."""
    import platform
    import time

    import hyperspy.api as hs
    import onnxruntime

    from hyperspy_eelsid.data import superlattice
    from hyperspy_eelsid.identification.ensemble import load

    print(f"Python {platform.python_version()}, {platform.platform()}")
    for name in ("hyperspy-eelsid", "hyperspy", "exspy", "numpy", "scipy", "dask"):
        print(f"{name} {version(name)}")
    print(f"onnxruntime {onnxruntime.__version__}: {onnxruntime.get_available_providers()}")
    hs.preferences.General.show_progressbar = False
    try:
        print(f"networks {load().name} run by {load().provider}")
        signal = superlattice((4, 65))
        signal.identify_elements()  # the first run is slower
        start = time.perf_counter()
        found = signal.identify_elements()
        rate = signal.axes_manager.navigation_size / (time.perf_counter() - start)
        fitted = signal.auto_model(identification=found).elements
    except EelsidError as error:
        print(f"self-test failed: {error}", file=sys.stderr)
        return 1
    good = {"Ti", "O", "La"} <= set(found.elements) and fitted == found.elements
    print(f"self-test {'passed' if good else 'failed'}: {', '.join(fitted)}, {rate:.0f} spectra/s")
    return int(not good)
