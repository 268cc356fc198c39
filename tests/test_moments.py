"""Moments of points with masses."""

import numpy as np

from geomot._moments import weighted_moments


def test_moments_are_those_of_numpy():
    r = np.random.default_rng(0)
    points, counts = r.standard_normal((30, 4)), r.integers(0, 5, 30)
    mean, covariance = weighted_moments(points, counts / counts.sum())
    np.testing.assert_allclose(mean, np.average(points, axis=0, weights=counts), rtol=1e-12)
    expected = np.cov(points.T, fweights=counts, ddof=0)
    np.testing.assert_allclose(covariance, expected, rtol=1e-12)
