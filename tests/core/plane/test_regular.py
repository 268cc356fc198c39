"""Regular triangulations: ties, coincident and hidden sites, and the lower hull of lifted sites."""

from __future__ import annotations

import itertools
from math import fsum

import numpy as np
import pytest
from checks import build, compare
from effort import some
from oracles import UNIT_SQUARE, ExactDiagram
from scipy.spatial import ConvexHull

import geomot

rng = np.random.default_rng
SQ = UNIT_SQUARE
pytestmark = pytest.mark.usefixtures("silent")


def areas(diagram):
    return diagram.masses * diagram.source.area


def _check_lattice(seed):
    r = rng(seed)
    sites, weights = r.integers(0, 10, (200, 2)), r.integers(0, 10, 200)
    polygon = 11 * SQ - 1
    d = build(sites, weights, polygon)
    exact = ExactDiagram(sites, weights, polygon)
    assert exact.zeros >= 1
    # Which of equal duplicates owns the cell is documented: the lowest index.
    compare(d, exact)
    np.testing.assert_array_equal(
        exact.by_location(d.masses) > 0, exact.by_location(exact.masses) > 0
    )
    return d


def test_integer_lattice_with_ties():
    d = _check_lattice(42)
    assert np.count_nonzero(~d.empty) == 49
    np.testing.assert_allclose(fsum(areas(d)), 121, rtol=1e-12)


@pytest.mark.parametrize("decade", some(range(10), quick=4))
def test_more_lattices(decade):
    for seed in range(10 * decade, 10 * decade + 10):
        _check_lattice(seed)


def _one_takes_all(n):
    weights = np.zeros(n)
    weights[0] = 10
    d = geomot.PowerDiagram(rng(0).random((n, 2)), weights, SQ)
    assert d.masses[0] == 1.0
    assert not d.masses[1:].any() and d.empty[1:].all()
    assert len(d.facets.measures) == 0 and len(d.facets.sites) == 0


def test_one_takes_all():
    _one_takes_all(2000)


@pytest.mark.slow
def test_one_takes_all_of_a_million():
    _one_takes_all(10**6)


def test_sites_an_ulp_apart_in_any_order():
    polygon = 30 * SQ
    orders = list(itertools.permutations(range(4)))
    for i, j in itertools.product((0, 1, 2, 7, 8, 15), repeat=2):
        sites = np.array([(0.5 + i * 2.0**-53, 0.5 + j * 2.0**-53), (12, 12), (24, 24), (12, 13)])
        exact = ExactDiagram(sites, None, polygon)
        first = build(sites, np.zeros(4), polygon)
        assert np.abs(areas(first) - exact.areas).max() <= 1e-9
        assert abs(fsum(areas(first)) - 900) <= 900e-12
        compare(first, exact)
        found = set(map(tuple, first.facets.sites.tolist()))
        for order in map(list, orders):
            d = geomot.PowerDiagram(sites[order], np.zeros(4), polygon)
            np.testing.assert_allclose(d.masses, first.masses[order], rtol=1e-13, atol=0)
            edges = {tuple(sorted(order[k] for k in pair)) for pair in d.facets.sites.tolist()}
            assert edges == found


def test_of_coincident_sites_the_heaviest_or_first_has_the_cell():
    sites = rng(0).random((300, 2))
    sites = np.concatenate([sites, sites[:20]])
    d = build(sites, np.zeros(320), SQ)
    assert abs(fsum(d.masses) - 1) <= 1e-12
    assert not d.empty[:300].any() and d.empty[300:].all(), "the lowest index owns the cell"
    compare(d, ExactDiagram(sites))
    weights = np.zeros(320)
    weights[300:] = 1e-3
    d = build(sites, weights, SQ)
    assert d.empty[:20].all()
    compare(d, ExactDiagram(sites, weights))


