"""Exact optimal transport between point clouds: assignments and plans, each with a certificate.

Monge's problem between clouds of n points each asks for the permutation of least mean cost
|a_i - b_j|^2, Kantorovich's between weighted clouds for the plan; both are linear programs. A plan
comes with potentials u, v that satisfy u_i + v_j <= |a_i - b_j|^2 for all pairs: their dual value
is a lower bound on W2^2, the plan's own cost an upper one, and the two agree to rounding.

Small assignments are solved by the shortest augmenting paths of scipy (Crouse 2016, "On
implementing 2D rectangular assignment algorithms"). Everything else by pricing, which never holds
the matrix of costs: a linear program on a shortlist of pairs is solved exactly, by the network
simplex of POT (Bonneel et al., "Displacement interpolation using Lagrangian mass transport", 2011)
or, without POT, by the HiGHS solver of scipy; its potentials show which of the other pairs could
lower the cost; these join the list, until there are none. The first list comes from potentials of a
solution on a sixth of the points, as in Merigot, "A multiscale approach to optimal transport"
(2011): the pairs of least reduced cost |a_i - b_j|^2 - u_i - v_j, some for each point. A staircase
along one direction is always in it, so that there is a plan on the list.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import coo_matrix, csr_array
from scipy.spatial.distance import cdist

from geomot._double_double import two_sum
from geomot._frozen import Frozen, read_only
from geomot._plans.bounds import Bounds, Flow, certified
from geomot._plans.costs import blocks, largest_cost, nearest, pair_costs, transform
from geomot._plans.exact_flow import whole_masses
from geomot._plans.far_groups import aligned, groups, slacks
from geomot._stderr import warn
from geomot._validation import as_flag, as_masses, as_points, as_real
from geomot.errors import ConvergenceError, ConvergenceWarning, GeomotError

__all__ = ["Assignment", "Plan", "assignment", "plan"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

ASSIGNMENT_METHODS = ("auto", "paths", "simplex", "linear-program")
PLAN_METHODS = ("auto", "simplex", "linear-program")

# Clouds up to this size are assigned by scipy, which takes some 20 ms, potentials included.
_FEW_POINTS = 256

# All pairs are listed below this number; above it, so many for each point, from potentials of this
# share of the points.
_ALL_PAIRS = 2**14
_SHORTLIST = 48
_COARSER = 6
_SHORTLIST_SEED = 0

# Rounding of a reduced cost, relative to the largest cost; what is below it counts as zero.
_REDUCED_COST_ROUNDING = 2.0**-48

# Masses of the two sides of a group, which differ by the rounding of what moves, relatively.
_BALANCE = 1e-12

# Passes on ever tighter pairs, and by how much: the solvers leave some 1e-10 of the largest cost.
_PASSES = 8
_SHARPER = 2.0**-10

# Sweeps that repair potentials: rounding of the network simplex is gone after a few.
_SWEEPS = 100

# Pivots of the network simplex: no bound, as it ends by itself.
_MOST_PIVOTS = 2**62

# Tolerances of HiGHS, the least that it accepts.
_FEASIBLE = 1e-10


@dataclass(frozen=True, eq=False)
class Plan(Frozen):
    """An optimal transport plan between two clouds, and the proof that it is optimal.

    Attributes
    ----------
    a, b : ndarray of shape (n, d), (m, d)
        The clouds.
    a_masses, b_masses : ndarray of shape (n,), (m,)
        The masses of their points; each sums to 1.
    rows, columns : ndarray of shape (k,), int64
        The pairs that mass moves between: from a[rows] to b[columns], sorted by rows. There are at
        most n + m - 1 of them.
    masses : ndarray of shape (k,)
        How much moves, > 0.
    cost : float
        W2^2: sum of masses times squared distances.
    a_potential, b_potential : ndarray of shape (n,), (m,)
        Kantorovich potentials u, v: u_i + v_j is at most |a_i - b_j|^2 for all pairs, and equal
        where mass moves, both up to rounding.
    bracket : tuple of float
        Certified bounds on W2^2: below the dual value of the potentials, above the cost of the
        plan, with room for the rounding of both.
    method : str
        The method that was used.
    status : str
        "converged": the bracket shows that the plan is optimal, to eight digits of the cost or, for
        clouds that nearly coincide, of the least cost of a pair that the plan does not use.
        "precision": it does not. The costs span more digits than float64 has, or the masses of
        groups that are far apart balance except for their rounding.

    Examples
    --------
    >>> from geomot.discrete import plan
    >>> best = plan([[0.0], [1.0]], [[0.5]], a_masses=[0.75, 0.25])
    >>> best.rows.tolist(), best.columns.tolist(), best.masses.tolist()
    ([0, 1], [0, 0], [0.75, 0.25])
    >>> best.cost, best.converged
    (0.25, True)
    """

    a: FloatArray
    b: FloatArray
    a_masses: FloatArray
    b_masses: FloatArray
    rows: IndexArray
    columns: IndexArray
    masses: FloatArray
    cost: float
    a_potential: FloatArray
    b_potential: FloatArray
    bracket: tuple[float, float]
    method: str
    status: str

    def __repr__(self) -> str:
        n, m = self.shape
        return (
            f"{type(self).__name__}(<{n} x {m} points in {self.a.shape[1]} dimensions>, "
            f"cost={self.cost:.12g}, gap={self.gap:.1e})"
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of points, (n, m)."""
        return len(self.a), len(self.b)

    @property
    def converged(self) -> bool:
        """Whether the plan is known to be optimal."""
        return self.status == "converged"

    @property
    def gap(self) -> float:
        """Width of the bracket: W2^2 is known up to this."""
        return self.bracket[1] - self.bracket[0]

    @cached_property
    def matrix(self) -> csr_array:
        """The plan as a sparse matrix, csr of shape (n, m)."""
        return csr_array((self.masses, (self.rows, self.columns)), shape=self.shape)

    def barycentric(self) -> FloatArray:
        """Return the mean of the points that each point of `a` is sent to.

        Returns
        -------
        ndarray of shape (n, d)
            NaN for points without mass.

        Examples
        --------
        >>> from geomot.discrete import plan
        >>> plan([[0.0]], [[1.0], [3.0]]).barycentric().tolist()
        [[2.0]]
        """
        total = np.bincount(self.rows, self.masses, minlength=len(self.a))
        with np.errstate(invalid="ignore"):
            return (self.matrix @ self.b) / total[:, None]

    def interpolate(self, t: float) -> tuple[FloatArray, FloatArray]:
        """Return the cloud on the way from a to b: McCann's displacement interpolation.

        Parameters
        ----------
        t : float
            From 0 (the cloud a) to 1 (the cloud b).

        Returns
        -------
        points : ndarray of shape (k, d)
            (1 - t) a[rows] + t b[columns].
        masses : ndarray of shape (k,)

        Examples
        --------
        >>> from geomot.discrete import plan
        >>> points, masses = plan([[0.0]], [[1.0], [3.0]]).interpolate(0.5)
        >>> points.tolist(), masses.tolist()
        ([[0.5], [1.5]], [0.5, 0.5])
        """
        if not 0.0 <= as_real(t, "t") <= 1.0:
            raise ValueError(f"t must lie in [0, 1], got {t}")
        return (1.0 - t) * self.a[self.rows] + t * self.b[self.columns], self.masses


