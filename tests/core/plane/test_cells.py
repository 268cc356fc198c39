"""Cells as polygons: they cover the domain, and share corners that are correctly rounded."""

from __future__ import annotations

from math import fsum

import numpy as np
import pytest
from checks import build, compare
from oracles import UNIT_SQUARE, ExactDiagram

import geomot

rng = np.random.default_rng
SQ = UNIT_SQUARE
pytestmark = pytest.mark.usefixtures("silent")


def areas(diagram):
    return diagram.masses * diagram.source.area


def test_cells_tile_the_domain_by_shapely():
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


def test_facets_as_short_as_rounding_are_listed():
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
def test_facets_are_those_of_the_oracle(sites, weights, polygon):
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
def test_cells_cover_the_domain(sites, weights, polygon):
    _check_coverage(build(sites, weights, polygon))


@pytest.mark.parametrize("n", [2, 3, 100, 10000])
def test_random_cells_cover_the_domain(n):
    _check_coverage(build(rng(n).random((n, 2)), 0.3 / n * rng(1).random(n), SQ))


@pytest.mark.parametrize("n", [300, 600])
def test_edges_that_rounding_crosses_are_contracted(n):
    # Corners around the centre lie within some thousand ulps, seen under angles of .1 to 1 degree.
    for seed in range(2):
        sites = rng(seed).random() * _circle(n, rng(seed).random()) + rng(seed).random(2)
        _check_coverage(build(sites, None, _padded(sites, 1.0)))


def test_tilted_grids_cover_the_domain():
    for degrees in (1, 10, 15, 22.5, 33):
        sites = _turned(_square_grid(24), degrees) / 24
        _check_coverage(build(sites, None, _padded(sites, 0.1)))


def test_a_corner_is_spelled_once():
    d = build([[0.3, 0.3], [0.8, 0.1], [0.6, 0.7]], None, SQ)
    inner = [c[~((c == 0) | (c == 1)).any(axis=1)] for c in d.cells]
    assert [len(c) for c in inner] == [1, 1, 1]
    assert inner[0].tobytes() == inner[1].tobytes() == inner[2].tobytes()
    # the power distances of (161/260, 97/260) are equal: the doubles next to it
    np.testing.assert_allclose(inner[0][0], [161 / 260, 97 / 260], rtol=2e-16)
    assert len(d.vertices) == 8


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e8])
def test_corners_are_correctly_rounded(offset):
    sites, weights = rng(0).random((60, 2)) + offset, 0.01 * rng(1).random(60)
    polygon = SQ + offset
    d, exact = build(sites, weights, polygon), ExactDiagram(sites, weights, polygon)
    for i in np.flatnonzero(~exact.empty):
        # the oracle divides integers: correctly rounded
        assert set(map(tuple, d.cells[i].tolist())) == set(map(tuple, exact.cell(i).tolist()))


def test_no_corner_lies_on_an_edge():
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


def test_corners_that_round_to_one_point_are_one():
    # the strip is thinner than the spacing of doubles at 1/2
    width = 2.0**-60
    d = build([(0.25, 0.5), (0.5, 0.5), (0.75, 0.5)], [[0, 0], [-1 / 16, width], [0, 0]], SQ)
    assert areas(d)[1] == pytest.approx(4 * width, rel=1e-9)
    assert [len(cell) for cell in d.cells] == [4, 0, 4]
    assert len(d.vertices) == 6
    assert d.facets.sites.tolist() == [[0, 1], [1, 2]]
    _check_coverage(d)


@pytest.mark.parametrize("degrees", [10, 15, 33])
def test_every_cell_is_a_domain(degrees):
    sites = _turned(_square_grid(40), degrees) / 40
    d = build(sites, None, _padded(sites, 0.1))
    place = np.finfo(float).eps * np.abs(d.source.polygon).max()
    for i, cell in enumerate(d.cells):
        domain = geomot.UniformPolygon(cell)
        assert abs(domain.area - areas(d)[i]) <= 8 * place * np.ptp(cell)
    inside = build(rng(0).random((20, 2)), None, geomot.UniformPolygon(d.cells[300]))
    assert abs(fsum(inside.masses) - 1) <= 1e-14


@pytest.mark.parametrize(
    ("sites", "weights", "polygon"),
    [case[1:] for case in NEARLY_DEGENERATE[::3]],
    ids=[case[0] for case in NEARLY_DEGENERATE[::3]],
)
def test_cells_of_degenerate_diagrams_are_domains(sites, weights, polygon):
    d = build(sites, weights, polygon)
    for i in np.flatnonzero(~d.empty):
        build(sites, weights, geomot.UniformPolygon(d.cells[i]))
