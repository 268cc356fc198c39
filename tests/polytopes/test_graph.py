"""Alexandrov's problem: graphs of potentials as closed polytopes, against Qhull and Minkowski."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.spatial import ConvexHull

import geomot
from geomot.polytopes import alexandrov, graph_polytope, minkowski

OCTAHEDRON = geomot.UniformPolyhedron(np.vstack([np.eye(3), -np.eye(3)]))
SOURCES = {
    "square": None,
    "hexagon": geomot.UniformPolygon.regular(6),
    "image": geomot.GridDensity(1.0 + np.arange(12.0).reshape(3, 4)),
    "cube": geomot.UniformBox.unit(3),
    "octahedron": OCTAHEDRON,
}


@pytest.fixture(scope="module", params=list(SOURCES))
def solution(request):
    source = SOURCES[request.param]
    dim = 2 if source is None else source.dim
    rng = np.random.default_rng(3)
    return geomot.solve(rng.random((25, dim)), rng.dirichlet(np.ones(25)), source)


def test_graphs_are_convex_hulls(solution):
    made = graph_polytope(solution)
    hull = ConvexHull(made.vertices)
    assert made.volume == pytest.approx(hull.volume, rel=1e-11)
    assert made.areas.sum() == pytest.approx(hull.area, rel=1e-11)
    np.testing.assert_allclose(np.linalg.norm(made.normals, axis=1), 1.0, rtol=1e-15)
    # the facets of a closed surface sum to zero
    np.testing.assert_allclose(made.areas @ made.normals, 0.0, atol=1e-12)
    off = made.vertices @ made.normals.T - made.supports
    assert off.max() < 1e-12
    for k, facet in enumerate(made.facets):
        rows = np.unique(np.concatenate([np.ravel(p) for p in facet])) if len(facet) else []
        np.testing.assert_allclose(off[rows, k], 0.0, atol=1e-12)


def test_projections_have_the_masses(solution):
    made = graph_polytope(solution)
    n, dim = solution.sites.shape
    # a facet's area, seen from below
    projected = made.areas[:n] * -made.normals[:n, -1]
    if isinstance(solution.source, geomot.GridDensity):
        cells = solution.diagram().cells
        sizes = [
            0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) for x, y in (c.T for c in cells)
        ]
        np.testing.assert_allclose(projected, sizes, rtol=1e-11)
    else:
        size = ConvexHull(solution.source.domain.vertices).volume
        np.testing.assert_allclose(projected / size, solution.target_masses, rtol=1e-8)
    slopes = made.normals[:n, :-1] / -made.normals[:n, -1:]
    np.testing.assert_allclose(slopes, solution.sites, rtol=1e-12)
    assert made.normals[-1].tolist() == [0.0] * dim + [1.0]


def test_graphs_are_closed(solution):
    made = graph_polytope(solution)
    if solution.source.dim == 2:
        edges = [(a, b) for f in made.facets for a, b in zip(f, np.roll(f, -1), strict=True)]
        assert Counter(edges) == Counter((b, a) for a, b in edges)
        assert max(Counter(edges).values()) == 1
        triangles = made.vertices[made.triangles()]
        assert np.linalg.det(triangles).sum() / 6.0 == pytest.approx(made.volume, rel=1e-11)
    else:
        polygons = Counter(frozenset(p.tolist()) for facet in made.facets for p in facet)
        assert set(polygons.values()) == {2}
        for facet in made.facets:
            edges = Counter(
                frozenset(e) for p in facet for e in zip(p, np.roll(p, -1), strict=True)
            )
            assert set(edges.values()) == {2}


def test_minkowski_finds_a_graph_again():
    made = graph_polytope(geomot.solve(np.random.default_rng(4).random((20, 2))), top=1.5)
    again = minkowski(made.normals, made.areas)
    assert again.volume == pytest.approx(made.volume, rel=1e-8)
    moved = made.supports - again.polytope.supports
    shift = np.linalg.lstsq(made.normals, moved, rcond=None)[0]
    np.testing.assert_allclose(made.normals @ shift, moved, atol=1e-8)
    apart = np.linalg.norm(made.vertices[:, None] - shift - again.vertices, axis=2)
    assert apart.min(axis=1).max() < 1e-7


def test_alexandrov_from_normals():
    rng = np.random.default_rng(5)
    normals = np.column_stack([rng.standard_normal((15, 2)), -0.5 - rng.random(15)])
    masses = rng.dirichlet(np.ones(15))
    result = alexandrov(normals, masses, geomot.UniformPolygon.regular(5), tol=1e-10)
    assert result.converged and result.solution.tol == 1e-10
    np.testing.assert_allclose(result.projected_masses, masses, rtol=1e-10)
    units = normals / np.linalg.norm(normals, axis=1)[:, None]
    np.testing.assert_allclose(result.polytope.normals[:15], units, rtol=1e-13)
    assert (result.vertices, result.facets) == (result.polytope.vertices, result.polytope.facets)
    assert len(result.facets) == 15 + 5 + 1 and result.volume == result.polytope.volume


def test_a_site_without_cell_has_no_facet():
    diagram = geomot.PowerDiagram([[0.2, 0.5], [0.8, 0.5], [0.5, 0.5]], [0.0, 0.0, -1.0])
    made = graph_polytope(diagram)
    assert len(made.facets[2]) == 0 and made.areas[2] == 0.0
    assert made.volume == pytest.approx(ConvexHull(made.vertices).volume, rel=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_one_site_and_the_height_of_the_lid(dim):
    one = geomot.PowerDiagram([[0.5] * dim])
    made = graph_polytope(one, top=2.0)
    # u = (x_1 + ... + x_d) / 2 - d / 8, whose mean over the box is d / 8
    assert made.volume == pytest.approx(2.0 - dim / 8.0, rel=1e-14)
    level = graph_polytope(geomot.PowerDiagram([[0.0] * dim]))
    assert level.volume == pytest.approx(0.1, rel=1e-14)
    assert len(level.vertices) == 2 * 2**dim


def test_refusals():
    diagram = geomot.PowerDiagram([[0.5, 0.5]])
    with pytest.raises(ValueError, match="top must be above the graph"):
        graph_polytope(diagram, top=0.1)
    with pytest.raises(TypeError, match="solution must be a PowerDiagram"):
        graph_polytope([[0.5, 0.5]])
    corner = geomot.UniformPolygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])
    disk = geomot.UniformBall([0.0, 0.0], 1.0)
    for source in (corner, geomot.Gaussian([0.0, 0.0], 1.0), disk):
        with pytest.raises(ValueError, match="on a convex polygon or polyhedron"):
            graph_polytope(geomot.PowerDiagram([[0.5, 0.5]], None, source))
    torus = geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True)
    with pytest.raises(ValueError, match="graphs of potentials"):
        graph_polytope(geomot.PowerDiagram([[0.5, 0.5]], None, torus))
    with pytest.raises(ValueError, match="sites in 2 or 3 dimensions, got 1"):
        graph_polytope(geomot.PowerDiagram([[0.5]]))
    with pytest.raises(ValueError, match="normals must point downwards.* row 1 is 0"):
        alexandrov([(1, 0, -1), (1, 0, 0)])
    with pytest.raises(ValueError, match="normals must have 3 or 4 columns"):
        alexandrov([(1, -1)])
