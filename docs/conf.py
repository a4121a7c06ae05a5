"""Sphinx configuration: ``python -m sphinx -W -b html docs docs/_build``, which needs no network."""

import os
import re
import sys
import warnings
from datetime import date
from pathlib import Path

import hyperspy.api as hs
from sphinx.application import Sphinx

import hyperspy_eelsid

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

import generate  # noqa: E402 (lies beside this file, and imports training)

project = "hyperspy_eelsid"
author = "The hyperspy_eelsid developers"
copyright = f"{date.today().year}, {author}"
release = version = hyperspy_eelsid.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = [
    "_build",
    "generated",
    "comparison",
    "auto_examples/*.ipynb",
    "auto_examples/*.py",
]
suppress_warnings = [
    "config.cache",  # the gallery's settings hold objects
]

if "READTHEDOCS" in os.environ:  # inventories need the network
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "dask": ("https://docs.dask.org/en/stable", None),
        "exspy": ("https://hyperspy.org/exspy", None),
        "hyperspy": ("https://hyperspy.org/hyperspy-doc/current", None),
        "matplotlib": ("https://matplotlib.org/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "python": ("https://docs.python.org/3", None),
    }

html_theme = "pydata_sphinx_theme"
html_title = project
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "show_toc_level": 2,
}

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

add_module_names = False
autodoc_member_order = "bysource"
autodoc_mock_imports = [  # toolkits of the forms
    "hyperspy_gui_ipywidgets",
    "hyperspy_gui_traitsui",
    "ipywidgets",
    "link_traits",
    "traitsui",
]
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autosummary_generate = True
numpydoc_show_class_members = False
python_maximum_signature_line_length = 88

# the gallery's scripts run in this process
hs.preferences.General.show_progressbar = False
warnings.filterwarnings("ignore", message="Importing `Lazy")  # exspy 0.3 with HyperSpy 2.5

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",
    "download_all_examples": False,
    "plot_gallery": True,
    "remove_config_comments": True,
    "show_memory": False,
    "within_subsection_order": "ExampleTitleSortKey",
}


_SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "References")
_ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*) : (.+)$")


def types_are_in_signatures(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Show ``name : description`` as a name and its description.

    Types stand in the signatures, so that what follows the colon in a docstring of this package is
    the description and not, as numpydoc would have it, a type. Prose under Returns is one entry, and
    the initial of an author under References numbers no list.
    """
    result: list[str] = []
    section = ""
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if following and set(following) == {"-"}:
            section = line if line in _SECTIONS else ""
        entry = _ENTRY.match(line) if section not in ("", "References") else None
        if entry:
            result += [entry[1], f"    {entry[2]}"]
        elif (
            section in ("Returns", "Yields")
            and line
            and not line.startswith((" ", "-"))
            and line != section
            and result[-1]
            and not result[-1].startswith((" ", "-"))
        ):
            result[-1] += f" {line}"
        elif section == "References":
            result.append(re.sub(r"^([A-Z])\.", r"\1\.", line))
        else:
            result.append(line)
    lines[:] = result


def setup(app: Sphinx) -> None:
    """Write the generated pages and mend docstrings before numpydoc reads them."""
    generate.main(DOCS / "generated")
    app.connect("autodoc-process-docstring", types_are_in_signatures, priority=100)
