import csv
import json
from contextlib import contextmanager

import keras
import numpy as np
import pytest

from training.learning import train as training
from training.learning.run import Run, load_run


@pytest.fixture
def short_epochs(monkeypatch):
    monkeypatch.setattr(training, "SPECTRA_PER_EPOCH", 64)
    monkeypatch.setattr(training, "VALIDATION_SPECTRA", 80)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(short_epochs, formulas, tmp_path, monkeypatch):
    options = {"spectra": 192, "batch_size": 32, "formulas": formulas, "seed": 3}
    whole = training.train(Run("vit", **options), tmp_path / "whole")

    checkpoint = training._checkpoint

    def killed(folder, model, epoch):
        checkpoint(folder, model, epoch)
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        training.train(Run("vit", **options), tmp_path / "killed")
    monkeypatch.setattr(training, "_checkpoint", checkpoint)
    assert json.loads((tmp_path / "killed/state.json").read_text()) == {"epoch": 2}
    assert load_run(tmp_path / "killed").spectra_seen == 128
    with pytest.raises(ValueError, match="beginning of another run: its batch_size, seed differ"):
        training.train(Run("vit", **options | {"batch_size": 16, "seed": 4}), tmp_path / "killed")
    resumed = training.train(Run("vit", **options), tmp_path / "killed")

    with (tmp_path / "killed/log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["spectra"]) for row in rows] == [64, 128, 192]
    assert rows[-1]["f1"]
    # the same spectra in the same order, the same neurons dropped out
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    network = load_run(tmp_path / "killed")
    assert network.spectra_seen == 192
    for a, b in zip(network.model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # the log of the killed run has no row twice although a killed epoch is trained again
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_plateau_halves_the_rate():
    rate = training.plateau_rate
    assert rate(1e-3, []) == 1e-3
    assert rate(1e-3, [0.1, 0.2, 0.3, 0.4, 0.5]) == 1e-3
    assert rate(1e-3, [0.5, 0.5, 0.51, 0.52]) == 5e-4  # three gains of less than 0.025
    assert rate(1e-3, [0.5, 0.5, 0.51, 0.53, 0.53, 0.53]) == 1e-3
    assert rate(1e-3, [0.5] * 7) == 2.5e-4


@pytest.mark.slow
def test_published_training_from_a_file(
    short_epochs, data, formulas, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(training, "PLATEAU_PATIENCE", 1)
    monkeypatch.setattr(training, "PLATEAU_GAIN", 1.0)  # never reached after the first
    run = Run(
        "mlp",
        spectra=192,
        batch_size=32,
        formulas=formulas,
        data=data,
        loss="crossentropy+f1",
        schedule="plateau",
        validate_every=1,
    )
    model = training.train(run, tmp_path / "run")
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


@pytest.mark.slow
def test_learning_rates_are_compared_from_the_same_start(monkeypatch):
    @contextmanager
    def batches(workers, source, first, last):
        rng = np.random.default_rng(0)
        labels = np.tile(np.arange(80) < 4, (32, 1)).astype(np.uint8)
        yield ((rng.random((32, 3072), np.float32), labels) for _ in range(first, last))

    monkeypatch.setattr(training, "batches", batches)
    results = training.search_learning_rate(Run("mlp", spectra=320, batch_size=32), (1e-2, 1e-9))
    assert list(results) == [1e-2, 1e-9]
    # untrained probabilities are near 0.5, and a rate that changes nothing keeps them there
    assert results[1e-9] > 0.65 > results[1e-2]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_the_same_network(short_epochs, formulas, tmp_path, precision):
    run = Run("vit", spectra=64, batch_size=32, formulas=formulas, precision=precision)
    model = training.train(run, tmp_path)
    assert keras.config.dtype_policy().name == "float32"
    assert model.get_layer("block0_mlp_in").compute_dtype == precision.removeprefix("mixed_")
    assert model.get_layer("features").compute_dtype == "float32"
    # a run is read back in full precision
    network = load_run(tmp_path)
    spectra = np.random.default_rng(0).random((4, 3072), np.float32)
    half = model.predict(spectra, verbose=0)
    np.testing.assert_allclose(network.predict(spectra), half, atol=0.02)
    assert not np.array_equal(network.predict(spectra), half)


def test_a_student_learns_from_labels_and_teachers():
    class Teacher:
        def __init__(self, probability):
            self.probability = probability

        def predict(self, spectra):
            return np.full((len(spectra), 80), self.probability)

    batch = np.zeros((2, 3072)), np.ones((2, 80))
    assert training._taught(batch, []) is batch
    _, labels = training._taught(batch, [Teacher(0.2), Teacher(0.4)])
    np.testing.assert_allclose(labels, 0.65)


@pytest.mark.slow
def test_a_run_with_a_teacher_and_another_width(short_epochs, formulas, tmp_path):
    options = {"spectra": 64, "batch_size": 32, "formulas": formulas, "changes": {"widths": [16]}}
    teacher = tmp_path / "teacher"
    training.train(Run("mlp", **options), teacher)
    training.train(Run("mlp", teachers=(teacher,), **options), tmp_path / "student")
    network = load_run(tmp_path / "student")
    assert network.run.teachers == (str(teacher),)
    assert network.model.get_layer("head0").units == 16
