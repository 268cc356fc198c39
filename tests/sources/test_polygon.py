"""Convex polygons: spellings, refusals, exact orientation and area, hulls, samples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import geomot
from geomot import UniformBox, UniformPolygon

pytestmark = pytest.mark.usefixtures("silent")
rng = np.random.default_rng
SQ = [(0, 0), (1, 0), (1, 1), (0, 1)]


@pytest.mark.parametrize(
    "vertices",
    [
        SQ,
        SQ[::-1],
        [*SQ, SQ[0]],
        [*SQ[::-1], SQ[-1]],
        SQ[:2] + SQ[1:],
        [SQ[0], *SQ, SQ[0], SQ[0]],
        [(0, 0), (0.25, 0), (0.5, 0), *SQ[1:]],
        [(0.5, 0), (1, 0), (1, 1), (0.5, 1), (0.25, 1), (0, 1), (-0.0, 0.0), (0.25, 0)],
        *([*SQ[k:], *SQ[:k]] for k in range(4)),
        np.asfortranarray(SQ),
        np.array(SQ, dtype=np.int8),
    ],
)
def test_spellings_of_a_polygon_are_equal(vertices):
    polygon = UniformPolygon(vertices)
    assert polygon == UniformPolygon(SQ)
    assert polygon.polygon.tolist() == UniformBox.unit(2).polygon.tolist()
    assert polygon.vertices.tobytes() == UniformPolygon(SQ).vertices.tobytes()


@pytest.mark.parametrize(
    ("vertices", "words"),
    [
        ([], r"shape \(n, 2\)"),
        (np.zeros((4, 3)), r"shape \(n, 2\), got \(4, 3\)"),
        (np.zeros((0, 2)), "at least one"),
        ([(0, 0), (1, 0)], "at least 3 points, got 2"),
        ([(0, 0), (1, 0), (1, 0)], "zero area"),
        ([(0, 0), (0, 0), (0, 0)], "zero area"),
        ([(0, 0), (1, 1), (2, 2), (3, 3)], "zero area"),
        ([(0, 0), (2, 2), (1, 1), (3, 3)], "turn back"),
        ([(0, 0), (2, 0), (1, 0), (1, 1)], "turn back"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "simple polygon, but edge"),
        ([*SQ, *SQ], "simple polygon"),
        ([(0, 0), (np.nan, 0), (1, 1)], "finite"),
        ([(0, 0), (np.inf, 0), (1, 1)], "finite"),
        (1e-200 * np.array(SQ), "area"),
        (
            [(np.cos(a), np.sin(a)) for a in 4 * np.pi / 5 * np.arange(5)],
            "simple polygon, but edge",
        ),
    ],
)
def test_invalid_polygons(vertices, words):
    with pytest.raises(ValueError, match=f"vertices must .*{words}"):
        UniformPolygon(vertices)


def test_dents_within_the_rounding_of_coordinates_are_straight():
    triangle = UniformPolygon([(0, 0), (1, 0), (1, 1)])
    u = 2.0**-52
    for ring in (
        [(0, 0), (0.5, u / 2), (1, 0), (1, 1)],
        [(0.5, 4 * u), (1, 0), (1, 1), (0, 0)],
        [(0, 0), (0.25, u), (0.5, 2 * u), (0.75, u), (1, 0), (1, 1), (0.5 + u, 0.5)],
        [(0, 0), (0.25, u), (0.5, -0.0), (0.75, u), (1, 0), (1, 1)],
    ):
        for corners in (ring, ring[::-1], ring[2:] + ring[:2]):
            assert UniformPolygon(corners) == triangle
            # units change nothing
            for scale in (2.0**-90, 2.0**90):
                scaled = UniformPolygon(scale * np.array(corners)).vertices
                assert scaled.tolist() == (scale * triangle.vertices).tolist()
    # The dent may be as deep as the coordinates' last places, each axis for itself.
    thin = np.array([(0, 0), (0.5, 2.0**-72), (1, 0), (1, 2.0**-20), (0, 2.0**-20)])
    assert len(UniformPolygon(thin).vertices) == 4
    thin[1, 1] = 2.0**-60
    dented = UniformPolygon(thin)
    assert len(dented.vertices) == 5 and not dented.domain.convex


def test_orientation_is_that_of_the_polygon_where_the_first_vertex_is_dented():
    ring = [(0.5, 2.0**-53), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)]
    assert UniformPolygon(ring).area == UniformPolygon(ring[::-1]).area == 0.5


def test_orientation_is_exact():
    # The turn at the second vertex is 2^-53 of the sides' product: floats see a straight line.
    nearly = [(0.0, 0.0), (0.5, -(2.0**-55)), (1.0, 0.0), (1.0, 1.0)]
    for shift in (0.0, 0.25):
        moved = [(x + shift, y) for x, y in nearly]
        assert len(UniformPolygon(moved).vertices) == 4
    tiny = 2.0**-400 * np.array([(0, 0), (1, 0), (1, 1), (0.5, 1 + 2.0**-52), (0, 1)])
    assert len(UniformPolygon(tiny).vertices) == 5


L = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
HOLE = [(0.25, 0.25), (0.75, 0.25), (0.5, 0.75)]


def parts_cover(polygon):
    """The parts are convex, keep to the polygon's vertices, and add up to its area."""
    corners = {tuple(p) for p in polygon.vertices.tolist()}
    for part in polygon.domain.parts:
        assert {tuple(p) for p in part.tolist()} <= corners
        assert (
            UniformPolygon(part).domain.convex and UniformPolygon(part).vertices.shape == part.shape
        )
    areas = [UniformPolygon(part).area for part in polygon.domain.parts]
    assert sum(areas) == pytest.approx(polygon.area, rel=1e-14)


