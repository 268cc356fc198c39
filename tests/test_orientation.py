"""Signs of turns are exact, whatever floats make of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from geomot._orientation import orientation, orientations, surely_left


def sign(a, b, c):
    (ax, ay), (bx, by), (cx, cy) = ([Fraction(x) for x in p] for p in (a, b, c))
    turn = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return (turn > 0) - (turn < 0)


@pytest.mark.parametrize("size", [1.0, 2.0**-500, 2.0**200])
def test_points_near_a_line(size):
    r = np.random.default_rng(0)
    a, b = r.random((2, 300, 2))
    c = a + r.random((300, 1)) * (b - a)
    c[:100] = b[:100]
    a, b, c = size * a, size * b, size * c
    expected = [sign(*three) for three in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)]
    assert {-1, 0, 1} == set(expected)
    np.testing.assert_array_equal(orientations(a, b, c), expected)
    one_by_one = zip(*(map(tuple, p.tolist()) for p in (a, b, c)), strict=True)
    assert [orientation(*three) for three in one_by_one] == expected
    assert not surely_left(a, b, c)[np.array(expected) <= 0].any()


def test_points_are_broadcast():
    a, b = np.zeros(2), np.array([1.0, 0.0])
    c = np.array([[0.5, 2.0**-1074], [0.5, -1.0], [7.0, 0.0]])
    assert orientations(a, b, c).tolist() == [1, -1, 0]
    assert int(orientations(a, b, c[2])) == 0
    assert surely_left(a, b, c).tolist() == [False, False, False]
