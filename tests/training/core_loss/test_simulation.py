from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest, uniform

from hyperspy_eelsid.edges import ELEMENTS, ENERGY_MAX_EV, ENERGY_MIN_EV
from training.core_loss.labels import Visibility, in_window
from training.core_loss.recipes import RECIPES, ROBUST
from training.core_loss.simulation import Simulator, jump_ratio_scale
from training.core_loss.windows import Window
from training.physics.ionisation import (
    EDGE_ARRAYS,
    GROUP_HIGH,
    GROUP_LOW,
    SUBSHELL,
    IonisationEdges,
    shifted_channel,
)
from training.physics.low_loss import N_PADDED, low_loss_transfer
from training.physics.white_lines import NO_LINE, SHARP_LINE


@pytest.fixture(scope="module")
def block(simulator):
    return simulator.block((0, 1), 320)


def test_spectra_are_network_input(block):
    assert block.spectra.shape == (320, 3072)
    assert block.spectra.dtype == np.float32
    assert np.isfinite(block.spectra).all()
    np.testing.assert_allclose(block.spectra.max(axis=1), 1, rtol=1e-6)
    channel = np.arange(3072)
    p = block.parameters
    outside = (channel < p["window_start"][:, None]) | (channel > p["window_end"][:, None])
    assert not block.spectra[outside].any()


def test_same_seed_same_spectra(simulator, block):
    again = simulator.block((0, 1), 320)
    other = simulator.block((0, 2), 320)
    np.testing.assert_array_equal(again.spectra, block.spectra)
    np.testing.assert_array_equal(again.labels, block.labels)
    assert not np.array_equal(other.spectra, block.spectra)


def test_labels_are_elements_of_the_sample_with_an_edge_in_the_window(block):
    start = block.parameters["window_start"][:, None, None]
    end = block.parameters["window_end"][:, None, None]
    inside = ((start <= GROUP_LOW + 25) & (end >= GROUP_LOW - 25)).any(axis=2)
    possible = inside & (block.fractions > 0)
    assert not (block.labels & ~possible).any()
    assert block.labels.sum() > 320


def test_published_labels_and_windows_are_exact(pub_simulator):
    block = pub_simulator.block((3,), 800)
    start, end = block.parameters["window_start"], block.parameters["window_end"]
    inside = (start[:, None, None] <= GROUP_LOW) & (end[:, None, None] >= GROUP_LOW)
    expected = inside.any(axis=2) & (block.fractions > 0)
    np.testing.assert_array_equal(block.labels, expected)
    query = block.parameters["query"]
    assert block.labels[np.arange(800), query].all()
    assert np.bincount(query, minlength=80).tolist() == [10] * 80
    assert start.min() >= ENERGY_MIN_EV and end.max() <= ENERGY_MAX_EV
    # one major group of the query element has 10 eV before it and 25 eV after it
    holds = (start[:, None] <= GROUP_LOW[query] - 10) & (end[:, None] >= GROUP_HIGH[query] + 25)
    assert holds.any(axis=1).all()


def test_jump_ratio_is_obeyed(pub_simulator, monkeypatch):
    """Without fine structure, noise and broadening the reference edge stands on the background as drawn."""
    monkeypatch.setattr(
        "training.core_loss.simulation.record",
        lambda rng, edges, smooth, p: edges / np.maximum(smooth, 1e-30),
    )
    monkeypatch.setattr("training.core_loss.simulation.low_loss_transfer", lambda *arguments: 1)
    monkeypatch.setattr("training.core_loss.simulation.normalise", lambda spectra: spectra)
    monkeypatch.setattr("training.core_loss.simulation.ionisation_edges", _only_the_query_edge)
    block = pub_simulator.block((4,), 80)
    onset = block.parameters["jump_onset"]
    at_onset = block.spectra[np.arange(80), onset]
    np.testing.assert_allclose(at_onset, block.parameters["jump_ratio"], rtol=1e-4)


