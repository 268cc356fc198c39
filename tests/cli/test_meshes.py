"""Meshes that --domain reads: npz, and what meshio makes of other formats."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import geomot
from geomot.cli._meshes import read_mesh
from geomot.cli._shared import BadInput

SQUARE = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
HALVES = np.array([(0, 1, 2), (0, 2, 3)])
RAMP = geomot.MeshDensity(SQUARE, HALVES, [0.0, 1.0, 1.0, 0.0])


def test_npz(tmp_path):
    file = str(tmp_path / "mesh.npz")
    np.savez(file, points=SQUARE, simplices=HALVES, values=[0.0, 1.0, 1.0, 0.0])
    assert read_mesh(file) == RAMP
    np.savez(file, points=SQUARE, simplices=HALVES)
    assert read_mesh(file) == geomot.MeshDensity(SQUARE, HALVES)
    np.savez(file, points=SQUARE)
    with pytest.raises(BadInput, match="must hold the arrays points and simplices"):
        read_mesh(file)


def meshio(monkeypatch, **mesh):
    """A stand-in for the package: one mesh, whatever the file."""
    module = ModuleType("meshio")
    module.ReadError = type("ReadError", (Exception,), {})
    module.read = lambda path: SimpleNamespace(**mesh)
    monkeypatch.setitem(sys.modules, "meshio", module)


def test_formats_of_meshio(tmp_path, monkeypatch):
    file = tmp_path / "mesh.vtk"
    file.write_text("# vtk DataFile Version 3.0\n")
    monkeypatch.setitem(sys.modules, "meshio", None)
    with pytest.raises(BadInput, match="needs meshio"):
        read_mesh(str(file))
    flat = np.column_stack([SQUARE, np.full(4, 2.0)])
    ramp = np.array([0.0, 1.0, 1.0, 0.0])
    triangles = {"triangle": HALVES, "line": np.zeros((1, 2), int)}
    meshio(monkeypatch, points=flat, cells_dict=triangles, point_data={"T": ramp[:, None]})
    assert read_mesh(str(file)) == RAMP
    data = {"u": np.ones((4, 2)), "density": ramp, "T": np.ones(4)}
    meshio(monkeypatch, points=SQUARE, cells_dict=triangles, point_data=data)
    assert read_mesh(str(file)) == RAMP
    del data["density"]
    data["p"] = np.ones(4)
    with pytest.raises(BadInput, match="must be called values or density"):
        read_mesh(str(file))
    meshio(monkeypatch, points=flat * [1, 1, 0] + ramp[:, None], cells_dict={}, point_data={})
    with pytest.raises(BadInput, match="in space .* must have tetrahedra"):
        read_mesh(str(file))
    meshio(monkeypatch, points=flat, cells_dict={"quad": HALVES}, point_data={})
    with pytest.raises(BadInput, match="in the plane must have triangles"):
        read_mesh(str(file))


def test_tetrahedra(tmp_path, monkeypatch):
    points = np.vstack([np.zeros(3), np.eye(3), np.ones(3)])
    pair = np.array([(0, 1, 2, 3), (1, 2, 3, 4)])
    values = np.arange(1.0, 6.0)
    solid = geomot.MeshDensity(points, pair, values)
    file = str(tmp_path / "mesh.npz")
    np.savez(file, points=points, simplices=pair, values=values)
    assert read_mesh(file) == solid
    vtu = tmp_path / "mesh.vtu"
    vtu.write_text("<VTKFile/>\n")
    meshio(monkeypatch, points=points, cells_dict={"tetra": pair}, point_data={"u": values})
    assert read_mesh(str(vtu)) == solid
