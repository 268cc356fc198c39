"""Densities on a grid."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import (
    GridDensity,
)

pytestmark = pytest.mark.usefixtures("silent")
rng = np.random.default_rng
IMAGE = np.array([[0.0, 1.0, 0.0, 2.0], [0.5, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 3.0]])


def test_grid():
    grid = GridDensity(IMAGE)
    assert grid.dim == 2 and grid.bounds.tolist() == [[0, 0], [1, 1]]
    assert grid.values.sum() == pytest.approx(1.0, rel=1e-15)
    assert grid == GridDensity(7 * IMAGE) == GridDensity(IMAGE.tolist(), [0, 0], [1, 1])
    assert grid == GridDensity(np.asfortranarray(IMAGE)) != GridDensity(IMAGE, [0, 0], [1, 2])
    # Axis k of the array is coordinate k.
    corner = np.zeros((2, 5))
    corner[1, 0] = 1.0
    points = GridDensity(corner).sample(100, random_state=0)
    assert (points[:, 0] >= 0.5).all() and (points[:, 1] <= 0.2).all()
    # Extreme contrasts and scales keep every cell.
    wide = GridDensity([1e-200, 1e100, 1e-150])
    assert (wide.values > 0.0).all()
    tiny = GridDensity(1e-300 * IMAGE, [0.0, 0.0], [1e-150, 1e60])
    np.testing.assert_allclose(tiny.values, grid.values, rtol=1e-15)
    np.testing.assert_allclose(tiny.mean, grid.mean * [1e-150, 1e60], rtol=1e-14)
    same = GridDensity(np.full((4, 4), 1e120))
    np.testing.assert_allclose(same.covariance, np.eye(2) / 12, rtol=1e-14, atol=1e-17)


@pytest.mark.parametrize(
    ("values", "lower", "upper", "words"),
    [
        (1.0, None, None, "values must have at least one axis"),
        ([], None, None, "values must have at least one axis and one cell"),
        (np.zeros((2, 0)), None, None, "values must have at least one axis and one cell"),
        ([0.0, 0.0], None, None, "values must have a positive sum"),
        ([[1.0, 2.0], [1.0, -1.0]], None, None, r"values must .*, got -1.0 at \(1, 1\)"),
        ([1.0, np.nan], None, None, "values must .*, got nan at 1"),
        ([1.0, np.inf], None, None, "values must .*, got inf at 1"),
        ([[1.0], [1.0, 2.0]], None, None, "values must be rectangular"),
        ([1.0], [0.0], [0.0], "upper must exceed lower"),
        ([1.0], [0.0, 0.0], [1.0, 1.0], r"lower must have shape \(1,\)"),
        ([[1.0]], None, [1.0], r"upper must have shape \(2,\)"),
        ([1.0], [np.nan], None, "lower must be finite"),
        (np.ones(10), [1.0], [1.0 + 2.0**-50], "values must not have more cells"),
    ],
)
def test_grid_refused(values, lower, upper, words):
    with pytest.raises(ValueError, match=words):
        GridDensity(values, lower, upper)


@pytest.mark.parametrize(
    ("shape", "dim", "words"),
    [
        ((480, 640), 2, "GridDensity"),
        ((48, 64, 3), 2, r"GridDensity\(image.mean\(axis=2\)\)"),
        ((48, 64, 4), 2, r"GridDensity\(image.mean\(axis=2\)\)"),
        ((8, 9, 10), 3, "GridDensity"),
        ((100,), 1, "GridDensity"),
        ((100, 3), 3, r"Samples\(points\)"),
        ((100, 1), 1, r"Samples\(points\)"),
        ((4, 3), 2, "GridDensity"),
    ],
)
def test_an_image_as_source_is_told_of_grid_density(shape, dim, words):
    expected = rf"source must be a source measure or the vertices.*got an array of shape .*{words}"
    for dtype in (float, np.uint8, bool):
        with pytest.raises(ValueError, match=expected):
            geomot.solve(rng(0).random((5, dim)), source=np.ones(shape, dtype))


def test_a_picture_as_source_is_told_of_grid_density():
    image = pytest.importorskip("PIL.Image")
    for mode, shape in (("L", r"\(20, 30\)"), ("RGB", r"\(20, 30, 3\)"), ("RGBA", "4")):
        with pytest.raises(ValueError, match=f"shape .*{shape}.*GridDensity"):
            geomot.solve(rng(0).random((5, 2)), source=image.new(mode, (30, 20)))
