"""The versions of geomot and of what it runs on."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

import geomot

__all__ = ["describe_versions", "show_versions"]

# Packages as they are called in a registry, and the extra that installs them.
_REQUIRED = ("numpy", "scipy", "approx-chol", "scikit-learn", "matplotlib", "tqdm", "shtab")
_EXTRAS = {
    "torch": "torch",
    "POT": "discrete",
    "meshio": "view",
    "pyvista": "view",
    "shapely": "geo",
    "geopandas": "geo",
}


def show_versions() -> None:
    """Print the versions of geomot, of Python, and of the packages that geomot uses.

    No package is imported for this. `geomot --version` prints the same.

    Examples
    --------
    >>> import geomot
    >>> geomot.show_versions()  # doctest: +ELLIPSIS
    geomot 0...
      Python        3...
      system        ...
      kernels       ...
      numpy         2...
      scipy         ...
    """
    sys.stdout.write(describe_versions() + "\n")


def describe_versions() -> str:
    """Return what `show_versions` prints."""
    rows = {
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": f"{platform.platform()}, {os.cpu_count()} processors",
        "kernels": _kernels(),
    }
    rows |= {name: _version(name) or "missing" for name in _REQUIRED}
    for name, extra in _EXTRAS.items():
        rows[name] = _version(name) or f'not installed (pip install "geomot[{extra}]")'
    lines = [f"  {name:13} {value}" for name, value in rows.items()]
    return "\n".join([f"geomot {geomot.__version__}", *lines])


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _kernels() -> str:
    """Instruction set of the kernels for samples, and whether kernels check their bounds."""
    try:
        from geomot._core.montecarlo import instructions
        from geomot._power import BOUNDS_CHECKED
    except ImportError:
        return "missing: geomot was not compiled"
    return instructions() + (", with bounds checks" if BOUNDS_CHECKED else "")
