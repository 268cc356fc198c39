"""The common borders of neighbouring cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from geomot._frozen import Frozen, read_only

__all__ = ["Arcs", "Facets", "moments_of_sides", "of_both_sides"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Facets(Frozen):
    """The common borders of neighbouring cells.

    Attributes
    ----------
    sites : ndarray of shape (m, 2), int64
        The two sites, i < j, in lexicographic order.
    measures : ndarray of shape (m,)
        Integral of the density over the facet, > 0: in the plane its length over the area of
        the domain if the source is uniform.
    coordinates : ndarray of shape (n, d)
        The sites that `sites` are rows of.
    shifts : ndarray of shape (m, d), or None
        On a torus, what must be added to the second site: site j + shift is the copy of j across
        the facet from site i, whole periods away from j. Two sites may have several facets, one for
        each copy. None elsewhere.

    Examples
    --------
    >>> import geomot
    >>> facets = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).facets
    >>> facets.sites.tolist(), facets.measures.tolist(), facets.distances.tolist()
    ([[0, 1]], [1.0], [0.5])
    """

    sites: IndexArray
    measures: FloatArray
    coordinates: FloatArray = field(compare=False)
    shifts: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("sites", "measures", "coordinates"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        if self.shifts is not None:
            object.__setattr__(self, "shifts", read_only(self.shifts))

    def __len__(self) -> int:
        return len(self.measures)

    def __repr__(self) -> str:
        return f"Facets(<{len(self)} facets>)"

    @cached_property
    def distances(self) -> FloatArray:
        """The distance of the two sites, shape (m,); on a torus that of the copies that touch."""
        i, j = self.sites.T
        apart = self.coordinates[i] - self.coordinates[j]
        if self.shifts is not None:
            apart -= self.shifts
        # without overflow or underflow of squares
        lengths = np.abs(reduce(np.hypot, apart.T))
        return read_only(lengths)

    def joined(self, values: FloatArray) -> tuple[IndexArray, FloatArray]:
        """Sum values of the facets over those that two sites share.

        Parameters
        ----------
        values : ndarray of shape (m,)
            A number for each facet.

        Returns
        -------
        pairs : ndarray of shape (k, 2), int64
            Each pair of neighbours once; `sites`, except on a torus.
        sums : ndarray of shape (k,)

        Examples
        --------
        >>> import geomot
        >>> torus = geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True)
        >>> facets = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]], source=torus).facets
        >>> facets.sites.tolist(), facets.shifts.tolist()
        ([[0, 1], [0, 1]], [[0.0, 0.0], [-1.0, 0.0]])
        >>> pairs, lengths = facets.joined(facets.measures)
        >>> pairs.tolist(), lengths.tolist()
        ([[0, 1]], [2.0])
        """
        if self.shifts is None or len(self) == 0:
            return self.sites, values
        fresh = np.ones(len(self), bool)
        fresh[1:] = (self.sites[1:] != self.sites[:-1]).any(axis=1)
        first = np.flatnonzero(fresh)
        return np.ascontiguousarray(self.sites[first]), np.add.reduceat(values, first)


@dataclass(frozen=True, eq=False)
class Arcs(Frozen):
    """The arcs where cells end in the balls of their sites, in partial transport.

    Attributes
    ----------
    measures : ndarray of shape (n,)
        Integral of the density along the arcs of each cell; 0 where it has none.
    radii : ndarray of shape (n,)
        Radii of the balls.
    means : ndarray of shape (n, 2)
        Barycentre of the density along the arcs of each cell; its site where it has none.
    covariances : ndarray of shape (n, 2, 2)
        Its covariance there.

    Examples
    --------
    >>> import geomot
    >>> diagram = geomot.PowerDiagram([[0.5, 0.5]], [0.04], partial=True)
    >>> diagram.derivatives().arcs.radii.round(9).tolist()
    [0.2]
    """

    measures: FloatArray
    radii: FloatArray
    means: FloatArray
    covariances: FloatArray

    def __post_init__(self) -> None:
        for name in ("measures", "radii", "means", "covariances"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.measures)

    def __repr__(self) -> str:
        return f"Arcs(<{np.count_nonzero(self.measures)} cells of {len(self)}>)"


def moments_of_sides(
    facets: Facets,
    pairs: IndexArray,
    weights: FloatArray,
    means: FloatArray,
    variances: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return where the density lies along facets in the plane, from the sides of their cells.

    Parameters
    ----------
    facets : Facets
        The facets, in the plane.
    pairs : ndarray of shape (s, 2), int64
        The sites i < j on both sides of each side of a cell, in any order; a facet may be there
        once or twice, and what is not a facet is not used.
    weights, variances : ndarray of shape (s,)
        Integral of the density along the side, and its variance there.
    means : ndarray of shape (s, 2)
        Its mean.

    Returns
    -------
    means : ndarray of shape (m, 2)
        Barycentre of the density along each facet.
    covariances : ndarray of shape (m, 2, 2)
        Its covariance there.

    Examples
    --------
    >>> import numpy as np
    >>> facets = Facets(np.array([[0, 1]]), np.array([1.0]), np.array([[0.2, 0.5], [0.8, 0.5]]))
    >>> mean, covariance = moments_of_sides(
    ...     facets, facets.sites, facets.measures, np.array([[0.5, 0.5]]), np.array([1 / 12])
    ... )
    >>> mean.tolist(), abs(covariance.round(3)).tolist()
    ([[0.5, 0.5]], [[[0.0, 0.0], [0.0, 0.083]]])
    """
    n, m = len(facets.coordinates), len(facets)
    key = facets.sites[:, 0] * n + facets.sites[:, 1]
    wanted = pairs[:, 0] * n + pairs[:, 1]
    row = np.minimum(np.searchsorted(key, wanted), max(m - 1, 0))
    kept = key[row] == wanted if m > 0 else np.zeros(len(wanted), bool)
    row, weights, means, variances = row[kept], weights[kept], means[kept], variances[kept]
    share = weights / np.bincount(row, weights, m)[row]
    mean: FloatArray = np.column_stack([np.bincount(row, share * x, m) for x in means.T])
    apart = np.sum((means - mean[row]) ** 2, axis=1)
    # rounding may leave a variance of 0 below it
    variance = np.maximum(np.bincount(row, share * (variances + apart), m), 0.0)
    i, j = facets.sites.T
    across = (facets.coordinates[j] - facets.coordinates[i]) / facets.distances[:, None]
    along = np.column_stack([-across[:, 1], across[:, 0]])
    return mean, variance[:, None, None] * along[:, :, None] * along[:, None, :]


def of_both_sides(pairs: IndexArray, measures: FloatArray) -> tuple[IndexArray, FloatArray]:
    """Return facets that each cell has measured on its own side: the mean of both.

    Parameters
    ----------
    pairs : ndarray of shape (s, 2), int64
        The sites on both sides, in lexicographic order: each facet once or twice.
    measures : ndarray of shape (s,)
        What was found from one side, or from the other; 0 where a side is missing.

    Returns
    -------
    pairs : ndarray of shape (m, 2), int64
        Each once.
    means : ndarray of shape (m,)

    Examples
    --------
    >>> import numpy as np
    >>> pairs, means = of_both_sides(np.array([[0, 1], [0, 1], [0, 2]]), np.array([1.0, 3.0, 4.0]))
    >>> pairs.tolist(), means.tolist()
    ([[0, 1], [0, 2]], [2.0, 2.0])
    """
    if len(pairs) == 0:
        return pairs, measures
    fresh = np.ones(len(pairs), bool)
    fresh[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    first = np.flatnonzero(fresh)
    return np.ascontiguousarray(pairs[first]), 0.5 * np.add.reduceat(measures, first)
