"""The oracles against closed forms, and against themselves."""

from __future__ import annotations

from fractions import Fraction
from math import fsum

import numpy as np
import pytest
from oracles import (
    UNIT_SQUARE,
    ExactDiagram,
    expansion,
    polygon_moments,
    strictly_convex,
    strips,
    upper_bound,
)
from textbook import textbook_newton

rng = np.random.default_rng


def test_one_site_owns_the_square():
    d = ExactDiagram([(0.3, 0.6)], [123.0])
    assert d.areas.tolist() == [1.0]
    assert d.centroids.tolist() == [[0.5, 0.5]]
    np.testing.assert_allclose(d.costs, 1 / 6 + 0.05, rtol=1e-15)
    assert d.facets == {}


@pytest.mark.parametrize(
    ("c", "area"),
    [(0, 1), (-0.5, 0.25), (-1 + 2**-40, 2.0**-80), (-1, 0), (-1 - 2**-40, 0)],
)
def test_hub_of_four(c, area):
    sites = [(1, 0), (0, 1), (-1, 0), (0, -1), (0, 0)]
    d = ExactDiagram(sites, [0, 0, 0, 0, c], 2 * (2 * UNIT_SQUARE - 1))
    assert d.areas[4] == area
    assert d.empty[4] == (area == 0)
    assert sum(d.exact_areas()) == 16
    assert d.zeros > 0


@pytest.mark.parametrize("e", [10, 50, None])
def test_strip_that_vanishes(e):
    width = 0.0 if e is None else 2.0**-e
    d = ExactDiagram([(0.25, 0.5), (0.5, 0.5), (0.75, 0.5)], [0, -1 / 16 + width, 0])
    assert d.areas[1] == 4 * width
    assert set(d.facets) == ({(0, 1), (1, 2)} if width else {(0, 2)})


def test_integer_lattice_with_ties():
    r = rng(42)
    sites, weights = r.integers(0, 10, (200, 2)), r.integers(0, 10, 200)
    d = ExactDiagram(sites, weights, -1 + 11 * UNIT_SQUARE)
    assert np.count_nonzero(~d.empty) == 49
    assert sum(d.exact_areas()) == 121
    assert d.zeros > 0


def test_near_duplicate():
    sites = rng(9).integers(0, 2**20, (20, 2)) / 2**20
    sites[1] = sites[0] + (2.0**-50, 0)
    d = ExactDiagram(sites)
    np.testing.assert_allclose(d.areas[:2], [0.010445610811540619, 0.0249092373417825], rtol=1e-14)


def test_filter_changes_nothing():
    for seed in range(6):
        r = rng(seed)
        n = 60
        if seed % 2:
            sites, weights = r.integers(0, 6, (n, 2)), r.integers(0, 5, n)
            polygon = -1 + 8 * UNIT_SQUARE
        else:
            sites, polygon = r.random((n, 2)) + 10.0**seed, UNIT_SQUARE
            weights = np.column_stack([0.1 * r.random(n), 1e-18 * r.random(n)])
        one, two = (ExactDiagram(sites, weights, polygon, prune=p) for p in (False, True))
        assert one.exact_areas() == two.exact_areas()
        assert one.facets.keys() == two.facets.keys()
        np.testing.assert_array_equal(one.empty, two.empty)


def test_measures_agree_with_each_other():
    sites = rng(0).random((100, 2))
    weights = 0.02 * rng(1).random(100)
    d = ExactDiagram(sites, weights)
    assert sum(d.exact_areas()) == 1
    np.testing.assert_allclose(d.areas, [float(a) for a in d.exact_areas()], rtol=1e-15)
    back = {}
    for i in np.flatnonzero(~d.empty):
        area, centroid, second = polygon_moments(d.cell(i))
        np.testing.assert_allclose(area, d.areas[i], rtol=1e-11)
        np.testing.assert_allclose(centroid, d.centroids[i], atol=1e-12)
        y = sites[i]
        cost = second - 2 * area * (y @ centroid) + area * (y @ y)
        np.testing.assert_allclose(cost, d.costs[i], atol=1e-14)
        back.update({(j, int(i)): length for j, length in d.edges(i) if 0 <= j < i})
    assert back.keys() == d.facets.keys()
    for key, length in back.items():
        np.testing.assert_allclose(length, d.facets[key], rtol=1e-14)


def test_low_parts_are_read():
    sites = [(0.25, 0.5), (0.75, 0.5)]
    d = ExactDiagram(sites, [(0.0, 0.0), (0.125, 2.0**-60)])
    assert d.exact_areas() == [
        Fraction(3, 8) - Fraction(1, 2**60),
        Fraction(5, 8) + Fraction(1, 2**60),
    ]


def test_duplicates_and_location():
    sites = [(0.25, 0.5), (0.75, 0.5), (0.25, 0.5), (0.75, 0.5)]
    d = ExactDiagram(sites, [(0, 0), (0, 0), (0, 0), (0, 1e-300)])
    assert d.empty.tolist() == [False, True, True, False]
    assert d.locate([(0.5, 0.1), (0.5, 0.5), (0.9, 0.5), (0.1, 0)]).tolist() == [3, 3, 3, 0]
    # Site 0 ties with all others at one point: its cell is that point, and owns nothing.
    hub = ExactDiagram([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)], [-1, 0, 0, 0, 0])
    assert hub.locate([(0, 0), (0.5, 0.5)]).tolist() == [1, 1]
    d = ExactDiagram(sites)
    assert d.locate([(0.5, 0.1), (0.9, 0.5), (0.1, 0)]).tolist() == [0, 1, 0]
    assert d.mass_error([0.25, 0.25, 0.25, 0.25]) == 0


