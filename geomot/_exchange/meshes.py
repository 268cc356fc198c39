"""Cells as the meshes of meshio and PyVista, which are optional packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geomot._exchange.optional import optional
from geomot._exchange.pieces import Pieces

__all__ = ["to_meshio", "to_pyvista"]

# VTK's numbers of kinds of cells.
_POLYGON, _POLYHEDRON = 7, 42


def to_meshio(pieces: Pieces, data: Mapping[str, np.ndarray]) -> Any:
    """Return a `meshio.Mesh`, its blocks by the number of corners, as meshio reads them again."""
    meshio = optional("meshio", "to_meshio", "view")
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
    pyvista = optional("pyvista", "to_pyvista", "view")
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
