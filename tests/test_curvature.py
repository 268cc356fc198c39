"""The Hessian from the gaps of samples, against that of exact diagrams, and the steps it gives."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import Gaussian, PowerDiagram, UniformBox
from geomot.backend import CoreBackend
from geomot.curvature import Curvature
from geomot.design import PointDesign


def design_of(sites, source=None):
    source = source or UniformBox.unit(sites.shape[1])
    return PointDesign(sites, source, np.random.default_rng(0), 1, CoreBackend())


def looked(design, heights, looks, size=8192, seed=1):
    rng = np.random.default_rng(seed)
    curvature = Curvature(design, rng)
    draw = design.stream(rng)
    for _ in range(looks):
        curvature.update(design.winners(draw(size), heights, runner=True))
    return curvature


def test_hessian_in_the_plane():
    sites = np.random.default_rng(2).random((80, 2))
    solution = geomot.solve(sites)
    design = design_of(sites)
    curvature = looked(design, design.heights(solution.weights), 40)
    # a unit of height in the frame is design.unit units of height
    exact = PowerDiagram(sites, solution.weights).hessian().toarray() * design.unit
    # smoothing over half the median gap takes some of what is at gap 0
    ratio = curvature.diagonal / exact.diagonal()
    assert 0.5 < ratio.min() < ratio.max() < 1.1
    assert 0.75 < np.median(ratio) < 1.0
    assert curvature.far.complete
    found = (curvature.far.flow + curvature.far.flow.T).toarray()
    off = -(exact - np.diag(exact.diagonal()))
    assert np.corrcoef(found.ravel(), off.ravel())[0, 1] > 0.95
    assert found[off == 0.0].sum() < 0.02 * found.sum()


def test_steps_in_the_plane_solve_the_damped_system():
    sites = np.random.default_rng(3).random((100, 2))
    design = design_of(sites)
    curvature = looked(design, design.heights(np.zeros(100)), 5)
    excess = np.random.default_rng(4).standard_normal(100)
    excess -= excess.mean()
    floor = np.full(100, 0.01)
    both = (curvature.far.flow + curvature.far.flow.T).toarray()
    for total_variation, damping in ((None, 1.0), (0.5, 0.2), (1e-6, 0.01), (1e9, 1.0)):
        if total_variation is not None:
            curvature.observe(total_variation)
        fine, far = curvature.newton_step(excess, floor)
        ground = damping * floor * curvature.trace
        wanted = np.linalg.solve(np.diag(both.sum(axis=1) + ground) - both, excess)
        assert fine == 0.0
        np.testing.assert_allclose(far, wanted - wanted.mean(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("sites", "complete"),
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
def test_where_the_whole_matrix_is_used(sites, complete):
    d = sites.shape[1]
    design = design_of(sites, Gaussian(np.full(d, 0.5), 0.1))
    assert Curvature(design, np.random.default_rng(0)).far.complete == complete


def test_steps_of_clusters_move_their_sites_alike():
    sites = np.random.default_rng(5).random((400, 4))
    design = design_of(sites)
    curvature = looked(design, design.heights(np.zeros(400)), 3)
    excess = np.random.default_rng(6).standard_normal(400)
    fine, far = curvature.newton_step(excess, np.full(400, 0.01))
    assert len(np.unique(np.round(far, 12))) <= len(curvature.far.matrix)
    ground = 0.01 * curvature.trace
    np.testing.assert_allclose(fine, excess / (curvature.diagonal + ground))


@pytest.mark.parametrize(("kind", "most"), [("ring", 6000), ("moons", 1500)])
def test_clusters_in_the_plane_from_a_normal_source(kind, most):
    """Masses have long ways to go."""
    n = 400
    sites = {
        "ring": lambda: geomot.datasets.gaussian_modes(n, geomot.datasets.ring(8), 0.1)[0],
        "moons": lambda: geomot.datasets.moons(n),
    }[kind]()
    sites = (sites - sites.mean(axis=0)) / sites.std()
    s = geomot.solve(sites, source=Gaussian(np.zeros(2), 1.0), tol=0.05, random_state=0, threads=1)
    assert s.converged
    assert s.estimate.n_fit_samples < most * n


@pytest.mark.parametrize(("n", "dim"), [(20, 2), (40, 5), (63, 2)])
def test_few_sites_on_a_line(n, dim):
    """Masses go from cell to cell: without the whole matrix, 3000 steps are not enough."""
    rng = np.random.default_rng(n)
    sites = rng.random((n, 1)) @ rng.standard_normal((1, dim))
    s = geomot.solve(sites, source=Gaussian(np.zeros(dim), 1.0), tol=0.03, random_state=0)
    assert s.converged
    assert s.n_iter < 200


@pytest.mark.parametrize(("dim", "apart"), [(2, 1e-3), (2, 1e-4), (10, 1e-3), (10, 1e-4)])
def test_pairs_of_sites_next_to_each_other(dim, apart):
    """Such as codes of images that hardly differ: each of both gets its mass."""
    rng = np.random.default_rng(1)
    n, pairs = 500, 50
    sites = rng.standard_normal((n, dim))
    sites[-pairs:] = sites[:pairs] + apart * rng.standard_normal((pairs, dim))
    s = geomot.solve(
        sites, source=Gaussian(np.zeros(dim), 1.0), tol=0.02, random_state=0, max_iter=1500
    )
    assert s.converged
    both = np.column_stack([s.masses[:pairs], s.masses[-pairs:]]) * n
    # measured with some 30 hits each, of low discrepancy
    assert both.min() > 0.3


def test_close_sites_step_together():
    """The matrix of two tight pairs and two others, solved as a whole but for weak entries."""
    from geomot.curvature import _Close

    close = _Close(6)
    first, second = np.array([0, 2, 4, 0]), np.array([1, 3, 5, 2])
    density = np.array([100.0, 50.0, 1.0, 0.5])
    tight = np.array([True, True, True, True, False, False])
    diagonal = np.array([101.0, 100.5, 51.0, 51.5, 2.0, 3.0])
    close.update(first, second, density, 1.0, tight, diagonal)
    excess = np.array([1.0, -1.0, 1.0, 1.0, 2.0, 3.0])
    matrix = np.diag(diagonal)
    matrix[0, 1] = matrix[1, 0] = -100.0
    matrix[2, 3] = matrix[3, 2] = -50.0
    np.testing.assert_allclose(close.step(excess, diagonal), np.linalg.solve(matrix, excess))
    # none is close: site by site
    close.update(first, second, density, 0.5, np.zeros(6, dtype=bool), diagonal)
    np.testing.assert_allclose(close.step(excess, diagonal), excess / diagonal)