def _only_the_query_edge(rng, recipe, table, fractions, p):
    onset, height = p["window_start"] + 5, np.full(len(fractions), 3.0)
    spectra = np.zeros((len(fractions), N_PADDED), np.float32)
    for row, channel in zip(spectra, onset, strict=True):
        row[channel : channel + 40] = 3.0
    signal = np.zeros((len(fractions), 80, 2), np.float32)
    return IonisationEdges(spectra, signal, height, onset, np.zeros(0, SUBSHELL))


def test_jump_ratio_scales_the_edge_to_the_background():
    smooth = np.tile(np.linspace(2, 1, 3072), (3, 1))
    onset = np.array([0, 3071, -1])
    scale = jump_ratio_scale(np.array([0.5, 0.5, 0.5]), smooth, np.array([4.0, 4.0, 4.0]), onset)
    np.testing.assert_allclose(4 * scale, [0.5 * 2, 0.5 * 1, 0])


def test_onsets_shift_with_the_compound_and_with_the_axis():
    assert shifted_channel(532.0, 0, 0, 0.0, 400) == 532
    assert shifted_channel(532.0, -2, 5, 0.0, 400) == 535
    assert shifted_channel(900.0, 0, 0, 0.02, 400) == 910
    assert shifted_channel(400.0, 0, 0, 0.02, 400) == 400


def test_every_draw_of_an_edge_is_kept(pub_simulator):
    block = pub_simulator.block((5,), 320)
    p = block.parameters
    there = np.isfinite(p["chemical_shift"])
    assert there.shape == (320, 107)
    assert there[block.groups.astype(bool)].all()
    assert set(np.unique(p["chemical_shift"][there])) == set(range(-5, 6))
    assert p["fine_structure_width"][there].min() >= 50
    assert p["fine_structure_width"][there].max() <= 100
    assert set(np.unique(p["fine_structure_peaks"][there])) == set(range(10, 26))
    assert (p["fine_structure_ratio"][there] >= 0).all()
    assert (p["fine_structure_ratio"][there] <= 10).all()


def test_lines_detector_and_films_of_the_robust_recipe_are_kept(saw_tooth_table, pub_simulator):
    block = Simulator(ROBUST, pub_simulator.compositions, saw_tooth_table).block((5,), 800)
    p, rows = block.parameters, block.subshells
    for name, share in {
        "removed_background": 0.08,
        "dark_level": 0.2,
        "artefact": 0.15,
        "denoising": 0.15,
        "second_phase_share": 0.25,
        "carbon_film": 0.25,
        "oxide_film": 0.15,
        "nitride_film": 0.06,
    }.items():
        assert np.mean(p[name] != 0) == pytest.approx(share, abs=0.05), name
    # a subshell of an element that is there, in the order of the spectra
    assert (np.diff(rows["spectrum"]) >= 0).all()
    rows = rows[rows["atomic_number"] == EDGE_ARRAYS.atomic_number[rows["edge"]]]
    element = EDGE_ARRAYS.element[rows["edge"]]
    assert (block.fractions[rows["spectrum"], element] > 0).all()
    sharp = (EDGE_ARRAYS.line[rows["edge"]] == SHARP_LINE) & (rows["computed"] == -1)
    assert np.mean(rows["line_height"][sharp] > 0) == pytest.approx(0.85, abs=0.03)
    assert not rows["line_height"][EDGE_ARRAYS.line[rows["edge"]] == NO_LINE].any()
    # of each spectrum with a major edge in the window one edge sets the jump ratio
    has_edge = p["jump_onset"] >= 0
    np.testing.assert_array_equal(
        np.bincount(rows["spectrum"][rows["reference"]], minlength=800), has_edge
    )
    np.testing.assert_array_equal(rows["channel"][rows["reference"]], p["jump_onset"][has_edge])


@pytest.fixture(scope="module")
def robust(saw_tooth_table, pub_simulator):
    return Simulator(ROBUST, pub_simulator.compositions, saw_tooth_table)


