"""Power diagrams in space: closed forms, polyhedra, location, derivatives, the triangulation."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from space_oracles import Lifted, exact

import geomot
from geomot import PowerDiagram, UniformBox, UniformPolyhedron

rng = np.random.default_rng


def lattice(k):
    axis = (np.arange(k) + 0.5) / k
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)


def volume(polyhedron):
    """Volume by signed tetrahedra; positive if faces are counter-clockwise from outside."""
    total = 0.0
    for face in polyhedron.faces:
        p = polyhedron.vertices[face] - polyhedron.vertices[0]
        for b, c in zip(p[1:], p[2:], strict=False):
            total += np.linalg.det([p[0], b, c]) / 6
    return total


def check_cells(diagram):
    """Faces, corners and labels of a diagram fit together and to its measures."""
    cells, source = diagram.cells, diagram.source
    assert len(cells) == len(diagram)
    assert len(np.unique(diagram.vertices, axis=0)) == len(diagram.vertices)
    pairs = set(map(tuple, diagram.facets.sites.tolist()))
    seen = set()
    for i, cell in enumerate(cells):
        assert volume(cell) / source.volume == pytest.approx(diagram.masses[i], rel=1e-9, abs=1e-13)
        if not len(cell):
            continue
        sizes = [len(face) for face in cell.faces]
        assert len(cell.vertices) - sum(sizes) // 2 + len(sizes) == 2  # Euler
        assert min(sizes) >= 3
        edges = [(a, b) for f in cell.faces for a, b in zip(f, np.roll(f, -1), strict=True)]
        assert len(set(edges)) == len(edges)
        assert {(b, a) for a, b in edges} == set(edges)
        for label in cell.labels.tolist():
            if label >= 0:
                assert (min(i, label), max(i, label)) in pairs
                seen.add((i, label))
            else:
                assert -label <= len(source.domain.planes)
    assert {(j, i) for i, j in seen} == seen
    return seen


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_a_cubic_lattice(k):
    diagram = PowerDiagram(lattice(k))
    np.testing.assert_allclose(diagram.masses, k**-3.0, rtol=1e-14)
    np.testing.assert_allclose(diagram.centroids, lattice(k), atol=1e-15)
    np.testing.assert_allclose(diagram.costs, k**-5.0 / 4, rtol=1e-13)
    assert len(diagram.facets) == 3 * k**2 * (k - 1)
    np.testing.assert_allclose(diagram.facets.measures, k**-2.0, rtol=1e-13)
    assert len(diagram.vertices) == (k + 1) ** 3
    check_cells(diagram)
    for cell in diagram.cells:
        assert len(cell) == 6


def test_a_body_centred_lattice():
    """Inner cells are truncated octahedra: 8 hexagons and 6 squares."""
    k = 4
    sites = np.vstack([lattice(k), (lattice(k + 1) * (k + 1) - 0.5) / k])
    diagram = PowerDiagram(sites)
    inner = np.flatnonzero(((sites > 0.3) & (sites < 0.7)).all(axis=1))
    assert len(inner) >= 9
    np.testing.assert_allclose(diagram.masses[inner], 0.5 * k**-3.0, rtol=1e-13)
    for i in inner:
        assert sorted(map(len, diagram.cells[i].faces)) == 6 * [4] + 8 * [6]
    # area of a truncated octahedron of edge a: (6 + 12 sqrt(3)) a^2, here a = sqrt(2) / 4 / k
    a = 2**0.5 / 4 / k
    of = np.isin(diagram.facets.sites, inner[:1]).any(axis=1)
    assert diagram.facets.measures[of].sum() == pytest.approx((6 + 12 * 3**0.5) * a * a, rel=1e-12)
    check_cells(diagram)


def test_a_face_centred_lattice():
    """Inner cells are rhombic dodecahedra, which meet their second neighbours in corners only."""
    k = 3
    grid = np.stack(np.meshgrid(*3 * [np.arange(2 * k + 1)]), axis=-1).reshape(-1, 3)
    sites = grid[grid.sum(axis=1) % 2 == 0] / (2 * k)
    diagram = PowerDiagram(sites)
    inner = np.flatnonzero(((sites > 0.3) & (sites < 0.7)).all(axis=1))
    np.testing.assert_allclose(diagram.masses[inner], 0.25 * k**-3.0, rtol=1e-13)
    for i in inner:
        assert list(map(len, diagram.cells[i].faces)) == 12 * [4]
    check_cells(diagram)


def test_slabs():
    z = np.array([0.1, 0.2, 0.5, 0.9])
    diagram = PowerDiagram(np.column_stack([0 * z + 0.5, 0 * z + 0.5, z]))
    walls = np.concatenate([[0], (z[1:] + z[:-1]) / 2, [1]])
    np.testing.assert_allclose(diagram.masses, np.diff(walls), rtol=1e-14)
    assert diagram.facets.sites.tolist() == [[0, 1], [1, 2], [2, 3]]
    np.testing.assert_allclose(diagram.facets.measures, 1.0, rtol=1e-14)


def test_the_diagonal_cut_of_a_cube():
    diagram = PowerDiagram([[0.25, 0.25, 0.25], [0.75, 0.75, 0.75]])
    np.testing.assert_allclose(diagram.masses, 0.5, rtol=1e-15)
    np.testing.assert_allclose(diagram.facets.measures, 0.75 * 3**0.5, rtol=1e-14)  # a hexagon
    cell = diagram.cells[0]
    assert sorted(map(len, cell.faces)) == [3, 3, 3, 5, 5, 5, 6] or len(cell) == 7
    check_cells(diagram)


def test_many_cells_around_one_make_nearly_a_ball():
    v = rng(0).standard_normal((1000, 3))
    sites = np.vstack([[[0.5, 0.5, 0.5]], 0.5 + 0.8 * v / np.linalg.norm(v, axis=1)[:, None]])
    diagram = PowerDiagram(sites)
    ball = 4 / 3 * np.pi * 0.4**3
    assert ball < diagram.masses[0] < 1.04 * ball
    check_cells(diagram)


@pytest.mark.parametrize("seed", range(3))
def test_cells_of_scattered_sites(seed):
    n = 200
    diagram = PowerDiagram(rng(seed).random((n, 3)), 0.02 * rng(seed + 9).random(n))
    seen = check_cells(diagram)
    wide = diagram.facets.measures > 1e-12
    assert {tuple(p) for p in diagram.facets.sites[wide].tolist()} <= seen


@pytest.mark.parametrize("seed", range(3))
def test_cells_of_lattices_with_ties(seed):
    check_cells(PowerDiagram(lattice(4), rng(seed).integers(0, 3, 64) / 64))


def test_cells_of_empty_and_outer_sites():
    sites = np.vstack([lattice(2), lattice(2) * [-1, 1, 1], lattice(2)[:1]])
    diagram = PowerDiagram(sites)
    assert diagram.empty.tolist() == 8 * [False] + 9 * [True]
    assert len(diagram.cells[16]) == 0 and diagram.cells[16].vertices.shape == (0, 3)
    check_cells(diagram)
    assert all(label < 0 or label < 8 for cell in diagram.cells for label in cell.labels)


def octahedron():
    return UniformPolyhedron(np.vstack([np.eye(3), -np.eye(3)]))


def dodecahedron():
    g = (1 + 5**0.5) / 2
    corners = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    for a in (-1, 1):
        for b in (-1, 1):
            corners += [(0, a / g, b * g), (a / g, b * g, 0), (b * g, 0, a / g)]
    return UniformPolyhedron(corners)


@pytest.mark.parametrize("make", [octahedron, dodecahedron])
def test_polyhedra_as_domains(make):
    source = make()
    assert len(source.domain.planes) == {6: 8, 20: 12}[len(source.vertices)]
    assert source.volume == pytest.approx(ConvexHull(source.vertices).volume, rel=1e-14)
    sites = source.sample(150, 0)
    diagram = PowerDiagram(sites, 0.01 * rng(1).random(150), source)
    assert abs(diagram.masses.sum() - 1) < 1e-14
    check_cells(diagram)
    alone = PowerDiagram(sites[:1], None, source)
    assert alone.masses.tolist() == [pytest.approx(1, abs=1e-15)]
    np.testing.assert_allclose(alone.centroids[0], source.mean, atol=1e-15)
    second = np.trace(source.covariance) + np.sum((source.mean - sites[0]) ** 2)
    assert alone.costs[0] == pytest.approx(second, rel=1e-13)
    assert len(alone.cells[0].vertices) == len(source.vertices)


def test_a_box_and_its_corners_make_one_diagram():
    box = UniformBox([0.0, -1.0, 2.0], [1.0, 2.0, 2.5])
    solid = UniformPolyhedron(box.domain.vertices)
    sites = box.sample(100, 0)
    one, other = PowerDiagram(sites, None, box), PowerDiagram(sites, None, solid)
    np.testing.assert_allclose(one.masses, other.masses, rtol=1e-12)
    np.testing.assert_array_equal(one.facets.sites, other.facets.sites)


def test_derivatives():
    sites, weights = rng(2).random((40, 3)), 0.02 * rng(3).random(40)
    diagram = PowerDiagram(sites, weights)
    hessian = diagram.hessian().toarray()
    step = 1e-6
    for i in range(0, 40, 7):
        up, down = weights.copy(), weights.copy()
        up[i] += step
        down[i] -= step
        rate = (PowerDiagram(sites, up).masses - PowerDiagram(sites, down).masses) / (2 * step)
        np.testing.assert_allclose(rate, hessian[i] / 2, rtol=1e-6, atol=1e-7)
    # the dual value's derivative is the masses' excess
    targets = np.full(40, 1 / 40)
    up = weights + step * rng(4).standard_normal(40)
    difference = PowerDiagram(sites, up).kantorovich() - diagram.kantorovich()
    assert difference == pytest.approx((up - weights) @ (targets - diagram.masses), rel=1e-3)


def test_locate():
    sites, weights = rng(5).random((300, 3)), 0.01 * rng(6).random(300)
    diagram = PowerDiagram(sites, weights)
    for scale in (1.0, 10.0, 1e6, 1e50):
        points = scale * (rng(7).random((500, 3)) - 0.3)
        power = weights - np.sum(sites**2, axis=1) + 2 * (points @ sites.T)
        np.testing.assert_array_equal(diagram.locate(points), power.argmax(axis=1))
    assert diagram.locate(np.empty((0, 3))).shape == (0,)
    points = rng(8).random((20_000, 3))
    np.testing.assert_array_equal(
        diagram.locate(points, threads=1), diagram.locate(points, threads=3)
    )
    share = np.bincount(diagram.locate(points), minlength=300) / 20_000
    assert np.abs(share - diagram.masses).max() < 0.01


def test_locate_takes_the_lowest_index_of_ties():
    diagram = PowerDiagram(lattice(3))
    corners = np.array([[1 / 3, 1 / 3, 1 / 3], [0.0, 0.0, 1 / 3], [0.5, 0.5, 0.5], [-7, 0.5, 0.5]])
    lifted = Lifted(np.column_stack([lattice(3), np.zeros((27, 2))]))
    for point, label in zip(corners, diagram.locate(corners), strict=True):
        powers = [lifted.power(k, exact(point)) for k in range(27)]
        assert label == powers.index(min(powers))


def test_locate_far_points_with_the_sites_that_are_hidden_near_the_domain():
    sites = np.array([[0.5, 0.5, 0.5], [0.6, 0.5, 0.5]])
    diagram = PowerDiagram(sites, [100.0, 0.0])
    assert diagram.empty.tolist() == [False, True]
    # beyond x = 500.55 the second is nearer
    assert diagram.locate([[500.0, 0, 0], [501.0, 0, 0]]).tolist() == [0, 1]


def test_the_triangulation_is_the_lower_hull_of_the_lifted_sites():
    sites, weights = rng(9).random((400, 3)), 0.002 * rng(10).random(400)
    diagram = PowerDiagram(sites, weights)
    lifted = np.column_stack([sites, (sites**2).sum(axis=1) - weights])
    hull = ConvexHull(lifted - lifted.mean(axis=0))
    lower = {tuple(sorted(s)) for s in hull.simplices[hull.equations[:, 3] < 0].tolist()}
    assert {tuple(sorted(t)) for t in diagram.triangulation.tolist()} == lower
    p = sites[diagram.triangulation]
    assert (np.linalg.det(p[:, :3] - p[:, 3:]) > 0).all()


def test_coplanar_sites_have_no_triangulation():
    sites = np.column_stack([rng(11).random((30, 2)), np.full(30, 0.5)])
    assert PowerDiagram(sites).triangulation.shape == (0, 4)


def test_pickles():
    diagram = PowerDiagram(rng(12).random((30, 3)))
    again = pickle.loads(pickle.dumps(diagram))
    assert again == diagram
    assert again.cells == diagram.cells


def test_sums_are_exact_to_rounding():
    n = 3000
    diagram = PowerDiagram(0.5 + 0.05 * rng(13).standard_normal((n, 3)))
    assert abs(float(sum(map(Fraction, diagram.masses.tolist()))) - 1) < 1e-14
    barycentre = (diagram.masses[:, None] * diagram.centroids).sum(axis=0)
    np.testing.assert_allclose(barycentre, 0.5, atol=1e-14)


def test_what_is_refused():
    with pytest.raises(ValueError, match="sites must have 1, 2 or 3 columns"):
        PowerDiagram(rng(0).random((5, 4)))
    with pytest.raises(ValueError, match="UniformEllipsoid or UniformPolyhedron in space"):
        PowerDiagram(rng(0).random((5, 3)), None, geomot.Samples(rng(0).random((5, 3))))
    with pytest.raises(ValueError, match="vertices must not all lie in one plane"):
        UniformPolyhedron(np.column_stack([rng(0).random((5, 2)), np.zeros(5)]))
    with pytest.raises(ValueError, match="at least 4 different points"):
        UniformPolyhedron(np.zeros((7, 3)))
    with pytest.raises(ValueError, match="points must"):
        PowerDiagram(rng(0).random((5, 3))).locate([[0.0, 1.0]])
