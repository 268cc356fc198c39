"""Uniform measures on disks and within ellipses: closed forms, and an oracle in many digits."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from density_oracles import BallOracle, compare

import geomot
from geomot import PowerDiagram, UniformBall, UniformEllipsoid, UniformPolygon

DISK = UniformBall([0.0, 0.0], 1.0)


def agree(sites, weights, ball, **tolerances):
    diagram = PowerDiagram(sites, weights, ball)
    compare(diagram, BallOracle(ball.center, ball.radius).measure(sites, weights), **tolerances)
    return diagram


@pytest.mark.parametrize("seed", range(8))
def test_random_cells(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    ball = UniformBall(rng.normal(size=2), rng.choice([0.5, 1.0, 4.0]))
    sites = rng.choice([0.3, 1.0, 3.0]) * rng.normal(size=(n, 2))
    agree(sites, 0.2 * rng.random(n), ball, facets=1e-10)


def test_cells_much_smaller_than_the_disk():
    """At its border too: the circle is placed to the digits of the cells."""
    rng = np.random.default_rng(3)
    place = np.array([math.cos(0.7), math.sin(0.7)])
    lattice = np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)), axis=-1).reshape(-1, 2)
    inner = np.abs(lattice).max(axis=1) < 2
    for size in (1e-3, 1e-6, 1e-9):
        sites = place + size * (lattice + 0.3 * rng.random((25, 2)))
        masses = PowerDiagram(sites, None, DISK).masses[inner]
        exact = BallOracle([0, 0], 1).measure(sites, np.zeros(25)).masses[inner]
        assert (exact > 0.0).any() and (exact == 0.0).any()
        np.testing.assert_allclose(masses, exact, rtol=1e-12)


def test_thin_cells_across_the_border():
    x = np.cumsum(np.geomspace(1e-12, 1e-2, 12)) - 0.3
    sites = np.column_stack([x, np.full(12, 0.1)])
    agree(sites, np.zeros(12), DISK)
    agree(sites[:, ::-1] + [0.0, 0.6], np.zeros(12), DISK, facets=1e-9)


def test_far_from_the_origin():
    rng = np.random.default_rng(4)
    ball = UniformBall([1e6, -1e6], 2.0**-10)
    agree(ball.sample(15, 1), 1e-8 * rng.random(15), ball, facets=1e-9)


def test_a_cell_that_holds_the_disk_and_cells_beside_it():
    diagram = agree([(0.0, 0.0), (3.0, 0.0), (0.0, 3.0)], [0.0, 0.0, 0.0], DISK)
    assert diagram.masses.tolist() == pytest.approx([1.0, 0.0, 0.0], rel=1e-15)
    assert diagram.empty.tolist() == [False, True, True]
    assert len(diagram.facets.sites) == 0
    # a cell in a corner of the box around the disk
    assert PowerDiagram([(0.0, 0.0), (0.95, 0.95)], [0.9, 0.0], DISK).empty.tolist() == [
        False,
        True,
    ]


def test_two_halves():
    solution = geomot.solve([(-0.5, 0.0), (0.5, 0.0)], source=DISK)
    assert solution.method == "newton"
    assert solution.cost == pytest.approx(0.75 - 4.0 / (3.0 * math.pi), rel=1e-14)
    facets = solution.diagram().facets
    assert facets.measures / (2.0 * facets.distances) == pytest.approx([1.0 / math.pi], rel=1e-14)


def test_a_ring_of_six():
    angle = np.arange(6) * np.pi / 3.0
    sites = 0.6 * np.column_stack([np.cos(angle), np.sin(angle)])
    solution = geomot.solve(sites, source=DISK)
    assert solution.cost == pytest.approx(0.0960562731589024, rel=1e-14)
    facets = solution.diagram().facets
    rates = facets.measures / (2.0 * facets.distances)
    # the sites are rounded: a facet of next to no length may open in the middle
    expected = 1.0 / (2.4 * math.pi * math.sin(math.pi / 6.0))
    assert rates[rates > 1e-9] == pytest.approx([expected] * 6, rel=1e-12)


def test_a_chord_beside_the_centre():
    diagram = PowerDiagram([(0.5, 0.0), (-0.5, 0.0)], [0.0, 0.2], DISK)
    right = (math.acos(0.1) - 0.1 * math.sqrt(0.99)) / math.pi
    assert diagram.masses == pytest.approx([right, 1.0 - right], rel=1e-14)


def test_caps_that_hardly_reach_into_the_disk():
    """To the stated error: what may count as nothing is less than 1e-20 of the disk."""
    for depth in (-1e-10, -1e-15, 0.0, 1e-16, 1e-15, 1e-13, 1e-10, 1e-6):
        line = 1.0 - depth
        diagram = PowerDiagram([(0.0, 0.0), (2.0 * line, 0.0)], None, DISK)
        with mpmath.workdps(50):
            phi = mpmath.acos(mpmath.mpf(min(line, 1.0)))
            cap = float((phi - mpmath.sin(2 * phi) / 2) / mpmath.pi)
        assert diagram.masses[1] == pytest.approx(cap, rel=1e-4, abs=1e-20)
        assert diagram.empty[1] == (diagram.masses[1] == 0.0)
        assert len(diagram.facets.sites) == (not diagram.empty[1])
        if depth >= 1e-13:
            assert not diagram.empty[1]


def linear_image(sites, weights, center, factor):
    """Sites and weights under which the cells of the unit disk are those of the ellipse."""
    exact = [[Fraction(float(v)) for v in row] for row in np.column_stack([sites, weights])]
    c = [Fraction(float(v)) for v in center]
    rows = [[Fraction(float(v)) for v in row] for row in factor]
    images, powers = [], []
    for x, y, w in exact:
        u = rows[0][0] * x + rows[1][0] * y
        v = rows[0][1] * x + rows[1][1] * y
        images.append((u, v))
        powers.append(w - x * x - y * y + 2 * (c[0] * x + c[1] * y) + u * u + v * v)
    return images, powers


@pytest.mark.parametrize("seed", range(6))
def test_ellipses(seed):
    rng = np.random.default_rng(seed)
    factor = np.array([[2.0, 0.0], [1.0, 0.5]]) if seed % 2 else np.array([[0.125, 0], [-4, 1]])
    center = np.array([0.5, -2.0])
    ellipse = UniformEllipsoid(center, factor @ factor.T)
    sites = center + rng.normal(size=(15, 2)) @ factor.T
    weights = 0.1 * rng.random(15)
    diagram = PowerDiagram(sites, weights, ellipse)
    images, powers = linear_image(sites, weights, center, factor)
    exact = BallOracle([0, 0], 1).measure(images, powers)
    held = exact.masses > 0.0
    np.testing.assert_allclose(diagram.masses[held], exact.masses[held], rtol=1e-12)
    places = center + exact.centroids[held] @ factor.T
    np.testing.assert_allclose(diagram.centroids[held], places, atol=2e-13)
    rates = diagram.facets.measures / diagram.facets.distances
    ends = np.array([[float(v) for v in image] for image in images])
    assert set(map(tuple, diagram.facets.sites.tolist())) == set(exact.facets)
    for (i, j), rate in zip(diagram.facets.sites.tolist(), rates, strict=True):
        gap = np.linalg.norm(ends[i] - ends[j])
        assert rate == pytest.approx(exact.facets[i, j] / gap, rel=1e-9, abs=1e-12)
    polygon = UniformPolygon(round_corners(center, factor, 4096))
    near = PowerDiagram(sites, weights, polygon)
    np.testing.assert_allclose(diagram.costs, near.costs, rtol=1e-3, atol=1e-5)
    second = np.trace(ellipse.covariance) + center @ center
    moved = diagram.masses * ((sites**2).sum(axis=1) - 2.0 * (diagram.centroids * sites).sum(1))
    assert diagram.costs.sum() == pytest.approx(second + np.nansum(moved), rel=1e-12)


def round_corners(center, factor, n):
    angle = 2.0 * np.pi * np.arange(n) / n
    return center + np.column_stack([np.cos(angle), np.sin(angle)]) @ factor.T


def test_a_ball_is_an_ellipsoid():
    sites = np.random.default_rng(5).normal(size=(40, 2))
    ball = PowerDiagram(sites, None, UniformBall([0.25, 0.5], 1.5))
    same = PowerDiagram(sites, None, UniformEllipsoid([0.25, 0.5], 2.25))
    np.testing.assert_allclose(ball.masses, same.masses, rtol=1e-13)
    np.testing.assert_allclose(ball.costs, same.costs, rtol=1e-12)


def test_cells_are_drawn_on_a_polygon():
    sites = DISK.sample(50, 1)
    diagram = PowerDiagram(sites, None, DISK)
    areas = [UniformPolygon(cell).area / math.pi for cell in diagram.cells]
    np.testing.assert_allclose(areas, diagram.masses, atol=1e-6)


@pytest.mark.parametrize("scale", [2.0**-60, 2.0**40])
def test_units_change_no_bit(scale):
    sites = np.random.default_rng(6).normal(size=(60, 2))
    here = PowerDiagram(sites, None, UniformBall([0.5, 0.25], 1.25))
    there = PowerDiagram(
        scale * sites, None, UniformBall([0.5 * scale, 0.25 * scale], 1.25 * scale)
    )
    np.testing.assert_array_equal(here.masses, there.masses)
    np.testing.assert_array_equal(here.facets.sites, there.facets.sites)


@pytest.mark.parametrize("source", [DISK, UniformEllipsoid([1.0, 0.0], [[4.0, 1.0], [1.0, 0.5]])])
@pytest.mark.parametrize("where", ["inside", "square", "far", "cluster"])
def test_solves(source, where):
    rng = np.random.default_rng(7)
    sites = {
        "inside": source.sample(300, 8),
        "square": rng.uniform(-1.0, 1.0, (300, 2)),
        "far": 5.0 + rng.normal(size=(300, 2)),
        "cluster": 0.3 + 1e-3 * rng.normal(size=(300, 2)),
    }[where]
    masses = rng.dirichlet(np.ones(300))
    solution = geomot.solve(sites, masses, source)
    assert solution.converged and solution.method == "newton" and solution.n_iter < 40
    np.testing.assert_allclose(solution.masses, masses, rtol=1e-9)
    low, high = solution.bracket
    assert low <= high <= low * (1.0 + 1e-6)


def test_hessian_against_differences():
    sites = DISK.sample(12, 9)
    step = 1e-6
    rates = PowerDiagram(sites, None, DISK).hessian().toarray() / 2.0
    for j in range(12):
        moved = [
            PowerDiagram(sites, sign * step * np.eye(12)[j], DISK).masses for sign in (1.0, -1.0)
        ]
        np.testing.assert_allclose((moved[0] - moved[1]) / (2.0 * step), rates[j], atol=1e-8)


def test_too_small_for_its_place():
    with pytest.raises(ValueError, match="radius must be large enough for float64 numbers"):
        PowerDiagram([(1e9, 0.0)], None, UniformBall([1e9, 0.0], 1e-12))
