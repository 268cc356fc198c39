"""Minkowski's problem, against polytopes that are known."""

from __future__ import annotations

import numpy as np
import pytest
from polytope_oracles import CUBE, directions, qhull_areas
from scipy.spatial import ConvexHull, Delaunay

from geomot.errors import ConvergenceWarning
from geomot.polytopes import minkowski


def closed(u, areas):
    """Normals and areas with a facet more, with which they close."""
    rest = -areas @ u
    size = np.linalg.norm(rest)
    return np.vstack([u, rest / size]), np.append(areas, size)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_a_polytope_is_found_again(dim, seed):
    points = np.random.default_rng(seed).standard_normal((40, dim))
    hull = ConvexHull(points)
    normals, which = np.unique(hull.equations[:, :-1], axis=0, return_inverse=True)
    sizes = [
        np.linalg.norm(np.cross(b - a, c[0] - a)) / 2 if dim == 3 else np.linalg.norm(b - a)
        for a, b, *c in points[hull.simplices]
    ]
    solution = minkowski(normals, np.bincount(which.ravel(), sizes))
    assert solution.converged and solution.area_error <= 1e-9
    assert solution.volume == pytest.approx(hull.volume, rel=1e-8)
    # corners in which more than three facets meet come out as several, close together
    simplices = Delaunay(points[hull.vertices])
    corners = simplices.points[simplices.simplices]
    volumes = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))
    corners = points[hull.vertices] - volumes @ corners.mean(axis=1) / volumes.sum()
    apart = np.linalg.norm(solution.vertices[:, None] - corners, axis=2)
    assert apart.min(axis=0).max() < 1e-7 and apart.min(axis=1).max() < 1e-7
    assert solution.polytope.area_derivatives().shape == (len(normals),) * 2


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_areas_are_those_of_qhull(spread):
    rng = np.random.default_rng(1)
    u, areas = closed(directions(150, 3, 1), np.exp(spread * rng.standard_normal(150)))
    solution = minkowski(u, areas)
    assert solution.converged and 0 < solution.n_iter < 20
    volume, found = qhull_areas(u, solution.polytope.supports)
    np.testing.assert_allclose(found, areas, rtol=1e-7)
    assert solution.volume == pytest.approx(volume, rel=1e-12)


def test_areas_over_decades():
    rng = np.random.default_rng(2)
    u, areas = closed(directions(60, 3, 2), 10.0 ** (-5.0 * rng.random(60)))
    assert minkowski(u, areas).converged


def test_normals_nearly_on_a_line():
    rng = np.random.default_rng(108)
    u = np.array([0.0, 0.86, -0.51]) + 0.02 * directions(4, 3, 108)
    u, areas = closed(u / np.linalg.norm(u, axis=1)[:, None], 10.0 ** rng.uniform(-1, 2, 4))
    assert minkowski(u, areas).converged


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
def test_bodies_of_plato(size):
    golden = (1 + 5**0.5) / 2
    twelve = np.array([(0, s, t * golden) for s in (-1, 1) for t in (-1, 1)])
    twelve = np.concatenate([np.roll(twelve, k, axis=1) for k in range(3)])
    # a regular dodecahedron of edge 1
    area, volume = 0.25 * np.sqrt(25 + 10 * 5**0.5), (15 + 7 * 5**0.5) / 4
    solution = minkowski(twelve, np.full(12, size**2 * area))
    assert solution.volume == pytest.approx(size**3 * volume, rel=1e-12)
    assert len(solution.vertices) == 20 and {len(f) for f in solution.facets} == {5}
    four = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
    tetrahedron = minkowski(four, np.full(4, 3**0.5 / 4))
    assert tetrahedron.volume == pytest.approx(2**0.5 / 12, rel=1e-12)


def test_boxes_and_regular_polygons():
    box = minkowski(CUBE, [6.0, 3.0, 2.0] * 2)  # sides 1, 2, 3
    assert box.volume == pytest.approx(6.0, rel=1e-12)
    np.testing.assert_allclose(np.ptp(box.vertices, axis=0), [1.0, 2.0, 3.0], rtol=1e-12)
    t = 2 * np.pi * np.random.default_rng(0).permutation(7) / 7
    heptagon = minkowski(np.column_stack([np.cos(t), np.sin(t)]), np.ones(7))
    assert heptagon.n_iter == 0
    assert heptagon.volume == pytest.approx(7 / 4 / np.tan(np.pi / 7), rel=1e-12)


def test_small_gaps_are_closed():
    areas = np.ones(6) + [1e-7, 0, 0, 0, 0, 0]
    solution = minkowski(CUBE, areas)
    np.testing.assert_allclose(solution.target_areas, areas, rtol=1.1e-7)
    np.testing.assert_allclose(solution.target_areas @ CUBE, 0.0, atol=1e-15)
    assert solution.converged


@pytest.mark.parametrize(
    ("normals", "areas", "message"),
    [
        (CUBE, [2, 1, 1, 1, 1, 1], "areas times normals must sum to zero"),
        (CUBE, [-1, 1, 1, 1, 1, 1], "areas must be positive, got -1 at 0"),
        ([*CUBE, (2, 0, 0)], np.ones(7), "rows 0 and 6 have the same direction.*add their areas"),
        (CUBE[[0, 1, 3, 4]], np.ones(4), "normals must span the space"),
        ([(1, 0), (-1, 0)], [1, 1], "normals must span the space"),
        (CUBE, np.ones(5), "areas must have shape"),
    ],
)
def test_refusals(normals, areas, message):
    with pytest.raises(ValueError, match=message):
        minkowski(normals, areas)


def test_steps_that_run_out_are_told():
    u, areas = closed(directions(30, 3, 3), np.arange(1.0, 31.0))
    with pytest.warns(ConvergenceWarning, match="minkowski has not converged"):
        solution = minkowski(u, areas, max_iter=1)
    assert solution.status == "max_iter" and not solution.converged and solution.n_iter == 1
    with pytest.warns(ConvergenceWarning, match=r"\(stalled\)"):
        assert minkowski(u, areas, tol=1e-17).status == "stalled"


def test_threads_change_no_bit():
    u, areas = closed(directions(80, 3, 4), np.ones(80))
    assert minkowski(u, areas, threads=1) == minkowski(u, areas, threads=2)