def test_other_polygons_than_convex_ones_are_cut_into_convex_parts():
    corner = UniformPolygon(L)
    assert corner.area == 3.0 and not corner.domain.convex and corner.domain.connected
    assert corner == UniformPolygon([*L[2::-1], *L[:2:-1]])
    assert corner.domain.container.vertices.tolist() == UniformPolygon.hull(L).vertices.tolist()
    np.testing.assert_allclose(corner.mean, [5 / 6, 5 / 6], rtol=1e-15)
    parts_cover(corner)


def test_holes():
    assert UniformPolygon(SQ, holes=()) == UniformPolygon(SQ, holes=None) == UniformPolygon(SQ)
    holed = UniformPolygon(SQ, holes=[HOLE])
    assert holed == UniformPolygon(SQ[::-1], holes=[HOLE[::-1]])
    assert holed.area == 1.0 - 0.125 and holed.domain.n_components == 1
    assert holed.sizes.tolist() == [4, -3]
    assert [len(ring) for ring in holed.domain.outlines] == [4, 3]
    parts_cover(holed)
    points = holed.sample(20_000, 0)
    inside = (points[:, 1] > 0.25) & (points[:, 1] < 2 * points[:, 0] - 0.25 + 0.0)
    inside &= points[:, 1] < 1.75 - 2 * points[:, 0]
    assert not inside.any()
    np.testing.assert_allclose(points.mean(axis=0), holed.mean, atol=0.01)
    np.testing.assert_allclose(np.cov(points.T), holed.covariance, atol=0.003)


def test_description_counts_rings_and_holes():
    square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    small = square / 4.0 + 1.0
    ring = UniformPolygon(square, holes=[small])
    assert repr(ring) == "UniformPolygon(<1 ring, 1 hole, 8 vertices, area 15>)"
    two = UniformPolygon([square, small + 5.0])
    assert repr(two) == "UniformPolygon(<2 rings, 8 vertices, area 17>)"


