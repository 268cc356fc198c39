"""Triangles of centroids: they fill the hull, and walks end in the right one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial import ConvexHull, Delaunay

import geomot
from geomot import BrenierMap, UniformBox
from geomot.extended.triangulation import Mesh, _any_inside, _side, dual_triangles


def rng(seed=0):
    return np.random.default_rng(seed)


def clusters(n, seed=0, d=2):
    """Two clusters in the unit box, far apart beside their spacing."""
    r = rng(seed)
    side = np.arange(n) % 2
    return 0.1 + 0.6 * side[:, None] + 0.2 * r.random((n, d)), side


def nowhere(x):
    """Cells of points, where the rule does not need them."""
    return np.zeros(len(x), dtype=np.int64)


def check_mesh(mesh):
    """Triangles lie side by side, turn the same way, and fill the hull."""
    a, b, c = np.moveaxis(mesh.points[mesh.triangles], 1, 0)
    u, v = b - a, c - a
    area = 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    assert (area > 0).all()
    assert area.sum() == pytest.approx(ConvexHull(mesh.points).volume, rel=1e-9)
    assert set(np.unique(mesh.triangles)) == set(range(len(mesh.points)))
    for k in range(3):
        t = np.flatnonzero(mesh.neighbours[:, k] >= 0)
        other = mesh.neighbours[t, k]
        shared = [
            len(set(p) & set(q))
            for p, q in zip(mesh.triangles[t].tolist(), mesh.triangles[other].tolist(), strict=True)
        ]
        assert shared == [2] * len(t)
        assert (mesh.neighbours[other] == t[:, None]).any(axis=1).all()


MESHES = {
    "uniform": lambda r: r.random((300, 2)),
    "few": lambda r: r.random((5, 2)),
    "clusters": lambda r: clusters(200)[0],
    "ring": lambda r: (
        0.5 + 0.4 * np.column_stack([np.cos(t := 2 * np.pi * r.random(200)), np.sin(t)])
    ),
    "outside": lambda r: 3.0 + r.random((100, 2)),
}


@pytest.mark.parametrize("name", MESHES)
def test_mesh_keeps_the_dual(name):
    brenier = BrenierMap().fit(MESHES[name](rng(5)))
    diagram = brenier.solution_.diagram()
    triangles = dual_triangles(diagram)
    mesh = Mesh(diagram.centroids, triangles)
    check_mesh(mesh)
    kept = set(map(tuple, np.sort(mesh.triangles, axis=1).tolist()))
    # the cells of the ring are wedges, between whose centroids triangles overlap
    assert (set(map(tuple, np.sort(triangles, axis=1).tolist())) <= kept) == (name != "ring")
    x = diagram.source.sample(3000, 1)
    triangle = mesh.locate(x, diagram.locate(x))
    lam = mesh.coordinates(x, triangle)
    inside = triangle >= 0
    assert (lam[inside] > -1e-9).all()
    np.testing.assert_array_equal(inside, Delaunay(diagram.centroids).find_simplex(x) >= 0)
    # from the wrong end of the mesh
    np.testing.assert_array_equal(mesh.locate(x, nowhere(x)) >= 0, inside)


def test_mesh_of_a_lattice():
    k = (np.arange(12) + 0.5) / 12
    sites = np.stack(np.meshgrid(k, k), axis=-1).reshape(-1, 2)
    diagram = BrenierMap().fit(sites).solution_.diagram()
    mesh = Mesh(diagram.centroids, dual_triangles(diagram))
    check_mesh(mesh)
    assert len(mesh.triangles) == 2 * 11 * 11


def test_mesh_of_cells_that_do_not_surround_anything():
    """Slabs of a long thin box meet nowhere: Delaunay's triangles are taken."""
    sites = rng(6).random((30, 2))
    source = UniformBox([0.0, 0.0], [50.0, 0.1])
    diagram = BrenierMap(source).fit(sites).solution_.diagram()
    mesh = Mesh(diagram.centroids, dual_triangles(diagram))
    check_mesh(mesh)


