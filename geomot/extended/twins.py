"""Sites at the same place, or so near each other that nothing can be told between them.

Rows that occur twice in the data, exactly or up to rounding, are one place to interpolate from: the
margin of a cell over that of its twin is 0, and the distance of the two says nothing of the spacing
of the data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from geomot._duplicates import representatives
from geomot._search.k_nearest_cells import TopScores

__all__ = ["Twins", "coincident_owners", "near_owners"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Two sites are twins if they are nearer to each other than this share of the distance to the last
# of so many neighbours. Among uniform points in the plane, 2 of 100 000 are.
_NEAR = 1e-3
_NEIGHBOURS = 16


def coincident_owners(sites: FloatArray, masses: FloatArray) -> IntArray:
    """Return for each site one at the same place: the first with mass, if any has some.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    masses : ndarray of shape (n,)
        Their masses.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    first = representatives(sites)
    owner = np.arange(len(sites))
    held = np.flatnonzero(masses > 0.0)[::-1]
    # of several the last is written
    owner[first[held]] = held
    return owner[first]


def near_owners(
    sites: FloatArray, owner: IntArray, masses: FloatArray, measured: FloatArray, threads: int
) -> IntArray:
    """Return for each site one of its twins, the same for all of them.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    owner : ndarray of shape (n,), int64
        What `coincident_owners` returned.
    masses : ndarray of shape (n,)
        Masses of the sites; those without are nobody's twins, except at the same place.
    measured : ndarray of shape (n,)
        Masses of their cells: the twin that has most stands for the others.
    threads : int
        Number of threads.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    held = np.unique(owner[masses > 0.0])
    k = min(_NEIGHBOURS + 1, len(held))
    if k < 3:
        return owner
    own = sites[held]
    nearest, _ = TopScores(own, np.zeros(len(own)))(own, k, threads)
    distance = np.linalg.norm(own[nearest] - own[:, None], axis=2)
    # the site itself need not be found first where float32 cannot tell twins apart
    reach = _NEAR * distance.max(axis=1)
    row, column = np.nonzero(distance <= reach[:, None])
    other = nearest[row, column]
    twins = distance[row, column] <= reach[other]
    graph = csr_array((np.ones(twins.sum()), (row[twins], other[twins])), (len(held), len(held)))
    _, group = connected_components(graph, directed=False)
    first = np.empty(len(held), dtype=np.int64)
    # of several the last is written
    order = np.argsort(measured[held], kind="stable")
    first[group[order]] = order
    joined = np.arange(len(sites))
    joined[held] = held[first[group]]
    return joined[owner]


class Twins:
    """Groups of sites that count as one.

    Parameters
    ----------
    owner : ndarray of shape (n,), int64
        For each site the one that stands for its group.
    sites : ndarray of shape (n, d)
        The sites.
    masses : ndarray of shape (n,)
        Their masses.

    Attributes
    ----------
    owner : ndarray of shape (n,), int64
        For each site the one that stands for its group.
    places : ndarray of shape (n, d)
        For each owner the mean place of its group by mass; the sites' own for all others.
    """

    def __init__(self, owner: IntArray, sites: FloatArray, masses: FloatArray) -> None:
        n = len(sites)
        self.owner = owner
        together = np.bincount(owner, masses, minlength=n)
        share = np.divide(masses, together[owner], out=np.zeros(n), where=masses > 0.0)
        alone = (together == 0.0) & (owner == np.arange(n))
        share[alone] = 1.0
        # a row for each owner, with what each member has of the group's mass
        self._share = csr_array((share, (owner, np.arange(n))), (n, n))
        self._share.eliminate_zeros()
        self.places = sites + self._share @ (sites - sites[owner])

    def spread(self, table: csr_array) -> csr_array:
        """Shares of groups, in the columns of their owners, as shares of their members."""
        return csr_array(table @ self._share)

    def mean(self, values: FloatArray) -> FloatArray:
        """Means of the members' values by mass, shape (n, ...); NaN values are left out."""
        known = np.asarray(np.isfinite(values).all(axis=1), dtype=np.float64)
        total: FloatArray = np.atleast_1d(self._share @ known)
        summed = np.asarray(self._share @ np.where(known[:, None] > 0.0, values, 0.0))
        mean = np.full(values.shape, np.nan)
        np.divide(summed, total[:, None], out=mean, where=total[:, None] > 0.0)
        return mean
