"""Cost of importing geomot, and the names that it offers."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import geomot

PACKAGE = Path(geomot.__file__).parent
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


@pytest.mark.parametrize(
    ("module", "package", "name"),
    [
        ("sklearn", "scikit-learn", "BrenierMap"),
        ("matplotlib", "matplotlib", "plotting"),
        ("scipy", "scipy", "solve"),
    ],
)
def test_a_missing_package_is_named(tmp_path, module, package, name):
    code = (
        f"import sys; sys.modules[{module!r}] = None\nimport geomot\n"
        f"try: geomot.{name}\nexcept ImportError as error: print(error)\n"
    )
    assert python(code, tmp_path) == f"geomot.{name} needs {package}: pip install {package}\n"