def test_mesh_with_triangles_that_overlap():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    mesh = Mesh(points, np.array([[0, 1, 2], [0, 1, 3]]))
    check_mesh(mesh)


def beyond(mesh, x, triangle):
    """How far x lies beyond an edge of a triangle, in rational arithmetic; 0 inside."""
    a, b, c = ([Fraction(v) for v in mesh.points[k].tolist()] for k in mesh.triangles[triangle])
    p = [Fraction(v) for v in x.tolist()]
    farthest = 0.0
    for u, v in ((a, b), (b, c), (c, a)):
        side = (v[0] - u[0]) * (p[1] - u[1]) - (v[1] - u[1]) * (p[0] - u[0])
        length = np.hypot(float(v[0] - u[0]), float(v[1] - u[1]))
        farthest = max(farthest, -float(side) / length)
    return farthest


def strip(n, r):
    return np.column_stack([np.arange(n) + 0.2 * r.random(n), r.random(n)])


def two_clusters(width, r):
    return np.concatenate([width * r.random((100, 2)), 1.0 + width * r.random((100, 2))])


def near_a_line(width, r):
    border = np.column_stack([np.sort(r.random(200)), width * r.standard_normal(200)])
    return np.concatenate([border, [[0.5, 1.0]]])


def lattice(width, r):
    ticks = np.arange(12.0)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    return points + width * r.standard_normal(points.shape)


