"""The common borders of neighbouring cells."""

from __future__ import annotations

from dataclasses import dataclass

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
        the domain.
    distances : ndarray of shape (m,)
        The distance of the two sites.
    """

    sites: IndexArray
    measures: FloatArray
    distances: FloatArray

    @classmethod
    def between(cls, sites: FloatArray, pairs: IndexArray, measures: FloatArray) -> Facets:
        """Return the facets of sites of shape (n, d), d = 1 or 2, from the pairs of neighbours."""
        apart = sites[pairs[:, 0]] - sites[pairs[:, 1]]
        # without overflow or underflow of squares
        distances = np.abs(apart[:, 0]) if apart.shape[1] == 1 else np.hypot(*apart.T)
        return cls(read_only(pairs), read_only(measures), read_only(distances))

    def __len__(self) -> int:
        return len(self.measures)

    def __repr__(self) -> str:
        return f"Facets(<{len(self)} facets>)"
