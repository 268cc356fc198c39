"""W2^2 between clouds, and its mean over lines, against slow definitions and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from geomot.metrics import (
    Estimate,
    jackknife,
    median_distance,
    mmd,
    sliced_wasserstein2,
    wasserstein2,
)


def clouds(n, m, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), 0.5 * rng.standard_normal((m, d)) + 1.0


def some_masses(n, seed=0):
    masses = np.random.default_rng(seed).dirichlet(np.full(n, 0.5))
    return masses / masses.sum()


# ---- W2 ----


@pytest.mark.parametrize("d", [1, 3])
def test_wasserstein_against_all_permutations(d):
    a, b = clouds(6, 6, d)
    costs = cdist(a, b, "sqeuclidean")
    best = min(costs[range(6), p].mean() for p in itertools.permutations(range(6)))
    assert wasserstein2(a, b) == pytest.approx(best, rel=1e-14)
    assert wasserstein2(b, a) == pytest.approx(best, rel=1e-14)
    assert wasserstein2(a, a[::-1]) == 0.0


@pytest.mark.parametrize(("n", "m"), [(20, 20), (13, 20), (1, 9)])
@pytest.mark.parametrize("weighted", [False, True])
def test_wasserstein_on_the_line(n, m, weighted):
    """The same as in the plane, for clouds on a line in it."""
    a, b = clouds(n, m, 1)
    mu, nu = (some_masses(n), some_masses(m, 1)) if weighted else (None, None)
    wide = wasserstein2(np.column_stack([a, 0 * a]), np.column_stack([b, 0 * b]), mu, nu)
    assert wasserstein2(a, b, mu, nu) == pytest.approx(wide, rel=1e-9)
    if weighted:
        mu[0] = 0.0
        mu = mu / mu.sum() if n > 1 else np.ones(1)
        assert wasserstein2(a, b, mu, nu) == pytest.approx(
            wasserstein2(a[mu > 0], b, mu[mu > 0], nu), rel=1e-12
        )


def test_wasserstein_of_larger_clouds_is_that_of_discrete(monkeypatch):
    from geomot import discrete

    a, b = clouds(60, 60, 2)
    small = wasserstein2(a, b)
    monkeypatch.setattr("geomot.metrics._wasserstein._FEW_EQUAL", 10)
    assert wasserstein2(a, b) == pytest.approx(small, rel=1e-13)
    assert wasserstein2(a, b) == discrete.assignment(a, b).cost
    assert wasserstein2(a, b[:30]) == discrete.plan(a, b[:30]).cost


@pytest.mark.parametrize("far", [1e4, 1e8, 1e12])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(40, 40), (30, 40)])
def test_w2_of_clusters_that_are_far_apart(far, d, n, m):
    """As many points of both clouds in each: W2^2 is that of the clusters alone, on the average."""
    r = np.random.default_rng(int(far) % 97)
    a, b = (
        far * (np.arange(k) % 2)[:, None] + r.integers(8192, size=(k, d)) / 8192 for k in (n, m)
    )
    alone = np.mean([wasserstein2(a[k::2] - far * k, b[k::2] - far * k) for k in range(2)])
    assert wasserstein2(a, b) == pytest.approx(alone, rel=1e-12)


def test_wasserstein_of_gaussians():
    """The closed form between two laws, from large clouds on the line."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((200_000, 1)), 2.0 * rng.standard_normal((200_000, 1)) + 3.0
    assert wasserstein2(a, b) == pytest.approx(9.0 + 1.0, rel=0.02)


def test_sliced():
    a, b = clouds(50, 50, 4)
    shift = np.array([1.0, -2.0, 0.5, 3.0])
    estimate = sliced_wasserstein2(a, a + shift, n_projections=4000, random_state=0)
    assert estimate.value == pytest.approx(shift @ shift / 4, abs=4 * estimate.standard_error)
    assert estimate.standard_error < 0.1 * estimate.value
    assert float(estimate) == estimate.value
    # below W2^2 / d, by the definition of W2 as a minimum
    assert sliced_wasserstein2(a, b, random_state=1).value <= wasserstein2(a, b)
    again = sliced_wasserstein2(a, b, random_state=1)
    assert again == sliced_wasserstein2(a, b, random_state=1)
    assert again != sliced_wasserstein2(a, b, random_state=2)
    assert sliced_wasserstein2(a[:, :1], b[:, :1]) == Estimate(
        wasserstein2(a[:, :1], b[:, :1]), 0.0
    )


def test_sliced_error_is_right():
    a, b = clouds(30, 20, 3)
    many = [
        sliced_wasserstein2(a, b, some_masses(30), n_projections=50, random_state=seed)
        for seed in range(60)
    ]
    spread = np.std([e.value for e in many], ddof=1)
    claimed = np.sqrt(np.mean([e.standard_error**2 for e in many]))
    assert 0.75 < claimed / spread < 1.35


def test_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    a, b = clouds(30, 30, 3)
    sliced_wasserstein2(a, b)
    jackknife(mmd, a, b)
    median_distance(np.random.default_rng(0).random((1500, 2)))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
