"""Points find their cell, also beside hubs, on ties and far away."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from checks import build
from effort import growth
from numpy.testing import assert_allclose, assert_array_equal
from oracles import UNIT_SQUARE, ExactDiagram
from scipy.stats import chi2

import geomot
from geomot._power import PlaneSites

rng = np.random.default_rng
SQ = UNIT_SQUARE
pytestmark = pytest.mark.usefixtures("silent")


def _circle(n, start=0.0):
    angle = start + 2 * np.pi * np.arange(n) / n
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _hub(n, weight=0.05):
    """A disk of radius about .38 in the unit square, with n neighbours, and its diagram."""
    sites = np.vstack([0.5 + 0.3 * _circle(n), [(0.5, 0.5)]])
    return sites, geomot.PowerDiagram(sites, np.append(np.zeros(n), weight), SQ)


def test_a_hub_costs_linear_time():
    points = rng(0).random((16000, 2))

    def look(n):
        _, d = _hub(n)
        assert len(d.facets) == 2 * n
        assert len(d.cells[n]) == n
        return d, d.locate(points[:n])

    # looking at every neighbour with every point, or sorting facets so, makes it 16
    assert growth(look, 4000) < 8
    r = (0.3 + 0.05 / 0.3) / 2
    d, found = look(16000)
    assert abs((found == 16000).mean() - np.pi * r * r) < 0.015
    assert d.masses[16000] == pytest.approx(np.pi * r * r, rel=1e-7)


@pytest.mark.parametrize("kept", [1.0, 0.4], ids=["closed", "unbounded"])
def test_points_around_a_hub(kept):
    sites, d = _hub(100)
    sites = np.delete(sites, np.arange(int(kept * 100), 100), axis=0)
    hub = len(sites) - 1
    for weight in (0.05, 0.0, -0.05):
        weights = np.append(np.zeros(hub), weight)
        d = geomot.PowerDiagram(sites, weights, SQ)
        exact = ExactDiagram(sites, weights, SQ)
        points = [rng(0).random((100, 2)), sites, (sites + sites[hub]) / 2, 3 * sites - 1]
        points += [exact.cell(hub), np.ldexp(sites, -980), np.ldexp(sites - 0.5, 190)]
        points = np.concatenate(points)
        np.testing.assert_array_equal(d.locate(points), exact.locate(points))


def test_ties_around_a_hub():
    # 108 sites on a circle: halfway to each one the hub is as near as it
    r = 1105
    x = np.arange(-r, r + 1)
    y = np.round(np.sqrt(r * r - x * x)).astype(int)
    upper = np.column_stack([x, y])[x * x + y * y == r * r]
    ring = np.unique(np.concatenate([upper, upper * (1, -1)]), axis=0)
    assert len(ring) == 108
    for sites, hub in ((np.vstack([ring, [(0, 0)]]), 108), (np.vstack([[(0, 0)], ring]), 0)):
        polygon = 4000 * (SQ - 0.5)
        points = np.vstack([ring / 2, ring[:, ::-1] / 4, ring])
        found = geomot.PowerDiagram(sites, None, polygon).locate(points)
        np.testing.assert_array_equal(found, ExactDiagram(sites, None, polygon).locate(points))
        assert (found[:108] == (0 if hub == 0 else np.arange(108))).all()


def thousand_sites():
    return rng(0).random((1000, 2)), 0.005 * rng(1).random(1000)


def test_as_many_points_as_the_masses_say():
    sites, weights = thousand_sites()
    d = build(sites, weights, SQ)
    n = 2 * 10**5
    points = rng(99).random((n, 2))
    found = d.locate(points)
    counts = np.bincount(found, minlength=1000)
    assert not counts[d.empty].any()
    m = d.masses[~d.empty]
    z = (counts[~d.empty] - n * m) / np.sqrt(n * m * (1 - m))
    assert np.abs(z).max() <= 5
    statistic = ((counts[~d.empty] - n * m) ** 2 / (n * m)).sum()
    assert chi2.sf(statistic, len(m) - 1) > 1e-6
    for chunk, total in ((1, 500), (7, 5000), (10**5, n)):
        pieces = [d.locate(points[k : k + chunk]) for k in range(0, total, chunk)]
        again = np.concatenate(pieces)
        assert len(again) >= total
        np.testing.assert_array_equal(again, found[: len(again)])
    # The exact answer for some, those nearest to a facet among them.
    order = np.argsort(_gap(sites, weights, points[:20000]))
    some = np.concatenate([order[:100], np.arange(100)])
    exact = ExactDiagram(sites, weights)
    np.testing.assert_array_equal(found[some], exact.locate(points[some]))


def _power(sites, weights, points):
    return ((points[:, None] - sites[None]) ** 2).sum(axis=2) - weights


def _gap(sites, weights, points):
    gaps = [np.partition(_power(sites, weights, p), 1, axis=1) for p in np.array_split(points, 50)]
    return np.concatenate([g[:, 1] - g[:, 0] for g in gaps])


@pytest.mark.slow
def test_blocks_of_any_size_change_nothing():
    sites, weights = thousand_sites()
    d = build(sites, weights, SQ)
    points = rng(99).random((10**6, 2))
    found = d.locate(points)
    for chunk in (1, 7, 10**5):
        pieces = [d.locate(points[k : k + chunk]) for k in range(0, len(points), chunk)]
        np.testing.assert_array_equal(np.concatenate(pieces), found)


BOX = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


def _hub_beyond_the_border(n, radius, weight):
    angle = 2.0 * np.pi * np.arange(n) / n
    circle = 0.5 + radius * np.column_stack([np.cos(angle), np.sin(angle)])
    sites, weights = np.vstack([[(0.5, 0.5)], circle]), np.zeros(n + 1)
    weights[0] = weight
    return sites, weights


def test_hub_cut_by_the_border_takes_linear_time():
    def build(n):
        sites, weights = _hub_beyond_the_border(n, 0.7, 0.28)
        return PlaneSites(sites, BOX).diagram(weights).masses

    # every neighbour once looked at every side
    assert growth(build, 10000) < 8


def test_hub_cut_by_the_border():
    n, radius, weight = 40000, 0.7, 0.28
    sites, weights = _hub_beyond_the_border(n, radius, weight)
    hub = PlaneSites(sites, BOX).diagram(weights).masses[0]
    # a disk without the four segments beyond the square
    r = (radius + weight / radius) / 2.0
    beyond = np.sqrt(r * r - 0.25)
    segment = r * r * np.arccos(0.5 / r) - 0.5 * beyond
    assert_allclose(hub, np.pi * r * r - 4.0 * segment, rtol=1e-7)


def _locate_near_the_origin(sites, points):
    """By integers: |q - a|^2 compared for all sites."""
    found = []
    for x, y in points.tolist():
        power = [
            (Fraction(x) - Fraction(a)) ** 2 + (Fraction(y) - Fraction(b)) ** 2
            for a, b in sites.tolist()
        ]
        found.append(power.index(min(power)))
    return found


@pytest.mark.parametrize("e", [0, 50, 100, 199])
def test_locate_is_exact_for_points_next_to_a_border(e):
    # Down to the smallest double: products with sites 2^-100 apart used to underflow.
    u = 2.0**-e
    size = 2.0 ** -np.array([0, 1, 2, 49, 51, 99, 101, 200, 699, 700, 701, 702, 975, 1021, 1074])
    plane = np.column_stack([np.append(size, -size), np.zeros(2 * len(size))])
    # the borders of the three kinds of sites below: x = 0, x = y, x = u / 2
    points = np.vstack([plane, plane + (0, 0.3), plane[:, ::-1], plane + (u / 2, 0)])
    for sites in ([(u, 0), (-u, 0)], [(u, -u), (-u, u)], [(0, 0), (u, 0), (0, u)]):
        sites = np.array(sites, dtype=float)
        diagram = PlaneSites(sites, 2.0 * BOX - 1.0).diagram(np.zeros(len(sites)))
        assert diagram.locate(points).tolist() == _locate_near_the_origin(sites, points)


def test_locate_is_exact_for_far_points():
    size = 2.0 ** np.array([50, 100, 101, 300, 700, 701, 999])
    plane = np.vstack([np.column_stack([size, size]), np.column_stack([-size, size])])
    points = np.vstack([plane, plane * (1, 1 + 2.0**-52), plane * (2.0**-1050, 1)])
    sites = np.array([(1.0, -1.0), (-1.0, 1.0), (2.0, -2.0), (0.0, 1.0)])
    diagram = PlaneSites(sites, 4.0 * BOX - 2.0).diagram(np.zeros(4))
    assert diagram.locate(points).tolist() == _locate_near_the_origin(sites, points)


def test_locate_in_blocks_is_locate():
    rng = np.random.default_rng(9)
    diagram = PlaneSites(rng.random((50, 2)), BOX).diagram(np.zeros(50))
    points = rng.random((600_000, 2))
    found = diagram.locate(points)
    for part in (slice(0, 1000), slice(524_000, 525_000), slice(599_000, None)):
        assert_array_equal(diagram.locate(points[part]), found[part])
