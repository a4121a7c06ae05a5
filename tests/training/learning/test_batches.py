import json
from dataclasses import asdict, replace

import h5py
import numpy as np
import pytest

from training.core_loss.dataset import SETS, make_simulator
from training.core_loss.recipes import ROBUST
from training.learning import batches
from training.learning.run import Run


def test_a_share_of_the_published_recipe(formulas):
    mixed, labels = batches.simulated("robust", (), 0.25, formulas, 3, 16)(5)
    assert mixed.shape == (16, 3072)
    assert labels.shape == (16, 80)
    published = make_simulator("visible_pub", formulas=formulas)
    expected = published.block((3, SETS["train"].seed, 5, 1), 4)
    np.testing.assert_array_equal(mixed[12:], expected.spectra)
    np.testing.assert_array_equal(labels[12:], expected.labels)


def test_every_stored_spectrum_comes_once_before_one_comes_again(data):
    source = batches.stored(data, seed=1, batch_size=32)
    read = [source(step) for step in range(12)]  # six batches a pass
    numbers = [np.rint(spectra[:, 0] * 200).astype(int) for spectra, _ in read]
    for half in (numbers[:6], numbers[6:]):
        assert len(np.unique(np.concatenate(half))) == 192
    assert not np.array_equal(numbers[0], numbers[6])
    for row, (_, labels) in zip(numbers, read, strict=True):
        np.testing.assert_array_equal(labels.argmax(axis=1), row % 80)
    # a run that goes on reads what it would have read
    again = batches.stored(data, seed=1, batch_size=32)(7)
    np.testing.assert_array_equal(again[0], read[7][0])


def test_too_small_file(data):
    with pytest.raises(ValueError, match="holds 200 spectra, a batch is 256"):
        batches.stored(data, seed=0, batch_size=256)


def test_recipe_of_a_file(data, tmp_path):
    assert batches.recipe_of(data) == ("pub", ())
    recipe = ROBUST.without("white_lines", "wide_exposure")
    with h5py.File(tmp_path / "robust.h5", "w") as file:
        file.attrs["recipe"] = json.dumps(asdict(recipe))
    assert batches.recipe_of(tmp_path / "robust.h5") == ("robust", ("wide_exposure", "white_lines"))


def test_the_source_of_a_run_is_found_again(data, formulas):
    run = Run(
        "vit",
        without=("wide_exposure",),
        published_share=0.5,
        formulas=formulas,
        seed=4,
        batch_size=8,
    )
    make, arguments = batches.source_of(run)
    spectra, _ = make(*arguments)(3)
    expected, _ = batches.simulated("robust", ("wide_exposure",), 0.5, formulas, 4, 8)(3)
    np.testing.assert_array_equal(spectra, expected)
    make, arguments = batches.source_of(replace(run, data=data))
    spectra, _ = make(*arguments)(3)
    np.testing.assert_array_equal(spectra, batches.stored(data, 4, 8)(3)[0])