def test_several_polygons():
    squares = [np.add(SQ, (2 * k, 0)) for k in range(3)]
    apart = UniformPolygon(squares)
    assert apart.domain.n_components == 3 and not apart.domain.connected and apart.area == 3.0
    assert apart == UniformPolygon(squares[::-1])
    parts_cover(apart)
    touching = UniformPolygon([SQ, np.add(SQ, (1, 0))])
    assert touching.domain.convex and touching.area == 2.0
    # along half an edge, and in a corner only
    shifted = UniformPolygon([SQ, np.add(SQ, (1, 0.5))])
    assert shifted.domain.n_components == 1
    parts_cover(shifted)
    corner = UniformPolygon([SQ, np.add(SQ, (1, 1))])
    assert corner.domain.n_components == 2
    parts_cover(corner)
    # an island in a lake
    island = UniformPolygon([4.0 * np.array(SQ), np.add(SQ, 1.5)], holes=[2.0 * np.array(SQ) + 1.0])
    assert island.area == 13.0 and island.domain.n_components == 2
    parts_cover(island)


@pytest.mark.parametrize(
    ("vertices", "holes", "words"),
    [
        ([SQ, SQ], [], "vertices must not overlap"),
        ([SQ, np.add(SQ, 0.5)], [], "vertices and holes must not cross"),
        (SQ, [np.add(HOLE, 5.0)], "holes must lie inside"),
        (SQ, [np.add(HOLE, 0.5)], "vertices and holes must not cross"),
        (SQ, [HOLE, 0.9 * np.array(HOLE) + 0.05], "holes must lie inside"),
        (SQ, [SQ], "holes must leave something"),
        (SQ, HOLE, "holes must be a sequence of rings"),
        (SQ, [HOLE[:2]], "holes must hold at least 3 points"),
        ([SQ, [(0, 0), (1, 1), (1, 0), (0, 1)]], [], "vertices must form a simple polygon"),
        ({"type": "Point", "coordinates": (0, 0)}, [], "of type 'Point'"),
        ({"type": "Polygon", "coordinates": []}, [], "empty"),
        ({"type": "Polygon", "coordinates": [SQ]}, [HOLE], "holes must be empty"),
    ],
)
def test_regions_refused(vertices, holes, words):
    with pytest.raises(ValueError, match=words):
        UniformPolygon(vertices, holes)


def test_geometries():
    holed = UniformPolygon(SQ, holes=[HOLE])
    polygon = {"type": "Polygon", "coordinates": [SQ, HOLE]}
    several = {"type": "MultiPolygon", "coordinates": [[SQ, HOLE], [np.add(SQ, 3).tolist()]]}
    assert UniformPolygon(polygon) == holed
    assert UniformPolygon({"type": "Feature", "geometry": polygon}) == holed
    assert UniformPolygon(several).domain.n_components == 2

    class Shape:
        __geo_interface__ = polygon

    assert UniformPolygon(Shape()) == holed


@pytest.mark.parametrize("seed", range(10))
def test_random_regions_are_cut_right(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 60))
    angle = np.sort(rng.random(n)) * 2.0 * np.pi
    ring = (0.3 + rng.random(n))[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    holes = [0.05 * ring[::2]] if seed % 2 else []
    region = UniformPolygon(ring, holes)
    parts_cover(region)
    again = geomot.sources.Source.from_dict(region.to_dict())
    assert again == region and hash(again) == hash(region)


def test_area_is_exact_far_from_the_origin():
    assert UniformPolygon(np.array(SQ) + 2.0**40).area == 1.0
    assert UniformPolygon(np.array(SQ) * 2.0**-300).area == 2.0**-600
    assert UniformPolygon([(0, 0), (3, 1), (1, 2)]).area == 2.5


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 64, 256, 1001])
def test_regular(n):
    polygon = UniformPolygon.regular(n, radius=2.0)
    assert len(polygon.vertices) == n
    np.testing.assert_allclose(np.hypot(*polygon.vertices.T), 2.0, rtol=4e-16)
    assert polygon.area == pytest.approx(2 * n * np.sin(2 * np.pi / n), rel=1e-14)
    moved = UniformPolygon.regular(n, (1, -3), 2.0)
    np.testing.assert_allclose(moved.bounds, polygon.bounds + [1, -3], atol=1e-15)
    corners = {tuple(v) for v in polygon.vertices.tolist()}
    assert (2.0, 0.0) in corners
    if n % 4 == 0:
        assert {(-y, x) for x, y in corners} == corners


