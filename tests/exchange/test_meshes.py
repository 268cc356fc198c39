"""Cells in meshio and PyVista, and files that both read again."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import geomot
from geomot.polytopes import minkowski

OCTAHEDRON = geomot.UniformPolyhedron(np.vstack([np.eye(3), -np.eye(3)]))
CORNER = geomot.UniformPolygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])


def diagrams():
    rng = np.random.default_rng(0)
    hidden = np.append(np.zeros(29), -1.0)
    yield "cube", geomot.PowerDiagram(rng.random((30, 3)), hidden), 1.0
    yield "octahedron", geomot.PowerDiagram(rng.standard_normal((12, 3)), None, OCTAHEDRON), 4 / 3
    yield "square", geomot.PowerDiagram(rng.random((30, 2)), hidden), 1.0
    torus = geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True)
    yield "torus", geomot.PowerDiagram(rng.random((12, 2)), None, torus), 1.0
    yield "corner", geomot.PowerDiagram(2 * rng.random((20, 2)), None, CORNER), 3.0


CASES = {name: (diagram, size) for name, diagram, size in diagrams()}


@pytest.fixture(params=list(CASES))
def case(request):
    return CASES[request.param]


def size_of(points, shape):
    """Volume of a polyhedron, from its polygons, or area of a polygon."""
    if np.ndim(shape[0]) == 0:
        x, y, _ = points[shape].T
        return 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    apex = points[shape[0][0]]
    fans = [points[[f[0], a, b]] - apex for f in shape for a, b in zip(f[1:], f[2:], strict=False)]
    return abs(np.linalg.det(np.array(fans)).sum()) / 6.0


def sizes_by_site(mesh, n):
    found = np.zeros(n)
    for block, sites in zip(mesh.cells, mesh.cell_data["site"], strict=True):
        for shape, site in zip(block.data, sites, strict=True):
            found[site] += size_of(mesh.points, shape)
    return found


def test_meshes_have_the_masses(case):
    pytest.importorskip("meshio")
    diagram, size = case
    mesh = diagram.to_meshio({"twice": 2 * diagram.masses, "sites": diagram.sites})
    np.testing.assert_allclose(sizes_by_site(mesh, len(diagram)) / size, diagram.masses, rtol=1e-10)
    for name, values in (("mass", diagram.masses), ("sites", diagram.sites)):
        sites = np.concatenate(mesh.cell_data["site"])
        assert np.array_equal(np.concatenate(mesh.cell_data[name]), values[sites])
    assert set(np.concatenate(mesh.cell_data["site"])) == set(np.flatnonzero(~diagram.empty))


def test_files_are_read_again(case, tmp_path):
    meshio = pytest.importorskip("meshio")
    diagram, size = case
    path = tmp_path / "cells.vtu"
    diagram.to_meshio().write(path)
    again = meshio.read(path)
    assert np.array_equal(again.points[:, : diagram.sites.shape[1]], diagram.vertices)
    found = sizes_by_site(again, len(diagram))
    np.testing.assert_allclose(found / size, diagram.masses, rtol=1e-10)
    pyvista = pytest.importorskip("pyvista")
    grid = pyvista.read(path)
    volumes = np.abs(grid.compute_cell_sizes()["Volume" if size_is_volume(diagram) else "Area"])
    np.testing.assert_allclose(
        np.bincount(grid["site"], volumes, len(diagram)) / size, diagram.masses, atol=1e-11
    )


def size_is_volume(diagram):
    return diagram.source.dim == 3


def test_grids_of_pyvista_have_the_masses(case, tmp_path):
    pyvista = pytest.importorskip("pyvista")
    diagram, size = case
    grid = diagram.to_pyvista({"twice": 2 * diagram.masses})
    kind = "Volume" if size_is_volume(diagram) else "Area"
    assert list(grid["site"]) == sorted(grid["site"])
    for some in (grid, saved(pyvista, grid, tmp_path / "cells.vtu")):
        volumes = np.abs(some.compute_cell_sizes()[kind])
        found = np.bincount(some["site"], volumes, len(diagram))
        np.testing.assert_allclose(found / size, diagram.masses, atol=1e-11)
        assert np.array_equal(some["twice"], 2 * diagram.masses[some["site"]])


def saved(pyvista, grid, path):
    grid.save(path)
    return pyvista.read(path)


def test_surfaces_of_polytopes_are_closed(tmp_path):
    meshio = pytest.importorskip("meshio")
    box = minkowski(np.vstack([np.eye(3), -np.eye(3)]), [6.0, 3.0, 2.0] * 2).polytope
    path = tmp_path / "box.stl"
    mesh = box.to_meshio()
    assert np.array_equal(mesh.cell_data["area"][0], np.repeat(box.areas, 2))
    mesh.cell_data = {}
    mesh.write(path, binary=True)
    again = meshio.read(path)
    corners = again.points[again.cells_dict["triangle"]].astype(float)
    assert np.linalg.det(corners).sum() / 6.0 == pytest.approx(6.0, rel=1e-6)


@pytest.mark.parametrize("name", ["meshio", "pyvista"])
def test_missing_packages_are_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    diagram = geomot.PowerDiagram([[0.5, 0.5]])
    with pytest.raises(ImportError, match=rf'to_{name} needs {name}: pip install "geomot\[view\]"'):
        getattr(diagram, f"to_{name}")()


@pytest.mark.parametrize("name", ["to_meshio", "to_pyvista"])
def test_refusals(name):
    diagram = geomot.PowerDiagram([[0.5, 0.5], [0.2, 0.2]])
    export = getattr(diagram, name)
    with pytest.raises(ValueError, match=r"cell_data must have other names than site, mass, weig"):
        export({"mass": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"cell_data\['a'\] must have 2 rows"):
        export({"a": [1.0]})
    with pytest.raises(TypeError, match=r"cell_data\['a'\]"):
        export({"a": ["x", "y"]})
    with pytest.raises(ValueError, match=f"{name} needs a diagram in the plane or in space"):
        getattr(geomot.PowerDiagram([[0.5]]), name)()
