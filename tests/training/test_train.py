import csv
import json

import numpy as np
import pytest

from training import train as training

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
    assert (tmp_path / "killed/final.weights.h5").exists()
