"""The ascent of the dual value that starts Newton's method under dark densities."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import GridDensity
from geomot._newton.ascent import ascend, ascend_by_levels, under
from geomot._newton.newton import Problem
from geomot.sources import Blended

x, y = (np.mgrid[:128, :128] + 0.5) / 128
BLOBS = sum(
    np.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.002) for a, b in [(0.2, 0.3), (0.7, 0.8), (0.6, 0.2)]
)
# three islands of a pixel or two a cell, with jumps at their shores
ISLANDS = GridDensity(np.where(BLOBS > 0.05, BLOBS, 0.0))


def problem(source, sites, masses=None):
    n = len(sites)
    return Problem(sites, np.full(n, 1.0 / n) if masses is None else masses, source, 1)


def zeros(n):
    return np.zeros(n), np.zeros(n)


@pytest.mark.parametrize("sampled", [True, False])
def test_islands(sampled):
    sites = ISLANDS.sample(600, 0) if sampled else np.random.default_rng(0).random((600, 2))
    dark = problem(ISLANDS, sites)
    weights = ascend(dark, zeros(600)) if sampled else ascend_by_levels(dark)
    mixed = under(dark, 1 / 600).evaluate(weights)
    assert mixed.mass_error <= 0.1
    assert mixed.dual > under(dark, 1 / 600).evaluate(zeros(600)).dual
    # the masses of the simple measure, a least target's worth, are all that is amiss
    off = dark.evaluate(weights).diagram.masses - 1 / 600
    assert 0.5 * np.abs(off).sum() <= 0.05 + 1 / 600


def test_mass_crosses_the_dark_from_island_to_island():
    # nine tenths of the sites have half of the mass beside them, with nothing between
    halves = GridDensity(np.where(np.abs(x - 0.5) > 0.4, 1.0, 0.0))
    rng = np.random.default_rng(1)
    sites = rng.random((200, 2)) * [0.1, 1.0]
    sites[:20, 0] += 0.9
    solution = geomot.solve(sites, source=halves)
    assert solution.converged
    right = solution.diagram().centroids[20:, 0] > 0.5
    assert right.sum() == pytest.approx(80, abs=8)


def test_no_cell_needs_mass_at_first():
    corner = GridDensity(np.where((x < 0.25) & (y < 0.25), 1.0, 0.0))
    sites = 0.5 + 0.5 * np.random.default_rng(2).random((50, 2))
    dark = problem(corner, sites)
    assert (dark.evaluate(zeros(50)).massless).sum() > 30
    assert under(dark, 1 / 50).evaluate(ascend(dark, zeros(50))).mass_error <= 0.1


def test_a_share_of_one_is_the_uniform_measure():
    dark = problem(ISLANDS, np.random.default_rng(3).random((10, 2)))
    assert isinstance(under(dark, 0.5).source, Blended)
    simple = under(dark, 1.0).source
    assert isinstance(simple, geomot.UniformPolygon)
    np.testing.assert_array_equal(simple.bounds, [[0.0, 0.0], [1.0, 1.0]])
