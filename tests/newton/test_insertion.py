"""Weights to start from, under which no cell is empty."""

from __future__ import annotations

import numpy as np
import pytest
from problems import problem_of

from geomot import UniformPolygon, UniformPolyhedron
from geomot._exact import inserting_sites
from geomot._newton.insertion import insertion_start, make_valid
from geomot._newton.newton import Problem
from geomot._newton.quantiles import quantile_weights

BOX = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
HEXAGON = np.column_stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)])


@pytest.mark.parametrize("name", ["u2d", "clust2d", "two-scales", "moons", "masses-1e-6"])
@pytest.mark.parametrize("polygon", [BOX, HEXAGON], ids=["box", "hexagon"])
def test_starts_leave_no_cell_empty(name, polygon):
    problem = problem_of(name, 1200, polygon)
    assert not problem.evaluate(quantile_weights(problem)).diagram.empty.any()
    assert not insertion_start(problem).diagram.empty.any()


def test_quantile_start_is_valid_for_sites_on_lines_and_far_away():
    rng = np.random.default_rng(0)
    grid = np.array([(i, j) for i in range(6) for j in range(7)], dtype=float)
    for sites in (grid, 1e4 + grid, np.column_stack([rng.random(40), np.zeros(40)])):
        problem = Problem(sites, np.full(len(sites), 1.0 / len(sites)), UniformPolygon(BOX), 1)
        assert not problem.evaluate(quantile_weights(problem)).diagram.empty.any()


def test_make_valid_lifts_what_given_weights_hide():
    problem = problem_of("u2d", 500)
    weights = np.zeros(500)
    weights[::7] = -1.0
    assert problem.evaluate((weights, np.zeros(500))).diagram.empty.sum() > 50
    valid = make_valid(problem.evaluate((weights, np.zeros(500))))
    assert not valid.diagram.empty.any()


@pytest.mark.parametrize("corners", [4, 20, 60, 300])
def test_a_site_that_comes_in_alone_gets_its_mass(corners):
    """Where many faces of a domain meet in a corner its shape is known exactly, or cells vanish."""
    r = np.random.default_rng(corners)
    for _ in range(3):
        source = UniformPolyhedron(r.random((corners, 3)))
        sites, masses = r.random((20, 3)), 10.0 ** r.uniform(-8, -2, 20)
        weights = 0.3 * r.standard_normal(20)
        with_cells = inserting_sites(sites, source)
        diagram = with_cells.diagram(weights, np.zeros(20))
        hidden = np.flatnonzero(diagram.empty)
        assert hidden.size > 5
        for i in hidden[:6]:
            high, low = weights.copy(), np.zeros(20)
            high[i], low[i] = diagram.insert(sites[[i]], masses[[i]], np.array([i]))[0]
            mass = with_cells.diagram(high, low).masses[i]
            assert mass == pytest.approx(masses[i], rel=0.02)
