"""Wrong arguments of the low-loss functions: an error of ours that names the argument."""

import pytest

from hyperspy_eelsid.exceptions import EelsidError

NAN, INFINITY = float("nan"), float("inf")
NOT_WINDOWS = ("x", 5, (), (1,), (2, 1), (NAN, 2), (1, 2, 3), {}, (1, INFINITY), (None, 2))
NOT_POSITIVE = ("x", NAN, -1, 0, INFINITY, [], {}, True)
NOT_FLAGS = ("x", 3, NAN, [], {}, -1)
NOT_COUNTS = (0, -1, 1.5, "x", NAN, None)

WRONG = {
    "model_zero_loss_peak": {
        "vacuum": ("x", [], {}),
        "zlp_range": NOT_WINDOWS,
        "random_state": (-1, "x", 1.5, NAN, [], None),
        "show_progressbar": NOT_FLAGS,
    },
    "band_gap": {
        "kind": (5j, "x", [], {}, NAN, -1, INFINITY),
        "energy_range": NOT_WINDOWS,
        "show_progressbar": NOT_FLAGS,
    },
    "thickness": {
        "density": NOT_POSITIVE,
        "mean_free_path": NOT_POSITIVE,
        "method": (5, None, "x", [], {}),
        "samples": NOT_COUNTS,
        "show_progressbar": NOT_FLAGS,
    },
    "kramers_kronig_analysis": {
        "n": NOT_POSITIVE,
        "t": NOT_POSITIVE,
        "delta": (None, *NOT_POSITIVE),
        "samples": NOT_COUNTS,
        "show_progressbar": NOT_FLAGS,
    },
}
CASES = [
    pytest.param(function, name, value, id=f"{function}-{name}-{value!r:.20}")
    for function, arguments in WRONG.items()
    for name, values in arguments.items()
    for value in values
]


@pytest.mark.parametrize(("function", "name", "value"), CASES)
def test_wrong_argument(flake, flake_peak, function, name, value):
    arguments = {name: value}
    if function == "model_zero_loss_peak":
        arguments = {"vacuum": "auto"} | arguments
    elif function == "kramers_kronig_analysis" and name != "t":
        arguments = {"n": 1.5} | arguments
    with pytest.raises(EelsidError, match=name):
        getattr(flake if function == "model_zero_loss_peak" else flake_peak, function)(**arguments)
