"""Problems in the plane that several tests solve."""

from __future__ import annotations

from math import fsum

import numpy as np

from geomot import UniformPolygon, datasets
from geomot._newton.newton import Problem
from geomot._power import hilbert_order

rng = np.random.default_rng


def normalised(masses):
    masses = np.asarray(masses, dtype=float)
    return masses / fsum(masses)


def random_problem(seed):
    """Sites, masses and a domain of one of many kinds; distinct sites, positive masses."""
    r = rng([53, seed])
    n = int(r.integers(1, 120))
    m = int(r.integers(3, 9))
    angle = 2 * np.pi * (np.arange(m) + 0.3 * r.random(m)) / m
    polygon = np.column_stack([np.cos(angle), np.sin(angle)]) * 10.0 ** r.uniform(-3, 3)
    polygon = polygon * (1, 10.0 ** r.uniform(-2, 0)) + 3 * r.standard_normal(2)
    sites = [
        lambda: r.random((n, 2)),
        lambda: r.standard_normal((n, 2)) * 10.0 ** r.uniform(-6, 4),
        lambda: r.standard_normal((n, 2)) + 10.0 ** r.uniform(0, 5),
        lambda: r.standard_cauchy((n, 2)),
        lambda: np.column_stack([r.random(n), np.full(n, 0.5)]),
        lambda: np.where(r.random((n, 1)) < 0.7, 1e-4, 1.0) * r.standard_normal((n, 2)),
        lambda: np.stack(np.divmod(np.arange(n), max(1, int(np.sqrt(n)))), axis=1).astype(float),
        lambda: (
            polygon.mean(axis=0)
            + 0.9 * (polygon[r.integers(0, m, n)] - polygon.mean(axis=0))
            + 0.01 * np.ptp(polygon) * r.standard_normal((n, 2))
        ),
    ][int(r.integers(8))]()
    masses = [
        np.ones(n),
        r.random(n) + 1e-3,
        10.0 ** (-6 * r.random(n)),
        np.geomspace(1, 1e-3, n),
    ][int(r.integers(4))]
    return np.ascontiguousarray(sites), normalised(masses), polygon


BOX = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


def problem_of(name, n, polygon=BOX):
    sites, masses = datasets.planar_problem(name, n)
    masses = np.full(n, 1.0 / n) if masses is None else masses
    order, _ = hilbert_order(sites)
    return Problem(np.ascontiguousarray(sites[order]), masses[order], UniformPolygon(polygon), 1)
