"""Spectra that are no core loss, or broken, are named; counts of a core loss are not."""

import logging

import numpy as np
import pytest
from known_edges import as_eels
from step_ensemble import write_ensemble

from hyperspy_eelsid.identification import ElementIdentification, network_input, unusual
from hyperspy_eelsid.identification.unusual import Oddity
from training.core_loss.dataset import make_simulator, simulate_block
from training.physics.other_signals import LINES, LOW_LOSS, SINE, SQUARE, OtherSignals

ENERGY = np.arange(300.0, 1300.0)


def core_loss(total=1e7, seed=0):
    """Background and an edge with a white line, 3 eV wide, with the noise of counting."""
    step = 1 / (1 + np.exp(-(ENERGY - 640)))
    line = np.exp(-(((ENERGY - 643) / 2) ** 2))
    expected = (ENERGY / 300) ** -3 * (1 + step) + 0.2 * line
    return np.random.default_rng(seed).poisson(expected * (total / expected.sum())).astype(float)


def odd(counts, energy=ENERGY):
    counts = np.atleast_2d(counts)
    return [
        Oddity(int(x)) for x in unusual.oddities(network_input.to_network_input(counts, energy))
    ]


@pytest.mark.parametrize("total", [1e2, 1e3, 1e4, 1e6, 1e8, 1e12])
def test_counts_of_any_number_are_usual(total):
    assert odd([core_loss(total, seed) for seed in range(20)]) == [0] * 20


@pytest.mark.parametrize("channel", [100, 500, 900])
@pytest.mark.parametrize("total", [1e7, 1e9])
def test_dead_channels_and_spikes(channel, total):
    counts = core_loss(total)
    for dead in (1, 4):
        broken = counts.copy()
        broken[channel : channel + dead] = 0
        assert Oddity.ISOLATED in odd(broken)[0]
    counts[channel] *= 3
    assert Oddity.ISOLATED in odd(counts)[0]


def test_a_seam_a_clipped_top_and_garbage():
    counts = core_loss(1e8)
    seam, garbage = counts.copy(), counts.copy()
    seam[400:] *= 0.8
    assert Oddity.STEP in odd(seam)[0]
    assert odd(np.minimum(counts, 0.8 * counts.max())) == [Oddity.CLIPPED]
    garbage[-50:] = np.random.default_rng(0).normal(0, counts[0], 50)
    assert Oddity.SCATTER in odd(garbage)[0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(SINE, Oddity.RISING), (SQUARE, Oddity.STEP), (LOW_LOSS, Oddity.PEAK), (LINES, Oddity.PEAK)],
)
def test_signals_that_are_no_core_loss(kind, expected):
    signals = OtherSignals(share=1.0, periods=(8, 8), floor=(0.5, 0.5))
    p = signals.draw(np.random.default_rng(3), 1)
    p |= {"other_signal": np.array([kind]), "window_start": [300], "window_end": [1299]}
    p["peak_place"][:], p["peak_height"][:], p["peak_fwhm"][:] = 0.4, 0.01 * np.ones(10), 4.0
    intensity = signals.spectra(p)[0, 300:1300]
    assert expected in odd(np.random.default_rng(0).poisson(1e6 * intensity))[0]


@pytest.mark.parametrize(
    "energy", [ENERGY / 2 + 100, 300 + 3.1 * np.arange(320), ENERGY[:20] + 0.5]
)
def test_other_channels_and_short_windows(energy):
    counts = np.random.default_rng(0).poisson(1e4 * (energy / energy[0]) ** -3, (5, len(energy)))
    assert odd(counts, energy) == [0] * 5
    assert odd(np.zeros_like(counts), energy) == [0] * 5


def test_a_spectrum_among_others_is_judged_as_alone():
    spectra = np.array([core_loss(1e5, seed) for seed in range(40)])
    spectra[::3, -30:] = 0  # as recorded with another window
    spectra[5::7, 300] *= 4
    assert odd(spectra) == [odd(counts)[0] for counts in spectra]


@pytest.mark.slow
def test_good_simulated_spectra_are_usual(tmp_path):
    formulas = tmp_path / "formulas.txt"
    formulas.write_text("SrTiO3\nLaMnO3\nBN\nFe2O3\nGaAs\nSiO2\nCeO2\nGd3Ga5O12\nCu2S\nKCl\nMgF2\n")
    without = ("broken_channels", "other_signals", "detector")
    block = simulate_block(make_simulator("robust", without, formulas), "validation", 0, 0)
    assert np.count_nonzero(unusual.oddities(block.spectra)) <= 0.01 * len(block.spectra)


def test_networks_that_contradict_each_other():
    spread = np.array([[0, 0.5], [0.95, 0], [0, 0]], np.float32)
    assert unusual.contradiction(spread).tolist() == [0, Oddity.CONTRADICTION, 0]
    assert unusual.contradiction(spread[:, :0]).tolist() == [0, 0, 0]


def test_the_spread_is_that_of_the_members(tmp_path, make_eels, step_networks):
    """At a step of 20 % a steep network is certain, and one that is flat is not."""
    for sharpness, expected in (((60.0,), []), ((2000.0, -2000.0), ["the networks contradict"])):
        folder = tmp_path / str(len(sharpness))
        folder.mkdir()
        found = as_eels(core_loss(), ENERGY).identify_elements(
            networks=write_ensemble(folder, sharpness)
        )
        assert [reason[:23] for reason in found.unusual] == expected


@pytest.mark.parametrize("lazy", [False, True])
def test_an_image_tells_what_is_odd_where(lazy, step_networks, caplog, tmp_path):
    counts = np.array([core_loss(1e6, seed) for seed in range(40)]).reshape(5, 8, -1)
    counts[0, :, 200] *= 5
    counts[4, 7] = np.nan
    with caplog.at_level(logging.WARNING, "hyperspy_eelsid"):
        found = as_eels(counts, ENERGY, lazy).identify_elements()
        found.compute()
    expected = np.zeros((5, 8), int)
    expected[0] = Oddity.ISOLATED
    assert (found.oddities.data == expected).all()
    words = "single channels are dead or stand out"
    assert found.unusual == [words, f"{words} in 21% of the pixels"]
    assert found.unusual_at(3, 0) == [words] and found.unusual_at(0, 3) == []
    with pytest.raises(IndexError, match="2 indices"):
        found.unusual_at(3)
    assert f"unusual: {words}" in repr(found) and words in found._repr_html_()
    assert f"unusual: {words}" in caplog.text
    found.save(tmp_path / "found.hspy")
    again = ElementIdentification.load(tmp_path / "found.hspy")
    assert again.unusual == found.unusual and (again.oddities.data == expected).all()


def test_what_is_seldom_is_on_the_map_alone(step_networks):
    counts = np.array([core_loss(1e7, seed) for seed in range(40)])
    counts[7, 100:104] = 0
    found = as_eels(counts, ENERGY).identify_elements()
    assert found.unusual == [] and "unusual" not in repr(found)
    assert np.flatnonzero(found.oddities.data).tolist() == [7]


def test_the_demo_is_usual(superlattice):
    found = superlattice.identify_elements()
    assert found.unusual == []
    assert np.count_nonzero(found.oddities.data) < 0.02 * found.oddities.data.size
