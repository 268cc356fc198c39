"""Linear systems with the Hessian, the Laplacian of a weighted graph.

One function solves them. Behind it stands approx-chol, a randomised incomplete Cholesky
preconditioner whose cost is nearly linear (Kyng and Sachdeva 2016; deterministic for its fixed
seed); scipy's sparse LU with symmetric ordering takes over where that package is missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from geomot._core.cg import conjugate_gradients
from geomot._power import laplacian

try:
    import approx_chol
except ImportError:  # pragma: no cover - the package is a requirement with wheels everywhere
    approx_chol = None  # type: ignore[assignment]

__all__ = ["graph_laplacian", "solve_laplacian"]

FloatArray = NDArray[np.float64]
Csr = tuple[FloatArray, NDArray[np.int32], NDArray[np.int32]]

# Iterations needed at a relative residual of 1e-4 are 10 to 40; a run this long has stalled.
MAX_CG_ITERATIONS = 1000


def graph_laplacian(n: int, edges: NDArray[np.int64], conductances: FloatArray) -> Csr:
    """Return the Laplacian of a weighted graph in CSR form.

    Parameters
    ----------
    n : int
        Number of vertices.
    edges : ndarray of shape (m, 2)
        Pairs i < j in lexicographic order.
    conductances : ndarray of shape (m,)
        Positive weights of the edges.

    Returns
    -------
    data, indices, indptr : ndarray
        Sorted columns; every row holds its diagonal.
    """
    matrix: Csr = laplacian(n, edges, conductances)
    return matrix


def solve_laplacian(matrix: Csr, rhs: FloatArray, scale: FloatArray, rtol: float) -> FloatArray:
    """Solve L x = rhs on vectors of mean zero.

    Parameters
    ----------
    matrix : tuple of ndarray
        The Laplacian of a connected graph, as `graph_laplacian` returns it.
    rhs : ndarray of shape (n,)
        The right-hand side, whose sum is zero but for rounding.
    scale : ndarray of shape (n,)
        Positive units of the residual's components.
    rtol : float
        Relative residual to reach, in the Euclidean norm of the components in their units.

    Returns
    -------
    ndarray of shape (n,)
        The solution of mean zero.
    """
    # What rounding adds to the sum is taken from each component in its own unit.
    rhs = rhs - scale * (rhs.sum() / scale.sum())
    if len(rhs) == 1:
        return np.zeros(1)
    x = _solve_directly(matrix, rhs) if approx_chol is None else _solve_cg(matrix, rhs, scale, rtol)
    return x - x.mean()


def _solve_cg(matrix: Csr, rhs: FloatArray, scale: FloatArray, rtol: float) -> FloatArray:
    data, indices, indptr = matrix
    factor: Any = approx_chol.factorize_raw(
        indptr.view(np.uint32), indices.view(np.uint32), data, len(rhs), approx_chol.Config(seed=0)
    )
    # The factor may carry one more vertex than the matrix; its solve_into wants arrays, not views.
    scratch_in, scratch_out = np.zeros(len(rhs)), np.zeros(len(rhs))

    def precondition(r: Any, z: Any) -> None:
        scratch_in[:] = r
        factor.solve_into(scratch_in, scratch_out)
        np.asarray(z)[:] = scratch_out

    x, _, _ = conjugate_gradients(
        data, indices, indptr, rhs, scale, precondition, rtol, MAX_CG_ITERATIONS
    )
    return x


def _solve_directly(matrix: Csr, rhs: FloatArray) -> FloatArray:
    """Ground the last vertex and factorise the rest."""
    n = len(rhs)
    grounded = csc_array(matrix, shape=(n, n))[:-1, :-1]
    # A Laplacian is symmetric: CSR and CSC hold the same matrix. These options make SuperLU a
    # symmetric factorisation without pivoting.
    lu = splu(
        grounded.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return np.append(lu.solve(rhs[:-1]), 0.0)
