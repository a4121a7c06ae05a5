"""What is public: the faces of the packages, and the page of the reference that lists them."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import hyperspy_eelsid
from hyperspy_eelsid._attach import METHODS

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "index.md"
CURRENT, LISTED = re.compile(r"\.\. currentmodule:: (\S+)"), re.compile(r"   (\w+)")
METHOD = re.compile(r"\.\. auto(?:method|attribute):: (\w+)\.(\w+)")


def documented():
    """Names that the page lists: of modules, and of the methods of exspy's classes."""
    names, methods, module = {}, {}, None
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if found := CURRENT.fullmatch(line):
            module = found[1]
        elif found := METHOD.fullmatch(line):
            methods.setdefault(found[1], []).append(found[2])
        elif found := LISTED.fullmatch(line):
            names.setdefault(module, []).append(found[1])
    return names, methods


def faces():
    """Modules that say what is public in them."""
    inside = pkgutil.iter_modules(hyperspy_eelsid.__path__, "hyperspy_eelsid.")
    modules = [importlib.import_module(module.name) for module in inside]
    return {m.__name__: sorted(m.__all__) for m in modules if hasattr(m, "__all__")}


def test_the_reference_lists_what_is_public():
    names, methods = documented()
    assert {module: sorted(listed) for module, listed in names.items()} == faces()
    assert methods == {name: list(attached) for name, attached in METHODS.items()}


@pytest.mark.parametrize("module", faces())
def test_public_names_are_there_and_explained(module):
    face = importlib.import_module(module)
    for name in face.__all__:
        value = getattr(face, name)
        assert not (callable(value) and not value.__doc__), name
    assert set(face.__all__) <= set(dir(face))
