"""Semi-discrete optimal transport with exact power diagrams.

The names below are loaded on first use: importing geomot is quick, and loads neither torch nor
matplotlib nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geomot.brenier import BrenierMap
    from geomot.diagnostics import self_test, show_versions
    from geomot.diagram import PowerDiagram
    from geomot.errors import (
        CheckpointWarning,
        ConvergenceError,
        ConvergenceWarning,
        GeomotError,
        SelfTestError,
    )
    from geomot.extended import ExtendedMap
    from geomot.generator import LatentGenerator
    from geomot.quantization import Quantization, quantize
    from geomot.solution import Solution
    from geomot.solver import solve
    from geomot.sources import (
        Gaussian,
        GridDensity,
        MeshDensity,
        Mixture,
        Samples,
        UniformBall,
        UniformBox,
        UniformEllipsoid,
        UniformPolygon,
        UniformPolyhedron,
    )
    from geomot.storage import load

__version__ = "0.1.0"

_HOMES = {
    "BrenierMap": "brenier",
    "CheckpointWarning": "errors",
    "ConvergenceError": "errors",
    "ConvergenceWarning": "errors",
    "ExtendedMap": "extended",
    "Gaussian": "sources",
    "GeomotError": "errors",
    "GridDensity": "sources",
    "LatentGenerator": "generator",
    "MeshDensity": "sources",
    "Mixture": "sources",
    "PowerDiagram": "diagram",
    "Quantization": "quantization",
    "Samples": "sources",
    "SelfTestError": "errors",
    "Solution": "solution",
    "UniformBall": "sources",
    "UniformBox": "sources",
    "UniformEllipsoid": "sources",
    "UniformPolygon": "sources",
    "UniformPolyhedron": "sources",
    "load": "storage",
    "quantize": "quantization",
    "self_test": "diagnostics",
    "show_versions": "diagnostics",
    "solve": "solver",
}

# Packages that are required, as they are imported and as they are installed.
_PACKAGES = {
    "approx_chol": "approx-chol",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "tqdm": "tqdm",
}

_MODULES = (
    "baselines",
    "compare",
    "compat",
    "coupling",
    "brenier",
    "datasets",
    "derivatives",
    "diagnostics",
    "diagram",
    "discrete",
    "distributed",
    "errors",
    "extended",
    "generator",
    "images",
    "latent",
    "losses",
    "metrics",
    "plotting",
    "polytopes",
    "potentials",
    "quantization",
    "solution",
    "solver",
    "sources",
    "storage",
)

__all__ = [
    "BrenierMap",
    "CheckpointWarning",
    "ConvergenceError",
    "ConvergenceWarning",
    "ExtendedMap",
    "Gaussian",
    "GeomotError",
    "GridDensity",
    "LatentGenerator",
    "MeshDensity",
    "Mixture",
    "PowerDiagram",
    "Quantization",
    "Samples",
    "SelfTestError",
    "Solution",
    "UniformBall",
    "UniformBox",
    "UniformEllipsoid",
    "UniformPolygon",
    "UniformPolyhedron",
    "__version__",
    "load",
    "quantize",
    "self_test",
    "show_versions",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES and name not in _MODULES:
        raise AttributeError(f"module 'geomot' has no attribute {name!r}")
    try:
        module = import_module(f"geomot.{_HOMES.get(name, name)}")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith(("geomot._power", "geomot._core")):
            raise ImportError(
                f"geomot's compiled core is missing from {__path__[0]}: is this a source tree? "
                'Install the package ("pip install ."), and start Python in another folder'
            ) from error
        package = (error.name or "").partition(".")[0]
        if package in _PACKAGES:
            needed = _PACKAGES[package]
            raise ImportError(f"geomot.{name} needs {needed}: pip install {needed}") from error
        raise
    value = getattr(module, name) if name in _HOMES else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
