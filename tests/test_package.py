"""What an installed distribution holds and declares."""

import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import entry_points, requires
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def build(kind, folder):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel built from this checkout."""
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel_files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.parametrize(
    "path",
    [
        "hyperspy_extension.yaml",
        "py.typed",
        "edges/edges.csv",
        "edges/dhfs.gosh",
        "edges/near_edges.h5",
        "identification/weights/card.json",
    ],
)
def test_wheel_has_the_data(wheel_files, path):
    assert f"hyperspy_eelsid/{path}" in wheel_files


def test_wheel_has_networks(wheel_files):
    assert any(name.endswith(".onnx") for name in wheel_files)


def test_wheel_has_nothing_else(wheel_files):
    assert {name.split("/")[0].split("-")[0] for name in wheel_files} == {"hyperspy_eelsid"}


def test_wheel_is_small(wheel):
    assert wheel.stat().st_size < 50e6


def test_source_distribution(tmp_path):
    with tarfile.open(build("sdist", tmp_path)) as archive:
        files = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"hyperspy_eelsid/edges/dhfs.gosh", "training/core_loss/recipes.py", "LICENSE"} <= files
    assert not any(name.startswith(("tests/", "training/runs")) for name in files)


def test_hyperspy_finds_both_extension_names():
    declared = {e.name: e.value for e in entry_points(group="hyperspy.extensions")}
    assert declared["hyperspy_eelsid"] == "hyperspy_eelsid"
    assert declared["hyperspy_eelsid._attach"] == "hyperspy_eelsid._attach"


def test_registrations_are_a_mapping():
    """HyperSpy fails to import beside an extension whose file is empty."""
    text = (ROOT / "hyperspy_extension.yaml").read_text(encoding="utf-8")
    assert isinstance(yaml.safe_load(text), dict)


def test_exactly_one_onnxruntime_on_every_platform():
    """The GPU and the CPU build overwrite each other when both are installed."""
    from packaging.requirements import Requirement

    runtimes = [
        requirement
        for requirement in map(Requirement, requires("hyperspy-eelsid"))
        if requirement.name.startswith("onnxruntime") and "extra" not in str(requirement.marker)
    ]
    for system, machine in [
        ("linux", "x86_64"),
        ("linux", "aarch64"),
        ("win32", "AMD64"),
        ("win32", "ARM64"),
        ("darwin", "arm64"),
        ("darwin", "x86_64"),
    ]:
        environment = {"sys_platform": system, "platform_machine": machine}
        chosen = [r.name for r in runtimes if r.marker.evaluate(environment)]
        expected = (
            "onnxruntime-gpu" if machine in {"x86_64", "AMD64"} and system != "darwin" else None
        )
        assert chosen == [expected or "onnxruntime"], (system, machine)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    inside = [link for link in links if not link.startswith("http")]
    assert [link for link in inside if not (ROOT / link).exists()] == []


def test_readme_has_one_command_each_for_demo_and_tests():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line.startswith("python3.11 -m venv")]
    assert [command.split("&&")[-1].split("/")[-1].strip() for command in commands] == [
        "eelsid demo",
        "python -m pytest",
    ]
