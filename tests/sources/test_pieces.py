"""Pairs hi + lo on the line: sums, cumulated sums, keys."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from geomot.sources._pieces import (
    as_keys,
    constant,
    cumulated,
    difference,
    from_keys,
    product,
    quotient,
    running_sum,
)

rng = np.random.default_rng
# Unlike approx itself, relative for small numbers too.
close = partial(pytest.approx, abs=0.0)


def value(pair):
    """The numbers that a pair stands for."""
    return [
        Fraction(float(a)) + Fraction(float(b)) for a, b in zip(*map(np.ravel, pair), strict=True)
    ]


def test_pairs_against_fractions():
    r = rng(0)
    for scale in (1.0, 1e-100, 1e100):
        a, b = (
            (scale * r.standard_normal(200), 2.0**-60 * scale * r.standard_normal(200))
            for _ in range(2)
        )
        for got, exact in [
            (product(a, b), [x * y for x, y in zip(value(a), value(b), strict=True)]),
            (quotient(a, b), [x / y for x, y in zip(value(a), value(b), strict=True)]),
            (difference(a, b), [x - y for x, y in zip(value(a), value(b), strict=True)]),
        ]:
            for x, y in zip(value(got), exact, strict=True):
                assert abs(x - y) <= Fraction(2.0**-96) * max(abs(y), Fraction(scale) * abs(x))
    assert value(product(constant(3.0), constant(0.5))) == [Fraction(3, 2)]
    hi, lo = quotient((np.array([1.0, 1e300]), np.zeros(2)), (np.array([5e-324, 1e-300]),) * 2)
    assert np.isinf(hi).all() and (lo == 0.0).all()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 16, 17, 100, 1000])
def test_running_sum(n):
    x = 10.0 ** rng(n).uniform(-20, 0, n)
    hi, lo = running_sum(x)
    total = Fraction(0)
    for k in range(n):
        total += Fraction(x[k])
        assert abs(value((hi[k : k + 1], lo[k : k + 1]))[0] - total) <= total / 2**98
        assert hi[k] == float(total)
    assert len(hi) == len(lo) == n


def test_cumulated_keeps_both_tails():
    masses = np.array([1e-300, 1e-20, 0.5, 0.25, 1e-30, 1e-310])
    before, after, left = cumulated(masses)
    assert left.tolist() == [True, True, False, False, False]
    total = sum(map(Fraction, masses.tolist()))
    for k in range(5):
        below = sum(map(Fraction, masses[: k + 1].tolist())) / total
        above = sum(map(Fraction, masses[k + 1 :].tolist())) / total
        assert before[0][k] == close(float(below), rel=1e-15)
        assert after[0][k] == close(float(above), rel=1e-12)


def test_keys_are_ordered_as_pairs():
    hi = np.array([1.0, 1.0, -1.0, -1.0, np.inf, -np.inf, 0.0])
    lo = np.array([1e-20, -1e-20, 1e-20, -1e-20, 0.0, 0.0, 0.0])
    keys = as_keys((hi, lo))
    assert np.argsort(keys).tolist() == [5, 3, 2, 6, 1, 0, 4]
    assert all((a == b).all() for a, b in zip(from_keys(keys), (hi, lo), strict=True))