@pytest.mark.parametrize("k", [10, 20, 30, 40, 50])
def test_near_duplicates(k):
    sites = rng(9).integers(0, 2**20, (20, 2)) / 2**20
    sites[1] = sites[0] + (2.0**-k, 0)
    d = build(sites, np.zeros(20), SQ)
    compare(d, ExactDiagram(sites))
    if k == 50:
        expected = [0.010445610811540619, 0.0249092373417825]
        np.testing.assert_allclose(areas(d)[:2], expected, rtol=1e-12)


def test_the_triangulation_is_the_lower_hull_of_the_lifted_sites():
    n = 1000
    sites, weights = rng(33).random((n, 2)) - 0.5, 0.002 * rng(34).random(n)
    half = 5e5
    d = build(sites, weights, half * (2 * SQ - 1))
    lifted = np.column_stack([sites, (sites**2).sum(axis=1) - weights])
    hull = ConvexHull(lifted - lifted.mean(axis=0))
    lower = hull.simplices[hull.equations[:, 2] < 0]
    normals = hull.equations[hull.equations[:, 2] < 0]

    # Corners of the planar hull that are nearly straight may own nothing inside the domain.
    ring = ConvexHull(sites).vertices
    before, after = np.roll(ring, 1), np.roll(ring, -1)
    u, v = sites[ring] - sites[before], sites[after] - sites[ring]
    turn = np.arctan2(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], (u * v).sum(axis=1))
    ignored = set(ring[turn < 1e-5].tolist())
    expected = set(lower.ravel().tolist())
    assert len(expected) > 300
    assert expected - ignored == set(np.flatnonzero(~d.empty).tolist()) - ignored

    # The regular triangulation is the lower hull.
    triangles = {tuple(sorted(t)) for t in d.triangulation.tolist()}
    assert triangles == {tuple(sorted(t)) for t in lower.tolist()}

    # Edges: a facet inside the domain is an edge of two lower triangles whose dual vertices,
    # half the gradient of their planes, lie inside.
    dual = -normals[:, :2] / (2 * normals[:, 2:3])
    inside = (np.abs(dual + 0) < 0.9 * half).all(axis=1)
    owners = {}
    for t, triangle in enumerate(lower.tolist()):
        for pair in itertools.combinations(sorted(triangle), 2):
            owners.setdefault(pair, []).append(t)
    finite = {p for p, t in owners.items() if len(t) == 2 and inside[t].all()}
    facets = set(map(tuple, d.facets.sites.tolist()))
    assert finite - facets == set()
    assert facets - set(owners) == set()


@pytest.mark.parametrize(
    "shape", ["identical x", "identical y", "diagonal", "sorted", "lattice row"]
)
def test_many_sites_on_a_line(shape):
    n = 10**4
    t = np.sort(rng(0).random(n))
    sites = {
        "identical x": np.column_stack([np.full(n, 0.5), t]),
        "identical y": np.column_stack([t, np.full(n, 0.3)]),
        "diagonal": np.column_stack([t, t]),
        "sorted": np.column_stack([t, rng(1).random(n)]),
        "lattice row": np.column_stack([(np.arange(n) + 0.5) / n, np.full(n, 0.5)]),
    }[shape]
    d = build(sites, None, SQ)
    assert not d.empty.any()
    if shape.startswith("identical"):
        border = np.concatenate([[0], (t[1:] + t[:-1]) / 2, [1]])
        # The border is rounded to a place of its own; the strips are as thin as 1e-9.
        np.testing.assert_allclose(d.masses, np.diff(border), rtol=0, atol=3e-16)
    if shape == "lattice row":
        np.testing.assert_allclose(d.masses, 1 / n, rtol=1e-11)
    if shape != "sorted":
        assert len(d.facets.measures) == n - 1
        assert len(d.triangulation) == 0
    # The same backwards and shuffled: nothing depends on the order of insertion.
    p = rng(5).permutation(n)
    np.testing.assert_allclose(build(sites[p], None, SQ).masses, d.masses[p], rtol=1e-13)
