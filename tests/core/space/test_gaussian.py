"""Normal densities over cells in space: closed forms, positive sums, differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

import geomot
from geomot import BrenierMap, Gaussian, PowerDiagram, solve

rng = np.random.default_rng
NORMAL = Gaussian([0.0, 0.0, 0.0], 1.0)
TURNED = Gaussian([1.0, 2.0, 3.0], [[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 0.7]])


def between(a, b):
    """Standard normal mass of intervals, without cancellation in either tail."""
    return np.where(a > 0.0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))


def by_rays(polyhedron, order=12):
    """Standard normal mass: Gauss's rule on the tetrahedra of a corner's fan, in cubes."""
    x, w = np.polynomial.legendre.leggauss(order)
    x, w = 0.5 + 0.5 * x, 0.5 * w
    u, v, t = np.meshgrid(x, x, x, indexing="ij")
    weights = w[:, None, None] * w[:, None] * w * u**2 * v
    apex, mass = polyhedron.vertices[0], 0.0
    for face in polyhedron.faces:
        corners = polyhedron.vertices[face] - apex
        for k in range(2, len(face)):
            a, b, c = corners[0], corners[k - 1], corners[k]
            volume = np.linalg.det([a, b, c])
            z = apex + u[..., None] * (a + v[..., None] * (b - a + t[..., None] * (c - b)))
            mass += abs(volume) * np.sum(weights * np.exp(-0.5 * np.sum(z**2, axis=-1)))
    return mass / (2.0 * np.pi) ** 1.5


# ---- closed forms ----


def test_one_site_has_everything():
    diagram = PowerDiagram([(0.3, 0.0, -1.0)], None, NORMAL)
    assert diagram.masses[0] == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(diagram.centroids[0], 0.0, atol=1e-14)
    assert diagram.costs[0] == pytest.approx(3.0 + 1.09, rel=1e-13)


@pytest.mark.parametrize("height", [-8.0, -0.5, 0.0, 1e-3, 0.7, 2.0, 5.0, 9.0])
def test_half_spaces(height):
    direction = np.array([0.6, 0.0, 0.8])
    sites = np.array([(height - 0.5) * direction, (height + 0.5) * direction])
    diagram = PowerDiagram(sites, None, NORMAL)
    mass, level = ndtr(-height), np.exp(-0.5 * height**2) / np.sqrt(2.0 * np.pi)
    assert diagram.masses[1] == pytest.approx(mass, rel=1e-11)
    assert diagram.masses.sum() == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(
        diagram.masses[1] * diagram.centroids[1], level * direction, rtol=1e-11, atol=1e-14 * level
    )
    assert diagram.facets.measures[0] == pytest.approx(level, rel=1e-11)
    site = height + 0.5
    cost = (mass + height * level) + 2.0 * mass - 2.0 * site * level + site**2 * mass
    assert diagram.costs[1] == pytest.approx(cost, rel=1e-10)
    mean, spread = diagram._compiled.facet_moments()
    np.testing.assert_allclose(mean[0], height * direction, atol=1e-10)
    np.testing.assert_allclose(spread[0], np.eye(3) - np.outer(direction, direction), atol=1e-9)


def test_orthants():
    signs = np.stack(np.meshgrid(*3 * [[-1.0, 1.0]]), axis=-1).reshape(-1, 3)
    diagram = PowerDiagram(signs, None, NORMAL)
    np.testing.assert_allclose(diagram.masses, 0.125, rtol=1e-13)
    np.testing.assert_allclose(diagram.centroids, np.sqrt(2.0 / np.pi) * signs, rtol=1e-12)
    # quarter planes
    measures = diagram.facets.measures
    np.testing.assert_allclose(measures, 0.25 / np.sqrt(2.0 * np.pi), rtol=1e-12)
    # two axes apart: wedges of an angle
    angles = np.array([0.0, 2.0, 4.0])
    wedges = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(3)])
    gaps = np.diff(angles, append=2.0 * np.pi)
    shares = (gaps + np.roll(gaps, 1)) / (4.0 * np.pi)
    np.testing.assert_allclose(PowerDiagram(wedges, None, NORMAL).masses, shares, rtol=1e-13)


@pytest.mark.parametrize(
    ("pitch", "shift", "rtol"),
    [
        (1.0, 0.0, 1e-13),
        (1.0, 7.0, 1e-12),
        (0.5, 3.0, 1e-12),
        (0.1, 7.0, 1e-10),
        (0.01, 3.0, 1e-12),
    ],
)
def test_boxes(pitch, shift, rtol):
    """The product of three error functions; also in the tails, each relative to itself."""
    axis = np.arange(-2.0, 3.0)
    grid = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    inner = np.abs(grid).max(axis=1) < 1.5
    sites = pitch * grid + [shift, 0.0, 0.0]
    diagram = PowerDiagram(sites, None, NORMAL)
    low, high = sites[inner] - 0.5 * pitch, sites[inner] + 0.5 * pitch
    np.testing.assert_allclose(diagram.masses[inner], between(low, high).prod(axis=1), rtol=rtol)


@pytest.mark.parametrize("digits", [5, 10, 17, 27])
@pytest.mark.parametrize("height", [0.5, 3.0, 6.0])
def test_slabs(height, digits):
    """The loss of digits that is stated for thin cells is not exceeded."""
    thick = 2.0**-digits
    sites = [[height + k * thick, 0.0, 0.0] for k in (-1, 0, 1)]
    mass = PowerDiagram(sites, None, NORMAL).masses[1]
    x, w = np.polynomial.legendre.leggauss(9)
    density = np.exp(-0.5 * (height + 0.5 * thick * x) ** 2) / np.sqrt(2.0 * np.pi)
    assert mass == pytest.approx(0.5 * thick * (w @ density), rel=1e-13 / thick)


# ---- positive sums ----


@pytest.mark.parametrize(
    ("away", "size", "rtol"),
    [(0.0, 0.1, 1e-12), (1.5, 0.3, 1e-11), (3.0, 0.1, 1e-10), (3.0, 0.02, 1e-11)],
)
def test_small_cells(away, size, rtol):
    sites = [away, 0.0, 0.0] + size * rng(0).uniform(-2.0, 2.0, (60, 3))
    diagram = PowerDiagram(sites, None, NORMAL)
    checked = 0
    for mass, cell, site in zip(diagram.masses, diagram.cells, sites, strict=True):
        if np.abs(cell.vertices - site).max() < 3.0 * size:
            assert mass == pytest.approx(by_rays(cell), rel=rtol)
            checked += 1
    assert checked > 3


@pytest.mark.parametrize("source", [NORMAL, TURNED], ids=["standard", "turned"])
@pytest.mark.parametrize("n", [2, 7, 400])
def test_sums(source, n):
    sites, weights = source.sample(n, n), 0.2 * n ** (-2 / 3) * rng(n).random(n)
    diagram = PowerDiagram(sites, weights, source)
    masses, centroids = diagram.masses, np.nan_to_num(diagram.centroids)
    assert masses.sum() == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(masses @ centroids, source.mean, atol=1e-12)
    away = sites - source.mean
    second = diagram.costs.sum() + np.sum(
        masses * (2.0 * np.sum((centroids - sites) * away, axis=1) + np.sum(away**2, axis=1))
    )
    assert second == pytest.approx(np.trace(source.covariance), rel=1e-12)


def test_an_affine_image():
    sites, heights = rng(4).normal(size=(50, 3)), 0.1 * rng(5).normal(size=50)
    factor = np.linalg.cholesky(TURNED.covariance)
    weights = 2.0 * heights + np.sum(sites**2, axis=1)
    seen = sites @ factor
    lifted = 2.0 * (heights + sites @ TURNED.mean) + np.sum(seen**2, axis=1)
    one, other = PowerDiagram(sites, weights, TURNED), PowerDiagram(seen, lifted, NORMAL)
    held = other.masses > 1e-12
    np.testing.assert_allclose(one.masses[held], other.masses[held], rtol=1e-9)


# ---- differences, solves ----


def test_derivatives():
    sites, weights = TURNED.sample(20, 6), 0.05 * rng(7).random(20)
    diagram = PowerDiagram(sites, weights, TURNED)
    hessian = diagram.hessian().toarray()
    columns = diagram.derivatives().masses_in_sites.toarray()
    step = 1e-5
    for i in (3, 11):
        shift = step * (np.arange(20) == i)
        ends = [PowerDiagram(sites, weights + sign * shift, TURNED).masses for sign in (1, -1)]
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), hessian[i] / 2, atol=1e-8)
        moved = np.outer(shift, [0.0, 1.0, 0.0])
        ends = [PowerDiagram(sites + sign * moved, weights, TURNED).masses for sign in (1, -1)]
        np.testing.assert_allclose(
            (ends[0] - ends[1]) / (2 * step), columns[:, 3 * i + 1], atol=1e-8
        )


def test_threads_change_no_bit():
    sites = NORMAL.sample(200, 10)
    one, two = (PowerDiagram(sites, None, NORMAL, threads=k) for k in (1, 2))
    assert one.masses.tobytes() == two.masses.tobytes()


def test_solves_meet_their_masses(tmp_path):
    for sites in (NORMAL.sample(150, 11), rng(12).random((150, 3))):
        nu = rng(13).exponential(size=150)
        solution = solve(sites, nu / nu.sum(), NORMAL)
        assert solution.converged and solution.method == "newton"
        masses = PowerDiagram(sites, solution.weights_exact, NORMAL).masses
        np.testing.assert_allclose(masses, solution.target_masses, rtol=2e-9)
        assert solution.bracket[0] <= solution.cost <= solution.bracket[1]
    solution.save(tmp_path / "map.npz")
    assert geomot.load(tmp_path / "map.npz") == solution


def test_the_map_to_another_normal_measure():
    sites = 2.0 * NORMAL.sample(800, 14)
    points = NORMAL.sample(200, 15)
    brenier = BrenierMap(NORMAL).fit(sites)
    assert np.linalg.norm(brenier.transform(points) - 2.0 * points, axis=1).mean() < 0.7
