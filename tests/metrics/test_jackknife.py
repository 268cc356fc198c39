"""Standard errors by leaving out groups of points."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import metrics
from geomot.metrics import (
    frechet_distance,
    jackknife,
    mmd,
    precision_recall_density_coverage,
    sliced_wasserstein2,
    wasserstein2,
)


def clouds(n, m, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), 0.5 * rng.standard_normal((m, d)) + 1.0


def test_jackknife_of_a_mean():
    x = np.random.default_rng(0).standard_normal(200)
    each = jackknife(np.mean, x, groups=200)
    assert each.value == x.mean()
    assert each.standard_error == pytest.approx(x.std(ddof=1) / np.sqrt(200), rel=1e-12)


@pytest.mark.parametrize("metric", [frechet_distance, mmd, wasserstein2])
def test_jackknife_errors_are_right(metric):
    """Not too small, and not by much too large, beside the spread over fresh samples."""
    rng = np.random.default_rng(0)
    values, claimed = [], []
    for _ in range(40):
        a, b = rng.standard_normal((60, 2)), rng.standard_normal((60, 2)) + [0.8, 0.0]
        estimate = jackknife(metric, a, b, random_state=rng)
        assert estimate.value == metric(a, b)
        values.append(estimate.value)
        claimed.append(estimate.standard_error**2)
    ratio = np.sqrt(np.mean(claimed)) / np.std(values, ddof=1)
    assert 0.75 < ratio < 1.6


def test_jackknife_keeps_the_kind_of_value():
    a, b = clouds(50, 60, 2)
    found = jackknife(precision_recall_density_coverage, a, b, random_state=0)
    assert found.value == precision_recall_density_coverage(a, b)
    assert isinstance(found.standard_error, metrics.PRDC)
    assert all(0.0 <= error < 1.0 for error in found.standard_error)
    assert found.standard_error.density > 0.0
    found = jackknife(lambda x: (x.mean(), x.std()), a)
    assert len(found.standard_error) == 2
    sliced = jackknife(
        lambda x, y: sliced_wasserstein2(x, y, n_projections=20, random_state=0), a, b
    )
    assert sliced.value == sliced_wasserstein2(a, b, n_projections=20, random_state=0).value
    assert sliced.standard_error > 0.0
    assert jackknife(mmd, a, b, random_state=3) == jackknife(mmd, a, b, random_state=3)


def test_jackknife_refuses():
    a, b = clouds(9, 20, 2)
    with pytest.raises(ValueError, match="at least groups = 10 points"):
        jackknife(mmd, a, b)
    with pytest.raises(ValueError, match="groups must be at least 2"):
        jackknife(mmd, b, b, groups=1)
    with pytest.raises(TypeError, match="samples must hold"):
        jackknife(mmd)
