"""What is refused, by all three ways to an oxidation state, and with which reason."""

import numpy as np
import pytest
from known_edges import as_eels, mixed

pytest.importorskip("skl2onnx", reason="needs the extra oxidation")

from hyperspy_eelsid.exceptions import (
    EelsidError,
    EnergyAxisError,
    SignalTypeError,
    ThicknessError,
    UnknownElementError,
    WeightsError,
)
from hyperspy_eelsid.oxidation import (
    OxidationStateClassifier,
    learning,
    oxidation_fractions,
    oxidation_states,
    references,
    white_lines,
)

WAYS = ("white_lines", "fractions", "states")
NAN = float("nan")
JUNK = ("x", None, 5, [], {}, b"x", NAN, -1, (1, 2, 3), object())


@pytest.fixture(scope="module")
def ions():
    return references("Mn", 0.2, 0.8)


@pytest.fixture(scope="module")
def classifier(ions):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "LEAST_VECTORS", 60)
        return OxidationStateClassifier.fit(ions, ["Mn2+", "Mn3+", "Mn4+"], "Mn_L3")


@pytest.fixture
def ask(ions, classifier):
    """Ask for the states of a signal in one of the ways."""
    functions = {
        "white_lines": lambda signal, **given: white_lines(signal, "Mn", **given),
        "fractions": lambda signal, **given: oxidation_fractions(signal, ions, **given),
        "states": lambda signal, **given: oxidation_states(signal, classifier, **given),
    }
    return lambda way, signal, **given: functions[way](signal, **given)


def image(**given):
    return mixed(np.eye(3), **given)


def first_map(result):
    return next(m for m in (getattr(result, n, None) for n in ("ratio", "valence", "state")) if m)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (595.0, 630.0, "is not in the window"),
        (600.0, 653.0, "cuts Mn L2"),
        (639.0, 670.0, "begins at 639"),
    ],
)
def test_windows(way, start, end, message, ask):
    with pytest.raises(EnergyAxisError, match=message):
        ask(way, image().isig[start:end])


@pytest.mark.parametrize("way", WAYS)
def test_wide_channels(way, ask):
    with pytest.raises(EnergyAxisError, match="at most 1 eV"):
        ask(way, image(dispersion=1.5))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lazy", [False, True])
def test_vacuum_and_noise_have_no_answer(way, lazy, ask):
    signal = mixed(np.eye(3)[[0, 1, 2, 0, 0, 0]])
    rng = np.random.default_rng(0)
    signal.data[3] = 0
    signal.data[4] = rng.poisson(1000, signal.data[4].shape)
    signal.data[5, 7] = np.nan
    answer = first_map(ask(way, signal.as_lazy() if lazy else signal)).data
    assert list(np.isfinite(np.asarray(answer))) == [True] * 3 + [False] * 3


@pytest.mark.parametrize("way", WAYS)
def test_thick_specimens(way, ask):
    energy = np.arange(-10, 100, 0.2)
    elastic, plasmon = (
        np.exp(-0.5 * ((energy - place) / width) ** 2) / width
        for place, width in ((0, 0.4), (22, 5))
    )
    spectra = [elastic + np.expm1(t) * plasmon for t in (0.3, 0.9, 0.4)]
    low_loss = as_eels(1e5 * np.array(spectra), energy)
    answer = first_map(ask(way, image(), low_loss=low_loss)).data
    assert list(np.isfinite(answer)) == [True, False, True]
    with pytest.raises(ThicknessError, match="0.90 mean free paths thick"):
        ask(way, image(), low_loss=low_loss.inav[1])


@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_eels_signal(way, ask):
    signal = image()
    signal.set_signal_type("")
    for wrong in (signal, signal.data, None, "signal"):
        with pytest.raises(SignalTypeError, match="EELS"):
            ask(way, wrong)
        if wrong is not None:
            with pytest.raises(SignalTypeError, match="EELS"):
                ask(way, image(), low_loss=wrong)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["energy_offset", "background"])
def test_arguments_of_all(way, name, ask):
    for wrong in JUNK:
        allowed = (5, -1) if name == "energy_offset" else ()
        if any(wrong is x for x in (*allowed, None if name == "background" else "")):
            continue
        with pytest.raises(EelsidError, match=name):
            ask(way, image(), **{name: wrong})


def test_arguments_of_fractions(ions):
    for name in ("broaden", "normalise", "align", "edge"):
        for wrong in JUNK:
            if wrong is None and name != "broaden":
                continue
            with pytest.raises(EelsidError, match=f"{name}|Unknown element"):
                image().oxidation_fractions(ions, **{name: wrong})
    for wrong in (None, 5, "x", [], [ions[0]], [ions[0], 5]):
        with pytest.raises(EelsidError, match="references|EELS"):
            image().oxidation_fractions(wrong)


@pytest.mark.parametrize("name", ["dispersion", "resolution", "thickness", "ten_dq"])
def test_arguments_of_references(name):
    for wrong in ("x", [], {}, b"x", NAN, (1, 2), float("inf")):
        with pytest.raises(EelsidError, match=name):
            references(**{"element": "Mn", "dispersion": 0.1, "resolution": 0.8, name: wrong})
    with pytest.raises(UnknownElementError, match="crystal field"):
        references("Mn", 0.1, 0.8, ten_dq=0.7)


def test_arguments_of_classifiers(ions, classifier, tmp_path):
    fit, labels = OxidationStateClassifier.fit, ["a", "b", "c"]
    for wrong in (None, 5, "x", b"x", NAN):
        with pytest.raises(EelsidError, match="signals"):
            fit(wrong, labels, "Mn_L3")
        with pytest.raises(EelsidError, match="labels"):
            fit(ions, wrong, "Mn_L3")
        with pytest.raises(EelsidError, match="Unknown|edge"):
            fit(ions, labels, wrong)
        with pytest.raises(EelsidError, match="kernel"):
            fit(ions, labels, "Mn_L3", kernel=wrong)
        with pytest.raises(EelsidError, match="align"):
            fit(ions, labels, "Mn_L3", align=wrong)
        with pytest.raises(EelsidError, match="seed"):
            fit(ions, labels, "Mn_L3", seed=-1 if wrong == 5 else wrong)
        with pytest.raises(EelsidError, match="classifier"):
            image().oxidation_states(wrong)
    with pytest.raises(SignalTypeError, match="EELS"):
        fit([ions[0], 5], labels[:2], "Mn_L3")
    for wrong in (None, 5, "", b"x", NAN):
        with pytest.raises(EelsidError, match="folder"):
            OxidationStateClassifier.load(wrong)
        with pytest.raises(EelsidError, match="folder"):
            classifier.save(wrong)
    with pytest.raises(WeightsError, match="There is no"):
        OxidationStateClassifier.load(tmp_path)
