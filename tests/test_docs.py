"""Every block of code in the documentation runs, in order and as written, with the files that its page assumes."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
import pytest

import hyperspy_eelsid
from hyperspy_eelsid import cli
from hyperspy_eelsid.data import core_shell_particle, nanostructure
from hyperspy_eelsid.microscope import read_microscope

ROOT = Path(__file__).parents[1]
FENCE = re.compile(
    r"(?:<!-- not run by the tests: (?P<reason>[^>]+?) -->\n+)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PAGES = {
    str(path.relative_to(ROOT)): list(FENCE.finditer(path.read_text(encoding="utf-8")))
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    if not {"generated", "_build", "auto_examples"} & set(path.parts)
}


def blocks(language):
    """Page -> its blocks in a language that are to be run."""
    found = {
        page: [m["text"] for m in fences if m["language"] == language and not m["reason"]]
        for page, fences in PAGES.items()
    }
    return {page: texts for page, texts in found.items() if texts}


@pytest.fixture(scope="module")
def scan(superlattice):
    """What stands for the reader's file."""
    return superlattice.inav[:24, :6]


def assumed_names(page, scan, steps_folder):
    """What a page takes as given, beside the files."""
    names = {"hs": hs, "plt": plt, "s": scan.deepcopy()}
    if page.endswith("maps.md"):
        names["found"] = scan.identify_elements()
    elif page.endswith("what_can_go_wrong.md"):
        names["found"] = scan.identify_elements()
        names["m"] = scan.auto_model(names["found"])
        names["low_loss"] = nanostructure(shape=(6, 24))
    elif page.endswith("command_line.md"):
        scan.identify_elements().to_method().save("method.json")
    elif page.endswith("live.md"):
        names["camera"] = [np.linspace(2e3, 1e3, 1240)] * 2
    elif page.endswith("files.md"):
        scan.sum().save("from_somebody.hspy")
    elif page.endswith("retraining.md"):
        from training.core_loss import recipes

        shutil.copytree(steps_folder, "mine")
        names |= vars(recipes) | {"replace": replace}
    elif page.endswith("oxidation.md"):
        pytest.importorskip("skl2onnx", reason="needs the extra oxidation")
        widths = (0.6, 1.0, 1.6)
        ions = [hyperspy_eelsid.oxidation.references("Mn", 0.1, width) for width in widths]
        names |= {
            "s": core_shell_particle((10, 10)),
            "hyperspy_eelsid": hyperspy_eelsid,
            "mno": ions[0][0],
            "mn2o3": ions[0][1],
            "signals": [ion for session in ions for ion in session],
            "labels": ["Mn2+", "Mn3+", "Mn4+"] * len(widths),
            "sessions": np.repeat(["March", "April", "May"], 3),
        }
    return names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.parametrize("page", blocks("python"))
def test_code_runs_as_written(page, scan, steps_folder, tmp_path, monkeypatch):
    load = hs.load

    def load_or_assume(name, **options):
        if Path(name).exists():
            return load(name, **options)
        signal = nanostructure(shape=(6, 24)) if "low_loss" in name else scan.deepcopy()
        return signal.as_lazy() if options.get("lazy") else signal

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hs, "load", load_or_assume)
    names = assumed_names(page, scan, steps_folder)
    for text in blocks("python")[page]:
        exec(compile(text, page, "exec"), names)
    for picture in tmp_path.glob("*.png"):
        assert plt.imread(picture)[..., :3].std() > 0.05, f"{picture.name} is blank"


def test_commands_are_those_that_there_are(monkeypatch):
    """Commands of the pages can be parsed; placeholders stand for themselves."""
    parser = cli._parser()
    said = [
        (page, line)
        for page, texts in blocks("").items()
        for text in texts
        for line in text.splitlines()
        if line.startswith("eelsid ") and "--help" not in line
    ]
    assert len(said) > 5
    for page, line in said:
        try:
            parser.parse_args(line.split("#")[0].split()[1:])
        except SystemExit:
            pytest.fail(f"{page}: {line}")


def test_files_of_the_pages_can_be_read(tmp_path):
    path = tmp_path / "titan.toml"
    texts = [text for texts in blocks("toml").values() for text in texts if "beam_energy" in text]
    assert texts
    for text in texts:
        path.write_text(text)
        assert read_microscope(path)["beam_energy"] > 0


def test_what_is_not_run_says_why():
    reasons = [m["reason"] for fences in PAGES.values() for m in fences if m["reason"]]
    assert all(len(reason) > 10 for reason in reasons)
    assert len(reasons) <= 3