_PlanType = TypeVar("_PlanType", bound=Plan)


@dataclass(frozen=True, eq=False, repr=False)
class Assignment(Plan):
    """An optimal assignment between two clouds of n points each: a plan that is a permutation.

    Examples
    --------
    >>> from geomot.discrete import assignment
    >>> best = assignment([[0.0], [1.0]], [[1.5], [0.5]])
    >>> best.permutation.tolist(), best.cost
    ([1, 0], 0.25)
    """

    @property
    def permutation(self) -> IndexArray:
        """The partner of each point, shape (n,): a[i] is sent to b[permutation[i]]."""
        return self.columns


def assignment(
    a: ArrayLike, b: ArrayLike, *, method: str = "auto", strict: bool = False
) -> Assignment:
    """Find the permutation that moves one cloud onto another at the least mean squared distance.

    Parameters
    ----------
    a, b : array_like of shape (n, d)
        The clouds, of equal size.
    method : {"auto", "paths", "simplex", "linear-program"}
        "paths": scipy's `linear_sum_assignment`, which holds the n x n costs, 8 n^2 bytes (0.8 GB
        for n = 1e4), and takes about n^3 operations. "simplex": pricing with POT's network simplex
        (``pip install "geomot[discrete]"``), whose memory grows as n. "linear-program": pricing
        with scipy's HiGHS. "auto": "paths" for up to 256 points or without POT, else "simplex".
    strict : bool, default False
        Raise instead of warn where the result is not known to be optimal.

    Returns
    -------
    Assignment
        Its `cost` is W2^2 between the clouds of masses 1/n, the mean of |a_i - b_permutation_i|^2.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it.
    ConvergenceError
        If `strict`, where the result is not known to be optimal; it carries the result.
    ImportError
        If the method is "simplex" and POT is missing.

    Warns
    -----
    ConvergenceWarning
        Where the result is not known to be optimal, see `Plan.status`.

    Examples
    --------
    >>> from geomot.discrete import assignment
    >>> best = assignment([[0.0], [1.0], [2.0]], [[2.1], [0.1], [1.1]])
    >>> best.permutation.tolist(), round(best.cost, 12), best.gap < 1e-12
    ([1, 2, 0], 0.01, True)
    """
    x, y = _clouds(a, b)
    if len(x) != len(y):
        raise ValueError(
            f"b must have as many points as a, got {len(x)} and {len(y)}: "
            "geomot.discrete.plan takes clouds of any sizes"
        )
    method = _chosen(method, ASSIGNMENT_METHODS)
    strict = as_flag(strict, "strict")
    n = len(x)
    if method == "auto":
        method = "simplex" if n > _FEW_POINTS and _has_pot() else "paths"
    ones = np.ones(n)
    # In units of 1/n all masses are 1, and so is what the solvers move: no rounding.
    flow, bounds = _solved(x, y, ones, ones, method)
    if not (np.array_equal(flow.rows, np.arange(n)) and len(np.unique(flow.columns)) == n):
        raise GeomotError(f"{method} returned no permutation")
    masses = np.full(n, 1.0 / n)
    fields = _fields(x, y, masses, masses, flow._replace(moved=masses), bounds)
    return _complete(Assignment(**fields, method=method), strict)


