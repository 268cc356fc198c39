"""Exact signs against rational arithmetic, on inputs chosen to defeat floating point."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomot._core.predicates import _compare_power, _line_vertex, _orient, _power_test

SMALL = st.integers(-3, 3).map(float)
NUDGED = st.tuples(st.integers(-4, 4), st.integers(-3, 3)).map(lambda t: t[0] + t[1] * 2.0**-52)
TINY = st.sampled_from([0.0, 2.0**-54, -(2.0**-55), 2.0**-80, 3.0 * 2.0**-107])


def sign(x):
    return (x > 0) - (x < 0)


def rational(site):
    x, y, hi, lo = (Fraction(float(v)) for v in site)
    return x, y, hi + lo


def exact_orient(a, b, c):
    (ax, ay, _), (bx, by, _), (cx, cy, _) = map(rational, (a, b, c))
    return sign((ax - cx) * (by - cy) - (ay - cy) * (bx - cx))


def exact_power(a, b, c, p):
    px, py, pw = rational(p)
    rows = []
    for site in (a, b, c):
        x, y, w = rational(site)
        dx, dy = x - px, y - py
        rows.append((dx, dy, dx * dx + dy * dy - w + pw))
    (ax, ay, al), (bx, by, bl), (cx, cy, cl) = rows
    return sign(al * (bx * cy - cx * by) + bl * (cx * ay - ax * cy) + cl * (ax * by - bx * ay))


def exact_compare(a, b, x, y):
    def power(site):
        sx, sy, w = rational(site)
        return (Fraction(x) - sx) ** 2 + (Fraction(y) - sy) ** 2 - w

    return sign(power(a) - power(b))


def site_of(coordinate):
    return st.tuples(coordinate, coordinate, coordinate, TINY).map(np.array)


@pytest.mark.parametrize("coordinate", [SMALL, NUDGED], ids=["integers", "nudged"])
def test_signs_are_exact(coordinate):
    site = site_of(coordinate)

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(site, site, site, site)
    def check(a, b, c, p):
        assert _orient(a, b, c) == exact_orient(a, b, c)
        assert _power_test(a, b, c, p) == exact_power(a, b, c, p)
        assert _compare_power(a, b, p[0], p[1]) == exact_compare(a, b, p[0], p[1])

    check()


@pytest.mark.parametrize("seed", range(5))
def test_signs_next_to_zero(seed):
    # p on the lifted plane of abc up to an ulp of its weight's trailing part
    rng = np.random.default_rng(seed)
    met = set()
    for _ in range(200):
        a, b, c, p = np.column_stack([rng.random((4, 3)), 2.0**-54 * rng.random(4)])
        lift = [sum(Fraction(float(v)) ** 2 for v in s[:2]) - rational(s)[2] for s in (a, b, c)]
        (ax, ay, _), (bx, by, _), (cx, cy, _) = map(rational, (a, b, c))
        px, py, _ = rational(p)
        det = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        s = ((px - ax) * (cy - ay) - (cx - ax) * (py - ay)) / det
        t = ((bx - ax) * (py - ay) - (px - ax) * (by - ay)) / det
        weight = px**2 + py**2 - (lift[0] + s * (lift[1] - lift[0]) + t * (lift[2] - lift[0]))
        p[2] = float(weight)
        p[3] = float(weight - Fraction(float(p[2])))
        if abs(p[3]) > abs(p[2]):
            continue
        p[3] *= 1.0 + 2.0**-50 * rng.integers(-1, 2)
        expected = exact_power(a, b, c, p)
        assert _power_test(a, b, c, p) == expected
        met.add(expected)
    assert met >= {-1, 1}


def test_cancelling_weight_parts_do_not_fool_the_filter():
    # hi differences of an ulp cancel trailing parts to a remainder far below their rounding
    a = np.array([0.0, 0.0, 1.0, 2.0**-54 + 2.0**-106])
    b = np.array([1.0, 0.0, 1.0 + 2.0**-52, -(2.0**-53) - 2.0**-54])
    c = np.array([0.0, 1.0, 1.0, 2.0**-54])
    p = np.array([1.0, 1.0, 1.0, 2.0**-54])
    assert _power_test(a, b, c, p) == exact_power(a, b, c, p) != 0


@pytest.mark.parametrize("seed", range(3))
def test_meeting_points_are_correctly_rounded(seed):
    rng = np.random.default_rng(seed)
    for scale in (1.0, 1e-12, 1e9):
        for _ in range(50):
            a, b, c = np.column_stack([rng.random((3, 3)), 2.0**-54 * rng.random(3)])
            b[:2] = a[:2] + scale * (b[:2] - 0.5)
            c[:2] = a[:2] + scale * (c[:2] - 0.5) * (1.0, 1e-9)
            (ax, ay, aw), (bx, by, bw), (cx, cy, cw) = map(rational, (a, b, c))
            ux, uy, vx, vy = bx - ax, by - ay, cx - ax, cy - ay
            r, s = (ux * ux + uy * uy + aw - bw) / 2, (vx * vx + vy * vy + aw - cw) / 2
            det = ux * vy - vx * uy
            exact = ax + (r * vy - s * uy) / det, ay + (ux * s - vx * r) / det
            assert _line_vertex(a, b, c) == tuple(map(float, exact))
