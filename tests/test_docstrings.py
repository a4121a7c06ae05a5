"""Docstrings of all that is public are numpydoc, as IDEs and Jupyter read it."""

import importlib
import inspect

from numpydoc.validate import validate
from test_public import faces

from hyperspy_eelsid._attach import METHODS

# parameters named as in the signature, in its order, each with a description; results too
CHECKS = ("GL06", "GL07", "PR01", "PR02", "PR03", "PR07", "PR10", "RT03", "SS01", "SS04")


def public_objects():
    """Import paths of public functions, classes, methods and properties, and the methods that signals gain."""
    for module in faces():
        face = importlib.import_module(module)
        for name in face.__all__:
            value = getattr(face, name)
            if not callable(value):
                continue
            place = f"{value.__module__}.{value.__qualname__}"
            yield place
            if inspect.isclass(value):
                for attribute, member in vars(value).items():
                    described = inspect.isroutine(member) or isinstance(member, property)
                    if described and not attribute.startswith("_"):
                        yield f"{place}.{attribute}"
    for methods in METHODS.values():
        for method in methods.values():
            yield f"{method.function.__module__}.{method.function.__name__}"


def test_docstrings_are_numpydoc():
    # the signal or model whose method a function is stands before the dot
    itself = ("{'signal'}", "{'model'}")
    problems = [
        f"{place}: {code} {text}"
        for place in sorted(set(public_objects()))
        for code, text in validate(place)["errors"]
        if code in CHECKS and not (code == "PR01" and any(name in text for name in itself))
    ]
    assert not problems, "\n".join(problems)
