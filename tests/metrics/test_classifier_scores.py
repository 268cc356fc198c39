"""Scores of images from features and classes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from geomot.metrics import (
    frechet_distance,
    inception_score,
)


def clouds(n, m, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), 0.5 * rng.standard_normal((m, d)) + 1.0


def test_frechet_against_its_formula():
    a, b = clouds(200, 150, 6)
    b = b @ np.random.default_rng(3).standard_normal((6, 6))
    first, second = np.cov(a.T), np.cov(b.T)
    apart = a.mean(axis=0) - b.mean(axis=0)
    formula = apart @ apart + np.trace(first + second - 2 * np.real(sqrtm(first @ second)))
    assert frechet_distance(a, b) == pytest.approx(formula, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(formula, rel=1e-9)


def test_frechet_of_singular_covariances():
    a, b = clouds(5, 4, 20)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-12)
    assert frechet_distance(a, a + 2.0) == pytest.approx(80.0, rel=1e-12)
    assert np.isfinite(frechet_distance(a, b))
    line = np.linspace(0, 1, 50)[:, None]
    assert frechet_distance(line, 3 * line) == pytest.approx(
        1.0 + (2 * line.std(ddof=1)) ** 2, rel=1e-12
    )
    assert frechet_distance(1e8 + a, 1e8 + a) == 0.0
    with pytest.raises(ValueError, match="features_b must hold at least 2"):
        frechet_distance(a, a[:1])


def test_inception_score():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(5, 0.2), size=40)
    mean = p.mean(axis=0)
    slow = np.exp(
        np.mean([sum(q * np.log(q / m) for q, m in zip(r, mean, strict=True)) for r in p])
    )
    assert inception_score(p) == pytest.approx(slow, rel=1e-12)
    assert inception_score(p.astype(np.float32)) == pytest.approx(slow, rel=1e-5)
    assert inception_score(np.eye(10)[rng.permutation(10)]) == pytest.approx(10.0)
    assert inception_score(np.tile(p[0], (7, 1))) == pytest.approx(1.0, abs=1e-12)
    with pytest.raises(ValueError, match="rows that sum to 1, got 2.0 in row 0"):
        inception_score([[1.0, 1.0]])
    with pytest.raises(ValueError, match="probabilities must not be negative"):
        inception_score([[1.5, -0.5]])
