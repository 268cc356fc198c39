"""Compiled extensions and their flags; everything else stands in pyproject.toml."""

import os

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("GEOMOT_DEBUG", "0") not in ("", "0")

DEBUG_MACROS = [("GEOMOT_BOUNDS_CHECKED", "1")] if DEBUG else []

MODULES = (
    "geomot._core.interrupt",
    "geomot._core.order",
    "geomot._core.predicates",
    "geomot._core.scaled",
    "geomot._core.plane.regular",
    "geomot._core.plane.cells",
    "geomot._core.plane.insert",
    "geomot._core.plane.locate",
    "geomot._core.plane.polygons",
    "geomot._core.cg",
    "geomot._core.elimination",
    "geomot._core.exactness",
    "geomot._core.facets",
    "geomot._core.laplacian",
    "geomot._core.plane.arcs",
    "geomot._core.plane.ellipse",
    "geomot._core.plane.measure",
    "geomot._core.plane.balls",
    "geomot._core.plane.pieces",
    "geomot._core.plane.gaussian",
    "geomot._core.plane.pixels",
    "geomot._core.select",
    "geomot._core.space.cells",
    "geomot._core.space.domain",
    "geomot._core.space.ellipsoid",
    "geomot._core.space.gaussian",
    "geomot._core.space.insert",
    "geomot._core.space.locate",
    "geomot._core.space.measure",
    "geomot._core.space.polyhedra",
    "geomot._core.space.predicates",
    "geomot._core.space.regular",
    "geomot._core.space.rings",
    "geomot._core.space.tetrahedra",
    "geomot._core.space.voxels",
    "geomot._core.montecarlo",
    "geomot._power",
    "geomot._space",
)

# C sources beside a module's own.
KERNELS = {"geomot._core.montecarlo": ["geomot/_core/src/argmax.c"]}

HEADERS = [
    "geomot/_core/src/" + name
    for name in (
        "argmax.h",
        "argmax_kernel.h",
        "argmax_undef.h",
        "assign.h",
        "assign_contest.h",
        "assign_kernel.h",
        "compiler.h",
    )
]

# Exact predicates rest on IEEE arithmetic as written: no contraction to fused operations, no
# value-changing optimisation, no machine-specific code (the wheel runs on any CPU). Symbols for a
# debugger would triple the size of the package. Bounds are checked in builds that compile fast.
COMPILE_ARGS = {
    "msvc": ["/O2", "/std:c11", "/fp:precise"],
    "unix": ["-ffp-contract=off", "-fno-math-errno", *(["-O1"] if DEBUG else ["-O3", "-g0"])],
}

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "freethreading_compatible": False,
}

extensions = [
    Extension(
        name,
        [name.replace(".", "/") + ".pyx", *KERNELS.get(name, ())],
        depends=HEADERS if name in KERNELS else [],
        include_dirs=[np.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), *DEBUG_MACROS],
    )
    for name in MODULES
]


class BuildExt(build_ext):
    """Chooses options by the compiler: on Windows it may be MSVC or gcc."""

    def build_extensions(self):
        """Compile all extensions."""
        kind = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        for extension in self.extensions:
            extension.extra_compile_args = COMPILE_ARGS[kind]
        super().build_extensions()


setup(
    cmdclass={"build_ext": BuildExt},
    ext_modules=cythonize(
        extensions, build_dir="build/cython", compiler_directives=DIRECTIVES, force=DEBUG
    ),
    # one compiler for each processor
    options={"build_ext": {"parallel": True}},
)
