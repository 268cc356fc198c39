"""What importing geomot costs, what it offers, and that its examples run."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

import geomot
import geomot.baselines

PACKAGE = Path(geomot.__file__).parent
MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages([str(PACKAGE)], "geomot.")
    if not m.name.endswith("__main__")
)

HEAVY = ("torch", "matplotlib", "sklearn", "scipy", "pandas", "tqdm")


def python(code, cwd, **environment):
    """Run code in a new interpreter that imports the geomot under test; return its stdout."""
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def loaded_after(statement, cwd):
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    return set(json.loads(python(code, cwd)))


def test_import_is_light(tmp_path):
    modules = loaded_after("import geomot; geomot.__version__; dir(geomot)", tmp_path)
    assert not modules & {*HEAVY, "numpy"}


def test_diagrams_need_neither_torch_nor_matplotlib_nor_sklearn(tmp_path):
    statement = (
        "import geomot; geomot.PowerDiagram([[0.5, 0.5]]).masses; geomot.solve([[0.5, 0.5]])"
    )
    modules = loaded_after(statement, tmp_path)
    assert not modules & {"torch", "matplotlib", "sklearn", "pandas"}


def test_every_name_is_there(tmp_path):
    for name in geomot.__all__:
        assert getattr(geomot, name) is not None
        assert name in dir(geomot)
    names = {}
    exec("from geomot import *", names)
    assert set(geomot.__all__) <= set(names)
    assert geomot.PowerDiagram is importlib.import_module("geomot.diagram").PowerDiagram
    assert (
        python("import geomot; print(geomot.sources.UniformBox.unit(2).area)", tmp_path) == "1.0\n"
    )
    with pytest.raises(AttributeError, match="module 'geomot' has no attribute 'nothing'"):
        _ = geomot.nothing
    with pytest.raises(ImportError):
        exec("from geomot import nothing")


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", geomot.__version__)
    try:
        installed = metadata.version("geomot")
    except metadata.PackageNotFoundError:
        pytest.skip("geomot runs from its source tree")
    assert installed == geomot.__version__


def test_type_hints_are_shipped():
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_power.pyi").is_file()


def test_source_tree_without_core_says_so(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "geomot", ignore=shutil.ignore_patterns("*.so", "*.pyd"))
    code = "import geomot\ntry: geomot.PowerDiagram\nexcept ImportError as error: print(error)\n"
    said = python(code, tmp_path, PYTHONPATH=str(tmp_path))
    assert re.match(r"geomot's compiled core is missing from .*pip install", said)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        for example in test.examples:
            # What is skipped needs torch.
            if example.options.get(doctest.SKIP) and find_spec("torch"):
                del example.options[doctest.SKIP]
        runner.run(test)
    assert runner.failures == 0


def test_there_are_examples():
    count = 0
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in ("diagram", "sources", "storage", "brenier", "solver", "potentials"):
        found = finder.find(importlib.import_module(f"geomot.{name}"))
        examples = sum(len(test.examples) for test in found)
        assert examples > 0, name
        count += examples
    assert count > 20
    finder = doctest.DocTestFinder(recurse=False)
    for name in geomot.baselines.METHODS:
        (test,) = finder.find(getattr(geomot.baselines, name))
        assert len(test.examples) > 2, name


@pytest.mark.parametrize("name", MODULES)
def test_public_names_have_docstrings(name):
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if callable(value):
            assert value.__doc__, f"{name}.{public}"
