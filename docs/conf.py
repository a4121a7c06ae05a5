"""Sphinx configuration: ``python -m sphinx -W -b html docs docs/_build``, which needs no network."""

import os
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


def setup(app: Sphinx) -> None:
    """Write the generated pages."""
    generate.main(DOCS / "generated")
