import json

import pytest

from training.__main__ import RUNS, _parser, _run
from training.learning.run import Run


def test_a_run_is_read_back_as_it_was_written():
    run = Run("unet", views=["window"], changes={"widths": [4, 8]}, without=["detector"], seed=3)
    assert Run.from_json(run.to_json()) == run
    assert run.views == ("window",)
    assert not run.differences(Run.from_json(run.to_json()))
    assert run.differences(Run("unet", changes={"widths": (4, 8)}, seed=3)) == ["views", "without"]


def test_unknown_and_missing_entries_are_named():
    with pytest.raises(ValueError, match="Unknown entries of a run: colour, speed; options are"):
        Run.from_dict({"network": "vit", "speed": 3, "colour": "red"})
    with pytest.raises(ValueError, match="needs the entry network"):
        Run.from_json("{}")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"loss": "hinge"}, "Unknown loss 'hinge', options are crossentropy"),
        ({"schedule": "steps"}, "Unknown schedule 'steps', options are cosine, plateau"),
        ({"precision": "half"}, "Unknown precision 'half', options are float32"),
        ({"spectra": 0}, "spectra must be a whole number above zero, not 0"),
        ({"batch_size": "64"}, "batch_size must be a whole number above zero, not '64'"),
        ({"published_share": 2}, "published_share must be 0 to 1"),
        ({"learning_rate": 0}, "learning_rate must be above zero"),
        ({"teachers": "vit"}, "teachers must be a list, not 'vit'"),
    ],
)
def test_values_are_checked(entry, message):
    with pytest.raises(ValueError, match=message):
        Run("vit", **entry)


def test_research_options_stand_in_a_file(tmp_path):
    path = tmp_path / "options.json"
    path.write_text(json.dumps({"views": [], "teachers": ["vit.0"], "precision": "mixed_float16"}))
    parser = _parser()
    arguments = parser.parse_args(["train", "cnn", "--seed", "5", "--options", str(path)])
    run = _run(arguments, "without")
    assert run == Run(
        "cnn", seed=5, views=(), teachers=(RUNS / "vit.0",), precision="mixed_float16"
    )
    path.write_text(json.dumps({"teacher": "vit.0"}))
    with pytest.raises(ValueError, match="Unknown entries of a run: teacher;"):
        _run(arguments)
