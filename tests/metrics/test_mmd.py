"""Maximum mean discrepancy against its definition and its expectation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from geomot.metrics import (
    median_distance,
    mmd,
)


def clouds(n, m, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), 0.5 * rng.standard_normal((m, d)) + 1.0


def slow_mmd(a, b, kernel):
    n, m = len(a), len(b)
    within_a = sum(kernel(a[i], a[j]) for i in range(n) for j in range(n) if i != j)
    within_b = sum(kernel(b[i], b[j]) for i in range(m) for j in range(m) if i != j)
    across = sum(kernel(x, y) for x in a for y in b)
    return within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * across / (n * m)


def test_mmd_against_its_definition():
    a, b = clouds(17, 23, 3)
    slow = slow_mmd(a, b, lambda x, y: np.exp(-np.sum((x - y) ** 2) / (2 * 0.7**2)))
    assert mmd(a, b, bandwidth=0.7) == pytest.approx(slow, rel=1e-12)
    slow = slow_mmd(a, b, lambda x, y: -np.linalg.norm(x - y))
    assert mmd(a, b, kernel="energy") == pytest.approx(slow, rel=1e-12)
    assert mmd(a, b) == mmd(a, b, bandwidth=median_distance(a, b))


def test_energy_distance_on_the_line():
    a, b = clouds(400, 300, 1)
    biased = stats.energy_distance(a[:, 0], b[:, 0]) ** 2
    assert mmd(a, b, kernel="energy") == pytest.approx(biased, abs=0.01)


def test_mmd_has_no_bias():
    """Its mean over many samples of two known laws is what integration gives."""
    rng = np.random.default_rng(0)
    values = [
        mmd(rng.standard_normal((6, 1)), rng.standard_normal((5, 1)) + 0.5, bandwidth=1.0)
        for _ in range(3000)
    ]
    # E k(X, Y) for X - Y of law N(t, 2) and bandwidth 1
    apart = np.exp(-0.25 / 6.0)
    true = (2.0 - 2.0 * apart) / np.sqrt(3.0)
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - true) < 4 * error
    assert error < 0.2 * true


def test_median_distance():
    a, b = clouds(20, 30, 2)
    both = np.concatenate([a, b])
    assert median_distance(a, b) == np.median(cdist(both, both)[np.triu_indices(50, 1)])
    big = np.random.default_rng(0).random((3000, 2))
    assert median_distance(big) == median_distance(big)
    assert median_distance(big) == pytest.approx(0.512, rel=0.03)
    with pytest.raises(ValueError, match="a must hold at least 2 points"):
        median_distance(a[:1])


def test_mmd_refuses():
    a, b = clouds(5, 5, 2)
    with pytest.raises(ValueError, match="a must hold at least 2 points"):
        mmd(a[:1], b)
    with pytest.raises(ValueError, match="kernel must be one of"):
        mmd(a, b, kernel="laplace")
    with pytest.raises(ValueError, match="bandwidth must be None"):
        mmd(a, b, kernel="energy", bandwidth=1.0)
    with pytest.raises(ValueError, match="bandwidth must be positive"):
        mmd(a, b, bandwidth=0.0)
    with pytest.raises(ValueError, match="bandwidth must be given"):
        mmd(0 * a, 0 * b)
