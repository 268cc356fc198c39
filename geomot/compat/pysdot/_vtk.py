"""Files in VTK's legacy format, which ParaView reads, as pysdot writes them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from geomot._files.replacing import replacing_text

__all__ = ["write_cells"]

FloatArray = NDArray[np.float64]

# VTK's numbers of kinds of cells.
_VERTEX, _RING = 1, 7


def write_cells(
    filename: str, polygons: Sequence[FloatArray], numbers: Mapping[str, np.ndarray]
) -> None:
    """Write points and polygons of the plane or of space.

    Parameters
    ----------
    filename : str
        The file; its folder is made.
    polygons : sequence of ndarray of shape (k, d)
        Corners of each cell; a single one is a point.
    numbers : mapping from str to ndarray
        A number for each cell, by their names.
    """
    folder = os.path.dirname(filename)
    if folder:
        os.makedirs(folder, exist_ok=True)
    rings = [p if len(p) == 1 else np.vstack([p, p[:1]]) for p in polygons]
    points = np.concatenate([np.zeros((0, 3)), *(_in_space(ring) for ring in rings)])
    starts = np.cumsum([0, *map(len, rings)])
    cells = [
        " ".join(map(str, [b - a, *range(a, b)]))
        for a, b in zip(starts[:-1], starts[1:], strict=True)
    ]
    kinds = [str(_VERTEX if len(ring) == 1 else _RING) for ring in rings]
    lines = [
        "# vtk DataFile Version 3.0",
        "vtk output",
        "ASCII",
        "DATASET UNSTRUCTURED_GRID",
        f"POINTS {len(points)} double",
        *(f"{x:.17g} {y:.17g} {z:.17g}" for x, y, z in points),
        f"CELLS {len(rings)} {len(points) + len(rings)}",
        *cells,
        f"CELL_TYPES {len(rings)}",
        *kinds,
        f"CELL_DATA {len(rings)}",
        f"FIELD FieldData {len(numbers)}",
    ]
    for name, values in numbers.items():
        lines += [
            f"{name} 1 {len(rings)} double",
            " ".join(f"{value:.17g}" for value in np.asarray(values, np.float64)),
        ]
    replacing_text(filename, "\n".join(lines) + "\n")


def _in_space(points: FloatArray) -> FloatArray:
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))
