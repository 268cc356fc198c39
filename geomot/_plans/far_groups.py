"""Groups of points between which no mass moves, though float64 cannot tell how it moves inside.

Potentials that were found together are good to the rounding of the largest cost. A cycle of pairs
along which the plan could be changed for less than that is not seen. Pairs on such cycles make
groups: strongly connected components of the graph in which rows lead to the columns of nearly tight
pairs, and columns back to the rows that they get mass from. Mass stays in its group, so that each
is a problem of its own, with smaller costs, and what one lacks of another is a shift of its
potentials.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from geomot._plans.bounds import Flow
from geomot._plans.costs import blocks, largest_cost, nearest, pair_costs

__all__ = ["aligned", "groups", "slacks"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Slacks of nearly tight pairs, relative to the largest cost: coarse groups first, which are the
# surer ones; the solvers leave some 1e-10.
_TIGHT = (2.0**-10, 2.0**-18, 2.0**-26, 2.0**-34)

# All pairs are looked at up to this number, above it some of each point.
_GROUP_PAIRS = 2**22
_SOME = 64

# Of more groups the shifts are not sought.
_MOST = 1000


def groups(x: FloatArray, y: FloatArray, flow: Flow) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Ways to divide the clouds into groups.

    Parameters
    ----------
    x, y : ndarray of shape (n, d), (m, d)
        The clouds.
    flow : Flow
        A plan between them.

    Yields
    ------
    rows, columns : ndarray of shape (n,), (m,)
        The group of each point, from 0, if there are at least two and not too many.
    """
    n, m = len(x), len(y)
    rows, columns, slack = slacks(x, y, flow)
    seen = 1
    for share in _TIGHT:
        tight = slack <= share * largest_cost(x, y)
        start = np.concatenate([rows[tight], n + flow.columns])
        end = np.concatenate([n + columns[tight], flow.rows])
        graph = coo_matrix((np.ones(len(start)), (start, end)), shape=(n + m, n + m))
        count, labels = connected_components(graph, connection="strong")
        if seen < count <= _MOST:
            yield labels[:n], labels[n:]
        seen = max(seen, count)


def aligned(x: FloatArray, y: FloatArray, flow: Flow, row: IndexArray, column: IndexArray) -> Flow:
    """Shift the potentials of groups against each other, so that they hold between them too.

    Parameters
    ----------
    x, y : ndarray of shape (n, d), (m, d)
        The clouds.
    flow : Flow
        Plans of the groups, with potentials that hold within each.
    row, column : ndarray of shape (n,), (m,)
        The group of each point.

    Returns
    -------
    Flow
    """
    count = int(max(row.max(), column.max())) + 1
    # From small potentials, which have small rounding.
    middle = np.array([np.median(flow.v[column == k]) for k in range(count)])
    u, v = flow.u + middle[row], flow.v - middle[column]
    shift = _shortest(_least_slacks(x, y, u, v, row, column, count))
    return flow._replace(u=u + shift[row], v=v - shift[column])


def slacks(x: FloatArray, y: FloatArray, flow: Flow) -> tuple[IndexArray, IndexArray, FloatArray]:
    """Pairs that may be nearly tight, those with mass among them, and their slacks.

    Parameters
    ----------
    x, y : ndarray of shape (n, d), (m, d)
        The clouds.
    flow : Flow
        A plan between them.

    Returns
    -------
    rows, columns : ndarray of shape (k,), int64
        The pairs, each once, sorted by rows and columns.
    slack : ndarray of shape (k,)
        By how much their costs exceed the sum of the potentials.
    """
    n, m = len(x), len(y)
    if n * m <= _GROUP_PAIRS:
        pairs = np.arange(n * m)
    else:
        forth = nearest(x, y, flow.v, min(_SOME, m)) + m * np.arange(n)[:, None]
        back = m * nearest(y, x, flow.u, min(_SOME, n)) + np.arange(m)[:, None]
        both = np.concatenate([forth.ravel(), back.ravel(), m * flow.rows + flow.columns])
        pairs = np.unique(both)
    rows, columns = np.divmod(pairs, m)
    return rows, columns, pair_costs(x, y, rows, columns) - flow.u[rows] - flow.v[columns]


def _least_slacks(
    x: FloatArray,
    y: FloatArray,
    u: FloatArray,
    v: FloatArray,
    row: IndexArray,
    column: IndexArray,
    count: int,
) -> FloatArray:
    """Least slack of the pairs from each group to each other."""
    order = np.argsort(column, kind="stable")
    first = np.searchsorted(column[order], np.arange(count))
    least = np.full((count, count), np.inf)
    for start, costs in blocks(x, y[order]):
        costs -= v[order]
        costs -= u[start : start + len(costs), None]
        np.minimum.at(least, row[start : start + len(costs)], np.minimum.reduceat(costs, first, 1))
    np.fill_diagonal(least, 0.0)
    return least


def _shortest(least: FloatArray) -> FloatArray:
    """Shifts s with s_k - s_l <= least_kl, by Bellman and Ford's algorithm from zero."""
    shift = np.zeros(len(least))
    for _ in range(len(least)):
        lower = (least + shift).min(axis=1)
        if not (lower < shift).any():
            break
        shift = np.minimum(shift, lower)
    return shift