def plan(
    a: ArrayLike,
    b: ArrayLike,
    a_masses: ArrayLike | None = None,
    b_masses: ArrayLike | None = None,
    *,
    method: str = "auto",
    strict: bool = False,
) -> Plan:
    """Find the plan that moves one weighted cloud onto another at the least mean squared distance.

    Parameters
    ----------
    a, b : array_like of shape (n, d), (m, d)
        The clouds.
    a_masses, b_masses : array_like of shape (n,), (m,), optional
        Non-negative masses, which must sum to 1 within 1e-6; equal ones by default.
    method : {"auto", "simplex", "linear-program"}
        "simplex": pricing with POT's network simplex (``pip install "geomot[discrete]"``).
        "linear-program": pricing with scipy's HiGHS, which is much slower. "auto": the first if POT
        is installed. The memory of both grows as n + m.
    strict : bool, default False
        Raise instead of warn where the result is not known to be optimal.

    Returns
    -------
    Plan

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it.
    ConvergenceError
        If `strict`, where the result is not known to be optimal; it carries the result.
    ImportError
        If the method is "simplex" and POT is missing.

    Warns
    -----
    ConvergenceWarning
        Where the result is not known to be optimal, see `Plan.status`.

    Examples
    --------
    >>> from geomot.discrete import plan
    >>> best = plan([[0.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]], [0.75, 0.25], [0.5, 0.5])
    >>> best.matrix.toarray().tolist(), best.cost
    ([[0.5, 0.25], [0.0, 0.25]], 0.75)
    >>> low, high = best.bracket
    >>> low <= best.cost <= high, best.gap < 1e-12
    (True, True)
    """
    x, y = _clouds(a, b)
    mu, nu = as_masses(a_masses, len(x), "a_masses"), as_masses(b_masses, len(y), "b_masses")
    method = _chosen(method, PLAN_METHODS)
    strict = as_flag(strict, "strict")
    if method == "auto":
        method = "simplex" if _has_pot() else "linear-program"
    p, q = np.flatnonzero(mu > 0.0), np.flatnonzero(nu > 0.0)
    units = whole_masses(mu[p], nu[q])
    flow, bounds = _solved(x[p], y[q], *units, method)
    u, v = flow.u, flow.v
    if len(p) < len(x) or len(q) < len(y):
        # Points without mass get the largest potentials that are allowed.
        u = transform(x, y[q], v)
        v = transform(y, x, u)
    moved = flow.moved / math.fsum(units[0].data)
    flow = Flow(p[flow.rows], q[flow.columns], moved, u, v)
    return _complete(Plan(**_fields(x, y, mu, nu, flow, bounds), method=method), strict)