def test_what_is_computed_borrowed_or_broken_is_kept(robust):
    block = robust.block((6,), 800)
    rows, p = block.subshells, block.parameters
    computed = rows["computed"] >= 0
    assert computed.sum() > 100
    for name in ("move", "stretch", "amplitude", "disorder"):
        assert len(np.unique(rows[name][computed])) > 50, name
    assert set(np.unique(rows["broadening"][computed])) == set(range(5))
    assert (rows["strength"][rows["strength"] > 0] < 40).all()
    assert np.isin(rows["atomic_number"], [90, 92]).any()
    assert np.mean(p["broken"] > 0) == pytest.approx(0.08, abs=0.03)
    assert np.mean(p["other_signal"] > 0) == pytest.approx(0.04, abs=0.02)


def test_other_signals_have_no_label(robust):
    recipe = replace(ROBUST, other_signals=replace(ROBUST.other_signals, share=1.0))
    block = Simulator(recipe, robust.compositions, robust.table).block((7,), 160)
    assert (block.parameters["other_signal"] > 0).all()
    assert not block.labels.any()


@pytest.mark.parametrize("atomic_number", [90, 92])
def test_elements_outside_the_80_have_edges_and_no_label(robust, monkeypatch, atomic_number):
    recipe = replace(
        ROBUST.without("mixtures"),
        unlabelled_edges=replace(ROBUST.unlabelled_edges, outside_share=1.0),
    )
    alone = Simulator(recipe, robust.compositions, robust.table)
    query = np.arange(160) % 80
    block = alone.simulate(np.random.default_rng(0), query, np.zeros((160, 80), np.float32))
    assert not block.labels.any()
    rows = block.subshells[block.subshells["atomic_number"] == atomic_number]
    assert len(rows) >= 160
    assert (rows["amount"] > 0).all() and not rows["reference"].any()


def test_edges_below_75_ev_have_no_label(robust):
    """Aluminium's L edge at 73 eV is in the window when the axis is off, and is no label."""
    fractions = np.zeros((200, 80), np.float32)
    fractions[:, ELEMENTS.index("Al")] = 1
    query = np.full(200, ELEMENTS.index("Al"))
    alone = Simulator(ROBUST.without("mixtures"), robust.compositions, robust.table)
    block = alone.simulate(np.random.default_rng(0), query, fractions)
    rows = block.subshells[block.subshells["atomic_number"] == 13]
    borrowed = rows[EDGE_ARRAYS.atomic_number[rows["edge"]] != 13]
    assert (borrowed["channel"] < 110).all() and len(borrowed) > 150
    seen = block.labels[:, ELEMENTS.index("Al")] == 1
    k_edge = np.isfinite(GROUP_LOW[ELEMENTS.index("Al")]).nonzero()[0]
    assert len(k_edge) == 1
    assert (block.parameters["window_end"][seen] > 1540).all()


def test_the_recipe_of_the_first_release_is_kept_by_name(robust):
    old = Simulator(RECIPES["robust_4"], robust.compositions, robust.table).block((6,), 160)
    assert (old.subshells["computed"] == -1).all()
    assert not np.isin(old.subshells["atomic_number"], [90, 92]).any()
    assert "other_signal" not in old.parameters and "broken" not in old.parameters


def test_low_loss_conserves_intensity_and_is_causal():
    one = np.ones(1)
    energy, width = np.array([[15, 0, 0, 0, 0]]), np.array([[5, 5, 5, 5, 5]])
    transfer = low_loss_transfer(one, energy, width, 0.7 * one, 0 * one, one)
    delta = np.zeros((1, N_PADDED))
    delta[0, 500] = 1
    blurred = np.fft.irfft(np.fft.rfft(delta) * transfer)[0]
    assert blurred.sum() == pytest.approx(1, rel=1e-5)
    # share of unscattered electrons, Poisson's exp(-t/lambda), within the zero loss
    assert blurred[480:503].sum() == pytest.approx(np.exp(-0.7), abs=0.08)
    assert np.argmax(blurred[508:530]) + 8 == pytest.approx(15, abs=1)


