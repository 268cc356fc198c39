"""Signs in space: against rational arithmetic, at and near the ties."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from space_oracles import Lifted, exact, minus, orientation

from geomot._core.space.predicates import _compare_power3, _orient3, _power3

rng = np.random.default_rng


def sign(x):
    return (x > 0) - (x < 0)


def sites(r, n, kind):
    """Sites (n, 5): scattered, on a coarse lattice, or nearly coplanar and equally heavy."""
    if kind == "scattered":
        return np.column_stack([r.random((n, 3)), 0.1 * r.random(n), 2.0**-60 * r.random(n)])
    if kind == "lattice":
        return np.column_stack([r.integers(0, 3, (n, 3)) / 4, r.integers(0, 3, n) / 8, np.zeros(n)])
    points = r.integers(0, 3, (n, 3)) * (1 / 3) + 2.0**-52 * r.integers(-1, 2, (n, 3))
    return np.column_stack([points, np.full(n, 0.3), 2.0**-56 * r.integers(-1, 2, n)])


KINDS = ("scattered", "lattice", "nearly")


@pytest.mark.parametrize("kind", KINDS)
def test_orientations(kind):
    r = rng(1)
    seen = set()
    for _ in range(300):
        s = sites(r, 4, kind)
        expected = sign(orientation(*exact(s[:, :3])))
        assert _orient3(*s) == expected
        seen.add(expected)
    assert len(seen) == (2 if kind == "scattered" else 3)


@pytest.mark.parametrize("kind", KINDS)
def test_power_tests(kind):
    r = rng(2)
    seen = set()
    for _ in range(300):
        s = sites(r, 5, kind)
        turn = sign(orientation(*exact(s[:4, :3])))
        if turn == 0:
            continue
        expected = -sign(Lifted(s).excess([0, 1, 2, 3])[4])
        assert _power3(*s) == turn * expected
        seen.add(expected)
    assert seen >= ({-1, 0, 1} if kind == "lattice" else {-1, 1})


@pytest.mark.parametrize("kind", KINDS)
def test_comparisons_of_powers(kind):
    r = rng(3)
    seen = set()
    for _ in range(300):
        s = sites(r, 3, kind)
        lifted = Lifted(s)
        q = exact(s[2, :3])
        expected = sign(lifted.power(0, q) - lifted.power(1, q))
        assert _compare_power3(s[0], s[1], np.ascontiguousarray(s[2, :3])) == expected
        seen.add(expected)
    assert len(seen) == (2 if kind == "scattered" else 3)


def test_the_longest_expansions():
    """Differences of two parts, in which nothing cancels: all bits are there."""
    r = rng(4)
    for _ in range(20):
        s = r.standard_normal((5, 5)) * 2.0 ** r.integers(-60, 0, (5, 5))
        s[1:4] = s[0] + 2.0**-80 * s[1:4]  # the rows about the fifth are almost equal
        s[:, 4] = 2.0**-120 * r.standard_normal(5)
        rows = [
            [*minus(p, exact(s[4, :3])), sum(x * x for x in minus(p, exact(s[4, :3]))) - w]
            for p, w in zip(
                exact(s[:4, :3]),
                [sum(exact(v[3:]), Fraction(0)) - sum(exact(s[4, 3:])) for v in s[:4]],
                strict=True,
            )
        ]
        assert _power3(*s) == sign(determinant(rows))


def determinant(rows):
    if len(rows) == 1:
        return rows[0][0]
    return sum(
        (-1) ** k * rows[0][k] * determinant([row[:k] + row[k + 1 :] for row in rows[1:]])
        for k in range(len(rows))
    )