def _fields(
    x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray, flow: Flow, bounds: Bounds
) -> dict[str, Any]:
    """The fields of a plan, for masses of sum 1."""
    arrays = {
        "a": x,
        "b": y,
        "a_masses": mu,
        "b_masses": nu,
        "rows": flow.rows,
        "columns": flow.columns,
        "masses": flow.moved,
        "a_potential": flow.u,
        "b_potential": flow.v,
    }
    fields: dict[str, Any] = {name: read_only(array) for name, array in arrays.items()}
    cost = math.fsum((flow.moved * pair_costs(x, y, flow.rows, flow.columns)).data)
    bracket = min(bounds.low, cost), max(bounds.high, cost)
    status = "converged" if bounds.closed else "precision"
    return {**fields, "cost": cost, "bracket": bracket, "status": status}


def _complete(result: _PlanType, strict: bool) -> _PlanType:
    """The plan, with a warning or an error if it is not known to be optimal."""
    if not result.converged:
        low, high = result.bracket
        message = (
            f"the plan may not be optimal, W2^2 is only known to lie in [{low:.6g}, {high:.6g}]: "
            "costs and masses span more digits than float64 has"
        )
        if strict:
            raise ConvergenceError(message, result)
        warn(message, ConvergenceWarning, stacklevel=3)
    return result


def _clouds(a: Any, b: Any) -> tuple[FloatArray, FloatArray]:
    x = as_points(a, "a")
    y = as_points(b, "b", x.shape[1])
    return x.copy(), y.copy()


def _chosen(method: Any, methods: tuple[str, ...]) -> str:
    if not isinstance(method, str) or method not in methods:
        raise ValueError(f"method must be one of {methods}, got {method!r}")
    if method == "simplex" and not _has_pot():
        raise ImportError('method "simplex" needs POT: pip install "geomot[discrete]"')
    return method


def _has_pot() -> bool:
    return find_spec("ot") is not None


# ---- units in which float64 is enough ----


def _solved(
    x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray, method: str
) -> tuple[Flow, Bounds]:
    """Solve for positive masses of equal sums, and certify.

    The plan stays the same where the clouds are moved against each other: costs change by what
    depends on the row or on the column alone.
    """
    t = _translation(x, y, mu, nu)
    near = y - t
    flow, bounds = certified(x, near, mu, nu, _unscaled(x, near, mu, nu, method))
    if not bounds.closed:
        flow, bounds = _solved_by_groups(x, near, mu, nu, method, flow, bounds)
    if not bounds.closed and method != "paths":
        flow, bounds = _sharpened(x, near, mu, nu, method, flow, bounds)
    if not t.any():
        return flow, bounds
    # |x - y|^2 = |x - near|^2 - 2 <t, x - near> + |t|^2, from the middle for the sake of rounding
    middle, square = mu @ x / mu.sum(), float(t @ t)
    flow = flow._replace(
        u=flow.u - 2.0 * ((x - middle) @ t) + square, v=flow.v + 2.0 * ((near - middle) @ t)
    )
    return flow, bounds.moved(x, near, mu, nu, t)


def _unscaled(x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray, method: str) -> Flow:
    """Solve in the unit of the largest cost."""
    return _assign(x, y) if method == "paths" else _price(x, y, mu, nu, method)


