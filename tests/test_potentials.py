"""Conversions and potentials, against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from geomot import PowerDiagram
from geomot.potentials import (
    bisector_offsets,
    brenier_potential,
    doubled_heights,
    doubled_scores,
    dual_value,
    heights_from_weights,
    heights_in_frame,
    kantorovich_potential,
    potentials_of_scores,
    weights_from_heights,
    weights_in_frame,
)

rng = np.random.default_rng


def exact(values):
    return [Fraction(v) for v in np.asarray(values).tolist()]


def cloud(seed, dim=2, offset=0.0, scale=1.0, n=40):
    r = rng(seed)
    sites = offset + scale * r.random((n, dim))
    hi = scale**2 * r.standard_normal(n)
    lo = np.spacing(hi) * (r.random(n) - 0.5)
    return sites, hi, lo


@pytest.mark.parametrize("dim", [1, 2, 3, 10])
@pytest.mark.parametrize(("offset", "scale"), [(0, 1), (1e8, 1), (-3e5, 1e-9), (0, 2.0**190)])
def test_heights_are_exact_to_106_bits(dim, offset, scale):
    sites, hi, lo = cloud(0, dim, offset, scale)
    h, h_low = heights_from_weights(sites, hi, lo)
    for i in range(len(sites)):
        square = sum(y * y for y in exact(sites[i]))
        weight = Fraction(hi[i]) + Fraction(lo[i])
        error = Fraction(h[i]) + Fraction(h_low[i]) - (weight - square) / 2
        assert abs(error) <= (square + abs(weight)) * Fraction(2) ** -100
        assert abs(h_low[i]) <= np.spacing(abs(h[i])) / 2
    w, w_low = weights_from_heights(sites, h, h_low)
    for i in range(len(sites)):
        square = sum(y * y for y in exact(sites[i]))
        error = Fraction(w[i]) + Fraction(w_low[i]) - Fraction(hi[i]) - Fraction(lo[i])
        assert abs(error) <= (square + abs(Fraction(hi[i]))) * Fraction(2) ** -98


def test_low_parts_are_optional():
    sites, hi, _ = cloud(1)
    zero = np.zeros_like(hi)
    for convert in (heights_from_weights, weights_from_heights):
        np.testing.assert_array_equal(convert(sites, hi), convert(sites, hi, zero))


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (1e8, 1.0), (0.0, 1e-6)])
def test_potentials_are_correctly_rounded(offset, scale):
    sites, hi, lo = cloud(2, offset=offset, scale=scale)
    points = offset + scale * (3 * rng(3).random((60, 2)) - 1)
    y, x = [exact(v) for v in sites], [exact(v) for v in points]
    weights = [Fraction(a) + Fraction(b) for a, b in zip(hi, lo, strict=True)]
    domain = offset + scale * np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    labels = PowerDiagram(sites, np.column_stack([hi, lo]), domain).locate(points)
    u = brenier_potential(points, labels, sites, hi, lo)
    phi = kantorovich_potential(points, labels, sites, hi, lo)
    for k, p in enumerate(x):
        powers = [
            sum((a - b) ** 2 for a, b in zip(p, site, strict=True)) - w
            for site, w in zip(y, weights, strict=True)
        ]
        least = min(powers)
        assert powers[labels[k]] == least
        largest = (sum(a * a for a in p) - least) / 2
        assert u[k] == pytest.approx(float(largest), rel=2.3e-16)
        assert phi[k] == pytest.approx(float(least), rel=2.3e-16)


def test_dual_value_is_exact_and_ignores_constants():
    r = rng(4)
    n = 200
    costs, masses, targets = r.random(n), r.random(n), r.random(n)
    masses, targets = masses / masses.sum(), targets / targets.sum()
    hi = 1e3 * r.standard_normal(n)
    lo = np.spacing(hi) * (r.random(n) - 0.5)
    middle = Fraction(0.5 * (hi.min() + hi.max()))
    expected = sum(exact(costs)) + sum(
        (a + b - middle) * (t - m)
        for a, b, t, m in zip(*map(exact, (hi, lo, targets, masses)), strict=True)
    )
    value = dual_value(costs, masses, targets, hi, lo)
    assert value == pytest.approx(float(expected), rel=1e-15)
    shifted = dual_value(costs, masses, targets, np.round(hi) + 2.0**40)
    assert shifted == dual_value(costs, masses, targets, np.round(hi))
    order = r.permutation(n)
    permuted = dual_value(*(a[order] for a in (costs, masses, targets, hi, lo)))
    assert permuted == value


def test_plain_floats_have_the_same_signs_and_factors():
    sites, weights, _ = cloud(7, 3)
    points = rng(8).random((len(sites), 3))
    squares = np.sum(sites**2, axis=1)
    heights = heights_from_weights(sites, weights)[0]
    labels = np.arange(len(sites))
    scores = brenier_potential(points, labels, sites, weights)
    close = {"rtol": 1e-13, "atol": 1e-13}
    np.testing.assert_allclose(heights_in_frame(weights, squares), heights, **close)
    np.testing.assert_allclose(heights_in_frame(weights, squares, 4.0), heights / 4.0, **close)
    there = weights_in_frame(heights_in_frame(weights, squares, 4.0), squares, 4.0)
    np.testing.assert_allclose(there, weights, **close)
    doubled = doubled_heights(sites, weights)
    np.testing.assert_allclose(doubled, 2.0 * heights, **close)
    inner = np.sum(points * sites, axis=1)
    np.testing.assert_allclose(doubled_scores(inner, doubled), 2.0 * scores, **close)
    expected = kantorovich_potential(points, labels, sites, weights)
    found = potentials_of_scores(np.sum(points**2, axis=1), scores)
    np.testing.assert_allclose(found, expected, **close)


def test_offsets_of_bisectors():
    """Where a point is on them, its power distances from both sites are the same."""
    first, second = np.array([0.2, 0.1]), np.array([0.7, 0.4])
    own, other = 0.3, 0.1
    d = second - first
    offset = bisector_offsets(d @ d, own - other)
    x = first + offset / (d @ d) * d
    left, right = (np.sum((x - y) ** 2) - w for y, w in ((first, own), (second, other)))
    assert left == pytest.approx(right, rel=1e-14)
