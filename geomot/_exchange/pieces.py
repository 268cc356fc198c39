"""Cells as polygons or polyhedra with shared corners, and numbers that belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._validation import as_real_array

__all__ = ["Pieces", "as_cell_data"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """Polygons or polyhedra with shared corners.

    Attributes
    ----------
    points : ndarray of shape (V, 2 or 3)
        The corners.
    offsets : ndarray of shape (F + 1,)
        Polygon f has the corners ``indices[offsets[f]:offsets[f + 1]]``.
    indices : ndarray of shape (total,)
        Rows of `points`.
    solids : ndarray of shape (P + 1,), or None
        Polyhedron p has the polygons ``solids[p]:solids[p + 1]``; None if they are the pieces.
    owner : ndarray of shape (number of pieces,)
        What each piece belongs to: a row of the data.
    """

    points: FloatArray
    offsets: IndexArray
    indices: IndexArray
    solids: IndexArray | None
    owner: IndexArray

    @property
    def kept(self) -> IndexArray:
        """The pieces that have corners."""
        return np.flatnonzero(np.diff(self.offsets if self.solids is None else self.solids) > 0)

    def polygon(self, f: int) -> IndexArray:
        """Corners of a polygon."""
        return self.indices[self.offsets[f] : self.offsets[f + 1]]

    def polyhedron(self, p: int) -> list[IndexArray]:
        """Polygons of a polyhedron."""
        solids: Any = self.solids
        return [self.polygon(f) for f in range(solids[p], solids[p + 1])]

    @property
    def points_in_space(self) -> FloatArray:
        """The corners, with a third coordinate 0 for those of the plane: formats want three."""
        missing = 3 - self.points.shape[1]
        return np.pad(self.points, ((0, 0), (0, missing)))


def as_cell_data(
    own: Mapping[str, np.ndarray], given: Mapping[str, ArrayLike] | None, n: int
) -> dict[str, np.ndarray]:
    """Return the data of cells, with further ones by the user: n rows each."""
    data = dict(own)
    for name, values in ({} if given is None else dict(given)).items():
        if name in own:
            raise ValueError(f"cell_data must have other names than {', '.join(own)}, got {name}")
        array = as_real_array(values, f"cell_data[{name!r}]")
        if array.ndim not in (1, 2) or len(array) != n:
            raise ValueError(
                f"cell_data[{name!r}] must have {n} rows, one for each site, got shape "
                f"{array.shape}"
            )
        data[name] = array
    return data