def _translation(x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
    """Move that brings the second cloud to the first, without rounding; zero if they overlap."""
    extent = max(float(np.ptp(x, axis=0).max()), float(np.ptp(y, axis=0).max()))
    apart = nu @ y / nu.sum() - mu @ x / mu.sum()
    if extent == 0.0:
        return np.zeros_like(apart)
    # A coarse step leaves the last digits of the points alone.
    step = 2.0 ** math.frexp(extent)[1]
    t = step * np.rint(apart / step)
    exact = not two_sum(y, -t)[1].any()
    return t if exact else np.zeros_like(t)


def _solved_by_groups(
    x: FloatArray,
    y: FloatArray,
    mu: FloatArray,
    nu: FloatArray,
    method: str,
    flow: Flow,
    bounds: Bounds,
) -> tuple[Flow, Bounds]:
    """Solve groups that are far apart each in its own unit; the best that was found."""
    for row, column in groups(x, y, flow):
        parts = []
        for k in range(row.max() + 1):
            p, q = np.flatnonzero(row == k), np.flatnonzero(column == k)
            masses = mu[p], nu[q]
            if not _balanced(*masses):
                break
            parts.append((p, q, _solved(x[p], y[q], *masses, method)[0]))
        else:
            found = aligned(x, y, _joined(parts, len(x), len(y)), row, column)
            other = certified(x, y, mu, nu, found)
            if other[1].gap < bounds.gap:
                flow, bounds = other
            if bounds.closed:
                break
    return flow, bounds


def _sharpened(
    x: FloatArray,
    y: FloatArray,
    mu: FloatArray,
    nu: FloatArray,
    method: str,
    flow: Flow,
    bounds: Bounds,
) -> tuple[Flow, Bounds]:
    """Solve again on nearly tight pairs, whose slacks take the place of costs: they are smaller.

    The plan does not change when potentials are taken from the costs. What is lost in potentials
    of far points that have little mass does not matter, for they have none of the other slacks.
    """
    solver = _SOLVERS[method]
    bound = largest_cost(x, y)
    for _ in range(_PASSES):
        bound *= _SHARPER
        rows, columns, slack = slacks(x, y, flow)
        kept = slack <= bound
        kept[np.isin(rows * len(y) + columns, flow.rows * len(y) + flow.columns)] = True
        rows, columns, slack = rows[kept], columns[kept], slack[kept]
        least = slack.min()
        moved, u, v = solver(rows, columns, slack - least, mu, nu)
        used = moved > 0.0
        found = Flow(rows[used], columns[used], moved[used], flow.u + (u + least), flow.v + v)
        other = certified(x, y, mu, nu, found)
        if other[1].gap < bounds.gap:
            flow, bounds = other
        if bounds.closed:
            break
    return flow, bounds


def _balanced(mu: FloatArray, nu: FloatArray) -> bool:
    """Whether a group has as much mass on both sides, up to rounding."""
    here, there = math.fsum(mu.data), math.fsum(nu.data)
    return here > 0.0 and abs(here - there) <= _BALANCE * here


def _joined(parts: list[tuple[IndexArray, IndexArray, Flow]], n: int, m: int) -> Flow:
    u, v = np.empty(n), np.empty(m)
    for p, q, part in parts:
        u[p], v[q] = part.u, part.v
    return Flow(
        np.concatenate([p[part.rows] for p, _, part in parts]),
        np.concatenate([q[part.columns] for _, q, part in parts]),
        np.concatenate([part.moved for *_, part in parts]),
        u,
        v,
    )


def _assign(x: FloatArray, y: FloatArray) -> Flow:
    """Assign by scipy's shortest augmenting paths, which gives no potentials."""
    n = len(x)
    columns = linear_sum_assignment(cdist(x, y, "sqeuclidean"))[1].astype(np.int64)
    u = _potential_of_permutation(x, y, columns)
    return Flow(np.arange(n), columns, np.ones(n), u, transform(y, x, u))


# ---- pricing ----


def _price(x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray, method: str) -> Flow:
    """Solve for positive masses of equal sums."""
    n, m = len(x), len(y)
    solver = _SOLVERS[method]
    if n * m <= _ALL_PAIRS:
        pairs = np.arange(n * m)
    else:
        pairs = _first_pairs(x, y, mu, nu, method)
    tiny = _REDUCED_COST_ROUNDING * largest_cost(x, y)
    while True:
        rows, columns = np.divmod(pairs, m)
        costs = pair_costs(x, y, rows, columns)
        moved, u, v = solver(rows, columns, costs, mu, nu)
        used = moved > 0.0
        u, v = _repaired(rows, columns, costs, used, u, v, tiny)
        longer = _sorted_set(pairs, _improving(x, y, u, v, tiny))
        if len(longer) == len(pairs):
            return Flow(rows[used], columns[used], moved[used], u, v)
        pairs = longer


def _first_pairs(
    x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray, method: str
) -> IndexArray:
    """A shortlist on which there is a plan, and a good one."""
    n, m = len(x), len(y)
    rng = np.random.default_rng(_SHORTLIST_SEED)
    p = rng.choice(n, -(-n // _COARSER), replace=False, p=mu / mu.sum())
    q = rng.choice(m, -(-m // _COARSER), replace=False, p=nu / nu.sum())
    equal = np.full(len(p), 1.0 / len(p)), np.full(len(q), 1.0 / len(q))
    u = _price(x[p], y[q], *equal, method).u
    v = transform(y, x[p], u)
    u = transform(x, y, v)
    forth = nearest(x, y, v, min(_SHORTLIST, m))
    back = nearest(y, x, u, min(_SHORTLIST, n))
    rows, columns = _staircase(x, y, mu, nu)
    return _sorted_set(
        (np.arange(n)[:, None] * m + forth).ravel(),
        (back * m + np.arange(m)[:, None]).ravel(),
        rows * m + columns,
    )


def _sorted_set(*parts: IndexArray) -> IndexArray:
    """All numbers once: by sorting, which is faster here than numpy's hash tables."""
    both = np.sort(np.concatenate(parts))
    return both[np.diff(both, prepend=-1) > 0]


def _staircase(
    x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray
) -> tuple[IndexArray, IndexArray]:
    """The pairs of the monotone plan along the direction in which the clouds extend most."""
    both = np.concatenate([x, y])
    direction = np.linalg.eigh(np.atleast_2d(np.cov(both, rowvar=False)))[1][:, -1]
    i, j = np.argsort(x @ direction, kind="stable"), np.argsort(y @ direction, kind="stable")
    # Steps to the right and down, in the order of the cumulated masses: at equal ones either will
    # do, and rounding of the sums too leaves a staircase from one corner to the other.
    ends = np.concatenate([np.cumsum(mu[i])[:-1], np.cumsum(nu[j])[:-1]])
    down = np.arange(len(ends)) < len(i) - 1
    down = down[np.argsort(ends, kind="stable")]
    row = np.concatenate([[0], np.cumsum(down)])
    column = np.concatenate([[0], np.cumsum(~down)])
    return i[row], j[column]


def _improving(
    x: FloatArray, y: FloatArray, u: FloatArray, v: FloatArray, tiny: float
) -> IndexArray:
    """Pairs that would lower the cost: the most promising ones of each row."""
    m = len(y)
    k = min(_SHORTLIST, m)
    found = [np.empty(0, np.int64)]
    for start, costs in blocks(x, y):
        costs -= v
        costs -= u[start : start + len(costs), None]
        bad = np.flatnonzero(costs.min(axis=1) < -tiny)
        if len(bad):
            best = np.argpartition(costs[bad], k - 1, axis=1)[:, :k]
            negative = np.take_along_axis(costs[bad], best, axis=1) < -tiny
            found.append(((start + bad)[:, None] * m + best)[negative])
    return np.concatenate(found)


def _network_simplex(
    rows: IndexArray, columns: IndexArray, costs: FloatArray, mu: FloatArray, nu: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """POT's network simplex on a list of pairs, sorted by rows and columns."""
    pot = importlib.import_module("ot")
    # In units in which the largest cost is about 1: a power of two, so that none is rounded.
    unit = 2.0 ** np.frexp(costs.max())[1]
    listed = coo_matrix((costs / unit, (rows, columns)), shape=(len(mu), len(nu)))
    result, log = pot.emd(
        mu, nu, listed, numItermax=_MOST_PIVOTS, log=True, center_dual=False, check_marginals=False
    )
    if log["warning"] is not None:
        raise GeomotError(f"the network simplex of POT failed: {log['warning']}")
    place = np.searchsorted(rows * len(nu) + columns, result.row * np.int64(len(nu)) + result.col)
    moved = np.zeros(len(costs))
    np.add.at(moved, place, result.data)
    return moved, unit * log["u"], unit * log["v"]


def _linear_program(
    rows: IndexArray, columns: IndexArray, costs: FloatArray, mu: FloatArray, nu: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scipy's HiGHS on a list of pairs."""
    n, k = len(mu), len(costs)
    sums = csr_array(
        (np.ones(2 * k), (np.concatenate([rows, n + columns]), np.tile(np.arange(k), 2))),
        shape=(n + len(nu), k),
    )
    # In units in which costs and masses are about 1, which the solver's tolerances refer to.
    unit, size = float(costs.max()) or 1.0, float(mu.mean())
    # With masses of many orders the presolve finds a problem infeasible which is not.
    for presolve in (True, False):
        result = linprog(
            costs / unit,
            A_eq=sums,
            b_eq=np.concatenate([mu, nu * (mu.sum() / nu.sum())]) / size,
            method="highs-ds",
            options={
                "presolve": presolve,
                "primal_feasibility_tolerance": _FEASIBLE,
                "dual_feasibility_tolerance": _FEASIBLE,
            },
        )
        if result.status == 0:
            break
    else:
        raise GeomotError(f"the linear program of scipy failed: {result.message}")
    potentials = result.eqlin.marginals * unit
    moved = np.maximum(result.x, 0.0) * size
    if (mu == np.rint(mu)).all() and (nu == np.rint(nu)).all():
        # So is what moves at a vertex.
        moved = np.rint(moved)
    return moved, potentials[:n], potentials[n:]


_SOLVERS = {"simplex": _network_simplex, "linear-program": _linear_program}


# ---- potentials ----


def _repaired(
    rows: IndexArray,
    columns: IndexArray,
    costs: FloatArray,
    used: NDArray[np.bool_],
    u: FloatArray,
    v: FloatArray,
    tiny: float,
) -> tuple[FloatArray, FloatArray]:
    """Potentials that hold on the list to rounding, near ones that hold nearly.

    The conditions u_i <= c_ij - v_j on the list and -v_j <= u_i - c_ij where mass moves are those
    of shortest paths: sweeps of Bellman and Ford's algorithm lower u and -v until they hold. The
    network simplex leaves them violated by the rounding of n times the largest cost.
    """
    u, v = u.copy(), v.copy()
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    heads = rows[first]
    i, j, c = rows[used], columns[used], costs[used]
    for _ in range(_SWEEPS):
        lower = np.minimum.reduceat(costs - v[columns], first)
        down = lower < u[heads] - tiny
        u[heads[down]] = lower[down]
        wanted = c - u[i]
        up = wanted > v[j] + tiny
        np.maximum.at(v, j[up], wanted[up])
        if not (down.any() or up.any()):
            break
    return u, v


def _potential_of_permutation(x: FloatArray, y: FloatArray, columns: IndexArray) -> FloatArray:
    """The potential u of an optimal assignment, by shortest paths.

    u_i - u_k is at most |x_i - y_k'|^2 - |x_k - y_k'|^2, y_k' being the partner of x_k.
    """
    n = len(x)
    paid = pair_costs(x, y, np.arange(n), columns)
    partners = np.ascontiguousarray(y[columns])
    tiny = _REDUCED_COST_ROUNDING * largest_cost(x, y)
    u = np.zeros(n)
    for _ in range(n):
        lower = transform(x, partners, paid - u)
        down = lower < u - tiny
        if not down.any():
            break
        u[down] = lower[down]
    return u
