"""Linear systems of graphs, by every solver."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from problems import problem_of
from scipy.sparse import csr_array

from geomot import _laplacian as laplacian
from geomot import datasets
from geomot._newton.insertion import insertion_start


@pytest.mark.parametrize("direct", [False, True], ids=["approx-chol", "elimination"])
def test_both_linear_solvers_agree_with_dense_algebra(direct, monkeypatch):
    if direct:
        monkeypatch.setattr(laplacian, "approx_chol", None)
    problem = problem_of("clust2d", 300)
    iterate = insertion_start(problem)
    rng = np.random.default_rng(2)
    rhs = rng.standard_normal(300)
    rhs -= rhs.mean()
    solved = laplacian.solve_laplacian(iterate.hessian, rhs, np.ones(300), 1e-12)
    x = solved.values[0] + solved.values[1]
    dense = csr_array(iterate.hessian.matrix, shape=(300, 300)).toarray()
    if not direct:
        assert abs(np.median(x)) < 1e-12 * np.abs(x).max()
    assert_allclose(dense @ x, rhs, atol=1e-9)
    assert solved.residual < 1e-12


def test_solve_runs_without_approx_chol(monkeypatch):
    import geomot

    monkeypatch.setattr(laplacian, "approx_chol", None)
    sites, _ = datasets.planar_problem("clust2d", 1000)
    assert geomot.solve(sites).converged