DEGENERATE = {
    "strip": lambda r: strip(15_000, r),
    "flat strip": lambda r: strip(15_000, r) * [1e-4, 1e-8],
    "clusters 1e-6": lambda r: two_clusters(1e-6, r),
    "clusters 1e-9": lambda r: two_clusters(1e-9, r),
    "clusters 1e-14": lambda r: two_clusters(1e-14, r),
    "near a line 1e-9": lambda r: near_a_line(1e-9, r),
    "near a line 1e-15": lambda r: near_a_line(1e-15, r),
    "lattice": lambda r: lattice(0.0, r),
    "lattice 1e-14": lambda r: lattice(1e-14, r),
    "far lattice": lambda r: 1e8 + lattice(0.0, r),
    "many scales": lambda r: 10.0 ** r.uniform(-12.0, 0.0, (300, 2)),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_a_walk_ends_in_the_right_triangle(name):
    """From anywhere, also where it is long, and where rounding alone tells triangles apart."""
    r = rng(31)
    mesh = Mesh(DEGENERATE[name](r))
    used = mesh.points[np.unique(mesh.triangles)]
    np.testing.assert_array_equal(np.unique(used, axis=0), np.unique(mesh.points, axis=0))
    own = r.integers(len(mesh.triangles), size=300)
    inside = np.einsum("qk,qkd->qd", r.dirichlet(np.ones(3), 300), mesh.points[mesh.triangles[own]])
    extent = np.ptp(mesh.points, axis=0).max()
    for near in (nowhere(inside), r.integers(len(mesh.points), size=300)):
        found = mesh.locate(inside, near)
        lam = mesh.coordinates(inside[found >= 0], found[found >= 0])
        assert lam.min() >= 0.0
        np.testing.assert_allclose(lam.sum(axis=1), 1.0, rtol=1e-15)
        assert max(beyond(mesh, x, t) for x, t in zip(inside, found, strict=True) if t >= 0) == 0.0
        # what rounding has moved out of the hull
        ends, share = mesh.on_hull(inside[found < 0])
        a, b = np.moveaxis(mesh.points[ends], 1, 0)
        assert np.abs(a + share[:, None] * (b - a) - inside[found < 0]).max(initial=0.0) <= (
            4e-16 * max(extent, np.abs(inside).max())
        )


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_walk_that_runs_out_of_steps(monkeypatch, steps):
    """All triangles are looked at, and the answer is the same."""
    r = rng(32)
    mesh = Mesh(r.random((200, 2)))
    x = 1.4 * r.random((500, 2)) - 0.2
    expected = mesh.locate(x, nowhere(x))
    assert 0.3 < (expected < 0).mean() < 0.7
    monkeypatch.setattr("geomot.extended.walking.WALK_STEPS", steps)
    monkeypatch.setattr("geomot.extended.triangulation._PAIRS_AT_ONCE", 3000)
    np.testing.assert_array_equal(mesh.locate(x, nowhere(x)), expected)


def test_triangles_of_a_far_lattice_have_all_of_its_points():
    """Qhull's Delaunay triangulation of these 144 points has two triangles."""
    mesh = Mesh(1e8 + lattice(0.0, rng(0)))
    check_mesh(mesh)
    assert len(mesh.triangles) == 2 * 11 * 11


@pytest.mark.parametrize("sampled", [True, False])
def test_sources_without_a_border_have_triangles_too(sampled):
    sites = rng(21).standard_normal((300, 2)) @ np.array([[1.0, 0.4], [0.0, 0.3]])
    source = geomot.Gaussian([3.0, -1.0], [[2.0, 0.9], [0.9, 0.5]])
    how = {"method": "montecarlo", "tol": 0.03, "random_state": 0} if sampled else {}
    solution = geomot.solve(sites, source=source, **how)
    extended = geomot.ExtendedMap(solution, threshold=np.inf)
    assert extended.rule == "simplicial"
    # a centroid goes to its site
    held = ~np.isnan(solution.centroids[:, 0])
    np.testing.assert_allclose(extended.transform(solution.centroids[held]), sites[held], atol=1e-9)
    # the dual's triangles, not Delaunay's
    mesh = extended._rule.mesh
    other = Mesh(mesh.points)
    same = {frozenset(t) for t in mesh.triangles} & {frozenset(t) for t in other.triangles}
    assert len(same) < 0.9 * len(other.triangles)
    # samples are new, and as far from the sites as triangles are wide
    samples = extended.sample(1000, 0)
    apart = np.linalg.norm(samples[:, None] - sites, axis=2).min(axis=1)
    assert np.quantile(apart, 0.3) > 0.01
    # and nowhere does a small step make a jump
    x = source.sample(2000, np.random.default_rng(1))
    moved = extended.transform(x + 1e-7) - extended.transform(x)
    assert np.abs(moved).max() < 1e-4


@pytest.mark.parametrize("case", ["sites on a line", "source on a line"])
def test_no_triangles_on_lines(case):
    along = rng(22).standard_normal((200, 1))
    source = geomot.Gaussian(np.zeros(2), 1.0)
    sites = rng(23).random((20, 2))
    if case == "sites on a line":
        sites = np.linspace(0.0, 1.0, 20)[:, None] * [1.0, 2.0]
    else:
        source = geomot.Samples(np.hstack([along, -along]))
    solution = geomot.solve(sites, source=source, tol=0.1, random_state=0)
    extended = geomot.ExtendedMap(solution)
    assert extended.rule == "smoothed"
    assert np.isfinite(extended.sample(100, 0)).all()


def meets_inside(diagram, three):
    """Whether three cells meet in the unit square, in rational arithmetic."""
    (ix, iy), *others = ([Fraction(v) for v in diagram.sites[k].tolist()] for k in three)
    own, *weights = (sum(map(Fraction, diagram.weights_exact[k].tolist())) for k in three)
    (px, py), (qx, qy) = ((x - ix, y - iy) for x, y in others)
    f, g = (
        (x * x + y * y + own - w) / 2
        for (x, y), w in zip(((px, py), (qx, qy)), weights, strict=True)
    )
    area = px * qy - py * qx
    x, y = ix + (f * qy - g * py) / area, iy + (g * px - f * qx) / area
    return 0 <= x <= 1 and 0 <= y <= 1


def test_cells_that_meet_at_the_border():
    """Rounded, every third of these points was on the wrong side of it."""
    r = rng(41)
    kept = 0
    for _ in range(300):
        sites = r.integers(1, 20, (3, 2)) / 20
        meeting = np.array([1.0, r.integers(1, 20) / 20])[:: r.choice([1, -1])]
        weights = np.sum((sites - meeting) ** 2, axis=1)
        diagram = geomot.PowerDiagram(sites, weights, UniformBox([0.0, 0.0], [1.0, 1.0]))
        for three in diagram.triangulation:
            expected = meets_inside(diagram, three)
            kept += expected
            assert (len(dual_triangles(diagram)) == 1) == expected
    assert 50 < kept < 250


def test_cells_that_meet_beyond_the_border_by_rounding():
    sites = np.array([[17, 13], [10, 6], [6, 1]]) / 20
    weights = np.sum((sites - [1.0, 0.1]) ** 2, axis=1)
    diagram = geomot.PowerDiagram(sites, weights, UniformBox([0.0, 0.0], [1.0, 1.0]))
    assert len(diagram.triangulation) == 1
    assert not meets_inside(diagram, diagram.triangulation[0])
    assert len(dual_triangles(diagram)) == 0


def test_points_on_the_sides_of_a_triangle():
    r = rng(42)
    for _ in range(200):
        triangle = r.random((3, 2))
        point = triangle[0] + r.random() * (triangle[1] - triangle[0])
        a, b, c = ([Fraction(v) for v in p] for p in triangle.tolist())
        x = [Fraction(v) for v in point.tolist()]
        area, *sides = (
            (v[0] - u[0]) * (w[1] - u[1]) - (v[1] - u[1]) * (w[0] - u[0])
            for u, v, w in ((a, b, c), (a, b, x), (b, c, x), (c, a, x))
        )
        turned = triangle if area > 0 else triangle[::-1]
        inside = all(side * area >= 0 for side in sides)
        assert _any_inside(turned, point[None]) == inside
        side = _side(*(p[:, None] for p in (triangle[0], triangle[1], point)))[0]
        assert np.sign(side) == np.sign(sides[0])


def test_sides_of_tiny_triangles_have_signs():
    """The products of their sides underflow."""
    a, b = np.zeros((2, 1)), 2.0**-600 * np.array([[1.0], [0.0]])
    above = 2.0**-600 * np.array([[0.5], [1.0]])
    assert _side(a, b, above)[0] > 0.0 > _side(b, a, above)[0]
    assert _side(a, b, 0.5 * b)[0] == 0.0


SLITS = {
    "lattice 3": (3, 7, True),
    "lattice 152": (152, 8, False),
    "lattice 263": (263, 7, True),
}


@pytest.mark.parametrize("name", SLITS)
def test_a_mesh_has_no_slits(name):
    """Ears were cut so that a chain of points on a line was left, with edges on both sides."""
    seed, ticks, weighted = SLITS[name]
    r = rng(seed)
    n = int(r.integers(4, 200))
    sites = r.integers(0, 9, (n, 2)) / 8.0 if ticks == 8 else r.integers(0, 7, (n, 2)) / 7.0
    weights = None
    if weighted:
        r.random(n)
        weights = r.integers(0, 3, n) / 64.0
    box = UniformBox([0.0, 0.0], [1.0, 1.0])
    source = (
        box if seed % 2 else geomot.UniformPolygon.regular(int(r.integers(3, 9)), (0.5, 0.5), 0.6)
    )
    diagram = geomot.PowerDiagram(sites, weights, source)
    held = np.flatnonzero(~np.isnan(diagram.centroids[:, 0]))
    place = np.zeros(n, dtype=np.int64)
    place[held] = np.arange(len(held))
    triangles = dual_triangles(diagram)
    mesh = Mesh(diagram.centroids[held], place[triangles[np.isin(triangles, held).all(axis=1)]])
    assert mesh.kept
    check_mesh(mesh)
    # a border that is a single loop leaves no edge inside
    assert len(mesh.border) == len(np.unique(mesh.border[:, 0])) == len(np.unique(mesh.border))
