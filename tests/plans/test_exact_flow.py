"""What moves along the edges of a forest."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from geomot._plans.exact_flow import exact_flow


def fractions(values):
    return [Fraction(value) for value in np.asarray(values, dtype=float).tolist()]


def test_exact_flow_on_a_tree():
    """A path of four edges, of which rounding of 0.1 + 0.2 - 0.3 is left to the last."""
    rows, columns = np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1])
    mu, nu = np.array([0.1, 0.2, 0.3]), np.array([0.15, 0.45])
    moved, p, q = exact_flow(rows, columns, mu, nu)
    more = sum(fractions(mu)) - sum(fractions(nu))
    assert (sum(fractions(p)), sum(fractions(q))) == (max(more, 0), max(-more, 0))
    wanted = [w - r for w, r in zip(fractions(mu), fractions(p), strict=True)]
    first = wanted[0]
    second = fractions(nu)[0] - fractions(q)[0] - first
    expected = [first, second, wanted[1] - second, wanted[2]]
    assert moved.tolist() == [float(value) for value in expected]
    # a cycle, and a tree on which something would move backwards
    square = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert exact_flow(*square, np.ones(2), np.ones(2)) is None
    assert exact_flow(rows, columns, np.array([0.5, 0.2, 0.3]), np.array([0.4, 0.6])) is None
