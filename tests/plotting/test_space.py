"""Diagrams in space: polyhedra, plane cuts, and scenes of PyVista."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from mpl_toolkits.mplot3d import art3d

import geomot
from geomot import plotting

pytestmark = pytest.mark.filterwarnings("error")

OCTAHEDRON = geomot.UniformPolyhedron(np.vstack([np.eye(3), -np.eye(3)]))


@pytest.fixture(scope="module")
def solid():
    rng = np.random.default_rng(0)
    return geomot.solve(rng.random((40, 3)), rng.dirichlet(3 * np.ones(40)))


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(1)
    return geomot.PowerDiagram(rng.standard_normal((150, 3)), 0.1 * rng.random(150), OCTAHEDRON)


@pytest.fixture
def drawn(monkeypatch):
    """The polygons given to each collection in space."""
    made = []

    class Recorder(art3d.Poly3DCollection):
        def __init__(self, polygons, *args, **kwargs):
            made.append(polygons)
            super().__init__(polygons, *args, **kwargs)

    monkeypatch.setattr(art3d, "Poly3DCollection", Recorder)
    return made


def test_without_gaps_only_the_outside_is_drawn(solid, drawn):
    plotting.solid_cells(solid, "masses").figure.canvas.draw()
    area = 0.0
    for p in drawn[0]:
        area += np.linalg.norm(np.cross(p[1:-1] - p[0], p[2:] - p[0]).sum(axis=0)) / 2
    assert area == pytest.approx(6.0, rel=1e-12)


def test_cells_move_apart_and_are_left_out(solid, drawn):
    cells = solid.diagram().cells
    plotting.solid_cells(solid, explode=0.5, legend=False)
    assert len(drawn[0]) == len(cells.labels)
    centre = solid.centroids[3] - 0.5
    moved = cells[3].vertices[cells[3].faces[0]] + 0.5 * centre
    first = int(cells.offsets[3])
    np.testing.assert_allclose(np.ptp(drawn[0][first], axis=0), np.ptp(moved, axis=0), atol=1e-15)
    np.testing.assert_allclose(drawn[0][first].mean(axis=0), moved.mean(axis=0), atol=1e-15)
    one = np.arange(40) == 3
    plotting.solid_cells(solid, shown=one)
    assert len(drawn[1]) == len(cells[3].faces)
    plotting.solid_cells(solid, alpha=0.4)
    assert len(drawn[2]) == len(cells.labels)


@pytest.mark.parametrize("periodic", [True, (True, False, True), (False, False, True)], ids=str)
def test_cuts_of_periodic_boxes(periodic):
    rng = np.random.default_rng(3)
    box = geomot.UniformBox([0.0, -1.0, 0.0], [1.0, 1.0, 1.0], periodic)
    diagram = geomot.PowerDiagram(2.0 * rng.random((80, 3)), 0.05 * rng.random(80), box)
    drawing = plotting.planar_cut(diagram, "masses", position=0.9)
    assert ("copies" in drawing) == any(box.periodic[:2])
    cut = plotting.space._cut(diagram, 2, 0.9)
    points = rng.random((1000, 2)) * [1.0, 2.0] - [0.0, 1.0]
    lifted = np.insert(points, 2, 0.9, axis=1)
    assert np.array_equal(cut.locate(points), diagram.locate(lifted))


def test_faces_at_the_seam_are_drawn(drawn):
    torus = geomot.UniformBox([0.0] * 3, [1.0] * 3, periodic=True)
    axis = np.array([0.25, 0.75])
    sites = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    plotting.solid_cells(geomot.PowerDiagram(sites, None, torus))
    # the border of the box, and nothing inside
    assert len(drawn[0]) == 24


@pytest.mark.parametrize(("axis", "place"), [(0, 0.1), (1, -0.3), (2, None)])
def test_cuts_are_those_of_the_cells(many, axis, place):
    ax = plotting.planar_cut(many, "masses", axis=axis, position=place).axes
    kept = [k for k in range(3) if k != axis]
    assert ax.get_xlabel() == f"$x_{kept[0] + 1}$"
    cut = plotting.space._cut(many, axis, 0.0 if place is None else place)
    points = np.random.default_rng(2).uniform(-0.5, 0.5, (2000, 2))
    inside = np.abs(points).sum(axis=1) + abs(place or 0.0) < 1.0
    lifted = np.insert(points, axis, 0.0 if place is None else place, axis=1)
    assert np.array_equal(cut.locate(points[inside]), many.locate(lifted[inside]))
    assert cut.source.area == pytest.approx(2 * (1 - abs(place or 0.0)) ** 2, rel=1e-12)


def test_power_diagrams_in_space_are_cells_or_cuts(solid, many, drawn):
    drawing = plotting.power_diagram(solid, "masses")
    assert hasattr(drawing.axes, "get_zlim") and len(drawn) == 1
    assert list(plotting.power_diagram(solid, list("ab") * 20, edges=False)) == ["cells", "legend"]
    cut = plotting.power_diagram(many, "costs", label="cost")
    assert list(cut) == ["cells", "outline", "colorbar"] and len(drawn) == 2
    assert cut.colorbar.ax.get_ylabel() == "cost"


def test_refusals(solid, diagram):
    for name in ("links", "triangulation"):
        with pytest.raises(ValueError, match=f"{name} cannot be drawn in space"):
            plotting.power_diagram(solid, **{name: True})
    with pytest.raises(ValueError, match="must lie in space"):
        plotting.solid_cells(diagram)
    with pytest.raises(ValueError, match="must lie in space"):
        plotting.planar_cut(diagram)
    with pytest.raises(ValueError, match="ax must be three-dimensional"):
        plotting.solid_cells(solid, ax=plt.subplots()[1])
    with pytest.raises(ValueError, match="explode must not be negative"):
        plotting.solid_cells(solid, explode=-0.1)
    with pytest.raises(ValueError, match=r"shown must be booleans of shape \(40,\)"):
        plotting.solid_cells(solid, shown=[True])
    with pytest.raises(ValueError, match="axis must be 0, 1 or 2"):
        plotting.planar_cut(solid, axis=3)
    with pytest.raises(ValueError, match="position must lie between 0 and 1"):
        plotting.planar_cut(solid, position=1.0)


@pytest.mark.filterwarnings("default")
def test_scenes_are_rendered_off_screen(solid, diagram, tmp_path):
    pytest.importorskip("pyvista")
    half = solid.sites[:, 0] < 0.5
    for thing, values, settings in (
        (solid, "masses", {"explode": 0.2}),
        (solid, list("ab") * 20, {"shown": half}),
        (diagram, None, {"show_edges": True}),
    ):
        scene = plotting.scene(thing, values, off_screen=True, **settings)
        picture = scene.screenshot(tmp_path / "scene.png", return_img=True)
        assert picture.std() > 5.0
        scene.close()
    with pytest.raises(ValueError, match="explode must not be negative"):
        plotting.scene(solid, explode=-1.0)
