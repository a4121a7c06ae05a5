"""Wrong arguments of public functions: an error of ours that names the argument."""

import numpy as np
import pytest

from hyperspy_eelsid.data import superlattice
from hyperspy_eelsid.exceptions import EelsidError
from hyperspy_eelsid.identification import ElementIdentification
from hyperspy_eelsid.identification.live import LiveIdentification

pytestmark = pytest.mark.usefixtures("step_networks")

NAN, INFINITY = float("nan"), float("inf")
ENERGY = np.arange(400.0, 700.0)
NOT_SHARES = ("0.5", -1, 2, NAN, INFINITY, [0.5], (), {}, True, 1 + 0j, b"1")
NOT_FLAGS = ("x", 3, NAN, [], {}, -1)
NOT_COUNTS = (0, -3, 1.5, "8", NAN, INFINITY, [], True)
NOT_SYMBOLS = (5, NAN, [], "", {}, ["Xx"], [None], [1], b"Fe", "Ti_L3")
NOT_NETWORKS = (5, b"x", "", {}, [], NAN, "none", "x" * 5000, "a\0b")
NOT_DEVICES = ("gpu", None, 0, [], {}, NAN, "")
NOT_MASKS = ("x", 5, NAN, [1, 2], [[True], [True, False]], {}, np.zeros((7, 5), bool))

WRONG = {
    "identify_elements": {
        "threshold": NOT_SHARES,
        "min_fraction": (None, *NOT_SHARES),
        "elements": NOT_SYMBOLS,
        "exclude": [value for value in NOT_SYMBOLS if value not in ([], {})],
        "networks": NOT_NETWORKS,
        "device": NOT_DEVICES,
        "batch_size": NOT_COUNTS,
        "navigation_mask": NOT_MASKS,
        "add_elements": (None, *NOT_FLAGS),
        "show_progressbar": NOT_FLAGS,
    },
    "with_threshold": {"threshold": (None, *NOT_SHARES), "min_fraction": NOT_SHARES},
    "with_candidates": {"elements": NOT_SYMBOLS},
    "explain": {"element": (None, *NOT_SYMBOLS), "networks": NOT_NETWORKS},
    "compute": {"show_progressbar": NOT_FLAGS},
    "LiveIdentification": {
        "energy": ("x", None, 5, [], [1], ENERGY[::2] * 0, ENERGY * NAN, [[1, 2], [3]], {}),
        "threshold": NOT_SHARES,
        "elements": NOT_SYMBOLS,
        "networks": NOT_NETWORKS,
        "device": NOT_DEVICES,
        "accumulate": (None, *NOT_FLAGS),
    },
    "push": {"counts": ("x", None, 5, [], ENERGY[1:], {}, [[1], [2, 3]], ENERGY * NAN)},
    "load": {"filename": (5, None, "", b"x", [], "absent.hspy", "a\0b")},
    "superlattice": {
        "shape": ("x", 5, (), (0, 4), (4, -1), (NAN, 2), (1.5, 4), (2, 3, 4), None),
        "seed": (-1, "x", 1.5, NAN, [], None),
    },
}
CASES = [
    pytest.param(function, name, value, id=f"{function}-{name}-{value!r:.20}")
    for function, arguments in WRONG.items()
    for name, values in arguments.items()
    for value in values
]


@pytest.fixture
def call(make_eels):
    """Call a function by its name with one wrong argument."""
    signal = make_eels((2, 3))

    def call(function, **wrong):
        if function == "identify_elements":
            return signal.identify_elements(**wrong)
        if function == "LiveIdentification":
            return LiveIdentification(**({"energy": ENERGY} | wrong))
        if function == "push":
            return LiveIdentification(ENERGY).push(**wrong)
        if function == "load":
            return ElementIdentification.load(**wrong)
        if function == "superlattice":
            return superlattice(**wrong)
        found = signal.identify_elements()
        if function == "with_threshold":
            wrong = {"threshold": 0.5} | wrong
        if function == "explain":
            wrong = {"element": "O"} | wrong
        return getattr(found, function)(**wrong)

    return call


@pytest.mark.parametrize(("function", "name", "value"), CASES)
def test_wrong_argument(call, function, name, value):
    with pytest.raises(EelsidError) as told:
        call(function, **{name: value})
    text = str(told.value)
    known = {"device": "device", "networks": "ensemble", "counts": "frame", "filename": "file"}
    words = (name, known.get(name, name), name.rstrip("s"), "options are", "excluded")
    assert any(word in text for word in words), text
    assert 15 < len(text) < 900
