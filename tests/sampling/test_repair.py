"""The upper bound on W2^2 from flows between neighbouring cells."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import Gaussian
from geomot import _laplacian as laplacian
from geomot._sampling.repair import LAWS, Repair


def cells(n=300, seed=0, spread=1e-4):
    """Exact cells of weights that are a little off, and their excess."""
    rng = np.random.default_rng(seed)
    sites = rng.random((n, 2))
    solution = geomot.solve(sites)
    weights = solution.weights + spread * rng.standard_normal(n)
    return solution, geomot.PowerDiagram(sites, weights)


def test_flows_bound_the_cost_from_above():
    solution, diagram = cells()
    repair = Repair(diagram.sites, diagram.weights, diagram.masses, diagram.centroids, 1)
    excess = diagram.masses - solution.target_masses
    costs = repair.costs(excess)
    assert costs.shape == (LAWS,)
    # of the map's cost and of the weights at their targets: the dual value
    dual = diagram.costs.sum() - diagram.weights @ excess
    assert dual < solution.cost < dual + costs.min()
    # far less than what moving as much across the whole square would take
    assert costs.min() < 0.005 * 0.5 * np.abs(excess).sum()


def test_right_masses_cost_nothing_more():
    solution, _ = cells(50)
    diagram = solution.diagram()
    repair = Repair(diagram.sites, diagram.weights, diagram.masses, diagram.centroids, 1)
    assert repair.costs(np.zeros(50)).tolist() == [0.0] * LAWS


def test_cells_without_samples_do_not_lose_the_linear_solve(monkeypatch):
    """Many sites and few samples: 100 seconds were spent on eliminating such networks."""

    def refused(*_):
        raise AssertionError("the network was eliminated")

    monkeypatch.setattr(laplacian, "_eliminate", refused)
    sites = np.random.default_rng(0).standard_normal((3000, 10))
    s = geomot.solve(sites, source=Gaussian(np.zeros(10), 1.0), tol=0.3, random_state=0)
    assert s.converged
    assert np.count_nonzero(s.masses == 0.0) > 300
    assert 0.0 < s.bracket[0] < s.bracket[1] < 10.0 * s.bracket[0]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_sites(n):
    solution, diagram = cells(n)
    repair = Repair(diagram.sites, diagram.weights, diagram.masses, diagram.centroids, 1)
    assert (repair.costs(diagram.masses - solution.target_masses) >= 0.0).all()
