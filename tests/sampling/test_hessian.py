"""The Hessian from the gaps of samples, against that of exact diagrams, and the steps it gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array

import geomot
from geomot import Gaussian, PowerDiagram, UniformBox
from geomot._sampling.clusters import hierarchy
from geomot._sampling.designs import PointDesign
from geomot._sampling.hessian import Curvature, _Close, _Factors
from geomot._search.backends import CoreBackend


def design_of(sites, source=None):
    source = source or UniformBox.unit(sites.shape[1])
    return PointDesign(sites, source, np.random.default_rng(0), 1, CoreBackend())


def looked(design, heights, looks, size=8192, seed=1):
    """An estimate after so many looks, and the clusters that its ground is made of."""
    n = len(design)
    owners = hierarchy(design.metric_sites, np.random.default_rng(seed))
    curvature = Curvature(design, np.full(n, 1.0 / n), owners)
    draw = design.stream(np.random.default_rng(seed))
    for _ in range(looks):
        curvature.update(design.winners(draw(size), heights, runner=True))
    return curvature


def dense(apply, n):
    """The matrix of a linear map."""
    return np.stack([apply(column) for column in np.eye(n)], axis=1)


def test_hessian_in_the_plane():
    sites = np.random.default_rng(2).random((80, 2))
    solution = geomot.solve(sites)
    design = design_of(sites)
    curvature = looked(design, design.heights(solution.weights), 40)
    # a unit of height in the frame is design.unit units of height
    exact = PowerDiagram(sites, solution.weights).hessian().toarray() * design.unit
    found = curvature.flow.toarray()
    # smoothing over a part of the usual gap takes some of what is at gap 0
    ratio = found.sum(axis=1) / exact.diagonal()
    assert 0.5 < ratio.min() < ratio.max() < 1.1
    assert 0.75 < np.median(ratio) < 1.0
    off = -(exact - np.diag(exact.diagonal()))
    assert np.corrcoef(found.ravel(), off.ravel())[0, 1] > 0.95
    assert found[off == 0.0].sum() < 0.02 * found.sum()


@pytest.mark.parametrize("total_variation", [None, 0.5, 1e-6, 1e9])
def test_steps_in_the_plane_solve_the_system_on_its_ground(total_variation):
    n = 100
    sites = np.random.default_rng(3).random((n, 2))
    design = design_of(sites)
    curvature = looked(design, design.heights(np.zeros(n)), 5)
    excess = np.random.default_rng(4).standard_normal(n)
    if total_variation is not None:
        curvature.observe(total_variation)
    step = curvature.newton_step(excess)
    flow = curvature.flow.toarray()
    matrix = np.diag(flow.sum(axis=1)) - flow + dense(curvature.ground.apply, n)
    np.testing.assert_allclose(step, np.linalg.solve(matrix, excess), rtol=1e-9, atol=1e-12)


def test_steps_in_space_nearly_solve_it():
    """As far as sites and clusters are told apart from noise: a few iterations."""
    n = 400
    sites = np.random.default_rng(5).random((n, 4))
    design = design_of(sites)
    curvature = looked(design, design.heights(np.zeros(n)), 5)
    curvature.observe(0.1)
    excess = np.random.default_rng(6).standard_normal(n)
    excess -= excess.mean()
    step = curvature.newton_step(excess)
    flow = curvature.flow.toarray()
    matrix = np.diag(flow.sum(axis=1)) - flow + dense(curvature.ground.apply, n)
    wanted = np.linalg.solve(matrix, excess)
    off = step - wanted
    assert off @ matrix @ off < 0.1**2 * (wanted @ matrix @ wanted)


def test_a_refused_step_shortens_those_after_it():
    n = 60
    design = design_of(np.random.default_rng(7).random((n, 3)))
    curvature = looked(design, design.heights(np.zeros(n)), 5)
    curvature.observe(0.01)
    excess = np.random.default_rng(8).standard_normal(n)
    excess -= excess.mean()

    def length():
        curvature.observe(0.01)  # the system is set up anew
        return float(np.linalg.norm(curvature.newton_step(excess)))

    usual = length()
    curvature.refuse()
    refused = length()
    assert refused < usual
    curvature.refuse()
    assert length() < refused
    for _ in range(20):
        curvature.accept()
    assert length() == pytest.approx(usual, rel=1e-9)


@pytest.mark.parametrize(
    ("sites", "factorised"),
    [
        (np.random.default_rng(0).random((200, 2)), True),
        (np.random.default_rng(0).random((200, 1)), True),
        (np.random.default_rng(0).random((200, 2)) @ np.ones((2, 6)), True),  # on a line
        (np.random.default_rng(0).random((200, 3)), False),
        (np.random.default_rng(0).random((3, 2)), True),
        (np.random.default_rng(0).random((2, 2)), False),
        (np.random.default_rng(0).random((1, 2)), False),
    ],
)
def test_where_the_matrix_is_factorised(sites, factorised):
    n, d = sites.shape
    design = design_of(sites, Gaussian(np.full(d, 0.5), 0.1))
    owners = hierarchy(design.metric_sites, np.random.default_rng(0))
    curvature = Curvature(design, np.full(n, 1.0 / n), owners)
    assert isinstance(curvature.solver, _Factors) == factorised


def test_a_far_too_large_cell_is_treated_by_its_mass():
    n = 40
    sites = np.random.default_rng(9).random((n, 3))
    design = design_of(sites)
    heights = design.heights(np.zeros(n))
    heights[0] += 10.0  # takes all
    curvature = looked(design, heights, 2)
    targets = np.full(n, 1.0 / n)
    masses = curvature.masses(targets)
    assert masses[0] > 0.99
    np.testing.assert_array_equal(masses[1:], targets[1:])


@pytest.mark.parametrize(("kind", "most"), [("ring", 6000), ("moons", 1500)])
def test_clusters_in_the_plane_from_a_normal_source(kind, most):
    """Masses have long ways to go."""
    n = 400
    sites = {
        "ring": lambda: geomot.datasets.gaussian_modes(n, geomot.datasets.ring(8), 0.1)[0],
        "moons": lambda: geomot.datasets.moons(n),
    }[kind]()
    sites = (sites - sites.mean(axis=0)) / sites.std()
    s = geomot.solve(
        sites, source=Gaussian(np.zeros(2), 1.0), method="montecarlo", tol=0.05, random_state=0,
        threads=1,
    )  # fmt: skip
    assert s.converged
    assert s.estimate.n_fit_samples < most * n


@pytest.mark.parametrize(("n", "dim"), [(20, 2), (40, 5), (63, 2)])
def test_few_sites_on_a_line(n, dim):
    """Masses go from cell to cell: without the whole matrix, 3000 steps are not enough."""
    rng = np.random.default_rng(n)
    sites = rng.random((n, 1)) @ rng.standard_normal((1, dim))
    source = Gaussian(np.zeros(dim), 1.0)
    s = geomot.solve(sites, source=source, method="montecarlo", tol=0.03, random_state=0)
    assert s.converged
    assert s.n_iter < 200


@pytest.mark.parametrize(("dim", "apart"), [(2, 1e-3), (2, 1e-4), (10, 1e-3), (10, 1e-4)])
def test_pairs_of_sites_next_to_each_other(dim, apart):
    """Such as codes of images that hardly differ: each of both gets its mass."""
    rng = np.random.default_rng(1)
    n, pairs = 500, 50
    sites = rng.standard_normal((n, dim))
    sites[-pairs:] = sites[:pairs] + apart * rng.standard_normal((pairs, dim))
    source = Gaussian(np.zeros(dim), 1.0)
    s = geomot.solve(
        sites, source=source, method="montecarlo", tol=0.02, random_state=0, max_iter=1500
    )
    assert s.converged
    both = np.column_stack([s.masses[:pairs], s.masses[-pairs:]]) * n
    # measured with some 30 hits each, of low discrepancy
    assert both.min() > 0.3


def test_close_sites_step_together():
    """The matrix of two tight pairs and two others, solved as a whole but for weak entries."""
    row, column = np.array([0, 2, 4, 0]), np.array([1, 3, 5, 2])
    density = np.array([100.0, 50.0, 1.0, 0.5])
    half = coo_array((density, (row, column)), shape=(6, 6)).tocsr()
    flow = (half + half.T).tocsr()
    tight = np.array([True, True, True, True, False, False])
    diagonal = np.array([101.0, 100.5, 51.0, 51.5, 2.0, 3.0])
    excess = np.array([1.0, -1.0, 1.0, 1.0, 2.0, 3.0])
    matrix = np.diag(diagonal)
    matrix[0, 1] = matrix[1, 0] = -100.0
    matrix[2, 3] = matrix[3, 2] = -50.0
    step = _Close(flow, diagonal, tight).step(excess)
    np.testing.assert_allclose(step, np.linalg.solve(matrix, excess))
    # none is close: site by site
    step = _Close(flow, diagonal, np.zeros(6, dtype=bool)).step(excess)
    np.testing.assert_allclose(step, excess / diagonal)
