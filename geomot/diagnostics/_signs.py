"""Exact signs near zero, and points that are rounded once, against rational arithmetic.

One number of each configuration is chosen such that its determinant is as near to zero as the
number's precision allows, so that no filter decides the sign.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from geomot._core.predicates import _compare_power, _line_vertex, _orient, _power_test
from geomot._core.space.predicates import _compare_power3, _orient3, _power3
from geomot.diagnostics._arithmetic import Finding

__all__ = ["meeting_points", "signs"]

Row = list[Fraction]

# Trailing parts of weights below 1, relative to the leading parts.
_TRAILING = 2.0**-54

# Configurations of each predicate and kind.
_CASES = 40


def signs(d: int) -> Finding:
    """Check the signs that decide which cells are neighbours, in the plane or in space.

    Parameters
    ----------
    d : int
        2 or 3.

    Returns
    -------
    Finding
    """
    orient, power, compare = (
        (_orient, _power_test, _compare_power_at)
        if d == 2
        else (_orient3, _power3, _compare_power3)
    )
    predicates: tuple[tuple[str, Callable, Callable, int, int], ...] = (
        ("orientations", orient, _orientation, d + 1, d - 1),
        ("power tests", power, _lifted_orientation, d + 2, d),
        ("comparisons of powers", compare, _power_difference, 3, d),
    )
    failures = []
    cases = 0
    for name, kernel, determinant, n_points, free in predicates:
        wrong = 0
        configurations = [
            sites
            for lattice in (False, True)
            for sites in _configurations(d, n_points, free, determinant, lattice)
        ]
        for sites in configurations:
            exact = determinant([_rational(site) for site in sites])
            wrong += kernel(*sites) != (exact > 0) - (exact < 0)
        cases += len(configurations)
        if wrong:
            failures.append(f"{wrong} of {len(configurations)} {name} have a wrong sign.")
    return cases, failures


def meeting_points() -> Finding:
    """Check that points where three cells meet are rounded once."""
    rng = random.Random(1)
    wrong = 0
    for _ in range(_CASES):
        a, b, c = (_site(rng, 2, False) for _ in range(3))
        (ax, ay, aw), (bx, by, bw), (cx, cy, cw) = map(_rational, (a, b, c))
        ux, uy, vx, vy = bx - ax, by - ay, cx - ax, cy - ay
        r, s = (ux * ux + uy * uy + aw - bw) / 2, (vx * vx + vy * vy + aw - cw) / 2
        det = ux * vy - vx * uy
        exact = (ax + (r * vy - s * uy) / det, ay + (ux * s - vx * r) / det)
        wrong += _line_vertex(a, b, c) != tuple(x.numerator / x.denominator for x in exact)
    return _CASES, [f"{wrong} of {_CASES} points are not rounded correctly."] if wrong else []


def _compare_power_at(a: np.ndarray, b: np.ndarray, q: np.ndarray) -> int:
    return int(_compare_power(a, b, q[0], q[1]))


def _site(rng: random.Random, d: int, lattice: bool) -> np.ndarray:
    """Coordinates, then the weight's leading and trailing part."""
    if lattice:
        return np.array([*(float(rng.randint(-2, 2)) for _ in range(d + 1)), 0.0])
    return np.array([*(rng.random() for _ in range(d + 1)), rng.random() * _TRAILING])


def _rational(site: np.ndarray) -> Row:
    """Coordinates and the weight."""
    *values, high, low = map(Fraction, site.tolist())
    return [*values, high + low]


def _configurations(
    d: int, n_points: int, free: int, determinant: Callable[[list[Row]], Fraction], lattice: bool
) -> list[list[np.ndarray]]:
    """Points whose determinant nearly vanishes, by the choice of one number of the first.

    It is the number at `free`, a coordinate or the weight (in two parts), on which the
    determinant depends linearly. Lattices are left as they are: many of their signs are zero.
    """
    rng = random.Random(d * n_points)
    found: list[list[np.ndarray]] = []
    while len(found) < _CASES:
        sites = [_site(rng, d, lattice) for _ in range(n_points)]
        if not lattice:
            rows = [_rational(site) for site in sites]
            values = []
            for value in (0, 1):
                rows[0][free] = Fraction(value)
                values.append(determinant(rows))
            if values[0] == values[1]:
                continue
            root = values[0] / (values[0] - values[1])
            sites[0][free] = high = root.numerator / root.denominator
            if free == d:
                rest = root - Fraction(high)
                sites[0][d + 1] = rest.numerator / rest.denominator
            elif rng.random() < 0.5:
                sites[0][free] = np.nextafter(high, rng.choice((-np.inf, np.inf)))
        found.append(sites)
    return found


def _det(rows: list[Row]) -> Fraction:
    """Determinant by its first row."""
    if len(rows) == 1:
        return rows[0][0]
    total = Fraction(0)
    for k, value in enumerate(rows[0]):
        if value:
            minor = _det([row[:k] + row[k + 1 :] for row in rows[1:]])
            total += -value * minor if k % 2 else value * minor
    return total


def _orientation(rows: list[Row]) -> Fraction:
    *others, last = (row[:-1] for row in rows)
    return _det([[x - y for x, y in zip(row, last, strict=True)] for row in others])


def _lifted_orientation(rows: list[Row]) -> Fraction:
    """Determinant of differences from the last site, and of their squares less the weights'."""
    *others, last = rows
    lifted = []
    for row in others:
        gap = [x - y for x, y in zip(row[:-1], last[:-1], strict=True)]
        lifted.append([*gap, sum(x * x for x in gap) - row[-1] + last[-1]])
    return _det(lifted)


def _power_difference(rows: list[Row]) -> Fraction:
    """Power of the third point from the first site, less that from the second."""
    a, b, q = rows
    powers = [
        sum((x - y) ** 2 for x, y in zip(q[:-1], site[:-1], strict=True)) - site[-1]
        for site in (a, b)
    ]
    return Fraction(powers[0] - powers[1])
