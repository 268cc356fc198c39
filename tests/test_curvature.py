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
        ground = damping * floor * curvature.diagonal.sum()
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
        (np.random.default_rng(0).random((40, 2)), False),  # too few to be worth it
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
    ground = 0.01 * curvature.diagonal.sum()
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
