"""Linear systems with the Hessian, the Laplacian of a weighted graph.

Conjugate gradients solve nearly all of them, preconditioned by approx-chol, a randomised incomplete
Cholesky factorisation whose cost is nearly linear (Kyng and Sachdeva 2016; deterministic for its
fixed seed). Where sites lie so close together that a float64 does not hold the difference of their
potentials, or where that package is missing, the graph is eliminated exactly, in pairs
(`geomot._core.elimination`). Every solution comes with its residual, taken along the edges: there
the conductances have all their digits, which the diagonal of a matrix does not keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, eye_array
from scipy.sparse.linalg import splu

from geomot import _double_double
from geomot._constants.newton import (
    ACCEPTED_RESIDUAL,
    EXACT_CHOLESKY,
    MAX_CG_ITERATIONS,
    MAX_REFINEMENTS,
)
from geomot._core.cg import conjugate_gradients
from geomot._core.elimination import Elimination, excess
from geomot._core.laplacian import laplacian
from geomot._double_double import Pair

try:
    import approx_chol
except ImportError:  # pragma: no cover - the package is a requirement with wheels everywhere
    approx_chol = None  # type: ignore[assignment]

__all__ = ["Network", "Potentials", "solve_laplacian"]

FloatArray = NDArray[np.float64]
Csr = tuple[FloatArray, NDArray[np.int32], NDArray[np.int32]]


def _sums(groups: NDArray[np.int64], values: FloatArray, n: int) -> FloatArray:
    sums: FloatArray = np.bincount(groups, values, n).astype(np.float64, copy=False)
    return sums


@dataclass(frozen=True)
class Network:
    """A connected graph with a conductance on each edge.

    Attributes
    ----------
    n : int
        Number of vertices.
    edges : ndarray of shape (m, 2), int64
        Pairs i < j in lexicographic order.
    conductances : ndarray of shape (m,)
        Positive weights of the edges.
    """

    n: int
    edges: NDArray[np.int64]
    conductances: FloatArray

    @cached_property
    def matrix(self) -> Csr:
        """The Laplacian in CSR form: data, indices, indptr; sorted columns, a full diagonal."""
        matrix: Csr = laplacian(self.n, self.edges, self.conductances)
        return matrix

    @cached_property
    def preconditioner(self) -> Any:
        """Approximate factors (Kyng, Sachdeva 2016); None for a matrix that is not definite.

        Rounding of the diagonal beside a huge conductance makes it so.
        """
        data, indices, indptr = self.matrix
        backend = approx_chol.Backend.ExactBelow(EXACT_CHOLESKY, approx_chol.ExactFailure.Error)
        config = approx_chol.Config(seed=0, backend=backend)
        try:
            return approx_chol.factorize_raw(
                indptr.view(np.uint32), indices.view(np.uint32), data, self.n, config
            )
        except ValueError:
            return None

    def factors(self, last: int) -> Elimination:
        """The factors of the elimination, in an order of little fill but for the last vertex."""
        order = self._order
        order = np.append(order[order != last], last)
        return Elimination(self.n, self.edges, self.conductances, order)

    @cached_property
    def rates(self) -> FloatArray:
        """Sums of the conductances at each vertex."""
        i, j = self.edges.T
        return _sums(i, self.conductances, self.n) + _sums(j, self.conductances, self.n)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Order by minimum degree: SuperLU's, of a tame matrix of the same pattern."""
        i, j = self.edges.T
        ones = np.full(len(self.edges), -1.0 / max(self.n, 1))
        pattern = coo_array((ones, (i, j)), shape=(self.n, self.n))
        tame = (pattern + pattern.T + 2.0 * eye_array(self.n)).tocsc()
        options = {"SymmetricMode": True}
        lu = splu(tame, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
        return np.argsort(lu.perm_c).astype(np.int64)

    def excess(self, x: Pair, rhs: FloatArray) -> Pair:
        """Return rhs - L x."""
        hi, lo = excess(self.edges, self.conductances, *x, rhs)
        return hi, lo

    def plain_excess(self, x: FloatArray, rhs: FloatArray) -> FloatArray:
        """Return rhs - L x to the accuracy of float64."""
        i, j = self.edges.T
        flow = self.conductances * (x[i] - x[j])
        into = np.bincount(j, flow, self.n) - np.bincount(i, flow, self.n)
        return rhs + into


@dataclass(frozen=True)
class Potentials:
    """Solution of a linear system.

    Attributes
    ----------
    values : pair of ndarray of shape (n,)
        The potentials hi, lo, up to a constant: with their median at zero, as small numbers have
        fine digits, or eliminated exactly, with zero where the digits are needed most.
    residual : float
        Euclidean norm of rhs - L x in the units given, relative to that of rhs.
    """

    values: Pair
    residual: float


def solve_laplacian(
    network: Network, rhs: FloatArray, scale: FloatArray, rtol: float
) -> Potentials:
    """Solve L x = rhs for a right-hand side of sum zero.

    Parameters
    ----------
    network : Network
        The graph.
    rhs : ndarray of shape (n,)
        The right-hand side, whose sum is zero but for rounding.
    scale : ndarray of shape (n,)
        Positive units of the residual's components.
    rtol : float
        Relative residual to reach, in the Euclidean norm of the components in their units.

    Returns
    -------
    Potentials
    """
    # What rounding adds to the sum is taken from each component in its own unit.
    rhs = rhs - scale * (rhs.sum() / scale.sum())
    size = float(np.linalg.norm(rhs / scale))
    if network.n == 1 or size == 0.0:
        return Potentials((np.zeros(network.n), np.zeros(network.n)), 0.0)
    x = None if approx_chol is None else _conjugate_gradients(network, rhs, scale, rtol)
    if x is not None:
        residual = float(np.linalg.norm(network.plain_excess(x, rhs) / scale)) / size
        if residual <= ACCEPTED_RESIDUAL:
            return Potentials((x - np.median(x), np.zeros(network.n)), residual)
    return _eliminate(network, rhs, scale, rtol, size)


def _conjugate_gradients(
    network: Network, rhs: FloatArray, scale: FloatArray, rtol: float
) -> FloatArray | None:
    """Solve to the tolerance or as far as it goes; None for a matrix that is not definite."""
    data, indices, indptr = network.matrix
    factor = network.preconditioner
    if factor is None:
        return None
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


def _eliminate(
    network: Network, rhs: FloatArray, scale: FloatArray, rtol: float, size: float
) -> Potentials:
    """Solve by the factors, and refine while that helps."""
    # The last vertex has potential 0: there the digits are finest, and needed most.
    factors = network.factors(int(np.argmax(network.rates / scale)))
    # It takes what the sum is off by, as rounding may leave more than its unit: the coarsest unit
    # takes that instead.
    balance = np.zeros(network.n)
    balance[np.argmax(scale)] = -fsum(rhs)
    x = factors.solve(rhs, balance)
    left = _double_double.add(network.excess(x, rhs), balance)
    residual = float(np.linalg.norm(left[0] / scale)) / size
    for _ in range(MAX_REFINEMENTS):
        if residual <= rtol:
            break
        refined = _double_double.plus(x, factors.solve(*left))
        left = _double_double.add(network.excess(refined, rhs), balance)
        reached = float(np.linalg.norm(left[0] / scale)) / size
        if not reached < residual:
            break
        x, residual = refined, reached
    return Potentials(x, residual)
