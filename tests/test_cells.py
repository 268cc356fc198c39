"""Reliability cases 1 to 24, 72 and 77: power cells with known or exactly computed answers."""

from __future__ import annotations

import itertools
from math import fsum

import numpy as np
import pytest
from checks import build, compare, solve
from effort import growth
from oracles import UNIT_SQUARE, ExactDiagram, polygon_moments
from scipy.spatial import ConvexHull

import geomot

rng = np.random.default_rng
SQ = UNIT_SQUARE
pytestmark = pytest.mark.usefixtures("silent")


def areas(diagram):
    return diagram.masses * diagram.source.area


@pytest.mark.parametrize("site", [(0.3, 0.6), (1e6, -1e6)])
def test_case_01_one_site(site):
    d = build([site], [123.0], SQ)
    assert d.masses[0] == 1.0
    assert areas(d)[0] == 1.0
    np.testing.assert_allclose(d.centroids[0], (0.5, 0.5), rtol=0, atol=1e-15)
    area, _, second = polygon_moments(d.cells[0])
    assert area == 1.0
    assert abs(second - 2 / 3) <= 1e-15
    x, y = site
    cost = 1 / 6 + (x - 0.5) ** 2 + (y - 0.5) ** 2
    assert abs(d.costs[0] - cost) <= 1e-15 * max(1.0, cost)
    assert len(d.facets.measures) == 0


@pytest.mark.parametrize("n", [16, 64, 100, 180, 200, 256])
def test_case_02_square_lattices(n):
    i, j = np.divmod(np.arange(n * n), n)
    d = build(np.column_stack([(i + 0.5) / n, (j + 0.5) / n]), np.zeros(n * n), SQ)
    np.testing.assert_allclose(areas(d), 1 / n**2, rtol=1e-12)
    assert abs(fsum(d.masses) - 1) <= 1e-14
    long = d.facets.measures > 1e-9 / n
    degree = np.bincount(d.facets.sites[long].ravel(), minlength=n * n)
    interior = (i > 0) & (i < n - 1) & (j > 0) & (j < n - 1)
    assert (degree[interior] == 4).all()
    assert (d.facets.measures[long] > 0.9 / n).all()


@pytest.mark.parametrize(
    ("c", "area"),
    [
        (0, 1),
        (-0.5, 0.25),
        (-1 + 2**-20, 2.0**-40),
        (-1 + 2**-40, 2.0**-80),
        (-1, 0),
        (-1 - 2**-40, 0),
    ],
)
def test_case_04_vanishing_hub(c, area):
    sites = [(1, 0), (0, 1), (-1, 0), (0, -1), (0, 0)]
    d = build(sites, [0, 0, 0, 0, c], 2 * (2 * SQ - 1))
    assert bool(d.empty[4]) == (area == 0)
    np.testing.assert_allclose(areas(d)[4], area, rtol=1e-12, atol=0)
    np.testing.assert_allclose(fsum(areas(d)), 16, rtol=1e-12)


@pytest.mark.parametrize("e", [10, 30, 50, None])
def test_case_05_vanishing_strip(e):
    width = 0.0 if e is None else 2.0**-e
    d = build([(0.25, 0.5), (0.5, 0.5), (0.75, 0.5)], [0, -1 / 16 + width, 0], SQ)
    assert bool(d.empty[1]) == (e is None)
    np.testing.assert_allclose(areas(d)[1], 4 * width, rtol=1e-6 if e == 50 else 1e-12, atol=0)


def _check_lattice(seed):
    r = rng(seed)
    sites, weights = r.integers(0, 10, (200, 2)), r.integers(0, 10, 200)
    polygon = 11 * SQ - 1
    d = build(sites, weights, polygon)
    exact = ExactDiagram(sites, weights, polygon)
    assert exact.zeros >= 1
    # Which of equal duplicates owns the cell is documented: the lowest index.
    compare(d, exact)
    np.testing.assert_array_equal(
        exact.by_location(d.masses) > 0, exact.by_location(exact.masses) > 0
    )
    return d


