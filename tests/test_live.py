import numpy as np
import pytest

from hyperspy_eelsid.exceptions import EnergyAxisError, InvalidSpectraError
from hyperspy_eelsid.live import LiveIdentification

ENERGY = np.arange(400.0, 700.0)

pytestmark = pytest.mark.usefixtures("step_networks")


def test_frames_are_identified_as_signals_are(make_eels):
    live = LiveIdentification(ENERGY)
    both, oxygen = (make_eels((2,)).data[i] for i in (0, 1))
    found = make_eels().identify_elements()
    assert live.push(both) == pytest.approx({e: found.strength[e] for e in found.elements})
    assert list(live.push(oxygen)) == ["O"]
    # the rows of a detector are added
    assert live.push(np.stack([both, both])) == pytest.approx(live.push(both), abs=1e-5)
    assert LiveIdentification(ENERGY, exclude=["O"], threshold=0.2).push(oxygen) == {}


def test_frames_add_up(make_eels):
    live = LiveIdentification(ENERGY, accumulate=True)
    signal = make_eels().data * 1e-4
    rng = np.random.default_rng(0)
    frames = rng.poisson(signal, (30000, len(ENERGY)))
    live.push(frames[0] + 1e-9)
    assert set(live.push(frames[1:])) == {"Ti", "O"}
    live.reset()
    assert set(live.push(1 / ENERGY)) == set()


def test_frames_that_cannot_be_used():
    live = LiveIdentification(ENERGY)
    for frame in (np.ones(299), np.ones((2, 2, 300)), 3.0):
        with pytest.raises(InvalidSpectraError, match="300 channels"):
            live.push(frame)
    for value in (np.nan, 0, -1):
        with pytest.raises(InvalidSpectraError, match="no finite, positive"):
            live.push(np.full(300, value))
    with pytest.raises(EnergyAxisError):
        LiveIdentification(np.arange(0.0, 60.0))
