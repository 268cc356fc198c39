"""The extended map: its rules against direct formulas, continuity, singular sets, sampling."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.spatial import ConvexHull, Delaunay
from sklearn.exceptions import NotFittedError

import geomot
from geomot import BrenierMap, ExtendedMap, Gaussian, UniformBox
from geomot._core.select import largest
from geomot._search.k_nearest_cells import TopScores
from geomot.extended.rules import LineRule, SimplicialRule, SmoothedRule
from geomot.extended.separation import Spacing, angles
from geomot.extended.triangulation import Mesh, dual_triangles


def rng(seed=0):
    return np.random.default_rng(seed)


def clusters(n, seed=0, d=2):
    """Two clusters in the unit box, far apart beside their spacing."""
    r = rng(seed)
    side = np.arange(n) % 2
    return 0.1 + 0.6 * side[:, None] + 0.2 * r.random((n, d)), side


@pytest.fixture(scope="module")
def plane():
    return BrenierMap().fit(rng(1).random((200, 2)))


@pytest.fixture(scope="module")
def space():
    d = 6
    sites = rng(2).standard_normal((300, d)) + 2.0
    source = Gaussian(np.full(d, 2.0), 1.0)
    return BrenierMap(source, tv_tol=0.05, random_state=0, threads=1).fit(sites)


# ---- the largest entries ----


@pytest.mark.parametrize(("n", "k"), [(1, 1), (5, 5), (31, 3), (32, 32), (33, 1), (1000, 40)])
def test_largest_entries(n, k):
    r = rng(n)
    for table in (
        r.standard_normal((20, n), dtype=np.float32),
        r.integers(0, 4, (20, n)).astype(np.float32),  # many equals
        np.sort(r.standard_normal((3, n)).astype(np.float32), axis=1),
    ):
        index, value = largest(table, k)
        order = np.argsort(-table, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(index, order)
        np.testing.assert_array_equal(value, np.take_along_axis(table, order, axis=1))


@pytest.mark.parametrize("k", [0, 4])
def test_largest_entries_of_too_few(k):
    with pytest.raises(ValueError, match="k must lie between 1 and 3"):
        largest(np.zeros((2, 3), dtype=np.float32), k)


@pytest.mark.parametrize("d", [1, 3, 20])
def test_top_scores(d):
    r = rng(d)
    sites, weights = 50.0 + r.standard_normal((80, d)), 0.1 * r.standard_normal(80)
    points = 50.0 + 2.0 * r.standard_normal((100, d))
    top = TopScores(sites, weights)
    index, score = top(points, 7)
    exact = points @ sites.T + 0.5 * (weights - (sites**2).sum(axis=1))
    order = np.argsort(-exact, axis=1)[:, :7]
    assert np.mean(index == order) > 0.99
    wanted = np.take_along_axis(exact, index.astype(int), axis=1)
    np.testing.assert_allclose(score - score[:, :1], wanted - wanted[:, :1], atol=1e-4)
    again = top(points, 7, threads=3)
    np.testing.assert_array_equal(again[0], index)
    np.testing.assert_array_equal(again[1], score)


# ---- the rules ----


def nowhere(x):
    """Cells of points, where the rule does not need them."""
    return np.zeros(len(x), dtype=np.int64)


def test_line_rule_is_linear_interpolation():
    r = rng(3)
    centroids, sites = r.random(9), r.random(9)
    rule = LineRule(centroids[:, None], np.arange(9))
    x = np.concatenate([np.linspace(-1, 2, 301), centroids])
    found = rule(x[:, None], nowhere(x), 1)
    order = np.argsort(centroids)
    image = (found.weights * sites[found.sites]).sum(axis=1)
    np.testing.assert_allclose(image, np.interp(x, centroids[order], sites[order]), atol=1e-14)
    one = LineRule(np.array([[0.5]]), np.array([7]))(x[:, None], nowhere(x), 1)
    assert (one.sites[one.weights > 0] == 7).all()


def test_simplicial_rule(plane):
    diagram = plane.solution_.diagram()
    rule = SimplicialRule(diagram)
    c = diagram.centroids
    # inside it is the identity if the sites are the centroids; outside the nearest point
    x = 2.0 * rng(4).random((4000, 2)) - 0.5
    found = rule(x, diagram.locate(x), 1)
    assert (found.weights >= 0).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, rtol=1e-14)
    image = np.einsum("qk,qkd->qd", found.weights, c[found.sites])
    inside = Delaunay(c).find_simplex(x) >= 0
    assert 0.1 < inside.mean() < 0.4
    np.testing.assert_allclose(image[inside], x[inside], atol=1e-11)
    hull = c[ConvexHull(c).vertices]
    for point, nearest in zip(x[~inside][:300], image[~inside][:300], strict=True):
        # no corner is on the far side of the plane through the projection
        assert np.max((hull - nearest) @ (point - nearest)) <= 1e-11
    corners = rule(c, np.arange(len(c)), 1)
    best = corners.sites[np.arange(len(c)), corners.weights.argmax(axis=1)]
    np.testing.assert_array_equal(best, np.arange(len(c)))
    np.testing.assert_allclose(corners.weights.max(axis=1), 1.0, atol=1e-11)


# ---- the mesh ----


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
    monkeypatch.setattr("geomot.extended.triangulation._STEPS", steps)
    monkeypatch.setattr("geomot.extended.triangulation._PAIRS", 3000)
    np.testing.assert_array_equal(mesh.locate(x, nowhere(x)), expected)


def test_triangles_of_a_far_lattice_have_all_of_its_points():
    """Qhull's Delaunay triangulation of these 144 points has two triangles."""
    mesh = Mesh(1e8 + lattice(0.0, rng(0)))
    check_mesh(mesh)
    assert len(mesh.triangles) == 2 * 11 * 11