def test_case_06_integer_lattice_with_ties():
    d = _check_lattice(42)
    assert np.count_nonzero(~d.empty) == 49
    np.testing.assert_allclose(fsum(areas(d)), 121, rtol=1e-12)


@pytest.mark.parametrize("decade", range(10))
def test_case_06_more_lattices(decade):
    for seed in range(10 * decade, 10 * decade + 10):
        _check_lattice(seed)


def _one_takes_all(n):
    weights = np.zeros(n)
    weights[0] = 10
    d = geomot.PowerDiagram(rng(0).random((n, 2)), weights, SQ)
    assert d.masses[0] == 1.0
    assert not d.masses[1:].any() and d.empty[1:].all()
    assert len(d.facets.measures) == 0 and len(d.facets.sites) == 0


def test_case_08_one_takes_all():
    _one_takes_all(2000)


@pytest.mark.slow
def test_case_08_one_takes_all_of_a_million():
    _one_takes_all(10**6)


@pytest.mark.parametrize("c", [2.0**-10, 1.0, 2.0**10, 2.0**20])
def test_case_09_constant_shift(c):
    sites = rng(21).integers(0, 2**20, (300, 2)) / 2**20
    weights = rng(22).integers(0, 2**10, 300) / 2**20
    assert ((weights + c) - c == weights).all()
    one, two = build(sites, weights, SQ), build(sites, weights + c, SQ)
    np.testing.assert_array_equal(one.empty, two.empty)
    np.testing.assert_allclose(two.masses, one.masses, rtol=1e-12, atol=0)
    np.testing.assert_array_equal(one.facets.sites, two.facets.sites)
    first = solve(sites, initial_weights=weights)
    second = solve(sites, initial_weights=weights + c)
    assert first.n_iter == second.n_iter


def test_case_10_permutation():
    sites, weights = rng(0).random((500, 2)), 0.01 * rng(1).random(500)
    p = rng(2).permutation(500)
    one, two = build(sites, weights, SQ), build(sites[p], weights[p], SQ)
    np.testing.assert_allclose(two.masses, one.masses[p], rtol=1e-13, atol=0)
    edges = {tuple(sorted(pair)) for pair in p[two.facets.sites].tolist()}
    assert edges == set(map(tuple, one.facets.sites.tolist()))


@pytest.mark.parametrize(
    ("offset", "side"),
    [((1e8, 1e8), 1.0), ((1e6, -3e7), 1.0), ((1e12, 1e12), 2.0**10)],
)
def test_case_12_offset(offset, side):
    sites = side * rng(0).random((60, 2)) + offset
    polygon = side * SQ + offset
    d = build(sites, np.zeros(60), polygon)
    exact = ExactDiagram(sites, None, polygon)
    compare(d, exact)
    np.testing.assert_allclose(fsum(areas(d)), side**2, rtol=1e-12)


def test_case_14_ulp_family():
    polygon = 30 * SQ
    orders = list(itertools.permutations(range(4)))
    for i, j in itertools.product(range(16), repeat=2):
        sites = np.array([(0.5 + i * 2.0**-53, 0.5 + j * 2.0**-53), (12, 12), (24, 24), (12, 13)])
        exact = ExactDiagram(sites, None, polygon)
        first = build(sites, np.zeros(4), polygon)
        assert np.abs(areas(first) - exact.areas).max() <= 1e-9
        assert abs(fsum(areas(first)) - 900) <= 900e-12
        compare(first, exact)
        found = set(map(tuple, first.facets.sites.tolist()))
        for order in map(list, orders):
            d = geomot.PowerDiagram(sites[order], np.zeros(4), polygon)
            np.testing.assert_allclose(d.masses, first.masses[order], rtol=1e-13, atol=0)
            edges = {tuple(sorted(order[k] for k in pair)) for pair in d.facets.sites.tolist()}
            assert edges == found


