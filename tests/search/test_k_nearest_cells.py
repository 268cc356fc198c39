"""The nearest cells of a point."""

from __future__ import annotations

import numpy as np
import pytest

from geomot._search.k_nearest_cells import TopScores


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("d", [1, 3, 20])
def test_top_scores(d):
    r = rng(d)
    sites, weights = 50.0 + r.standard_normal((80, d)), 0.1 * r.standard_normal(80)
    points = 50.0 + 2.0 * r.standard_normal((100, d))
    top = TopScores(sites, weights)
    index, score = top(points, 7)
    exact = points @ sites.T + 0.5 * (weights - (sites**2).sum(axis=1))
    order = np.argsort(-exact, axis=1)[:, :7]
    assert np.mean(index == order) > 0.99
    wanted = np.take_along_axis(exact, index.astype(int), axis=1)
    np.testing.assert_allclose(score - score[:, :1], wanted - wanted[:, :1], atol=1e-4)
    again = top(points, 7, threads=3)
    np.testing.assert_array_equal(again[0], index)
    np.testing.assert_array_equal(again[1], score)
