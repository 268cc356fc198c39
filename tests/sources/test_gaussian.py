"""Normal sources."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import (
    Gaussian,
)
from geomot.sources import Source

pytestmark = pytest.mark.usefixtures("silent")
rng = np.random.default_rng
COV = np.array([[4.0, 1.0, 0.5], [1.0, 2.0, -0.25], [0.5, -0.25, 1.0]])


def test_spellings_of_a_gaussian_are_equal():
    plain = Gaussian([0.0, 1.0], 4.0)
    for cov in (4, [4, 4], np.diag([4.0, 4.0]), np.asfortranarray(4 * np.eye(2))):
        assert Gaussian([0, 1], cov) == plain
    assert Gaussian([0.0], 4.0) == Gaussian([0.0], [4.0]) == Gaussian([0.0], [[4.0]])
    assert Gaussian([0.0, 1.0], [[4.0, 1.0], [1.0, 4.0]]) != plain
    assert Gaussian([0.0, 1.0], [4.0, 4.5]) != plain
    # Rounding of a computed matrix is averaged out.
    rounded = np.array([[4.0, 1.0], [1.0 + 2.0**-50, 4.0]])
    normal = Gaussian([0.0, 1.0], rounded)
    assert (normal.cov == normal.cov.T).all() and Source.from_dict(normal.to_dict()) == normal


@pytest.mark.parametrize("scale", [1e-150, 1e-59, 1.0, 1e59])
def test_gaussian_scales(scale):
    normal = Gaussian([0.0, 0.0, 0.0], scale**2 * COV)
    factor = normal.product.linear / scale
    np.testing.assert_allclose(factor @ factor.T, COV, rtol=1e-13, atol=1e-15)
    points = normal.sample(20_000, random_state=0) / scale
    np.testing.assert_allclose(np.cov(points.T), COV, atol=0.15)
    # Very different units in one matrix.
    units = np.array([scale, 1.0, 1.0 / max(scale, 1e-59)])
    mixed = Gaussian([0.0, 0.0, 0.0], COV * np.outer(units, units))
    factor = mixed.product.linear / units[:, None]
    np.testing.assert_allclose(factor @ factor.T, COV, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("mean", "cov", "words"),
    [
        (0.0, 1.0, r"mean must have shape \(d,\)"),
        ([], 1.0, r"mean must have shape \(d,\)"),
        ([np.nan], 1.0, "mean must be finite"),
        ([1e150], 1.0, "mean must not exceed"),
        ([0.0], 0.0, "cov must be positive definite"),
        ([0.0], -1.0, "cov must be positive definite"),
        ([0.0], np.nan, "cov must be finite"),
        ([0.0], np.inf, "cov must be finite"),
        ([0.0], 1e150, "cov must not exceed"),
        ([0.0, 0.0], [1.0, 0.0], "cov must be positive definite, .* coordinate 1"),
        ([0.0, 0.0], [1.0, 1.0, 1.0], r"cov must be a number or have shape \(2,\) or \(2, 2\)"),
        ([0.0, 0.0], np.eye(3), "cov must be a number or have shape"),
        ([0.0, 0.0], [[1.0, 0.5], [0.4, 1.0]], "cov must be symmetric"),
        ([0.0, 0.0], [[1e-200, 5e-201], [4e-201, 1e-200]], "cov must be symmetric"),
        ([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]], "cov must be positive definite"),
        ([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]], "cov must be positive definite"),
        ([0.0, 0.0], [[1e-300, 1e-300], [1e-300, 1e-300]], "cov must be positive definite"),
        ([0.0] * 30, np.cov(rng(0).random((30, 20))), "cov must be positive definite"),
    ],
)
def test_gaussian_refused(mean, cov, words):
    with pytest.raises(ValueError, match=words):
        Gaussian(mean, cov)
    # Rounding leaves of a singular matrix whatever it likes.
    for seed in range(300):
        points = rng(seed).random((3, 2))
        with pytest.raises(ValueError, match="cov must be positive definite"):
            Gaussian(np.zeros(3), points @ points.T)
    for bad in (None, "one", 1j, True):
        with pytest.raises(TypeError, match="cov must"):
            Gaussian([0.0], bad)