def test_case_16_duplicates():
    sites = rng(0).random((300, 2))
    sites = np.concatenate([sites, sites[:20]])
    d = build(sites, np.zeros(320), SQ)
    assert abs(fsum(d.masses) - 1) <= 1e-12
    assert not d.empty[:300].any() and d.empty[300:].all(), "the lowest index owns the cell"
    compare(d, ExactDiagram(sites))
    weights = np.zeros(320)
    weights[300:] = 1e-3
    d = build(sites, weights, SQ)
    assert d.empty[:20].all()
    compare(d, ExactDiagram(sites, weights))


@pytest.mark.parametrize("k", [10, 20, 30, 40, 50])
def test_case_17_near_duplicates(k):
    sites = rng(9).integers(0, 2**20, (20, 2)) / 2**20
    sites[1] = sites[0] + (2.0**-k, 0)
    d = build(sites, np.zeros(20), SQ)
    compare(d, ExactDiagram(sites))
    if k == 50:
        expected = [0.010445610811540619, 0.0249092373417825]
        np.testing.assert_allclose(areas(d)[:2], expected, rtol=1e-12)


def test_case_18_sites_outside():
    sites = [(10.25, 0.5), (10.75, 0.5)]
    assert build(sites, [0, 0], SQ).masses.tolist() == [1.0, 0.0]
    np.testing.assert_allclose(build(sites, [5, 15], SQ).masses, 0.5, rtol=1e-15)
    far = [(1e6 + 0.25, 0.5), (1e6 + 0.75, 0.5)]
    np.testing.assert_allclose(build(far, [0, 1e6], SQ).masses, 0.5, rtol=0, atol=1e-9)


def _spellings():
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    yield "clockwise", corners[::-1]
    yield "closed", [*corners, corners[0]]
    yield "clockwise and closed", [*corners, corners[0]][::-1]
    yield "repeated vertex", [corners[0], corners[0], *corners[1:], corners[3]]
    yield "collinear vertices", [(0, 0), (0.25, 0), (0.5, 0), (1, 0), (1, 1), (0, 1)]
    yield "collinear at the ends", [(0.5, 0), (1, 0), (1, 1), (0, 1), (0, 0), (0.25, 0)]
    for k in range(4):
        yield f"from vertex {k}", corners[k:] + corners[:k]
    yield "integers", np.array(corners)
    yield "floats", np.array(corners, dtype=float)
    yield "nested lists", [list(c) for c in corners]


@pytest.mark.parametrize(("name", "vertices"), list(_spellings()))
def test_case_19_domain_spelling(name, vertices):
    sites = rng(0).random((100, 2))
    clean = build(sites, None, geomot.UniformPolygon(SQ))
    for source in (vertices, geomot.UniformPolygon(vertices)):
        d = build(sites, None, source)
        np.testing.assert_allclose(d.masses, clean.masses, rtol=1e-14, atol=0)
        assert d.source.area == 1.0


def test_case_20_l_shape_is_refused():
    vertices = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
    sites = [(0.5, 0.5), (1.5, 0.5), (0.5, 1.5)]
    for make in (
        lambda: geomot.UniformPolygon(vertices),
        lambda: geomot.PowerDiagram(sites, None, vertices),
        lambda: geomot.solve(sites, None, vertices),
    ):
        with pytest.raises(ValueError, match=r"(?s)(vertices|source).*convex"):
            make()


@pytest.mark.parametrize(
    "vertices",
    [
        [(0, 0), (1, 0)],
        [(0, 0), (1, 0), (1, 0)],
        [(0, 0), (1, 1), (2, 2), (3, 3)],
        [(0, 0), (1, 1), (1, 0), (0, 1)],
        [(0, 0), (1, 0), (np.nan, 1)],
        [(0, 0), (1, 0), (np.inf, 1)],
        np.zeros((4, 3)),
        np.zeros((0, 2)),
        [],
    ],
    ids=["two", "zero area", "collinear", "bow-tie", "nan", "inf", "(4, 3)", "(0, 2)", "empty"],
)
def test_case_22_invalid_domains(vertices):
    for make in (
        lambda: geomot.UniformPolygon(vertices),
        lambda: geomot.PowerDiagram([(0.3, 0.6)], None, vertices),
        lambda: geomot.solve([(0.3, 0.6)], None, vertices),
    ):
        with pytest.raises(ValueError, match="vertices|source"):
            make()


