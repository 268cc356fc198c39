"""Every public name has a docstring with an example, and all examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import geomot

PACKAGE = Path(geomot.__file__).parent
MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages([str(PACKAGE)], "geomot.")
    if not m.name.endswith("__main__")
)

# Modules whose examples need torch.
TORCH = re.compile(r"geomot\.(baselines|losses|latent\.(autoencoder|classifier))\b")


def public_names():
    """Pairs of a name and a function or class, for all that users can reach without underscore."""
    for module in (*geomot._MODULES, "compat.pysdot", "compat.pysdot.radial_funcs"):
        value = importlib.import_module(f"geomot.{module}")
        for name in value.__all__:
            if callable(getattr(value, name)):
                yield f"{module}.{name}", getattr(value, name)


def public_methods(kind):
    """Methods of a class that geomot defines, those that it inherits included."""
    for cls in kind.__mro__:
        if cls.__module__.startswith("geomot"):
            for name, value in vars(cls).items():
                function = getattr(value, "__func__", value)
                # a function under another name is a default value
                if inspect.isfunction(function) and function.__name__ == name and name[0] != "_":
                    yield cls, function


def documented():
    """Names and docstrings of all public functions, classes and methods."""
    for name, value in public_names():
        yield name, value.__doc__ or ""
        if inspect.isclass(value):
            for cls, method in public_methods(value):
                yield (
                    f"{name.partition('.')[0]}.{cls.__name__}.{method.__name__}",
                    method.__doc__ or "",
                )


def test_every_public_name_has_an_example():
    assert sorted({name for name, text in documented() if ">>>" not in text}) == []


def test_internal_names_have_an_underscore():
    for name in geomot._MODULES:
        module = importlib.import_module(f"geomot.{name}")
        own = {
            key
            for key, value in vars(module).items()
            if getattr(value, "__module__", None) == module.__name__ and not key.startswith("_")
        }
        assert own <= set(module.__all__), name


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    if TORCH.match(name) and not find_spec("torch"):
        pytest.skip("needs torch")
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        for example in test.examples:
            # What is skipped needs a package: one of those that the text names, or torch.
            named = (
                p for p in ("meshio", "pyvista", "geopandas", "shapely") if p in test.docstring
            )
            if example.options.get(doctest.SKIP) and find_spec(next(named, "torch")):
                del example.options[doctest.SKIP]
        runner.run(test)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    assert runner.failures == 0


@pytest.mark.parametrize("name", MODULES)
def test_public_names_have_docstrings(name):
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if callable(value):
            assert value.__doc__, f"{name}.{public}"
