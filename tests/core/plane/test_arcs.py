"""What a disk holds of a polygon, against integrals along one axis in many digits."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from geomot._core.plane.arcs import _disk_in_polygon

MP = mpmath.MPContext()
MP.dps = 25


def slices(polygon, centre, radius):
    """Integrals of 1, x, y, xx, xy, yy over the common part, slice by slice."""
    cx, cy = map(MP.mpf, centre)
    r = MP.mpf(radius)
    ring = [(MP.mpf(float(x)) - cx, MP.mpf(float(y)) - cy) for x, y in polygon]
    sides = list(zip(ring, ring[1:] + ring[:1], strict=True))
    knots = {x for x, _ in ring} | {-r, r}
    for (x0, y0), (x1, y1) in sides:
        dx, dy = x1 - x0, y1 - y0
        a, b, c = dx * dx + dy * dy, x0 * dx + y0 * dy, x0 * x0 + y0 * y0 - r * r
        if b * b > a * c:
            root = MP.sqrt(b * b - a * c)
            knots |= {x0 + t * dx for t in ((-b - root) / a, (-b + root) / a) if 0 < t < 1}
    knots = sorted(x for x in knots if -r <= x <= r)

    def span(x):
        high = MP.sqrt(max(r * r - x * x, 0))
        low = -high
        for (x0, y0), (x1, y1) in sides:
            u, v = y1 - y0, x0 - x1
            gap = u * (x0 - x) + v * y0  # v y <= gap
            if v > 0:
                high = min(high, gap / v)
            elif v < 0:
                low = max(low, gap / v)
            elif gap < 0:
                return MP.mpf(0), MP.mpf(0)
        return (low, high) if high > low else (MP.mpf(0), MP.mpf(0))

    def integral(f):
        return MP.quad(lambda x: f(x, *span(x)), knots)

    one = integral(lambda x, a, b: b - a)
    x = integral(lambda x, a, b: x * (b - a)) + one * cx
    y = integral(lambda x, a, b: (b * b - a * a) / 2) + one * cy
    xx = integral(lambda x, a, b: (x + cx) ** 2 * (b - a))
    yy = integral(lambda x, a, b: ((b + cy) ** 3 - (a + cy) ** 3) / 3)
    xy = integral(lambda x, a, b: (x + cx) * ((b + cy) ** 2 - (a + cy) ** 2) / 2)
    return [float(value) for value in (one, x, y, xx, xy, yy)]


@pytest.mark.parametrize("seed", range(12))
def test_random_polygons(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 8))
    angle = 2.0 * np.pi * (np.arange(n) + 0.9 * rng.random(n)) / n
    polygon = rng.choice([0.3, 1.0, 3.0]) * np.column_stack([np.cos(angle), np.sin(angle)])
    centre, radius = 0.7 * rng.normal(size=2), rng.choice([0.2, 0.7, 1.0, 3.0])
    exact = np.array(slices(polygon, centre, radius))
    found = np.array(_disk_in_polygon(polygon, *centre, radius)[:6])
    if exact[0] < 1e-20:
        assert found[0] == 0.0
    else:
        np.testing.assert_allclose(found, exact, rtol=1e-14, atol=2e-15 * exact[0])


def square(low, high, bottom=-9.0, top=9.0):
    return np.array([(low, bottom), (high, bottom), (high, top), (low, top)])


@pytest.mark.parametrize("half", [1e-7, 1e-3, 0.1, 0.74, 0.76, 1.5, 2.5, 3.1])
def test_segments_of_any_angle(half):
    """Beside one chord; their moments about it by quadrature."""
    low, phi = math.cos(half), MP.mpf(half)
    mass, x, _, xx, xy, yy, arcs = _disk_in_polygon(square(0.0, 9.0), -low, 0.0, 1.0)
    distance = MP.mpf(low)
    phi = MP.acos(distance)

    def moment(f):
        return float(MP.quad(lambda a: f(a) * 2 * MP.sin(a) ** 2, [0, phi / 2, phi]))

    # the chord lies where the power vanishes up to rounding of the numbers 1 and cos(half)
    rtol = 1e-14 + 1e-16 / half**2
    assert mass == pytest.approx(moment(lambda a: 1), rel=3 * rtol)
    assert x == pytest.approx(moment(lambda a: MP.cos(a) - distance), rel=5 * rtol)
    assert xx == pytest.approx(moment(lambda a: (MP.cos(a) - distance) ** 2), rel=7 * rtol)
    assert yy == pytest.approx(moment(lambda a: MP.sin(a) ** 2 / 3), rel=5 * rtol)
    assert abs(xy) <= 1e-15 * mass
    assert arcs == pytest.approx(2.0 * float(phi), rel=rtol)


def test_the_whole_disk_and_nothing_of_it():
    assert _disk_in_polygon(square(-2.0, 2.0), 0.5, 0.25, 1.0) == pytest.approx(
        [
            math.pi,
            0.5 * math.pi,
            0.25 * math.pi,
            math.pi * (0.25 + 0.25),
            0.125 * math.pi,
            math.pi * (0.25 + 0.0625),
            2.0 * math.pi,
        ],
        rel=1e-15,
    )
    assert not any(_disk_in_polygon(square(1.0, 2.0), 0.0, 0.0, 1.0))  # it touches
    assert not any(_disk_in_polygon(square(1.5, 2.0), 0.0, 0.0, 1.0))
    inside = _disk_in_polygon(square(0.0, 0.5, 0.0, 0.25), 0.0, 0.0, 1.0)
    assert inside[0] == pytest.approx(0.125, rel=1e-15) and inside[6] == 0.0


def test_four_arcs_outside_of_a_square():
    """Of a square whose sides cut the circle: four chords, four arcs."""
    side = math.sqrt(0.5) + 0.1
    mass, *_, arcs = _disk_in_polygon(square(-side, side, -side, side), 0.0, 0.0, 1.0)
    cap = math.acos(side) - side * math.sqrt(1.0 - side * side)
    assert mass == pytest.approx(math.pi - 4.0 * cap, rel=1e-15)
    assert arcs == pytest.approx(2.0 * math.pi - 8.0 * math.acos(side), rel=1e-15)


@pytest.mark.parametrize("seed", range(4))
def test_slivers_hold_no_disk(seed):
    # as thin as rounding, the points where they enter and leave the disk may change places
    rng = np.random.default_rng(seed)
    for thickness in 10.0 ** -rng.uniform(6, 18, 500):
        (ax, bx), height = rng.uniform(-2, 2, 2), rng.uniform(-0.9, 0.9)
        tilt = rng.uniform(-0.3, 0.3) * rng.integers(0, 2)
        corners = np.array([[ax, height + tilt * ax], [bx, height + tilt * bx], [0.0, 0.0]])
        corners[2] = 0.5 * (corners[0] + corners[1]) + [0.0, thickness * np.sign(bx - ax)]
        area = 0.5 * abs(bx - ax) * thickness
        found = _disk_in_polygon(corners, 0.0, 0.0, 1.0)[0]
        assert -1e-15 <= found <= area + 1e-15


def test_sides_without_a_length_do_not_count():
    """Corners of cells coincide where more than three meet, as on grids."""
    disk = 0.25 * math.pi
    for ring in ([0, 1, 2, 3], [0, 0, 1, 2, 2, 3], [0, 1, 1, 2, 3, 3]):
        polygon = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)[ring]
        assert _disk_in_polygon(polygon, 0.0, 0.0, 0.5)[0] == pytest.approx(disk, rel=1e-15)
        assert _disk_in_polygon(polygon, 3.0, 0.0, 0.5)[0] == 0.0
        # a side of an ulp, in any direction
        for step in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            moved = polygon.copy()
            moved[0] = np.nextafter(moved[0], moved[0] + step)
            assert _disk_in_polygon(moved, 0.0, 0.0, 0.5)[0] == pytest.approx(disk, rel=1e-15)


@pytest.mark.parametrize("radius", [0.25, 0.5])
def test_slivers_through_the_middle_hold_nothing(radius):
    """Rounding may swap the ends of the arcs of a sliver, which are then nearly whole circles."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        turn, centre = 0.5 * np.pi * rng.choice([rng.random(), 0, 1, 2]), rng.normal(size=2)
        along = np.array([np.cos(turn), np.sin(turn)])
        tip = centre + along
        end = tip + 4e-16 * rng.integers(-2, 3, 2)
        found = _disk_in_polygon(np.array([centre - along, tip, end]), *centre, radius)
        assert abs(found[0]) < 1e-14 and abs(found[6]) < 1e-12


def test_nearly_the_whole_disk():
    """A side that cuts off a little, and a corner that does."""
    for depth in (1e-4, 1e-8, 1e-11):
        cut = math.acos(1.0 - depth)
        expected = math.pi - (cut - 0.5 * math.sin(2.0 * cut))
        found = _disk_in_polygon(square(depth - 1.0, 9.0), 0.0, 0.0, 1.0)
        assert found[0] == pytest.approx(expected, rel=1e-14)
        assert found[6] == pytest.approx(2.0 * (math.pi - cut), rel=1e-14)
        corner = np.array([(depth - 1.0, 0.0), (-0.9, -9.0), (9.0, -9.0), (9.0, 9.0), (-0.9, 9.0)])
        assert _disk_in_polygon(corner, 0.0, 0.0, 1.0)[0] == pytest.approx(
            slices(corner, (0.0, 0.0), 1.0)[0], rel=1e-13
        )