def test_case_23_tiling():
    shapely = pytest.importorskip("shapely")
    sites, weights = rng(31).random((400, 2)), 0.005 * rng(32).random(400)
    d = build(sites, weights, SQ)
    alive = np.flatnonzero(~d.empty)
    polygons = [shapely.Polygon(d.cells[i]) for i in alive]
    assert all(p.is_valid and p.exterior.is_ccw for p in polygons)
    for i, p in zip(alive, polygons, strict=True):
        assert abs(p.area - areas(d)[i]) <= 1e-12
        assert abs(p.convex_hull.area - p.area) <= 1e-15
        assert p.contains(shapely.Point(d.centroids[i]))
    assert abs(shapely.union_all(polygons).area - 1) <= 1e-12
    first, second = shapely.STRtree(polygons).query(polygons)
    for a, b in zip(first, second, strict=True):
        if a < b:
            assert polygons[a].intersection(polygons[b]).area <= 1e-13


def test_case_24_lift_duality():
    n = 1000
    sites, weights = rng(33).random((n, 2)) - 0.5, 0.002 * rng(34).random(n)
    half = 5e5
    d = build(sites, weights, half * (2 * SQ - 1))
    lifted = np.column_stack([sites, (sites**2).sum(axis=1) - weights])
    hull = ConvexHull(lifted - lifted.mean(axis=0))
    lower = hull.simplices[hull.equations[:, 2] < 0]
    normals = hull.equations[hull.equations[:, 2] < 0]

    # Corners of the planar hull that are nearly straight may own nothing inside the domain.
    ring = ConvexHull(sites).vertices
    before, after = np.roll(ring, 1), np.roll(ring, -1)
    u, v = sites[ring] - sites[before], sites[after] - sites[ring]
    turn = np.arctan2(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], (u * v).sum(axis=1))
    ignored = set(ring[turn < 1e-5].tolist())
    expected = set(lower.ravel().tolist())
    assert len(expected) > 300
    assert expected - ignored == set(np.flatnonzero(~d.empty).tolist()) - ignored

    # The regular triangulation is the lower hull.
    triangles = {tuple(sorted(t)) for t in d.triangulation.tolist()}
    assert triangles == {tuple(sorted(t)) for t in lower.tolist()}

    # Edges: a facet inside the domain is an edge of two lower triangles whose dual vertices,
    # half the gradient of their planes, lie inside.
    dual = -normals[:, :2] / (2 * normals[:, 2:3])
    inside = (np.abs(dual + 0) < 0.9 * half).all(axis=1)
    owners = {}
    for t, triangle in enumerate(lower.tolist()):
        for pair in itertools.combinations(sorted(triangle), 2):
            owners.setdefault(pair, []).append(t)
    finite = {p for p, t in owners.items() if len(t) == 2 and inside[t].all()}
    facets = set(map(tuple, d.facets.sites.tolist()))
    assert finite - facets == set()
    assert facets - set(owners) == set()