def test_regular_keeps_convex_where_rounding_bends_it():
    polygon = UniformPolygon.regular(10_000, (1e8, 1e8), 1e-4)
    assert 3 <= len(polygon.vertices) < 10_000
    assert polygon == UniformPolygon(polygon.vertices)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((2,), ValueError, "n must be at least 3"),
        ((4.0,), TypeError, "n must be an integer"),
        ((5, (0, 0, 0)), ValueError, "center"),
        ((5, (0, np.nan)), ValueError, "center"),
        ((5, (0, 0), 0.0), ValueError, "radius"),
        ((5, (0, 0), -1.0), ValueError, "radius"),
        ((5, (1e30, 0), 1e-30), ValueError, "line"),
    ],
)
def test_regular_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        UniformPolygon.regular(*arguments)


def test_hull():
    points = np.concatenate([rng(0).random((500, 2)), SQ, [(0.5, 0.0)]])
    assert UniformPolygon.hull(points) == UniformPolygon(SQ)
    with pytest.raises(ValueError, match="one line"):
        UniformPolygon.hull([(0, 0), (1, 1), (2, 2)])


@pytest.mark.parametrize(
    "kind", ["normal", "offset", "lattice", "flat", "circle", "far", "corners"]
)
def test_hull_of_many_points(kind):
    rng = np.random.default_rng(0)
    n = 6000
    points = {
        "normal": rng.standard_normal((n, 2)),
        "offset": rng.random((n, 2)) + 1e8,
        "lattice": rng.integers(0, 40, (n, 2)).astype(float),
        "flat": np.column_stack([rng.random(n), 1e-12 * rng.random(n)]),
        "circle": np.column_stack([np.cos(t := 7 * rng.random(n)), np.sin(t)]),
        "far": 1e15 + rng.integers(0, 4, (n, 2)),
        "corners": rng.integers(0, 2, (n, 2)).astype(float),
    }[kind]
    # Few points at a time, whose hulls are computed without a first cut.
    corners = [UniformPolygon.hull(points[k : k + 1000]).vertices for k in range(0, n, 1000)]
    assert UniformPolygon.hull(points) == UniformPolygon.hull(np.concatenate(corners))


def test_polygon_samples_are_uniform():
    triangle = UniformPolygon([(0, 0), (2, 0), (0, 1)])
    points = triangle.sample(200_000, random_state=0)
    assert (points >= 0).all() and (points @ [0.5, 1.0] <= 1 + 1e-15).all()
    np.testing.assert_allclose(points.mean(axis=0), [2 / 3, 1 / 3], atol=3e-3)
    disk = UniformPolygon.regular(64)
    points = disk.sample(200_000, random_state=1)
    angles = np.arctan2(points[:, 1], points[:, 0])
    counts = np.histogram(angles, np.linspace(-np.pi, np.pi, 65))[0]
    assert abs(counts - 3125).max() < 5 * np.sqrt(3125)
    for a, b in pairwise([*disk.vertices, disk.vertices[0]]):
        (ex, ey), (px, py) = b - a, (points - a).T
        assert (ex * py - ey * px >= -1e-15).all()


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
def test_invalid_domains_are_refused_everywhere(vertices):
    for make in (
        lambda: geomot.UniformPolygon(vertices),
        lambda: geomot.PowerDiagram([(0.3, 0.6)], None, vertices),
        lambda: geomot.solve([(0.3, 0.6)], None, vertices),
    ):
        with pytest.raises(ValueError, match="vertices|source"):
            make()
