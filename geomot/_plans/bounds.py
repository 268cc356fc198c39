"""What a plan and potentials prove about W2^2 between two clouds, with all rounding.

Potentials u, v with u_i + v_j <= |x_i - y_j|^2 for all pairs give a lower bound, their dual value.
The cost of a plan is an upper one, once its masses are those of the clouds: what a plan leaves out
by rounding is moved anywhere, at the cost of the product measure.

Every error is bounded where it arises. A bound by the largest of all costs would say nothing where
costs span more digits than float64 has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomot._constants import MANTISSA_BITS, UNIT_ROUNDOFF
from geomot._plans.costs import blocks, largest_cost, nearest, pair_costs, transform
from geomot._plans.exact_flow import exact_flow

__all__ = ["Bounds", "Flow", "certified"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Unit in the last place of 1: two roundings, to either side.
_ULP = 2.0 * UNIT_ROUNDOFF

# Roundings that a term of a scalar product takes part in beside one for each coordinate, and
# several such products in the shift of a bound.
_COST_ROUNDINGS = 4
_SHIFT_ROUNDINGS = 8.0
_SHIFT_TERMS = 2
# Those of a product, a sum rounded once, a quotient, and their difference.
_MEAN_ROUNDINGS = 4.0
# By so much less is kept of what moves, so that no sum exceeds what is wanted by rounding.
_KEPT_LESS = 4.0
# Those of a bound on what is rounding itself, far above all of them.
_REST_ROUNDING = 1e-6

# Bounds that differ by less than this are those of an optimal plan: the least that the solvers
# reach. It is relative to W2^2 or, for clouds that nearly coincide, to the least cost of a pair
# between which nothing moves.
_CLOSED = 1e-8


class Flow(NamedTuple):
    """Mass that moves from rows to columns, in any unit, and potentials."""

    rows: IndexArray
    columns: IndexArray
    moved: FloatArray
    u: FloatArray
    v: FloatArray


@dataclass(frozen=True)
class Bounds:
    """Bounds on W2^2 between the clouds, and the cost of the plan, for masses of sum 1."""

    low: float
    cost: float
    high: float
    closed: bool

    @property
    def gap(self) -> float:
        """Distance of the bounds."""
        return self.high - self.low

    def moved(
        self, x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray, t: FloatArray
    ) -> Bounds:
        """Bounds for y + t in place of y."""
        centre, other = mu @ x / mu.sum(), nu @ y / nu.sum()
        more = float(t @ t - 2.0 * (t @ (centre - other)))
        size = float(t @ t + 2.0 * np.abs(t) @ (np.abs(centre) + np.abs(other)))
        rounding = _SHIFT_ROUNDINGS * (len(t) + _SHIFT_TERMS) * _ULP * size
        return replace(
            self,
            low=self.low + more - rounding,
            cost=self.cost + more,
            high=self.high + more + rounding,
        )


def certified(
    x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray, flow: Flow
) -> tuple[Flow, Bounds]:
    """Make the potentials hold for all pairs, and return what they and the plan prove.

    Parameters
    ----------
    x, y : ndarray of shape (n, d), (m, d)
        The clouds.
    mu, nu : ndarray of shape (n,), (m,)
        Their masses, in any unit; the sums are the same up to rounding.
    flow : Flow
        A plan, and potentials that hold nearly. Those of `y` are kept.

    Returns
    -------
    flow : Flow
        Sorted by rows and columns, with valid potentials.
    bounds : Bounds
    """
    flow = _complete(x, y, mu, nu, flow)
    order = np.lexsort((flow.columns, flow.rows))
    rows, columns, moved = flow.rows[order], flow.columns[order], flow.moved[order]
    rounding = _rounding(x)
    lowered = (flow.v + rounding * np.abs(flow.v)) / (1.0 - rounding)
    u = (1.0 - rounding) * transform(x, y, lowered)
    low = _mean(mu, u) + _mean(nu, flow.v)
    low -= _MEAN_ROUNDINGS * _ULP * (_mean(mu, np.abs(u)) + _mean(nu, np.abs(flow.v)))

    flow = Flow(rows, columns, moved, u, flow.v)
    most = _most_left_out(flow, mu, nu) * largest_cost(x, y)
    bounds = _bounds(x, y, mu, flow, low, most)
    if bounds.closed:
        return flow, bounds
    # A bound by the largest cost says nothing where the rounding of what moves is moved nearby.
    exact = exact_flow(rows, columns, mu, nu)
    if exact is None:
        p, q = _left_out(flow, mu, nu)
    else:
        moved, p, q = exact
        some = moved > 0.0
        flow = Flow(rows[some], columns[some], moved[some], u, flow.v)
    return flow, _bounds(x, y, mu, flow, low, _cost_of_the_rest(x, y, mu, nu, p, q))


def _complete(x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray, flow: Flow) -> Flow:
    """Let points move whose masses are so small that the solver took them for rounding."""
    p = np.setdiff1d(np.arange(len(x)), flow.rows)
    q = np.setdiff1d(np.arange(len(y)), flow.columns)
    if not (len(p) or len(q)):
        return flow
    rows, columns = [flow.rows, p], [flow.columns]
    # A pair of two such points closes no cycle.
    if len(p):
        columns.append(nearest(x[p], y, flow.v, 1)[:, 0])
        q = np.setdiff1d(q, columns[1])
    if len(q):
        rows.append(nearest(y[q], x, flow.u, 1)[:, 0])
        columns.append(q)
    moved = np.concatenate([flow.moved, mu[p], nu[q]])
    return flow._replace(rows=np.concatenate(rows), columns=np.concatenate(columns), moved=moved)


def _bounds(
    x: FloatArray, y: FloatArray, mu: FloatArray, flow: Flow, low: float, rest: float
) -> Bounds:
    """Bounds from the dual value, what moves, and what it costs to move the rest."""
    total = math.fsum(mu.data)
    costs = pair_costs(x, y, flow.rows, flow.columns)
    cost = math.fsum((flow.moved * costs).data) / total
    high = (cost + rest / total) * (1.0 + _rounding(x))
    gap = max(high - low, 0.0)
    closed = gap <= _CLOSED * cost or gap <= _CLOSED * _least_step(x, y, flow)
    return Bounds(low, cost, max(high, low), closed)


def _rounding(x: FloatArray) -> float:
    """Relative rounding of a cost and what is computed with it."""
    return (x.shape[1] + _COST_ROUNDINGS) * _ULP


def _most_left_out(flow: Flow, mu: FloatArray, nu: FloatArray) -> float:
    """A bound on the mass that a plan does not move, or moves though it should not."""
    most = abs(math.fsum([*mu.tolist(), *(-nu).tolist()]))
    for index, wanted in ((flow.rows, mu), (flow.columns, nu)):
        sums = np.bincount(index, flow.moved, minlength=len(wanted))
        most += float(np.abs(sums - wanted).sum())
        if not _whole(flow.moved, wanted):
            most += 2.0 * _ULP * float(np.bincount(index, minlength=len(wanted)) @ wanted)
    return most


def _mean(masses: FloatArray, values: FloatArray) -> float:
    return math.fsum((masses * values).data) / math.fsum(masses.data)


def _left_out(flow: Flow, mu: FloatArray, nu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Masses that a plan does not move; where it moves too much, it is made to move less."""
    moved = flow.moved
    sides = (flow.rows, mu), (flow.columns, nu)
    for index, wanted in sides:
        excess = _excess(index, moved, wanted)
        over = excess > 0.0
        if over.any():
            kept = np.ones(len(wanted))
            kept[over] = wanted[over] / (wanted[over] + excess[over]) * (1.0 - _KEPT_LESS * _ULP)
            moved = moved * kept[index]
    p, q = (-np.minimum(_excess(index, moved, wanted), 0.0) for index, wanted in sides)
    return p, q