@pytest.mark.parametrize("k", [-100, -30, 30, 100])
def test_scaling_by_a_power_of_two(k):
    sites = np.concatenate([rng(0).random((200, 2)), rng(1).integers(0, 8, (100, 2)) / 8])
    weights = np.column_stack([0.01 * rng(2).random(300), 1e-19 * rng(3).random(300)])
    s = 2.0**k
    one = build(sites, weights, SQ)
    two = build(s * sites, s * s * weights, s * SQ)
    for name, factor in (("masses", 1.0), ("empty", 1), ("centroids", s), ("costs", s * s)):
        value = getattr(one, name)
        np.testing.assert_array_equal(getattr(two, name), value * factor if factor != 1 else value)
    np.testing.assert_array_equal(two.facets.sites, one.facets.sites)
    np.testing.assert_array_equal(two.facets.measures, one.facets.measures / s)
    np.testing.assert_array_equal(two.cells.vertices, s * one.cells.vertices)
    np.testing.assert_array_equal(two.cells.labels, one.cells.labels)
    np.testing.assert_array_equal(two.cells.indices, one.cells.indices)
    np.testing.assert_array_equal(two.vertices, s * one.vertices)
    np.testing.assert_array_equal(two.triangulation, one.triangulation)
    np.testing.assert_array_equal(two.hessian().data, one.hessian().data / (s * s))
    points = rng(4).random((100, 2))
    np.testing.assert_array_equal(two.locate(s * points), one.locate(points))


