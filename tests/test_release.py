"""What a release needs says the same everywhere."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RECIPE = (ROOT / "packaging" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
# what conda-forge calls otherwise: packages without what only graphics or other extras need
CONDA_NAMES = {
    "dask": "dask-core",
    "hyperspy": "hyperspy-base",
    "matplotlib": "matplotlib-base",
    "onnxruntime-gpu": "onnxruntime",  # one package for both
}


def test_conda_needs_what_pip_needs():
    wanted = {}
    for requirement in PROJECT["dependencies"]:
        name, least = re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement).groups()
        wanted[CONDA_NAMES.get(name, name)] = least
    needed = RECIPE[RECIPE.index("  run:") : RECIPE.index("\ntests:")]
    listed = dict(re.findall(r"- ([\w-]+) >=([\d.]+)", needed))
    assert listed == wanted
    assert {"numba", "numexpr"} <= set(re.findall(r"- ([\w-]+)", needed))  # hyperspy[speed]
    assert "eelsid = " + PROJECT["scripts"]["eelsid"] in RECIPE


def test_the_citation_names_the_method():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert "10.1038/s41598-023-40943-7" in citation and PROJECT["license"] in citation


def test_fragments_are_of_the_kinds_that_towncrier_knows():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    kinds = {kind["directory"] for kind in settings["towncrier"]["type"]}
    for path in (ROOT / "changelog.d").glob("*.md"):
        if path.name != "README.md":
            assert path.suffixes[-2][1:] in kinds, path.name