def _excess(index: IndexArray, moved: FloatArray, wanted: FloatArray) -> FloatArray:
    """Sums of what moves less what is wanted, rounded once: where both agree it is zero."""
    count = np.bincount(index, minlength=len(wanted))
    parts = np.split(moved[np.argsort(index, kind="stable")], np.cumsum(count)[:-1])
    return np.array(
        [math.fsum([*part.tolist(), -w]) for part, w in zip(parts, wanted.tolist(), strict=True)]
    )


def _whole(moved: FloatArray, wanted: FloatArray) -> bool:
    """Whether sums of what moves are not rounded, as those of whole numbers."""
    parts = (moved == np.rint(moved)).all() and (wanted == np.rint(wanted)).all()
    return bool(parts) and float(wanted.sum()) < 2.0**MANTISSA_BITS


def _cost_of_the_rest(
    x: FloatArray, y: FloatArray, mu: FloatArray, nu: FloatArray, p: FloatArray, q: FloatArray
) -> float:
    """Cost of moving masses p to masses q in order, along the direction of their largest extent."""
    # The side with less mass is scaled up.
    more = math.fsum([*mu.tolist(), *(-nu).tolist()])
    if more > 0.0:
        q = q + more / nu.sum() * nu
    elif more < 0.0:
        p = p - more / mu.sum() * mu
    i, j = np.flatnonzero(p), np.flatnonzero(q)
    if not (len(i) and len(j)):
        return 0.0
    both = np.concatenate([x[i], y[j]])
    direction = np.linalg.eigh(np.atleast_2d(np.cov(both, rowvar=False)))[1][:, -1]
    i, j = i[np.argsort(x[i] @ direction)], j[np.argsort(y[j] @ direction)]
    ends, others = np.cumsum(p[i]), np.cumsum(q[j])
    amount = max(ends[-1], others[-1])
    ends, others = ends / ends[-1], others / others[-1]
    cuts = np.sort(np.concatenate([[0.0], ends, others]))
    middle = 0.5 * (cuts[1:] + cuts[:-1])
    costs = pair_costs(x, y, i[np.searchsorted(ends, middle)], j[np.searchsorted(others, middle)])
    # A few roundings of quantities that are rounding themselves.
    return float(amount * (np.diff(cuts) @ costs) * (1.0 + _REST_ROUNDING))


def _least_step(x: FloatArray, y: FloatArray, flow: Flow) -> float:
    """Least positive cost of a pair without mass."""
    least = math.inf
    for start, costs in blocks(x, y):
        some = slice(*np.searchsorted(flow.rows, [start, start + len(costs)]))
        costs[flow.rows[some] - start, flow.columns[some]] = 0.0
        least = min(least, float(np.min(costs, where=costs > 0.0, initial=math.inf)))
    return least