@pytest.mark.parametrize("n", [300, 30000])
def test_threads_change_no_bit(n):
    sites = np.concatenate([rng(0).random((n, 2)), rng(1).integers(0, 64, (n // 3, 2)) / 64])
    weights = 0.3 / n * rng(2).random(len(sites))
    points = rng(3).random((1000, 2))
    one = geomot.PowerDiagram(sites, weights, SQ, threads=1)
    for threads in (1, 2, 8, None):
        two = geomot.PowerDiagram(sites, weights, SQ, threads=threads)
        for name in ("masses", "centroids", "costs", "empty", "triangulation"):
            assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name
        assert one.facets.sites.tobytes() == two.facets.sites.tobytes()
        assert one.facets.measures.tobytes() == two.facets.measures.tobytes()
        assert one.cells.vertices.tobytes() == two.cells.vertices.tobytes()
        assert one.cells.indices.tobytes() == two.cells.indices.tobytes()
        np.testing.assert_array_equal(one.locate(points), two.locate(points))


@pytest.mark.parametrize(
    "shape", ["identical x", "identical y", "diagonal", "sorted", "lattice row"]
)
def test_many_sites_on_a_line(shape):
    n = 10**4
    t = np.sort(rng(0).random(n))
    sites = {
        "identical x": np.column_stack([np.full(n, 0.5), t]),
        "identical y": np.column_stack([t, np.full(n, 0.3)]),
        "diagonal": np.column_stack([t, t]),
        "sorted": np.column_stack([t, rng(1).random(n)]),
        "lattice row": np.column_stack([(np.arange(n) + 0.5) / n, np.full(n, 0.5)]),
    }[shape]
    d = build(sites, None, SQ)
    assert not d.empty.any()
    if shape.startswith("identical"):
        border = np.concatenate([[0], (t[1:] + t[:-1]) / 2, [1]])
        # The border is rounded to a place of its own; the strips are as thin as 1e-9.
        np.testing.assert_allclose(d.masses, np.diff(border), rtol=0, atol=3e-16)
    if shape == "lattice row":
        np.testing.assert_allclose(d.masses, 1 / n, rtol=1e-11)
    if shape != "sorted":
        assert len(d.facets.measures) == n - 1
        assert len(d.triangulation) == 0
    # The same backwards and shuffled: nothing depends on the order of insertion.
    p = rng(5).permutation(n)
    np.testing.assert_allclose(build(sites[p], None, SQ).masses, d.masses[p], rtol=1e-13)


# ---- case 72: facets and corners ----


def _turned(points, degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.asarray(points, dtype=float) @ np.array([(c, s), (-s, c)])


def _padded(points, pad):
    """The bounding box, larger by `pad` on every side."""
    lower, upper = points.min(axis=0) - pad, points.max(axis=0) + pad
    return lower + (upper - lower) * SQ


def _square_grid(n):
    return np.array([(i, j) for i in range(n) for j in range(n)], dtype=float)


def _hexagons(n):
    return np.array([(i + 0.5 * (j % 2), j * np.sqrt(0.75)) for i in range(n) for j in range(n)])


def _circle(n, start=0.0):
    angle = start + 2 * np.pi * np.arange(n) / n
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _nearly_degenerate():
    """Names, sites, weights and domains where many cells meet in almost the same point."""
    r = rng(72)
    for degrees in range(0, 90, 15):
        for pad in (1.0, -0.3):
            for name, sites in (("grid", _square_grid(5)), ("hexagons", _hexagons(5))):
                sites = _turned(sites, degrees)
                yield f"{name} {degrees} {pad}", sites, None, _padded(sites, pad)
        sites = _turned(_square_grid(6), degrees) + r.random(2)
        for name, weights in (
            ("integers", r.integers(0, 3, 36) / 4),
            ("shrunk", 0.6 * ((sites - 5 * r.random(2)) ** 2).sum(axis=1)),
        ):
            yield f"tilted, weights {name} {degrees}", sites, weights, _padded(sites, 1.0)
    for n in (5, 12, 30, 60):
        sites = r.random() * _circle(n, r.random()) + r.random(2)
        yield f"cocircular {n}", sites, None, _padded(sites, 1.0)
        sites = np.vstack([sites, sites.mean(axis=0)])
        weights = np.append(np.zeros(n), 0.2 * r.standard_normal())
        yield f"cocircular {n} and hub", sites, weights, _padded(sites, 1.0)
    for e in range(1, 13):
        at, size = r.random(2), 10.0**-e
        cluster = at + size * r.random((25, 2))
        yield f"cluster {e}", cluster, None, SQ
        yield f"cluster {e} and others", np.vstack([cluster, r.random((8, 2))]), None, SQ
        grid = at + size * _turned(_square_grid(4), 20)
        yield f"tiny grid {e}", grid, None, SQ
        yield f"tiny grid {e} alone", grid, None, _padded(grid, size)
        grid = 10.0**e * r.random(2) + _turned(_square_grid(4), 20)
        yield f"far grid {e}", grid, None, _padded(grid, 0.2)


NEARLY_DEGENERATE = list(_nearly_degenerate())


def test_case_72_facets_as_short_as_rounding_are_listed():
    sites = _turned(_square_grid(4), 15)
    d = build(sites, None, _padded(sites, 1.0))
    found = dict(zip(map(tuple, d.facets.sites.tolist()), d.facets.measures, strict=True))
    # lengths of about 1e-16 that the rounded sites do have
    exact = ExactDiagram(sites, None, d.source.polygon).facets
    for pair in ((2, 7), (9, 14), (11, 14)):
        assert found[pair] * d.source.area == pytest.approx(exact[pair], rel=1e-9)
        assert 0 < exact[pair] < 1e-15


@pytest.mark.parametrize(
    ("sites", "weights", "polygon"),
    [case[1:] for case in NEARLY_DEGENERATE],
    ids=[case[0] for case in NEARLY_DEGENERATE],
)
def test_case_72_facets_are_those_of_the_oracle(sites, weights, polygon):
    d = build(sites, weights, polygon)
    exact = ExactDiagram(sites, weights, polygon)
    compare(d, exact)
    pairs = list(map(tuple, d.facets.sites.tolist()))
    assert set(pairs) == set(exact.facets)
    lengths = [exact.facets[pair] for pair in pairs]
    np.testing.assert_allclose(d.facets.measures * exact.area, lengths, rtol=1e-9)


def _check_coverage(d):
    shapely = pytest.importorskip("shapely", minversion="2.1")
    polygons = [shapely.Polygon(cell) for cell in d.cells if len(cell)]
    assert shapely.is_valid(polygons).all()
    assert shapely.coverage_is_valid(polygons)
    union = shapely.union_all(polygons)
    assert union.geom_type == "Polygon" and not union.interiors
    rounding = 4 * np.finfo(float).eps * np.abs(d.source.polygon).max()
    domain = shapely.Polygon(d.source.polygon)
    assert abs(union.area - domain.area) <= rounding * domain.length
    # the domain's corners are copied, not computed
    corners = set(map(tuple, d.vertices.tolist()))
    assert set(map(tuple, d.source.polygon.tolist())) <= corners


@pytest.mark.parametrize(
    ("sites", "weights", "polygon"),
    [case[1:] for case in NEARLY_DEGENERATE],
    ids=[case[0] for case in NEARLY_DEGENERATE],
)
def test_case_72_cells_cover_the_domain(sites, weights, polygon):
    _check_coverage(build(sites, weights, polygon))


@pytest.mark.parametrize("n", [2, 3, 100, 10000])
def test_case_72_random_cells_cover_the_domain(n):
    _check_coverage(build(rng(n).random((n, 2)), 0.3 / n * rng(1).random(n), SQ))


@pytest.mark.parametrize("n", [300, 1500])
def test_case_72_edges_that_rounding_crosses_are_contracted(n):
    # Corners around the centre lie within some thousand ulps, seen under angles of .1 to 1 degree.
    for seed in range(2):
        sites = rng(seed).random() * _circle(n, rng(seed).random()) + rng(seed).random(2)
        _check_coverage(build(sites, None, _padded(sites, 1.0)))


def test_case_72_tilted_grids_cover_the_domain():
    for degrees in (1, 10, 15, 22.5, 33):
        sites = _turned(_square_grid(40), degrees) / 40
        _check_coverage(build(sites, None, _padded(sites, 0.1)))


def test_case_72_a_corner_is_spelled_once():
    d = build([[0.3, 0.3], [0.8, 0.1], [0.6, 0.7]], None, SQ)
    inner = [c[~((c == 0) | (c == 1)).any(axis=1)] for c in d.cells]
    assert [len(c) for c in inner] == [1, 1, 1]
    assert inner[0].tobytes() == inner[1].tobytes() == inner[2].tobytes()
    # the power distances of (161/260, 97/260) are equal: the doubles next to it
    np.testing.assert_allclose(inner[0][0], [161 / 260, 97 / 260], rtol=2e-16)
    assert len(d.vertices) == 8


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e8])
def test_case_72_corners_are_correctly_rounded(offset):
    sites, weights = rng(0).random((60, 2)) + offset, 0.01 * rng(1).random(60)
    polygon = SQ + offset
    d, exact = build(sites, weights, polygon), ExactDiagram(sites, weights, polygon)
    for i in np.flatnonzero(~exact.empty):
        # the oracle divides integers: correctly rounded
        assert set(map(tuple, d.cells[i].tolist())) == set(map(tuple, exact.cell(i).tolist()))


def test_case_72_no_corner_lies_on_an_edge():
    d = build(rng(5).random((50, 2)), 0.01 * rng(6).random(50), SQ)
    checked = 0
    for i, cell in enumerate(d.cells):
        mine = d.cells.indices[d.cells.offsets[i] : d.cells.offsets[i + 1]]
        for p, q in zip(cell, np.roll(cell, -1, axis=0), strict=True):
            across = (q - p)[0] * (d.vertices - p)[:, 1] - (q - p)[1] * (d.vertices - p)[:, 0]
            along = (d.vertices - p) @ (q - p) / ((q - p) @ (q - p))
            on = (np.abs(across) < 1e-12) & (along > -1e-9) & (along < 1 + 1e-9)
            assert set(np.flatnonzero(on)) <= set(mine)
            checked += on.sum()
    assert checked >= 2 * len(d.cells.vertices)


def test_case_72_corners_that_round_to_one_point_are_one():
    # the strip is thinner than the spacing of doubles at 1/2
    width = 2.0**-60
    d = build([(0.25, 0.5), (0.5, 0.5), (0.75, 0.5)], [[0, 0], [-1 / 16, width], [0, 0]], SQ)
    assert areas(d)[1] == pytest.approx(4 * width, rel=1e-9)
    assert [len(cell) for cell in d.cells] == [4, 0, 4]
    assert len(d.vertices) == 6
    assert d.facets.sites.tolist() == [[0, 1], [1, 2]]
    _check_coverage(d)


@pytest.mark.parametrize("degrees", [10, 15, 33])
def test_case_72_every_cell_is_a_domain(degrees):
    sites = _turned(_square_grid(40), degrees) / 40
    d = build(sites, None, _padded(sites, 0.1))
    place = np.finfo(float).eps * np.abs(d.source.polygon).max()
    for i, cell in enumerate(d.cells):
        domain = geomot.UniformPolygon(cell)
        assert abs(domain.area - areas(d)[i]) <= 8 * place * np.ptp(cell)
    inside = build(rng(0).random((20, 2)), None, geomot.UniformPolygon(d.cells[820]))
    assert abs(fsum(inside.masses) - 1) <= 1e-14


@pytest.mark.parametrize(
    ("sites", "weights", "polygon"),
    [case[1:] for case in NEARLY_DEGENERATE[::3]],
    ids=[case[0] for case in NEARLY_DEGENERATE[::3]],
)
def test_case_72_cells_of_degenerate_diagrams_are_domains(sites, weights, polygon):
    d = build(sites, weights, polygon)
    for i in np.flatnonzero(~d.empty):
        build(sites, weights, geomot.UniformPolygon(d.cells[i]))


# ---- case 77: hubs ----


def _hub(n, weight=0.05):
    """A disk of radius about .38 in the unit square, with n neighbours, and its diagram."""
    sites = np.vstack([0.5 + 0.3 * _circle(n), [(0.5, 0.5)]])
    return sites, geomot.PowerDiagram(sites, np.append(np.zeros(n), weight), SQ)


def test_case_77_a_hub_costs_linear_time():
    points = rng(0).random((40000, 2))

    def look(n):
        _, d = _hub(n)
        assert len(d.facets) == 2 * n
        assert len(d.cells[n]) == n
        return d, d.locate(points[:n])

    # looking at every neighbour with every point, or sorting facets so, makes it 16
    assert growth(look, 10000) < 8
    r = (0.3 + 0.05 / 0.3) / 2
    d, found = look(40000)
    assert abs((found == 40000).mean() - np.pi * r * r) < 0.01
    assert d.masses[40000] == pytest.approx(np.pi * r * r, rel=1e-7)


@pytest.mark.parametrize("kept", [1.0, 0.4], ids=["closed", "unbounded"])
def test_case_77_points_around_a_hub(kept):
    sites, d = _hub(200)
    sites = np.delete(sites, np.arange(int(kept * 200), 200), axis=0)
    hub = len(sites) - 1
    for weight in (0.05, 0.0, -0.05):
        weights = np.append(np.zeros(hub), weight)
        d = geomot.PowerDiagram(sites, weights, SQ)
        exact = ExactDiagram(sites, weights, SQ)
        points = [rng(0).random((300, 2)), sites, (sites + sites[hub]) / 2, 3 * sites - 1]
        points += [exact.cell(hub), np.ldexp(sites, -980), np.ldexp(sites - 0.5, 190)]
        points = np.concatenate(points)
        np.testing.assert_array_equal(d.locate(points), exact.locate(points))


def test_case_77_ties_around_a_hub():
    # 108 sites on a circle: halfway to each one the hub is as near as it
    r = 1105
    x = np.arange(-r, r + 1)
    y = np.round(np.sqrt(r * r - x * x)).astype(int)
    upper = np.column_stack([x, y])[x * x + y * y == r * r]
    ring = np.unique(np.concatenate([upper, upper * (1, -1)]), axis=0)
    assert len(ring) == 108
    for sites, hub in ((np.vstack([ring, [(0, 0)]]), 108), (np.vstack([[(0, 0)], ring]), 0)):
        polygon = 4000 * (SQ - 0.5)
        points = np.vstack([ring / 2, ring[:, ::-1] / 4, ring])
        found = geomot.PowerDiagram(sites, None, polygon).locate(points)
        np.testing.assert_array_equal(found, ExactDiagram(sites, None, polygon).locate(points))
        assert (found[:108] == (0 if hub == 0 else np.arange(108))).all()
