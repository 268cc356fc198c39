"""Meshes with a density: npz archives, and the formats of meshio."""

from __future__ import annotations

from importlib import import_module

import numpy as np

import geomot
from geomot.cli._files import array_names, kind_of, read_array
from geomot.cli._shared import BadInput

__all__ = ["read_mesh"]

# Names under which files hold the density at the vertices.
_VALUES = ("values", "density")


def read_mesh(path: str) -> geomot.MeshDensity:
    """The density on a mesh that a file holds."""
    if kind_of(path) == "npz":
        names = array_names(path)
        missing = {"points", "simplices"} - set(names)
        if missing:
            raise BadInput(f"{path}: must hold the arrays points and simplices, got {names}")
        values = read_array(path, "values") if "values" in names else None
        return geomot.MeshDensity(read_array(path, "points"), read_array(path, "simplices"), values)
    try:
        meshio = import_module("meshio")
    except ImportError:
        raise BadInput(
            f"{path}: reading this format needs meshio (pip install meshio); an npz file with the "
            "arrays points, simplices and values does not"
        ) from None
    try:
        mesh = meshio.read(path)
    except (OSError, SystemExit, meshio.ReadError) as error:
        raise BadInput(f"cannot read {path}: {error}") from None
    points = np.asarray(mesh.points, dtype=np.float64)
    if points.shape[1] == 3 and np.ptp(points[:, 2]) == 0.0:
        points = points[:, :2]
    kind, simplices = ("triangles", "triangle") if points.shape[1] == 2 else ("tetrahedra", "tetra")
    found = mesh.cells_dict.get(simplices)
    if found is None:
        where = (
            "in the plane" if points.shape[1] == 2 else "in space (z is not the same everywhere)"
        )
        raise BadInput(f"{path}: a mesh {where} must have {kind}, got {sorted(mesh.cells_dict)}")
    return geomot.MeshDensity(points, found, _values(path, mesh.point_data))


def _values(path: str, data: dict[str, np.ndarray]) -> np.ndarray | None:
    """The numbers at the vertices that are the density; None for a mesh without any."""
    for name in _VALUES:
        if name in data:
            return np.asarray(data[name])
    numbers = {name: np.squeeze(array) for name, array in data.items()}
    numbers = {name: array for name, array in numbers.items() if array.ndim == 1}
    if len(numbers) > 1:
        raise BadInput(
            f"{path}: the density must be called values or density, got {sorted(numbers)}"
        )
    return next(iter(numbers.values()), None)
