"""Certificates of plans, which see what is not optimal."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from geomot._plans.bounds import Flow, certified
from geomot.discrete import assignment


def clouds(n, m, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), 0.5 * rng.standard_normal((m, d)) + 1.0


def test_certificate_sees_what_is_not_optimal():
    """A plan with two partners exchanged, and potentials that are off, keep an honest bracket."""
    a, b = clouds(30, 30, 2)
    best = assignment(a, b)
    columns = best.permutation.copy()
    columns[[0, 1]] = columns[[1, 0]]
    ones, rows = np.ones(30), np.arange(30)
    flow = Flow(rows, columns, ones, best.a_potential, best.b_potential)
    bounds = certified(a, b, ones, ones, flow)[1]
    assert not bounds.closed
    assert bounds.low <= best.cost < bounds.cost <= bounds.high
    raised = best.b_potential + np.linspace(0.0, 1.0, 30)
    flow, bounds = certified(a, b, ones, ones, flow._replace(columns=best.permutation, v=raised))
    assert not bounds.closed
    assert bounds.low <= best.cost
    assert (cdist(a, b, "sqeuclidean") - flow.u[:, None] - flow.v).min() >= 0.0
