"""Integrals of densities that are linear on triangles, against rational clipping."""

from __future__ import annotations

import math

import numpy as np
import pytest
from density_oracles import PiecewiseOracle, compare
from scipy.spatial import Delaunay

import geomot
from geomot import MeshDensity, PowerDiagram

SQUARE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]


def random_mesh(rng, n, *, zeros=0.0):
    points = np.vstack([SQUARE, rng.random((n, 2))])
    values = rng.random(n + 4) ** 3 * (rng.random(n + 4) >= zeros)
    return MeshDensity(points, Delaunay(points).simplices, values)


def agree(sites, weights, mesh, **tolerances):
    diagram = PowerDiagram(sites, weights, mesh)
    oracle = PiecewiseOracle.mesh(mesh.points, mesh.simplices, mesh.values)
    compare(diagram, oracle.measure(sites, weights), **tolerances)
    return diagram


@pytest.mark.parametrize("seed", range(8))
def test_random_cells(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 25))
    agree(1.5 * rng.random((n, 2)) - 0.25, 0.05 * rng.random(n), random_mesh(rng, 8), facets=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_zeros(seed):
    rng = np.random.default_rng(seed)
    agree(rng.random((15, 2)), np.zeros(15), random_mesh(rng, 8, zeros=0.6), facets=1e-9)


def test_thin_and_tiny_cells():
    rng = np.random.default_rng(4)
    mesh = random_mesh(rng, 8)
    x = np.cumsum(np.geomspace(1e-12, 1e-2, 10)) + 0.3
    agree(np.column_stack([x, np.full(10, 0.5)]), np.zeros(10), mesh, facets=1e-9)
    middle = mesh.points[5]
    agree(middle + 1e-9 * rng.normal(size=(10, 2)), np.zeros(10), mesh, facets=1e-6)


def test_thin_triangles():
    points = [(0, 0), (1, 0), (1, 1), (0, 1), (0.5, 1e-9), (0.25, 0.5)]
    mesh = MeshDensity(points, Delaunay(points).simplices, [1.0, 2.0, 1.0, 0.0, 5.0, 3.0])
    agree(np.random.default_rng(5).random((12, 2)), np.zeros(12), mesh, facets=1e-9)


def test_a_ramp():
    """2 x on the square: closed form 4 of two sites."""
    ramp = MeshDensity(SQUARE, [(0, 1, 2), (0, 2, 3)], [0.0, 1.0, 1.0, 0.0])
    solution = geomot.solve([(0.25, 0.5), (0.75, 0.5)], source=ramp)
    assert solution.method == "newton"
    root = math.sqrt(2.0)
    assert solution.cost == pytest.approx(root / 6.0 - 5.0 / 48.0, rel=1e-13)
    low, high = solution.weights
    assert low - high == pytest.approx(0.5 * root - 0.5, rel=1e-12)
    facets = solution.diagram().facets
    assert facets.measures / (2.0 * facets.distances) == pytest.approx([root], rel=1e-12)


def test_a_pyramid_with_facets_on_its_edges():
    points = [(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)]
    triangles = [(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 1)]
    mesh = MeshDensity(points, triangles, [1.5, 0.0, 0.0, 0.0, 0.0])
    sites = [(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)]
    solution = geomot.solve(sites, source=mesh)
    assert solution.cost == pytest.approx(0.2, rel=1e-13)
    facets = solution.diagram().facets
    rates = facets.measures / (2.0 * facets.distances)
    assert rates == pytest.approx([3.0 / 8.0] * 4, rel=1e-13)


def test_a_linear_density_does_not_see_the_mesh():
    rng = np.random.default_rng(6)
    points = np.vstack([SQUARE, rng.random((60, 2))])
    fine = MeshDensity(points, Delaunay(points).simplices, 1.0 + points[:, 0])
    coarse = MeshDensity(SQUARE, [(0, 1, 2), (0, 2, 3)], [1.0, 2.0, 2.0, 1.0])
    sites = rng.random((200, 2))
    here, there = (PowerDiagram(sites, None, mesh) for mesh in (fine, coarse))
    np.testing.assert_allclose(here.masses, there.masses, rtol=1e-12)
    np.testing.assert_allclose(here.costs, there.costs, rtol=1e-11)
    assert here.masses.sum() == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("zeros", [0.0, 0.5])
def test_solves(zeros):
    rng = np.random.default_rng(7)
    mesh = random_mesh(rng, 40, zeros=zeros)
    for sites in (mesh.sample(200, 8), rng.random((200, 2))):
        solution = geomot.solve(sites, source=mesh)
        assert solution.converged and solution.method == "newton"
        np.testing.assert_allclose(solution.diagram().masses, 1.0 / 200.0, rtol=1e-9)
