"""Cells cut by a ball or an ellipsoid: closed forms, sums, differences, affine images."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import geomot
from geomot import BrenierMap, PowerDiagram, UniformBall, UniformEllipsoid, solve
from geomot.plotting import planar_cut

rng = np.random.default_rng
BALL = UniformBall([0.0, 0.0, 0.0], 1.0)
ELLIPSOID = UniformEllipsoid([1.0, 2.0, 3.0], [[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 0.7]])


def moments_about(diagram, centre):
    """Total mass, barycentre, and second moment about a place, from those of the cells."""
    masses, sites = diagram.masses, diagram.sites
    centroids = np.where(masses[:, None] > 0.0, diagram.centroids, 0.0)
    # |x - c|^2 = |x - y|^2 + 2 <x - y, y - c> + |y - c|^2
    away = sites - centre
    second = diagram.costs.sum() + np.sum(
        masses * (2.0 * np.sum((centroids - sites) * away, axis=1) + np.sum(away**2, axis=1))
    )
    return masses.sum(), masses @ centroids, second


# ---- closed forms ----


@pytest.mark.parametrize("height", [-0.9, -0.3, 0.0, 0.2, 0.7, 0.99, 0.9999])
def test_caps(height):
    diagram = PowerDiagram([(height - 0.5, 0.0, 0.0), (height + 0.5, 0.0, 0.0)], None, BALL)
    rest = 1.0 - height
    mass = rest**2 * (2.0 + height) / 4.0
    rtol = 1e-15 / rest**2 + 1e-14
    np.testing.assert_allclose(diagram.masses, [1.0 - mass, mass], rtol=rtol)
    first = 3.0 / 16.0 * (1.0 - height**2) ** 2
    assert diagram.masses[1] * diagram.centroids[1, 0] == pytest.approx(first, rel=rtol)
    np.testing.assert_allclose(diagram.centroids[:, 1:], 0.0, atol=1e-13)
    area = 0.75 * (1.0 - height**2)
    assert diagram.facets.measures[0] == pytest.approx(area, rel=1e-11)
    # the integrals of x^2 and of y^2 + z^2 over the cap
    along = 0.75 * ((1.0 - height**3) / 3.0 - (1.0 - height**5) / 5.0)
    around = 0.375 * (rest - 2.0 * (1.0 - height**3) / 3.0 + (1.0 - height**5) / 5.0)
    site = height + 0.5
    cost = along + around - 2.0 * site * first + site**2 * mass
    assert diagram.costs[1] == pytest.approx(cost, rel=1e-12 / rest + 1e-13)
    mean, spread = (part[0] for part in diagram._compiled.facet_moments())
    np.testing.assert_allclose(mean, [height, 0.0, 0.0], atol=1e-11)
    expected = np.diag([0.0, 1.0, 1.0]) * (1.0 - height**2) / 4.0
    np.testing.assert_allclose(spread, expected, atol=1e-12)


@pytest.mark.parametrize("angles", [(0.0, 2.0, 4.0), (0.3, 0.4, 2.5, 4.0), (1.0, 1.001, 3.0, 5.0)])
def test_wedges(angles):
    """Half planes around an axis: masses go with the angles between them."""
    turns = np.array(angles)
    sites = np.column_stack([np.cos(turns), np.sin(turns), np.full(len(turns), 0.2)])
    diagram = PowerDiagram(sites, None, BALL)
    gaps = np.diff(turns, append=turns[0] + 2 * np.pi)
    np.testing.assert_allclose(diagram.masses, (gaps + np.roll(gaps, 1)) / (4 * np.pi), rtol=1e-12)
    # half disks, and what rounding of the sites makes where they all meet
    measures = diagram.facets.measures
    np.testing.assert_allclose(measures[measures > 1e-9], 3.0 / 8.0, rtol=1e-12)
    assert np.count_nonzero(measures > 1e-9) == len(turns)


def test_octants():
    signs = np.stack(np.meshgrid(*3 * [[-1.0, 1.0]]), axis=-1).reshape(-1, 3)
    diagram = PowerDiagram(0.5 * signs, None, BALL)
    np.testing.assert_allclose(diagram.masses, 0.125, rtol=1e-14)
    np.testing.assert_allclose(diagram.centroids, 0.375 * signs, rtol=1e-13)
    # quarters of the disk
    np.testing.assert_allclose(diagram.facets.measures, 3.0 / 16.0, rtol=1e-13)
    assert len(diagram.facets) == 12
    # |x - y|^2 = |x|^2 - 2 <x, y> + |y|^2
    cost = 0.125 * (0.6 - 2.0 * 3 * 0.375 * 0.5 + 0.75)
    np.testing.assert_allclose(diagram.costs, cost, rtol=1e-13)


def test_one_site_has_the_ball():
    for site in ([0.1, 0.0, 0.0], [5.0, -3.0, 1.0]):
        diagram = PowerDiagram([site], None, BALL)
        assert diagram.masses[0] == pytest.approx(1.0, abs=1e-15)
        np.testing.assert_allclose(diagram.centroids[0], 0.0, atol=1e-15)
        assert diagram.costs[0] == pytest.approx(0.6 + np.dot(site, site), rel=1e-14)


def test_cells_inside_measure_what_they_do_in_a_box():
    grid = np.stack(np.meshgrid(*3 * [np.arange(-2.0, 3.0)]), axis=-1).reshape(-1, 3) / 4.0
    diagram = PowerDiagram(grid, None, BALL)
    inner = np.flatnonzero(np.abs(grid).max(axis=1) < 0.4)
    density = 3.0 / (4.0 * np.pi)
    np.testing.assert_allclose(diagram.masses[inner], density / 64.0, rtol=1e-14)
    np.testing.assert_allclose(diagram.costs[inner], density / 64.0 / 64.0, rtol=1e-13)


# ---- sums ----


@pytest.mark.parametrize("seed", range(40))
def test_sums(seed):
    """Random sites, lattices, and lattices whose edges touch the sphere."""
    random = rng(seed)
    n = int(random.integers(1, 40))
    centre, radius = random.normal(size=3), random.exponential() + 0.1
    sites = centre + radius * random.normal(size=(n, 3)) * 10 ** random.uniform(-2, 1)
    weights = radius**2 * random.random(n) * 10 ** random.uniform(-3, 0)
    if seed % 4 == 1:
        sites = centre + radius * random.integers(-2, 3, size=(n, 3)) / 2
        weights = np.zeros(n)
    if seed % 4 == 3:
        centre, radius = np.zeros(3), 5.0
        sites = random.integers(-6, 7, size=(n, 3)).astype(float)
        weights = random.integers(-5, 5, size=n).astype(float)
    diagram = PowerDiagram(sites, weights, UniformBall(centre, radius))
    mass, barycentre, second = moments_about(diagram, centre)
    reach = 1.0 + np.abs(sites - centre).max() / radius
    assert mass == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(barycentre, centre, atol=1e-12 * reach * radius)
    assert second == pytest.approx(0.6 * radius**2, abs=1e-12 * (reach * radius) ** 2)


def test_shares_of_samples():
    sites, weights = ELLIPSOID.sample(30, 1), 0.1 * rng(2).random(30)
    diagram = PowerDiagram(sites, weights, ELLIPSOID)
    points = ELLIPSOID.sample(200_000, 3)
    shares = np.bincount(diagram.locate(points), minlength=30) / len(points)
    np.testing.assert_allclose(diagram.masses, shares, atol=5e-3)


def test_an_ellipsoid_is_an_affine_image_of_a_ball():
    sites = rng(4).normal(size=(60, 3))
    heights = 0.1 * rng(5).normal(size=60)
    # cells of x are those of z = L^-1 (x - c) for the sites L^T y and the same planes
    factor = np.linalg.cholesky(ELLIPSOID.shape)
    weights = 2.0 * heights + np.sum(sites**2, axis=1)
    seen = sites @ factor
    lifted = 2.0 * (heights + sites @ ELLIPSOID.center) + np.sum(seen**2, axis=1)
    one, other = PowerDiagram(sites, weights, ELLIPSOID), PowerDiagram(seen, lifted, BALL)
    np.testing.assert_allclose(one.masses, other.masses, rtol=1e-11, atol=1e-15)
    held = one.masses > 1e-9
    np.testing.assert_allclose(
        one.centroids[held], ELLIPSOID.center + other.centroids[held] @ factor.T, atol=1e-10
    )
    mass, barycentre, second = moments_about(one, ELLIPSOID.center)
    assert mass == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(barycentre, ELLIPSOID.center, atol=1e-13)
    assert second == pytest.approx(np.trace(ELLIPSOID.covariance), rel=1e-13)


# ---- differences ----


@pytest.mark.parametrize("source", [BALL, ELLIPSOID], ids=["ball", "ellipsoid"])
def test_derivatives(source):
    sites, weights = source.sample(25, 6), 0.05 * rng(7).random(25)
    diagram = PowerDiagram(sites, weights, source)
    hessian = diagram.hessian().toarray()
    found = diagram.derivatives()
    step = 1e-5
    for i in (3, 11):
        up, down = weights.copy(), weights.copy()
        up[i] += step
        down[i] -= step
        ends = PowerDiagram(sites, up, source), PowerDiagram(sites, down, source)
        rate = (ends[0].masses - ends[1].masses) / (2 * step)
        np.testing.assert_allclose(rate, hessian[i] / 2, atol=1e-7)
        up, down = sites.copy(), sites.copy()
        up[i, 1] += step
        down[i, 1] -= step
        ends = PowerDiagram(up, weights, source), PowerDiagram(down, weights, source)
        rate = (ends[0].masses - ends[1].masses) / (2 * step)
        column = found.masses_in_sites.toarray()[:, 3 * i + 1]
        np.testing.assert_allclose(rate, column, atol=1e-7)


def test_units_change_no_bit_of_a_mass():
    sites, weights = BALL.sample(50, 8), 0.01 * rng(9).random(50)
    one = PowerDiagram(sites, weights, BALL)
    other = PowerDiagram(1024.0 * sites, 2.0**20 * weights, UniformBall([0.0] * 3, 1024.0))
    np.testing.assert_array_equal(one.masses, other.masses)
    np.testing.assert_array_equal(one.facets.measures, other.facets.measures * 1024.0)


def test_threads_change_no_bit():
    sites = BALL.sample(400, 10)
    one, two = (PowerDiagram(sites, None, BALL, threads=k) for k in (1, 2))
    assert one.masses.tobytes() == two.masses.tobytes()


# ---- solves ----


def test_solves_meet_their_masses(tmp_path):
    for sites in (BALL.sample(200, 11), rng(12).normal(size=(200, 3)), 7.0 + BALL.sample(50, 13)):
        nu = rng(14).exponential(size=len(sites))
        solution = solve(sites, nu / nu.sum(), BALL)
        assert solution.converged
        masses = PowerDiagram(sites, solution.weights_exact, BALL).masses
        np.testing.assert_allclose(masses, solution.target_masses, rtol=2e-9)
        assert solution.bracket[0] <= solution.cost <= solution.bracket[1]
    solution.save(tmp_path / "map.npz")
    assert geomot.load(tmp_path / "map.npz") == solution
    assert pickle.loads(pickle.dumps(solution.diagram())) == solution.diagram()


def test_the_map_between_concentric_balls_is_a_scaling():
    sites = 2.0 * BALL.sample(500, 15)
    brenier = BrenierMap(BALL).fit(sites)
    points = BALL.sample(200, 16)
    assert np.linalg.norm(brenier.transform(points) - 2.0 * points, axis=1).mean() < 0.3


def test_cells_are_drawn_on_a_polyhedron():
    diagram = PowerDiagram(BALL.sample(150, 17), None, BALL)
    corners = np.linalg.norm(diagram.cells.vertices, axis=1)
    assert 0.985 < corners.max() <= 1.0 + 1e-12
    section = planar_cut(diagram, "masses", position=0.6).outline.get_path().vertices
    assert np.linalg.norm(section, axis=1).max() == pytest.approx(0.8, rel=0.01)
