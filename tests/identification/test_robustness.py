"""Any input gives a result or a clear error, and leaves the signal as it was."""

import numpy as np
import pytest
from exspy.signals import EELSSpectrum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hyperspy_eelsid.exceptions import EelsidError, EnergyAxisError

pytestmark = pytest.mark.usefixtures("step_networks")

COUNTS = st.sampled_from(
    [np.float32, np.float64, np.int8, np.uint8, np.int32, np.uint16, np.int64, np.float16]
)


@st.composite
def signals(draw):
    """Signals of 0 to 3 navigation dimensions with whatever counts and energy axis."""
    shape = draw(array_shapes(min_dims=1, max_dims=4, max_side=3))[:-1]
    channels = draw(st.integers(2, 400))  # HyperSpy makes no EELSSpectrum of one lazy channel
    dtype = draw(COUNTS)
    kind = draw(st.sampled_from(["edges", "noise", "anything", "constant"]))
    if kind == "anything":
        data = draw(arrays(dtype, (*shape, channels)))
    else:
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        level = 10.0 ** draw(st.integers(-3, 4))
        data = np.full((*shape, channels), level)
        if kind == "edges":
            data *= np.linspace(2, 1, channels) * (1 + (np.arange(channels) > channels // 2))
        if kind == "noise":
            data = rng.normal(0, level, data.shape)
        with np.errstate(invalid="ignore", over="ignore"):
            data = data.astype(dtype)
    axis = {
        "size": channels,
        "scale": draw(st.sampled_from([-2.0, -0.5, 1e-3, 0.05, 0.3, 1.0, 1.7, 5.0, 40.0])),
        "offset": draw(st.sampled_from([-20.0, 0.0, 0.4, 70.0, 400.0, 2900.0, 1e4])),
        "units": draw(st.sampled_from(["eV", "keV", "meV", "", "nm"])),
    }
    signal = EELSSpectrum(data, axes=[*({"size": n} for n in shape), axis])
    return signal.as_lazy() if draw(st.booleans()) else signal


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(signals())
def test_a_result_or_a_clear_error(signal):
    before = np.array(signal.data, copy=True)
    try:
        found = signal.identify_elements()
        found.compute()
    except EelsidError as error:
        assert len(str(error)) > 30
    else:
        probability = found.probability.data
        assert probability.shape == (*before.shape[:-1], 80)
        valid = ~np.isnan(probability)
        assert ((probability[valid] >= 0) & (probability[valid] <= 1)).all()
        assert (valid.all(axis=-1) | ~valid.any(axis=-1)).all()
        assert repr(found) and found._repr_html_()
    np.testing.assert_array_equal(np.array(signal.data), before)


@pytest.mark.parametrize("value", [1e300, -1e300, 1e30, np.inf])
def test_absurd_counts_are_left_out(make_eels, value):
    signal = make_eels((2, 2))
    signal.data[0, 0, 5] = value
    found = signal.identify_elements()
    assert np.isnan(found.probability.data[0, 0]).all()
    assert np.isfinite(found.intensity.data).all() and np.isfinite(found.spectrum.data).all()
    signal.data[:] = 1e-30
    with pytest.raises(EelsidError, match="None of the 4 spectra"):
        signal.identify_elements()


def test_one_channel():
    with pytest.raises(EnergyAxisError, match="1 channels"):
        EELSSpectrum([5.0]).identify_elements()
