"""Which neighbouring cells belong to sites that lie farther apart than the data's own spacing.

Between such cells the optimal map is discontinuous: they are its singular set, and what is
interpolated across it resembles no data (Gu et al.; An et al., "AE-OT", ICLR 2020).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._constants import LEAST_POSITIVE
from geomot._search.k_nearest_cells import TopScores

__all__ = ["Neighbourhoods", "Spacing", "angles"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Neighbours over which the spacing around a site is averaged.
_SPACING_NEIGHBOURS = 5

# Nearest sites of which unlike ones have none in common. Of the pairs that maps in 10 dimensions
# mix, that is 57 to 67 % of those of different digits, and 1 % of those of one digit; of one normal
# cloud 3 %.
_COMMON_NEIGHBOURS = 20

# Ranges between the quartiles above which a ratio stands out: Tukey's rule.
FENCE = 1.5
_QUARTILES = [0.25, 0.75]

# A ratio that never stands out: diagonals of lattices of few values, whose ratios are so alike that
# the quartiles are equal, have at most 1.42.
_NEVER_FAR = 1.5


class Spacing:
    """Distances between sites in units of the spacing around them.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    threads : int
        Number of threads.
    among : ndarray of shape (m,), int64
        Distinct sites, whose spacing it is.
    """

    def __init__(self, sites: FloatArray, threads: int, among: IntArray) -> None:
        self.sites = sites
        n = len(sites)
        self.local = np.ones(n)
        distinct = sites[among]
        if len(distinct) > 1:
            k = min(_SPACING_NEIGHBOURS + 1, len(distinct))
            nearest, _ = TopScores(distinct, np.zeros(len(distinct)))(sites, k, threads)
            distance = np.linalg.norm(distinct[nearest] - sites[:, None], axis=2)
            # the site itself is one of them, if it is not without mass
            self.local = distance.sum(axis=1) / (k - 1)

    def ratios(self, first: IntArray, second: IntArray) -> FloatArray:
        """Distance of two sites over the geometric mean of the spacings around them."""
        distance = np.linalg.norm(self.sites[first] - self.sites[second], axis=-1)
        return distance / np.sqrt(self.local[first] * self.local[second])

    @staticmethod
    def fence(ratios: FloatArray) -> float:
        """Ratio beyond which a pair stands out of a sample of neighbouring pairs.

        Tukey's outer-fence rule on logarithms: the upper quartile plus FENCE times the range
        between the quartiles; but no ratio below _NEVER_FAR.
        """
        low, high = np.quantile(np.log(np.maximum(ratios, LEAST_POSITIVE)), _QUARTILES)
        return max(float(np.exp(high + FENCE * (high - low))), _NEVER_FAR)


class Neighbourhoods:
    """The nearest sites of each site, by which distant groups are told apart in many dimensions.

    Distances are then so alike that none stands out: sites of different groups are hardly farther
    from each other than those of one. But they have no neighbours in common (Jarvis, Patrick 1973,
    "Clustering using a similarity measure based on shared near neighbors").

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    threads : int
        Number of threads.
    among : ndarray of shape (m,), int64
        Distinct sites, which alone are asked about.
    """

    def __init__(self, sites: FloatArray, threads: int, among: IntArray) -> None:
        own = sites[among]
        k = min(_COMMON_NEIGHBOURS + 1, len(among))
        nearest, _ = TopScores(own, np.zeros(len(own)))(own, k, threads)
        self.place = np.zeros(len(sites), dtype=np.int64)
        self.place[among] = np.arange(len(among))
        # the site itself need not be found where float32 cannot tell it from others
        self.nearest = np.column_stack([np.arange(len(among)), nearest])
        self.nearest.sort(axis=1)

    def apart(self, first: IntArray, second: IntArray) -> NDArray[np.bool_]:
        """Tell which pairs of sites, two arrays of shape (p,), have no neighbour in common."""
        a, b = self.nearest[self.place[first]], self.nearest[self.place[second]]
        # those of one site are once or twice in its row
        a, b = _once(a), _once(b)
        both = np.sort(np.concatenate([a, b], axis=1), axis=1)
        return ~((both[:, 1:] == both[:, :-1]) & (both[:, 1:] >= 0)).any(axis=1)


def _once(rows: IntArray) -> IntArray:
    """Sorted rows, with -1 in place of what is there a second time."""
    again = np.zeros(rows.shape, dtype=bool)
    again[:, 1:] = rows[:, 1:] == rows[:, :-1]
    return np.where(again, -1, rows)


def angles(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angles, in radians, between the normals (y, -1) of the graph of the potential at two sites.

    Unlike ratios of distances they depend on the unit of length and on the origin.

    Parameters
    ----------
    a, b : ndarrays of shape (..., d)
        Sites.

    Returns
    -------
    ndarray of shape (...)
    """
    # of u = (a, -1), v = (b, -1): |u x v|^2 = |a - b|^2 + |a|^2 |b|^2 - <a, b>^2
    inner = np.sum(a * b, axis=-1)
    difference = np.sum((a - b) ** 2, axis=-1)
    area = np.sum(a * a, axis=-1) * np.sum(b * b, axis=-1) - inner**2
    return np.arctan2(np.sqrt(difference + np.maximum(area, 0.0)), 1.0 + inner)
