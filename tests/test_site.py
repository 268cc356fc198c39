"""The documentation site is complete and coherent, as far as can be seen without building it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import geomot

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "drawn" not in path.parts)


def documented():
    """Pairs of a module and a name for all entries of the API reference."""
    for path in sorted((DOCS / "api").glob("*.rst")):
        module = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.match(r"\.\. currentmodule:: (\S+)", line):
                module = found[1]
            elif module and (found := re.fullmatch(r"   (\w+)", line)):
                yield module, found[1]


def load(name):
    """Import an extension of the site."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_entries_of_the_reference_exist_once():
    entries = list(documented())
    assert len(entries) > 100
    assert len(set(entries)) == len(entries)
    objects = [getattr(importlib.import_module(module), name) for module, name in entries]
    assert len({id(value) for value in objects}) == len(objects)


def test_every_public_name_is_in_the_reference():
    entries = {id(getattr(importlib.import_module(m), name)) for m, name in documented()}
    modules = ["geomot", *(f"geomot.{name}" for name in geomot._MODULES)]
    public = {
        f"{module}.{name}": getattr(importlib.import_module(module), name)
        for module in modules
        for name in importlib.import_module(module).__all__
        if not name.startswith("__")
        and not inspect.ismodule(getattr(importlib.import_module(module), name))
    }
    assert [name for name, value in public.items() if id(value) not in entries] == []


def test_every_page_is_in_a_table_of_contents():
    listed = {DOCS / "index"}
    for path in [*PAGES, *(DOCS / "api").glob("*.rst")]:
        text = path.read_text(encoding="utf-8")
        for body in re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.S | re.M):
            listed |= {path.parent / line for line in body.split() if line[0] != ":"}
        for body in re.findall(r"^\.\. toctree::\n((?:(?:   .*)?\n)*)", text, re.M):
            listed |= {path.parent / line for line in body.split() if line[0] != ":"}
    pages = {path.with_suffix("") for path in [*PAGES, *(DOCS / "api").glob("*.rst")]}
    assert pages <= listed
    assert DOCS / "gallery" / "index" in listed


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_between_pages(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name = target.partition("#")[0]
        if not name or re.match(r"\w+:", name):
            continue
        # Figures and pages of examples are made by the build.
        made = name.rpartition("/")[2]
        if "drawn/" in name:
            source = Path(name).parent.name
            code = [p for p in DOCS.rglob(f"{source}.*") if p.suffix in (".md", ".py")]
            assert any(f'"{Path(made).stem}' in p.read_text(encoding="utf-8") for p in code), name
        elif "gallery/" in name:
            assert made == "index" or (DOCS.parent / "examples" / f"{made}.py").exists(), name
        else:
            assert (path.parent / name).exists() or (path.parent / f"{name}.rst").exists(), name


def test_figures_of_the_core_are_drawn(tmp_path):
    package = str(Path(geomot.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", str(DOCS / "figures" / "core.py")],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"drawn/core/(\w+\.png)", (DOCS / "core.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(path.name for path in tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("line", "escaped"),
    [
        ("The cost is |x - y|^2.", r"The cost is \|x - y\|^2."),
        ("x : ndarray of shape (n, *shape_)", r"x : ndarray of shape (n, \*shape\_)"),
        ("weights_ : ndarray", "weights_ : ndarray"),
        ("*samples : array_like", "*samples : array_like"),
        ("Set by `fit_` as ``a_ * |b|``.", "Set by `fit_` as ``a_ * |b|``."),
        ("- *Labels.* A map for each |y|.", r"- *Labels.* A map for each \|y\|."),
    ],
)
def test_prose_of_docstrings_is_escaped(line, escaped):
    assert load("plain_docstrings").escape_line(line) == escaped


def test_code_in_docstrings_is_left_alone():
    code = ["", ">>> a * b", "|c|", "", "    so::", "", "        d_ * |e|", "", "f_ |g|"]
    expected = [*code[:-1], r"f\_ \|g\|"]
    assert load("plain_docstrings").escape_docstring(code) == expected


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_fractions_have_braces(path):
    # the converter to MathML takes the two digits of \frac12 for one number
    assert re.findall(r"\\t?frac[^{]", path.read_text(encoding="utf-8")) == []
