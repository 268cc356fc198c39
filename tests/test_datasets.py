"""Inputs shared by tests, examples and benchmarks: shapes, seeds and the stated formulas."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import datasets


@pytest.mark.parametrize("name", datasets.PLANAR_PROBLEMS)
@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_planar_problem_shapes_and_seeds(name, n):
    sites, masses = datasets.planar_problem(name, n)
    assert sites.shape == (n, 2)
    assert sites.dtype == np.float64
    assert np.isfinite(sites).all()
    again, masses_again = datasets.planar_problem(name, n)
    np.testing.assert_array_equal(again, sites)
    if masses is not None:
        assert masses.shape == (n,)
        assert masses.min() > 0
        assert masses.sum() == pytest.approx(1, abs=1e-14)
        np.testing.assert_array_equal(masses_again, masses)
    if n > 2:
        assert not np.array_equal(datasets.planar_problem(name, n, 1)[0], sites)


def test_unknown_problem_is_refused():
    with pytest.raises(ValueError, match="name must be one of u2d"):
        datasets.planar_problem("u3d", 10)


def test_u2d_and_clust2d_follow_their_formulas():
    np.testing.assert_array_equal(datasets.u2d(50), np.random.default_rng(0).random((50, 2)))
    r = np.random.default_rng(0)
    c = r.random((10, 2))
    expected = np.clip(c[r.integers(10, size=50)] + 0.01 * r.standard_normal((50, 2)), 0, 1)
    np.testing.assert_array_equal(datasets.clust2d(50), expected)


def test_clust2d_has_sites_on_the_border():
    sites = datasets.clust2d(10_000)
    assert ((sites == 0) | (sites == 1)).any(axis=1).sum() > 100


def test_two_scales_has_nine_tenths_in_a_tiny_disk():
    sites = datasets.two_scales(1000)
    assert (np.hypot(*(sites - (0.2, 0.7)).T) <= 1e-4 * (1 + 1e-12)).sum() == 900


def test_moons_fill_their_box():
    sites = datasets.moons(501)
    np.testing.assert_allclose(sites.min(axis=0), 0.05, rtol=1e-12)
    np.testing.assert_allclose(sites.max(axis=0), 0.95, rtol=1e-12)


def test_annulus_is_thin():
    radius = np.hypot(*(datasets.annulus(1000) - 0.5).T)
    assert abs(radius.mean() - 0.45) < 1e-3
    assert radius.std() == pytest.approx(0.005, rel=0.1)


def test_power_law_spans_its_decades():
    _, masses = datasets.power_law(10_000, decades=9)
    assert 8.9 < np.log10(masses.max() / masses.min()) <= 9


def test_far_sites_are_outside_the_unit_square():
    sites = datasets.far(100)
    assert sites.min() >= 1000
    assert sites.max() <= 1050


def test_digits():
    images, labels = datasets.digits()
    assert images.shape == (1797, 64)
    assert images.min() == 0
    assert images.max() == 1
    assert labels.dtype == np.int64
    assert np.bincount(labels).min() > 170
    assert len(np.bincount(labels)) == 10
