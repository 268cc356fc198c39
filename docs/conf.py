"""How Sphinx builds the site: ``python -m sphinx -W --keep-going -n -b html docs build/site``.

GEOMOT_GALLERY=1 also runs the examples, for their figures and printed numbers (some ten minutes).
Without it the gallery shows their code alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import geomot

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "_ext"))

project = "geomot"
author = "The geomot developers"
copyright = f"2026, {author}"
version = release = geomot.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "drawn",
    "mathml",
    "plain_docstrings",
]
exclude_patterns = ["drawn"]
templates_path = ["_templates"]

# In docstrings single backticks name an object of geomot, an argument, or code.
default_role = "py:obj"
nitpick_ignore_regex = [("py:obj", r".*")]

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
# Members that scikit-learn, torch and Python bring along are documented there.
numpydoc_show_class_members = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
suppress_warnings = ["config.cache"]

# Pages and scripts whose figures are drawn when the site is built (_ext/drawn.py).
drawn_sources = ["figures/*.py", "tutorials/[!i]*.md", "start.md"]

html_title = "geomot"
html_theme = "furo"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

run_examples = os.environ.get("GEOMOT_GALLERY", "0") == "1"
if not run_examples:
    html_css_files.append("gallery_without_figures.css")
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "backreferences_dir": "gallery/uses",
    "doc_module": ("geomot",),
    "plot_gallery": run_examples,
    "filename_pattern": r"/plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "only_warn_on_example_error": False,
    "abort_on_example_error": False,
    "matplotlib_animations": False,
    "thumbnail_size": (400, 280),
}


def skip_foreign(app, what, name, value, skip, options):
    """Leave out members that a class of geomot inherits from another package."""
    function = getattr(value, "fget", None) or getattr(value, "__func__", value)
    module = getattr(function, "__module__", None)
    return True if isinstance(module, str) and not module.startswith("geomot") else None


def fold_sidebar(app, page, template, context, doctree):
    """List in the sidebar only what belongs to the part of the site that a page is in."""
    if full := context.get("toctree"):
        context["toctree"] = lambda **options: full(**{**options, "collapse": True})


def setup(app):
    """Connect what is above; the theme asks for its sidebar at priority 500."""
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("html-page-context", fold_sidebar, priority=400)
