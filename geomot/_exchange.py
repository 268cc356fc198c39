"""Cells as the meshes of meshio and PyVista, which are optional packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._validation import as_real_array

__all__ = ["Pieces", "as_cell_data", "optional", "to_meshio", "to_pyvista"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# VTK's numbers of kinds of cells.
_POLYGON, _POLYHEDRON = 7, 42


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


def optional(name: str, user: str) -> Any:
    """Return an optional package of the extra `view`."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f'{user} needs {name}: pip install "geomot[view]"') from error


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


def to_meshio(pieces: Pieces, data: Mapping[str, np.ndarray]) -> Any:
    """Return a `meshio.Mesh`, its blocks by the number of corners, as meshio reads them again."""
    meshio = optional("meshio", "to_meshio")
    kept = pieces.kept
    if pieces.solids is None:
        shapes: list[Any] = [pieces.polygon(k) for k in kept]
        sizes = np.array([len(shape) for shape in shapes], dtype=np.int64)
        kind = "polygon"
    else:
        shapes = [pieces.polyhedron(k) for k in kept]
        sizes = np.array([len(np.unique(np.concatenate(s))) for s in shapes], dtype=np.int64)
        kind = "polyhedron"
    blocks: list[tuple[str, Any]] = []
    owners = []
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        name = kind if kind == "polygon" else f"{kind}{size}"
        chosen = [shapes[r] for r in rows]
        blocks.append((name, np.array(chosen) if kind == "polygon" else chosen))
        owners.append(pieces.owner[kept[rows]])
    cell_data = {name: [values[owner] for owner in owners] for name, values in data.items()}
    return meshio.Mesh(pieces.points_in_space, blocks, cell_data=cell_data)


def to_pyvista(pieces: Pieces, data: Mapping[str, np.ndarray]) -> Any:
    """Return a `pyvista.UnstructuredGrid`, its cells in the order of the pieces."""
    pyvista = optional("pyvista", "to_pyvista")
    kept = pieces.kept
    sizes = np.diff(pieces.offsets)
    # each polygon as its number of corners and the corners
    if pieces.solids is None:
        cells, kind = np.insert(pieces.indices, pieces.offsets[kept], sizes[kept]), _POLYGON
    else:
        polygons = np.insert(pieces.indices, pieces.offsets[:-1], sizes)
        starts = np.concatenate([[0], np.cumsum(sizes + 1)])[pieces.solids]
        # each polyhedron as the numbers that follow, the number of polygons, and these
        counts = np.diff(pieces.solids)[kept]
        heads = np.column_stack([np.diff(starts)[kept] + 1, counts]).ravel()
        cells, kind = np.insert(polygons, np.repeat(starts[:-1][kept], 2), heads), _POLYHEDRON
    grid = pyvista.UnstructuredGrid(
        cells, np.full(len(kept), kind, dtype=np.uint8), pieces.points_in_space
    )
    for name, values in data.items():
        grid.cell_data[name] = values[pieces.owner[kept]]
    return grid