def test_sources_without_a_border_have_triangles_too():
    sites = rng(21).standard_normal((300, 2)) @ np.array([[1.0, 0.4], [0.0, 0.3]])
    source = geomot.Gaussian([3.0, -1.0], [[2.0, 0.9], [0.9, 0.5]])
    solution = geomot.solve(sites, source=source, tol=0.03, random_state=0)
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


def test_smoothed_rule_maximises(space):
    """Weights against a general solver for the concave problem that they are defined by."""
    s = space.solution_
    keep = np.arange(12)
    rule = SmoothedRule(s.sites[keep], s.weights[keep], s.centroids[keep], 1.3, 1)
    points = s.source.sample(8, 5)
    found = rule(points, nowhere(points), 1)
    scores = points @ s.sites[keep].T + s.heights[keep]

    def value(lam, score):
        return lam @ score - 0.5 * rule.widths @ lam**2

    for q, score in enumerate(scores):
        lam = np.zeros(12)
        np.add.at(lam, found.sites[q], found.weights[q])
        best = minimize(
            lambda a, score=score: -value(a, score),
            np.full(12, 1 / 12),
            bounds=[(0, 1)] * 12,
            constraints={"type": "eq", "fun": lambda a: a.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert value(lam, score) >= -best.fun - 1e-5
        assert lam.sum() == pytest.approx(1.0, abs=1e-12)


def test_smoothed_rule_needs_many_candidates():
    """Weights of more sites than are looked at first: all equal scores."""
    n = 100
    sites = np.eye(n)
    rule = SmoothedRule(sites, np.zeros(n), np.full((n, n), np.nan), 1.0, 1)
    found = rule(np.zeros((2, n)), nowhere(np.zeros(2)), 1)
    lam = np.zeros((2, n))
    np.put_along_axis(lam, found.sites, found.weights, axis=1)
    np.testing.assert_allclose(lam, 1 / n, rtol=1e-5)


def test_sites_are_the_images_of_their_centroids(space, plane):
    for brenier in (space, plane):
        s = brenier.solution_
        extended = brenier.extended(threshold=np.inf)
        held = np.flatnonzero(brenier.predict(s.centroids) == np.arange(len(s.sites)))
        assert len(held) > 0.9 * len(s.sites)
        apart = np.linalg.norm(extended.transform(s.centroids[held]) - s.sites[held], axis=1)
        # estimated depths below the usual are replaced
        assert np.mean(apart < 1e-3) > 0.98


# ---- continuity ----


@pytest.mark.parametrize("name", ["plane", "space"])
@pytest.mark.parametrize("threshold", [None, np.inf])
def test_increments_shrink_with_the_segments(name, threshold, request):
    brenier = request.getfixturevalue(name)
    extended = brenier.extended(threshold=threshold)
    x = brenier.solution_.source.sample(200, 1)
    y = x + 0.05 * rng(2).standard_normal(x.shape)
    t = np.linspace(0.0, 1.0, 257)[:, None, None]
    path = (1 - t) * x + t * y
    flat = path.reshape(-1, x.shape[1])
    singular = extended.is_singular(flat).reshape(path.shape[:2]).any(axis=0)
    assert singular.mean() < 0.95
    path = path[:, ~singular]
    images = extended.transform(path.reshape(-1, x.shape[1])).reshape(path.shape)
    lengths, increments = [], []
    for every in (64, 8, 1):
        moved = np.linalg.norm(np.diff(images[::every], axis=0), axis=2)
        increments.append(moved.max())
        lengths.append(np.linalg.norm(np.diff(path[::every], axis=0), axis=2))
    # the slope of a linear piece bounds the last, and they shrink all the way
    assert increments[2] < 0.3 * increments[1] < 0.15 * increments[0]


def test_the_smoothed_map_is_monotone(space):
    extended = space.extended(threshold=np.inf)
    x, y = (space.solution_.source.sample(2000, seed) for seed in (1, 2))
    inner = np.sum((extended.transform(x) - extended.transform(y)) * (x - y), axis=1)
    assert inner.min() > -1e-5


def test_mass_of_the_triangles(plane):
    """The source's mass of a triangle of centroids is what arrives in that of the sites."""
    extended = plane.extended(threshold=np.inf)
    rule = extended._rule
    x = plane.solution_.source.sample(50_000, 3)
    table = extended.weights(x)
    three = np.diff(table.indptr) == 3
    rows = np.sort(table.indices[np.repeat(three, np.diff(table.indptr))].reshape(-1, 3), axis=1)
    known = {tuple(t): k for k, t in enumerate(np.sort(rule.triangles, axis=1).tolist())}
    hits = np.bincount([known[tuple(row)] for row in rows.tolist()], minlength=len(known))
    a, b, c = np.moveaxis(rule.mesh.points[rule.mesh.triangles], 1, 0)
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    z = (hits - 50_000 * area) / np.sqrt(50_000 * area * (1 - area) + 1e-300)
    assert np.abs(z).max() < 5
    assert np.mean(np.abs(z) < 1.96) > 0.9


# ---- what lies too far apart ----


def test_two_clusters_do_not_mix():
    Y, side = clusters(120)
    extended = BrenierMap().fit(Y).extended()
    for singular in ("side", "discrete", "reject"):
        images = extended.sample(4000, 0, singular)
        low = (images < 0.31).all(axis=1)
        assert (low | (images > 0.69).all(axis=1)).all()
        # both clusters keep their mass, exactly where nothing is rejected
        if singular != "reject":
            assert stats.binomtest(int(low.sum()), 4000, 0.5).pvalue > 1e-3
    x = extended.solution.source.sample(4000, 1)
    table = extended.weights(x) @ np.eye(2)[side]
    np.testing.assert_allclose(table.max(axis=1), 1.0)
    rate, error = extended.rejection_rate(4000)
    assert rate == pytest.approx(np.mean(extended.is_singular(x)), abs=5 * error)
    everything = BrenierMap().fit(Y).extended(threshold=np.inf)
    assert not everything.is_singular(x).any()
    mixed = everything.transform(x)
    assert np.mean((mixed > 0.32).any(axis=1) & (mixed < 0.68).any(axis=1)) > 0.02


def test_two_clusters_in_many_dimensions_do_not_mix():
    Y, side = clusters(300, d=6)
    brenier = BrenierMap(UniformBox.unit(6), tv_tol=0.1, random_state=0, threads=1).fit(Y)
    extended = brenier.extended()
    images = extended.sample(3000, 0)
    low = (images < 0.31).all(axis=1)
    assert np.mean(low | (images > 0.69).all(axis=1)) > 0.999
    assert 0.0 < extended.rejection_rate(3000)[0] < 0.9


def test_one_cluster_is_hardly_cut():
    for seed in range(3):
        extended = BrenierMap().fit(rng(seed).random((400, 2))).extended()
        assert extended.rejection_rate(5000)[0] < 0.15


def test_images_stay_with_the_sites_of_their_cells(plane):
    extended = plane.extended(threshold=1.2)  # many points are singular
    x = plane.solution_.source.sample(20_000, 4)
    assert extended.is_singular(x).mean() > 0.3
    cell = plane.predict(x)
    table = extended.weights(x)
    rows = np.repeat(np.arange(len(x)), np.diff(table.indptr))
    first, second = cell[rows], table.indices
    ratio = extended._spacing.ratios(first, second)
    assert (ratio[first != second] <= 1.2).all()
    discrete = extended.transform(x, "discrete")
    singular = extended.is_singular(x)
    np.testing.assert_array_equal(discrete[singular], plane.transform(x)[singular])
    np.testing.assert_array_equal(discrete[~singular], extended.transform(x)[~singular])


def test_angle_threshold(plane):
    x = plane.solution_.source.sample(3000, 5)
    rates = [plane.extended(angle_threshold=t).is_singular(x).mean() for t in (0.02, 0.1, 3.0)]
    assert rates[0] > rates[1] > rates[2] == 0.0


def test_angles_are_those_of_the_normals():
    r = rng(6)
    a, b = r.standard_normal((50, 3)), r.standard_normal((50, 3))
    u, v = (np.column_stack([y, -np.ones(50)]) for y in (a, b))
    cosine = np.sum(u * v, axis=1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    np.testing.assert_allclose(angles(a, b), np.arccos(cosine), rtol=1e-10)
    tiny = angles(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-12]))
    assert tiny == pytest.approx(1e-12 * np.sqrt(2) / 6, rel=1e-3)


def test_spacing():
    sites = np.array([[0.0], [1.0], [2.0], [100.0], [101.0], [102.0], [102.0]])
    spacing = Spacing(sites, 1)
    distance = np.abs(sites - np.unique(sites).reshape(1, -1))
    np.testing.assert_allclose(spacing.local, np.sort(distance, axis=1)[:, 1:6].mean(axis=1))
    assert spacing.ratios(np.array([0]), np.array([1]))[0] < 1.0
    assert Spacing(np.zeros((1, 2)), 1).local.tolist() == [1.0]
    assert Spacing.fence(np.ones(10)) == pytest.approx(1.0)
    ratios = np.exp(rng(0).standard_normal(1000))
    assert np.mean(ratios > Spacing.fence(ratios)) < 0.03


# ---- sampling and edges ----


def test_samples_repeat_and_threads_change_nothing(space):
    first = space.extended(threads=1).sample(500, 7)
    np.testing.assert_array_equal(space.extended(threads=2).sample(500, 7), first)
    assert not np.array_equal(space.extended(threads=1).sample(500, 8), first)
    assert space.extended().sample(0).shape == (0, 6)


def test_line():
    sites = rng(0).random((30, 1))
    extended = BrenierMap().fit(sites).extended(threshold=np.inf)
    assert extended.rule == "line"
    x = np.linspace(0, 1, 101)[:, None]
    image = extended.transform(x)[:, 0]
    centroids = extended.solution.centroids[:, 0]
    order = np.argsort(centroids)
    np.testing.assert_allclose(image, np.interp(x[:, 0], centroids[order], sites[order, 0]))
    assert (np.diff(image) >= 0).all()


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_one_and_two_sites(n, d):
    sites = np.linspace(0.3, 0.7, n)[:, None] * np.ones(d)
    brenier = BrenierMap(tv_tol=0.1, random_state=0, threads=1).fit(sites)
    images = brenier.extended(threshold=np.inf).sample(50, 0)
    assert images.shape == (50, d)
    assert (images >= sites.min() - 1e-12).all() and (images <= sites.max() + 1e-12).all()


def test_collinear_sites_in_the_plane():
    sites = np.column_stack([np.linspace(0.1, 0.9, 9), np.full(9, 0.5)])
    extended = BrenierMap().fit(sites).extended()
    images = extended.sample(200, 0)
    np.testing.assert_allclose(images[:, 1], 0.5)
    assert len(np.unique(images[:, 0])) > 20


def test_cells_without_mass_and_coincident_sites():
    sites = np.concatenate([rng(0).random((20, 2)), rng(0).random((20, 2))[:5]])
    masses = np.r_[np.zeros(3), np.ones(22)] / 22
    brenier = BrenierMap().fit(sites, sample_weight=masses)
    images = brenier.extended().sample(1000, 0)
    assert np.isfinite(images).all()
    lonely = np.all(images == sites[2], axis=1)  # 0 and 1 are there twice, 2 to 4 too
    assert np.isfinite(lonely).all()


def test_bad_arguments(plane):
    s = plane.solution_
    with pytest.raises(TypeError, match="solution must be a Solution, got BrenierMap"):
        ExtendedMap(plane)
    with pytest.raises(ValueError, match="threshold and angle_threshold must not both"):
        ExtendedMap(s, threshold=2.0, angle_threshold=0.5)
    for name in ("threshold", "angle_threshold"):
        for bad in (0.0, -1.0, np.nan, "1", [1.0]):
            with pytest.raises(ValueError, match=f"{name} must be a positive number"):
                ExtendedMap(s, **{name: bad})
    with pytest.raises((TypeError, ValueError), match="smoothing"):
        ExtendedMap(s, smoothing=0.0)
    extended = plane.extended()
    with pytest.raises(ValueError, match="singular must be one of"):
        extended.sample(3, singular="nothing")
    with pytest.raises(ValueError, match="singular must be one of"):
        extended.transform([[0.5, 0.5]], singular="reject")
    with pytest.raises(ValueError, match="X must have shape"):
        extended.transform([[0.5, 0.5, 0.5]])
    with pytest.raises(ValueError, match="X must be finite"):
        extended.is_singular([[0.5, np.nan]])
    with pytest.raises(NotFittedError):
        BrenierMap().extended()


def test_nothing_is_left_after_rejection(monkeypatch):
    monkeypatch.setattr("geomot.extended.map._ROUNDS", 1)
    brenier = BrenierMap().fit(rng(0).random((50, 2)))
    extended = brenier.extended(threshold=1e-6)
    with pytest.raises(ValueError, match="reject"):
        extended.sample(10, 0, "reject")
    images = extended.sample(10, 0)
    np.testing.assert_array_equal(np.sort(images), np.sort(brenier.sample(10, 0)))
