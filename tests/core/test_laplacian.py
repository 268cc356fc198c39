"""The matrix of a graph's Laplacian."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from geomot._core.laplacian import laplacian


def test_laplacian_is_the_dense_one():
    rng = np.random.default_rng(6)
    n = 40
    upper = np.triu(rng.random((n, n)) < 0.2, 1)
    edges = np.ascontiguousarray(np.argwhere(upper))
    conductance = rng.random(len(edges))
    dense = np.zeros((n, n))
    dense[tuple(edges.T)] = dense[tuple(edges.T[::-1])] = -conductance
    dense -= np.diag(dense.sum(axis=1))
    data, indices, indptr = laplacian(n, edges, conductance)
    rebuilt = np.zeros((n, n))
    for i in range(n):
        row = slice(indptr[i], indptr[i + 1])
        assert (np.diff(indices[row]) > 0).all()
        rebuilt[i, indices[row]] = data[row]
    assert_allclose(rebuilt, dense, rtol=1e-15, atol=1e-15)
