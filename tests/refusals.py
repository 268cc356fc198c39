"""Arguments that diagrams and solves refuse, with the name that the error must mention."""

from __future__ import annotations

import warnings

import numpy as np
from oracles import UNIT_SQUARE

import geomot

rng = np.random.default_rng
SQ = UNIT_SQUARE
SITES = rng(0).random((20, 2))
NAN, INF = np.nan, np.inf
# Bad where a plane is meant, and fine where any number of dimensions is.
ANY_DIMENSION = ("(n, 4)", "(2, n)")


def with_value(array, value, dtype=None):
    array = np.array(array, dtype=dtype or float)
    array.flat[3] = value
    return array


def _bad_points():
    for value in (NAN, INF, -INF):
        yield f"{value}", with_value(SITES, value)
    yield "(n, 4)", np.ones((20, 4))
    yield "(n,)", np.ones(20)
    yield "(2, n)", SITES.T.copy()
    yield "complex", SITES.astype(complex)
    yield "object", SITES.astype(object)
    yield "strings", SITES.astype(str)
    yield "bool", SITES > 0.5
    yield "None", None
    yield "no sites", np.zeros((0, 2))
    yield "ragged", [(0.1, 0.2), (0.3,)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        yield "matrix", np.matrix(SITES)
    yield "text", "sites"
    yield "scalar", 1.0


def _bad_vectors(*, masses):
    good = np.full(20, 1 / 20)
    for value in (NAN, INF, -INF):
        yield f"{value}", with_value(good, value)
    for n in (0, 1, 19, 21):
        yield f"length {n}", np.full(n, 1 / max(n, 1))
    yield "complex", good.astype(complex)
    yield "object", good.astype(object)
    yield "strings", good.astype(str)
    yield "bool", np.ones(20, dtype=bool)
    yield "(n, 3)", np.full((20, 3), 1 / 20)
    yield "scalar", 1.0
    yield "text", "weights"
    if masses:
        yield "(n, 2)", np.full((20, 2), 1 / 40)
        yield "negative", with_value(good, -1e-3)
        yield "sum 2", 2 * good
        yield "sum 0.5", good / 2
        yield "all zero", np.zeros(20)


def _refusals():
    for name, value in _bad_points():
        yield f"diagram sites {name}", lambda v=value: geomot.PowerDiagram(v), "sites"
        # in any other number of dimensions the unit box of that many is meant
        if name not in ANY_DIMENSION:
            yield f"solve sites {name}", lambda v=value: geomot.solve(v), "sites"
        yield (
            f"solve sites {name} in the unit square",
            lambda v=value: geomot.solve(v, source=geomot.UniformBox.unit(2)),
            "sites",
        )
        yield (
            f"solve sites {name} exactly",
            lambda v=value: geomot.solve(v, method="newton"),
            "sites",
        )
        yield (
            f"solve sites in polygon {name}",
            lambda v=value: geomot.solve(v, None, SQ),
            "sites",
        )
        if name != "no sites":
            yield (
                f"locate {name}",
                lambda v=value: geomot.PowerDiagram(SITES).locate(v),
                "points",
            )
    for name, value in _bad_vectors(masses=False):
        yield f"weights {name}", lambda v=value: geomot.PowerDiagram(SITES, v), "weights"
        yield (
            f"initial weights {name}",
            lambda v=value: geomot.solve(SITES, initial_weights=v),
            "initial_weights",
        )
    for name, value in _bad_vectors(masses=True):
        yield f"masses {name}", lambda v=value: geomot.solve(SITES, v), "target_masses"
        yield (
            f"kantorovich {name}",
            lambda v=value: geomot.PowerDiagram(SITES).kantorovich(v),
            "target_masses",
        )
    for value in (0, 0.0, -1e-9, NAN, INF, "tight", True, 1j):
        yield f"tol {value!r}", lambda v=value: geomot.solve(SITES, tol=v), "tol"
    for value in (-1, 1.5, "2", True, NAN):
        yield f"max_iter {value!r}", lambda v=value: geomot.solve(SITES, max_iter=v), "max_iter"
    for value in (0, -1, 1.5, True, "2"):
        yield f"threads {value!r}", lambda v=value: geomot.solve(SITES, threads=v), "threads"
        yield (
            f"diagram threads {value!r}",
            lambda v=value: geomot.PowerDiagram(SITES, threads=v),
            "threads",
        )
    for value in ("quick", None, 3):
        yield f"method {value!r}", lambda v=value: geomot.solve(SITES, method=v), "method"
    yield "callback", lambda: geomot.solve(SITES, callback=3), "callback"
    for value in (NAN, INF, -INF):
        bad = with_value(SQ, value)
        yield (
            f"source {value}",
            lambda v=bad: geomot.PowerDiagram(SITES, None, v),
            "source|vertices",
        )
        yield f"polygon {value}", lambda v=bad: geomot.UniformPolygon(v), "vertices"
        yield (
            f"box {value}",
            lambda v=value: geomot.UniformBox([0, v], [1, 1]),
            "lower",
        )
    for value in ("square", 3, SQ.astype(complex), SQ.astype(object), SQ > 0.5, SQ.astype(str)):
        kind = getattr(value, "dtype", repr(value))
        yield (
            f"source {kind}",
            lambda v=value: geomot.solve(SITES, None, v),
            "source|vertices",
        )
    yield "box inverted", lambda: geomot.UniformBox([0, 0], [1, -1]), "upper"
    yield "box flat", lambda: geomot.UniformBox([0, 0], [1, 0]), "upper"


REFUSALS = list(_refusals())
