"""The house: which module may import which, read from the source without running it."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# a room imports from the floors below it, not from its own floor; rooms are modules or packages
FLOORS = (
    {"_fork", "_upstream", "citation", "exceptions"},
    {"arguments", "chunks", "figures", "microscope", "shipped"},
    {"edges"},
    {"energy_axis", "networks", "signals"},
    {"files", "method"},
    {"low_loss"},
    {"oxidation"},
    {"identification"},
    {"data", "live", "quantification"},
    {"report"},
    {"cli", "gui"},
    {"_attach"},
    {"__init__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): ast.parse(path.read_text(encoding="utf-8"))
    for package in ("hyperspy_eelsid", "training")
    for path in (ROOT / package).rglob("*.py")
}


def lazy_names(tree):
    """Public name -> module of a face that is made by lazy_loader."""
    tables = [
        ast.literal_eval(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "submod_attrs"
    ]
    return {name: module for table in tables for module, names in table.items() for name in names}


def imports(name):
    """Modules of ours that a module imports anywhere: at the top, in a function, for its types."""
    found = set()
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            lazy = lazy_names(MODULES[node.module]) if node.module in MODULES else {}
            for alias in node.names:
                inside = f"{node.module}.{lazy.get(alias.name, alias.name)}"
                found.add(inside if inside in MODULES else node.module)
    return found & MODULES.keys() - {name}


def room(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@pytest.mark.parametrize("package", ["hyperspy_eelsid", "training"])
def test_no_circle(package):
    graph = {name: imports(name) for name in MODULES if name.startswith(package)}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_imports_go_down():
    ours = [name for name in MODULES if name.startswith("hyperspy_eelsid")]
    arrows = {(room(name), room(other)) for name in ours for other in imports(name)}
    assert {here for here, _ in arrows} <= FLOOR.keys(), "a room without a floor"
    up = [(a, b) for a, b in sorted(arrows) if a != b and FLOOR[a] <= FLOOR[b]]
    assert up == []


def test_what_users_install_needs_no_training():
    for name in MODULES:
        if name.startswith("hyperspy_eelsid"):
            assert not {other for other in imports(name) if other.startswith("training")}, name


def test_circles_and_arrows_are_seen():
    """The reading of the source itself: imports at the top, in functions and of types all count."""
    assert "hyperspy_eelsid.identification.result" in imports("hyperspy_eelsid.report.result")
    assert "hyperspy_eelsid.identification.identify" in imports(
        "hyperspy_eelsid.quantification.auto_model"
    )
    assert "hyperspy_eelsid.edges.table" in imports("hyperspy_eelsid.energy_axis")
