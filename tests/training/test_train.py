import csv
import json
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from training import train as training
from training.dataset import SETS, make_simulator
from training.recipes import ROBUST
from training.trained import load_run

FORMULAS = "SrTiO3\nLaMnO3\nBN\nFe2O3\nGaAs\n"


@pytest.fixture
def short_epochs(monkeypatch):
    monkeypatch.setattr(training, "SPECTRA_PER_EPOCH", 64)
    monkeypatch.setattr(training, "VALIDATION_SPECTRA", 80)


def test_a_killed_run_goes_on_where_it_stopped(short_epochs, tmp_path, monkeypatch):
    formulas = tmp_path / "formulas.txt"
    formulas.write_text(FORMULAS)
    options = {"spectra": 192, "batch_size": 32, "formulas": formulas, "seed": 3}
    whole = training.train("vit", tmp_path / "whole", **options)

    checkpoint = training._checkpoint

    def killed(folder, model, epoch):
        checkpoint(folder, model, epoch)
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        training.train("vit", tmp_path / "killed", **options)
    monkeypatch.setattr(training, "_checkpoint", checkpoint)
    assert json.loads((tmp_path / "killed/state.json").read_text()) == {"epoch": 2}
    resumed = training.train("vit", tmp_path / "killed", **options)

    with (tmp_path / "killed/log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["spectra"]) for row in rows] == [64, 128, 192]
    assert rows[-1]["f1"]
    # the same spectra in the same order; only the random state of dropout differs
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=0.02)
    network = load_run(tmp_path / "killed")
    assert network.spectra_seen == 192
    for a, b in zip(network.model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # the log of the killed run has no row twice although a killed epoch is trained again
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_a_share_of_the_published_recipe(tmp_path):
    formulas = tmp_path / "formulas.txt"
    formulas.write_text(FORMULAS)
    mixed, labels = training._simulated("robust", (), 0.25, formulas, 3, 16)(5)
    assert mixed.shape == (16, 3072)
    assert labels.shape == (16, 80)
    published = make_simulator("visible_pub", formulas=formulas)
    expected = published.block((3, SETS["train"].seed, 5, 1), 4)
    np.testing.assert_array_equal(mixed[12:], expected.spectra)
    np.testing.assert_array_equal(labels[12:], expected.labels)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set file of 200 spectra that tell their number."""
    path = tmp_path_factory.mktemp("sets") / "train.h5"
    with h5py.File(path, "w") as file:
        file["spectra"] = np.repeat(np.arange(200, dtype=np.float32)[:, None], 3072, axis=1) / 200
        file["labels"] = (np.arange(200)[:, None] % 80 == np.arange(80)).astype(np.uint8)
        file.attrs["recipe"] = json.dumps({"name": "pub", "effects": []})
    return path


def test_every_stored_spectrum_comes_once_before_one_comes_again(data):
    source = training._stored(data, seed=1, batch_size=32)
    batches = [source(step) for step in range(12)]  # six batches a pass
    numbers = [np.rint(spectra[:, 0] * 200).astype(int) for spectra, _ in batches]
    for half in (numbers[:6], numbers[6:]):
        assert len(np.unique(np.concatenate(half))) == 192
    assert not np.array_equal(numbers[0], numbers[6])
    for row, (_, labels) in zip(numbers, batches, strict=True):
        np.testing.assert_array_equal(labels.argmax(axis=1), row % 80)
    # a run that goes on reads what it would have read
    again = training._stored(data, seed=1, batch_size=32)(7)
    np.testing.assert_array_equal(again[0], batches[7][0])


def test_too_small_file(data):
    with pytest.raises(ValueError, match="holds 200 spectra, a batch is 256"):
        training._stored(data, seed=0, batch_size=256)


def test_recipe_of_a_file(data, tmp_path):
    assert training._recipe_of(data) == ("pub", ())
    recipe = ROBUST.without("white lines", "counts")
    with h5py.File(tmp_path / "robust.h5", "w") as file:
        described = {"name": recipe.name, "effects": sorted(recipe.effects)}
        file.attrs["recipe"] = json.dumps(described)
    assert training._recipe_of(tmp_path / "robust.h5") == ("robust", ("counts", "white lines"))


def test_plateau_halves_the_rate():
    rate = training.plateau_rate
    assert rate(1e-3, []) == 1e-3
    assert rate(1e-3, [0.1, 0.2, 0.3, 0.4, 0.5]) == 1e-3
    assert rate(1e-3, [0.5, 0.5, 0.51, 0.52]) == 5e-4  # three gains of less than 0.025
    assert rate(1e-3, [0.5, 0.5, 0.51, 0.53, 0.53, 0.53]) == 1e-3
    assert rate(1e-3, [0.5] * 7) == 2.5e-4


def test_published_training_from_a_file(short_epochs, data, tmp_path, monkeypatch, capsys):
    formulas = tmp_path / "formulas.txt"
    formulas.write_text(FORMULAS)
    monkeypatch.setattr(training, "PLATEAU_PATIENCE", 1)
    monkeypatch.setattr(training, "PLATEAU_GAIN", 1.0)  # never reached after the first
    model = training.train(
        "mlp",
        tmp_path / "run",
        spectra=192,
        batch_size=32,
        formulas=formulas,
        data=data,
        loss="crossentropy+f1",
        schedule="plateau",
        validate_every=1,
    )
    # the first validation is the best so far, the second brings no gain
    assert float(model.optimizer.learning_rate) == pytest.approx(5e-4)
    with (tmp_path / "run/log.csv").open() as file:
        rows = list(csv.DictReader(file))
    # soft F1 alone is nearly 1 at the start, cross-entropy nearly 0.7
    assert 1 < float(rows[0]["loss"]) < 2
    assert all(row["f1"] for row in rows)
    # all spectra of the run are counted, so that the time that is left is told
    assert "192/192" in capsys.readouterr().err


def test_a_log_forgets_what_has_no_checkpoint(tmp_path):
    log = training._Log(tmp_path / "log.csv", 0)
    for epoch in (1, 2, 3):
        log.append({"epoch": epoch, "f1": epoch / 10} if epoch != 2 else {"epoch": epoch})
    log = training._Log(tmp_path / "log.csv", 2)
    assert log.scores == [0.1]
    log.append({"epoch": 3, "f1": 0.5})
    assert log.scores == [0.1, 0.5]
    assert [row["epoch"] for row in training._Log(log.path, 9).rows] == ["1", "2", "3"]


def test_learning_rates_are_compared_from_the_same_start(monkeypatch):
    @contextmanager
    def batches(workers, source, first, last):
        rng = np.random.default_rng(0)
        labels = np.tile(np.arange(80) < 4, (32, 1)).astype(np.uint8)
        yield ((rng.random((32, 3072), np.float32), labels) for _ in range(first, last))

    monkeypatch.setattr(training, "_batches", batches)
    results = training.search_learning_rate("mlp", (1e-2, 1e-9), spectra=320, batch_size=32)
    assert list(results) == [1e-2, 1e-9]
    # untrained probabilities are near 0.5, and a rate that changes nothing keeps them there
    assert results[1e-9] > 0.65 > results[1e-2]


def test_unknown_options(tmp_path):
    with pytest.raises(ValueError, match="Unknown loss 'hinge', options are crossentropy"):
        training.train("vit", tmp_path, loss="hinge")
    with pytest.raises(ValueError, match="Unknown schedule 'steps', options are cosine, plateau"):
        training.train("vit", tmp_path, schedule="steps")