def test_transport_values():
    sites = np.array([(0.25, 0.5), (0.75, 0.5)])
    d = ExactDiagram(sites, [0.0, 0.2])
    np.testing.assert_allclose(d.kantorovich([0.3, 0.7]), 0.12416666666666666, rtol=1e-15)
    assert d.kantorovich([0.5, 0.5]) < 5 / 48
    assert upper_bound(sites, d.masses, d.costs, [0.5, 0.5]) > 5 / 48
    cost, steps = strips((np.arange(7) + 0.5) / 7, np.arange(1, 8) / 28)
    np.testing.assert_allclose(cost, 0.11054421768707484, rtol=1e-15)
    sites = np.column_stack([(np.arange(7) + 0.5) / 7, np.full(7, 0.5)])
    d = ExactDiagram(sites, np.concatenate([[0], np.cumsum(steps)]))
    np.testing.assert_allclose(d.masses, np.arange(1, 8) / 28, rtol=1e-13)
    np.testing.assert_allclose(d.kantorovich(np.arange(1, 8) / 28), cost, rtol=1e-15)


def test_sums_of_more_than_two_doubles():
    third = Fraction(1, 3)
    parts = expansion(third, 4)
    assert abs(sum(map(Fraction, parts)) - third) < Fraction(1, 2**210)
    # The strip's width is all in the last term.
    width = 2.0**-150
    weights = [(0, 0, 0, 0), (-1 / 16, 0, 0, width), (0, 0, 0, 0)]
    d = ExactDiagram([(0.25, 0.5), (0.5, 0.5), (0.75, 0.5)], weights)
    assert d.areas[1] == 4 * width
    assert d.fixed_masses()[1] == Fraction(4 * width)


def test_filter_sees_all_terms_of_the_weights():
    sites = rng(3).random((60, 2)) * 1e-9 + 0.5
    weights = np.column_stack([np.zeros((60, 2)), 1e-18 * rng(4).random((60, 2))])
    one, two = (ExactDiagram(sites, weights, prune=p) for p in (False, True))
    assert one.exact_areas() == two.exact_areas()


def test_masses_and_dual_value_do_not_depend_on_rounding():
    sites = rng(5).random((40, 2)) + 1e6
    weights = np.column_stack([1e6 * rng(6).random(40), 1e-12 * rng(7).random(40)])
    target = rng(8).dirichlet(np.ones(40))
    d = ExactDiagram(sites, weights)
    exact = [a / d.exact_area for a in d.exact_areas()]
    assert max(abs(a - b) for a, b in zip(d.fixed_masses(), exact, strict=True)) < 2.0**-240
    nu = [Fraction(v) for v in target.tolist()]
    w = [Fraction(h) + Fraction(lo) for h, lo in weights.tolist()]
    linear = sum(a * (b / sum(nu) - c) for a, b, c in zip(w, nu, exact, strict=True))
    assert d.kantorovich(target) == float(Fraction(fsum(d.costs)) + linear)


def test_strict_convexity_is_decided_exactly():
    assert strictly_convex(UNIT_SQUARE)
    assert not strictly_convex(UNIT_SQUARE[::-1])
    last = np.nextafter(0.5, 1)
    assert not strictly_convex([(0, 0), (0.5, 0.5), (1, 1), (0, 1)])
    assert strictly_convex([(0, 0), (last, 0.5), (1, 1), (0, 1)])


@pytest.mark.parametrize(
    ("sites", "masses", "cost"),
    [
        ([(0.3, 0.6)], [1], 1 / 6 + 0.05),
        ([(0.25, 0.5), (0.75, 0.5)], [1, 1], 5 / 48),
        ([(0.25, 0.5), (0.75, 0.5)], [0.3, 0.7], 0.12416666666666666),
        # Two that share the mass of one: the cost of the pair is that of the single site.
        ([(0.3, 0.2), (0.1 + 0.2, 0.2), (0.1, 0.2)], [1, 1, 2], 23 / 75),
    ],
)
def test_textbook_newton(sites, masses, cost):
    weights, value = textbook_newton(sites, masses)
    assert value == pytest.approx(cost, rel=1e-15, abs=0)
    d = ExactDiagram(sites, weights)
    target = [Fraction(m) / sum(map(Fraction, masses)) for m in masses]
    assert max(abs(a - b) / b for a, b in zip(d.fixed_masses(), target, strict=True)) < 1e-20


def test_textbook_newton_on_strips():
    x, masses = np.array([0.1, 0.1 + 1e-13, 0.4, 0.7, 30.0]), np.array([1, 1e-30, 2, 1e-9, 3])
    cost, steps = strips(x, masses)
    weights, value = textbook_newton(np.column_stack([x, np.full(5, 0.5)]), masses)
    assert value == pytest.approx(cost, rel=1e-15, abs=0)
    np.testing.assert_allclose(np.diff(weights[:, 0]), steps, rtol=1e-9, atol=1e-14)