def test_parameters_are_distributed_as_published(pub_simulator):
    p = pub_simulator.block((8,), 4000).parameters
    ranges = {
        "convergence_angle": (1, 20),
        "collection_angle": (1, 100),
        "zero_loss_fwhm": (1, 3),
        "thickness": (0.1, 1),
        "jump_ratio": (0.2, 1.5),
        "background_exponent": (2, 4),
        "atomic_diameter": (0.025, 0.25),
    }
    for name, (low, high) in ranges.items():
        assert kstest(p[name], uniform(low, high - low).cdf).pvalue > 1e-3, name
    assert set(np.unique(p["energy_offset"])) == set(range(-5, 6))
    assert set(np.unique(p["counts"])) == {1e3, 1e4, 1e5, 1e6, 1e7}
    assert set(np.unique(p["beam"])) == set(range(4))
    present = p["plasmon_energy"] > 0
    assert set(np.unique(present.sum(axis=1))) == {2, 3, 4, 5}
    assert set(np.unique(p["plasmon_energy"][present])) == set(range(3, 21))
    assert set(np.unique(p["plasmon_width"])) == set(range(3, 21))


def test_of_two_groups_the_window_holds_the_first_the_second_or_both(pub_simulator):
    query = np.full(3000, ELEMENTS.index("Si"))
    start, end = Window().draw(np.random.default_rng(0), query).values()
    first = (start <= 99.2 - 10) & (end >= 99.8 + 25)
    second = (start <= 1839 - 10) & (end >= 1839 + 25)
    assert (first | second).all()
    # a third of the windows is drawn for each case; the longer windows of one case may hold the other group too
    assert (~second).mean() > 0.15
    assert (~first).mean() > 0.25
    assert (first & second).mean() > 0.3


def test_effects_can_be_switched_off(saw_tooth_table, pub_simulator):
    recipe = ROBUST.without("dispersion", "calibration")
    simulator = Simulator(recipe, pub_simulator.compositions, saw_tooth_table)
    p = simulator.block((6,), 160).parameters
    assert (p["dispersion"] == 1).all() and (p["dispersion_error"] == 0).all()
    assert np.abs(p["energy_offset"]).max() <= 5
    with pytest.raises(ValueError, match="Unknown effects"):
        recipe.without("dispersion")


def test_edges_below_readout_noise_or_pattern_are_not_labelled(saw_tooth_table, pub_simulator):
    simulator = Simulator(ROBUST, pub_simulator.compositions, saw_tooth_table)
    p = simulator.block((6,), 320).parameters
    fractions = np.zeros((320, 80))
    fractions[:, ELEMENTS.index("O")] = 1
    p |= {"window_start": np.full(320, 400), "window_end": np.full(320, 700)}
    p |= {"energy_offset": np.zeros(320), "counts": np.full(320, 1e6)}
    p |= dict.fromkeys(("readout_noise", "fixed_pattern"), np.zeros(320))
    signal = np.zeros((320, 80, 2))
    signal[:, ELEMENTS.index("O"), 0] = 0.02 * 50  # 2 % of the counts after the onset
    expected = np.ones((320, 3072), np.float32)

    def seen(**changed):
        values = {name: np.full(320, value) for name, value in changed.items()}
        seen = Visibility().stands_out(p | values, signal, expected, None)
        return (seen & in_window(fractions, p)).any(axis=(1, 2)).mean()

    assert seen() == 1
    assert seen(readout_noise=0.1) == 0
    assert seen(fixed_pattern=0.02, pattern_length=30.0) == 0
    assert seen(counts=1e2) == 0


def test_empty_spectra_have_no_label(saw_tooth_table, pub_simulator):
    simulator = Simulator(ROBUST, pub_simulator.compositions, saw_tooth_table)
    query = np.arange(80)
    block = simulator.simulate(np.random.default_rng(0), query, np.eye(80, dtype=np.float32))
    nothing = pub_simulator.simulate(
        np.random.default_rng(0), query, np.zeros((80, 80), np.float32)
    )
    assert block.labels.any()
    assert not nothing.labels.any()
    assert len(ELEMENTS) == nothing.labels.shape[1]
