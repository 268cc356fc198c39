"""Integrals of voxels over power cells in space, against rational clipping voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest
from effort import some
from space_density_oracles import DensityOracle, compare, grid_pieces

import geomot
from geomot import GridDensity, PowerDiagram


def agree(sites, weights, values, lower=None, upper=None, **tolerance):
    """The diagram of voxels, after a comparison with the oracle."""
    source = GridDensity(values, lower, upper)
    diagram = PowerDiagram(sites, weights, source)
    low, high = source.bounds
    # the planes as documented: low + (high - low) k / m, rounded
    edges = [
        np.append(a + (b - a) * (np.arange(m) / m), b)
        for a, b, m in zip(low, high, source.values.shape, strict=True)
    ]
    compare(diagram, DensityOracle(grid_pieces(source.values, edges), sites, weights), **tolerance)
    return diagram


@pytest.mark.parametrize("seed", some(range(12), quick=3))
def test_random_grids(seed):
    rng = np.random.default_rng(seed)
    values = rng.random(rng.integers(1, 4, 3)) * 10.0 ** (4.0 * rng.random())
    values[rng.random(values.shape) < 0.4 * (seed % 3 == 0)] = 0.0
    values[0, 0, 0] += 1.0
    lower = rng.normal(size=3)
    upper = lower + 2.0 * rng.random(3) + 0.1
    n = int(rng.integers(1, 6))
    sites = lower + (upper - lower) * rng.random((n, 3))
    agree(sites, 0.02 * rng.random(n) * (seed % 2), values, lower, upper)


@pytest.mark.parametrize("size", some([1e-10, 1e-3, 1e-6, 1e-13], quick=1))
def test_tiny_cells_where_planes_of_the_grid_cross(size):
    rng = np.random.default_rng(2)
    values = rng.random((3, 2, 3)) * np.array([1.0, 1000.0, 1.0])
    sites = np.array([1 / 3, 0.5, 2 / 3]) + size * np.vstack([np.zeros(3), np.eye(3), -np.ones(3)])
    agree(sites, -1e-3 * size * rng.random(5), values)


@pytest.mark.parametrize(("gap", "relative"), [(1e-3, 1e-12), (1e-6, 1e-10), (1e-9, 1e-8)])
def test_cells_as_thin_as_sites_are_close(gap, relative):
    # as exact as the volumes of such cells under the uniform measure
    values = np.random.default_rng(1).random((2, 2, 2)) * np.array([1.0, 100.0])
    chain = np.array([0.43, 0.2, 0.5]) + gap * np.arange(3)[:, None] * np.array([0.6, 0.5, 0.4])
    agree(chain, None, values, relative=relative, facets=100 * relative, places=relative)


def test_dark_cells_keep_their_digits():
    values = np.full((2, 2, 2), 1e-7)
    values[1, 1, 1] = 1.0
    agree(np.random.default_rng(0).random((5, 3)), None, values)


def test_facets_along_planes_of_the_grid_have_the_mean_of_both_sides():
    values = np.random.default_rng(3).random((4, 2, 2))
    values[1, 1, 1] = 0.0
    middles = (np.arange(2) + 0.5) / 2
    agree(np.stack(np.meshgrid(middles, middles, middles), -1).reshape(-1, 3), None, values)


def test_slabs():
    values = np.array([1.0, 2.0, 3.0, 4.0])[None, None, :]
    sites = [(0.5, 0.5, 0.125 + 0.25 * k) for k in range(4)]
    diagram = PowerDiagram(sites, None, GridDensity(values))
    np.testing.assert_allclose(diagram.masses, [0.1, 0.2, 0.3, 0.4], rtol=1e-15)
    np.testing.assert_allclose(diagram.facets.measures / 0.4, [1.5, 2.5, 3.5], rtol=1e-14)
    np.testing.assert_allclose(diagram.centroids, sites, rtol=0.0, atol=1e-15)


def test_a_facet_through_dark_voxels_alone_is_none():
    values = np.eye(2)[:, :, None]
    diagram = PowerDiagram([(0.25, 0.25, 0.5), (0.75, 0.75, 0.5)], None, GridDensity(values))
    assert diagram.masses.tolist() == [0.5, 0.5] and len(diagram.facets) == 0
    corners = [(0.25, 0.25, 0.5), (0.75, 0.75, 0.5), (0.25, 0.75, 0.5), (0.75, 0.25, 0.5)]
    four = PowerDiagram(corners, None, GridDensity(values))
    assert four.masses.tolist() == [0.5, 0.5, 0.0, 0.0]
    assert not four.empty.any()  # they have an inside, and no mass


def test_a_constant_is_the_uniform_measure():
    sites = np.random.default_rng(4).random((60, 3))
    weights = 0.02 * np.random.default_rng(5).random(60)
    grid = PowerDiagram(sites, weights, GridDensity(np.ones((7, 8, 9))))
    box = PowerDiagram(sites, weights)
    np.testing.assert_allclose(grid.masses, box.masses, rtol=1e-12)
    np.testing.assert_allclose(grid.costs, box.costs, rtol=1e-12)
    np.testing.assert_allclose(grid.centroids, box.centroids, rtol=1e-12)
    np.testing.assert_array_equal(grid.facets.sites, box.facets.sites)
    np.testing.assert_allclose(grid.facets.measures, box.facets.measures, rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(grid.empty, box.empty)
    mine, theirs = grid._compiled.facet_moments(), box._compiled.facet_moments()
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0.0, atol=1e-9)


def test_one_site_has_the_moments_of_the_source():
    source = GridDensity(np.random.default_rng(6).random((5, 6, 7)), [-1, 0, 2], [1, 1, 5])
    site = np.array([0.3, 0.4, 0.5])
    diagram = PowerDiagram([site], None, source)
    assert diagram.masses[0] == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(diagram.centroids[0], source.mean, rtol=1e-13)
    cost = np.trace(source.covariance) + np.sum((source.mean - site) ** 2)
    assert diagram.costs[0] == pytest.approx(cost, rel=1e-13)


def test_many_voxels_to_a_cell_and_many_cells_to_a_voxel_sum_to_one():
    rng = np.random.default_rng(7)
    values = rng.random((40, 50, 60)) ** 8
    for n in (3, 200):
        diagram = PowerDiagram(rng.random((n, 3)), None, GridDensity(values))
        assert diagram.masses.sum() == pytest.approx(1.0, rel=1e-13)
        mean = diagram.masses @ diagram.centroids
        np.testing.assert_allclose(mean, GridDensity(values).mean, rtol=1e-12)
    crowd = PowerDiagram(rng.random((3000, 3)), None, GridDensity(rng.random((2, 2, 2))))
    assert crowd.masses.sum() == pytest.approx(1.0, rel=1e-13)


def test_a_half_space_is_a_sum_of_voxels():
    values = np.random.default_rng(8).random((6, 5, 4))
    sites = [(0.0, 0.5, 0.5), (2.0 / 3.0, 0.5, 0.5)]  # the border is x = 1 / 3
    diagram = PowerDiagram(sites, None, GridDensity(values))
    assert diagram.masses[0] == pytest.approx(values[:2].sum() / values.sum(), rel=1e-13)


@pytest.mark.parametrize("exponent", [-200, -40, 40, 180])
def test_units_change_no_bit(exponent):
    rng = np.random.default_rng(9)
    sites, values, unit = rng.random((20, 3)), rng.random((4, 5, 6)), 2.0**exponent
    one = PowerDiagram(sites, None, GridDensity(values))
    other = PowerDiagram(unit * sites, None, GridDensity(values, [0.0] * 3, [unit] * 3))
    np.testing.assert_array_equal(other.masses, one.masses)
    np.testing.assert_array_equal(other.centroids, unit * one.centroids)
    np.testing.assert_array_equal(other.facets.measures, one.facets.measures / unit)


def test_threads_change_no_bit():
    rng = np.random.default_rng(10)
    sites, source = rng.random((300, 3)), GridDensity(rng.random((20, 20, 20)))
    one, two = (PowerDiagram(sites, None, source, threads=k) for k in (1, 2))
    np.testing.assert_array_equal(one.masses, two.masses)
    np.testing.assert_array_equal(one.facets.measures, two.facets.measures)


def test_the_hessian_against_differences():
    rng = np.random.default_rng(11)
    source, sites = GridDensity(rng.random((5, 6, 7))), rng.random((12, 3))
    weights, step = 0.01 * rng.random(12), 1e-5
    hessian = PowerDiagram(sites, weights, source).hessian().toarray()
    for k in (0, 7):
        moved = step * np.eye(12)[k]
        up, down = (PowerDiagram(sites, weights + s * moved, source).masses for s in (1, -1))
        np.testing.assert_allclose((up - down) / step, hessian[k], rtol=0.0, atol=1e-7)


def test_derivatives_in_the_sites_against_differences():
    rng = np.random.default_rng(12)
    source, sites, step = GridDensity(rng.random((3, 4, 3))), rng.random((6, 3)), 1e-6
    derivatives = PowerDiagram(sites, None, source).derivatives()
    for k in (0, 4):
        moved = np.zeros((6, 3))
        moved[2, k % 3] = step
        up, down = (PowerDiagram(sites + s * moved, None, source) for s in (1, -1))
        column = 6 + k % 3
        found = (up.masses - down.masses) / (2.0 * step)
        np.testing.assert_allclose(
            derivatives.masses_in_sites.toarray()[:, column], found, rtol=0.0, atol=1e-7
        )
        found = ((up.centroids - down.centroids) / (2.0 * step)).reshape(-1)
        np.testing.assert_allclose(
            derivatives.centroids_in_sites.toarray()[:, column], found, rtol=0.0, atol=1e-6
        )


def test_points_agree_with_samples():
    source = geomot.GridDensity(np.random.default_rng(13).random((3, 3, 3)) ** 3)
    diagram = PowerDiagram(np.random.default_rng(14).random((8, 3)), None, source)
    found = np.bincount(diagram.locate(source.sample(40_000, 0)), minlength=8) / 40_000
    assert np.abs(found - diagram.masses).max() < 0.01
