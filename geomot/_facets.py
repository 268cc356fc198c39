"""The common borders of neighbouring cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from geomot._frozen import Frozen, read_only

__all__ = ["Facets"]

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

    def __post_init__(self) -> None:
        for name in ("sites", "measures", "coordinates"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.measures)

    def __repr__(self) -> str:
        return f"Facets(<{len(self)} facets>)"

    @cached_property
    def distances(self) -> FloatArray:
        """The distance of the two sites, shape (m,)."""
        i, j = self.sites.T
        apart = self.coordinates[i] - self.coordinates[j]
        # without overflow or underflow of squares
        lengths = np.abs(reduce(np.hypot, apart.T))
        return read_only(lengths)
