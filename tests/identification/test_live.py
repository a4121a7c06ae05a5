import numpy as np
import pytest

from hyperspy_eelsid.edges import ELEMENT_INDEX
from hyperspy_eelsid.exceptions import EnergyAxisError, InvalidSpectraError
from hyperspy_eelsid.identification.ensemble import Ensemble
from hyperspy_eelsid.identification.live import LiveIdentification

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


@pytest.mark.parametrize("options", [{}, {"threshold": 0.3}, {"exclude": ["La", "Co"]}])
def test_live_and_signals_decide_alike(make_eels, monkeypatch, options):
    """Whatever the networks say; nickel weaker than 0.75 is the line of lanthanum that is found beside it."""
    signal = make_eels(energy=np.arange(400.0, 1000.0))
    live = LiveIdentification(np.arange(400.0, 1000.0), **options)
    rng = np.random.default_rng(0)
    probabilities = rng.random((40, 80)).astype(np.float32) ** 3
    lanthanum, nickel = ELEMENT_INDEX["La"], ELEMENT_INDEX["Ni"]
    probabilities[0] = 0
    probabilities[0, [lanthanum, nickel]] = 0.95, 0.6
    answers = []
    for row in probabilities:
        monkeypatch.setattr(
            Ensemble,
            "predict_and_compare",
            lambda self, inputs, size=None, p=row: (p[None].copy(), np.zeros((1, 80))),
        )
        found = signal.identify_elements(**options)
        answers.append(live.push(signal.data))
        assert answers[-1] == {e: found.strength[e] for e in found.elements}
    assert list(answers[0]) == (["Ni"] if "exclude" in options else ["La"])


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
    with pytest.raises(ValueError, match="threshold must be between 0 and 1"):
        LiveIdentification(ENERGY, threshold=50)


def test_a_frame_that_is_no_number_is_not_added(make_eels):
    live = LiveIdentification(ENERGY, accumulate=True)
    frame = make_eels().data
    before = live.push(frame)
    for value in (np.nan, np.inf, 1e300):
        broken = frame.copy()
        broken[50] = value
        with pytest.raises(InvalidSpectraError, match="no finite"):
            live.push(broken)
    assert live.push(frame) == pytest.approx(before)
    ends = frame.copy()
    ends[:3] = np.nan  # which the detector did not record
    assert set(live.push(ends)) == set(before)
