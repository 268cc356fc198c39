"""Clouds that metrics refuse."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from geomot.metrics import (
    frechet_distance,
    mmd,
    nearest_distances,
    precision_recall_density_coverage,
    sliced_wasserstein2,
    wasserstein2,
)


@pytest.mark.parametrize(
    "metric",
    [wasserstein2, sliced_wasserstein2, mmd, precision_recall_density_coverage, nearest_distances,
     frechet_distance],
)  # fmt: skip
def test_clouds_that_cannot_be_meant(metric):
    first, second = list(inspect.signature(metric).parameters)[:2]
    good = np.random.default_rng(0).random((10, 3))
    bad = good.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=f"^{first} must be finite, got nan"):
        metric(bad, good)
    with pytest.raises(ValueError, match=f"^{second} must be finite, got nan"):
        metric(good, bad)
    with pytest.raises(ValueError, match=rf"^{second} must have shape \(n, 3\)"):
        metric(good, good[:, :2])
    with pytest.raises(ValueError, match=rf"^{first} must have shape \(n, d\)"):
        metric(good[0], good)
    with pytest.raises(TypeError, match=f"^{first} must be an array"):
        metric(None, good)
    kept = good.copy()
    metric(good, good)
    assert np.array_equal(good, kept)
