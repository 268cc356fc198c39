"""Densities of sources, alone and under the cells."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import plotting

pytestmark = pytest.mark.filterwarnings("error")


def test_a_grid_is_a_mesh_of_its_densities():
    grid = geomot.GridDensity([[1.0, 0.0, 2.0], [2.0, 1.0, 4.0]], [0, 0], [4, 3])
    drawing = plotting.source_density(grid)
    np.testing.assert_allclose(drawing.density.get_array(), grid.values.T * 6 / 12)
    x, y = np.moveaxis(drawing.density.get_coordinates(), 2, 0)
    np.testing.assert_array_equal(x[0], [0, 2, 4])
    np.testing.assert_array_equal(y[:, 0], [0, 1, 2, 3])


@pytest.mark.parametrize("background", ["white", "black"])
def test_more_mass_is_farther_from_the_background(background):
    import matplotlib.pyplot as plt

    ax = plt.subplots()[1]
    ax.set_facecolor(background)
    mesh = plotting.source_density(geomot.GridDensity([[1.0, 0.0], [2.0, 1.0]]), ax=ax).density
    shades = mesh.to_rgba(mesh.get_array())[..., :3].mean(axis=-1)
    distance = np.abs(shades - (background == "white"))
    np.testing.assert_array_equal(
        np.argsort(distance.ravel()), np.argsort(mesh.get_array().ravel())
    )
    assert distance.min() == pytest.approx(0.0)


def test_a_polygon_is_filled_and_other_sources_are_sampled():
    polygon = geomot.UniformPolygon([(0, 0), (2, 0), (1, 1)])
    patch = plotting.source_density(polygon, outline=False, facecolor="red").density
    assert patch.get_facecolor()[:3] == (1.0, 0.0, 0.0)
    ball = plotting.source_density(geomot.UniformBall([0.0, 0.0], 2.0)).density
    assert np.abs(ball.get_path().vertices).max() == 2.0
    cloud = geomot.Samples(np.random.default_rng(2).normal(size=(400, 2)))
    drawing = plotting.source_density(cloud, samples=300, random_state=1)
    np.testing.assert_array_equal(drawing.density.get_xydata(), cloud.sample(300, 1))
    curve = plotting.source_density(geomot.Gaussian([0.0], [[1.0]])).density
    assert curve.get_paths()[0].vertices[:, 1].max() == pytest.approx(0.3989, abs=1e-3)
    with pytest.raises(ValueError, match="source must lie on the line or in the plane"):
        plotting.source_density(geomot.UniformBox.unit(3))


def test_a_mesh_is_shaded():
    mesh = geomot.MeshDensity([(0, 0), (2, 0), (1, 1)], [(0, 1, 2)], [0.0, 1.0, 2.0])
    drawing = plotting.source_density(mesh)
    assert list(drawing) == ["density", "outline"]
    assert drawing.density.get_array().tolist() == mesh.values.tolist()
    diagram = geomot.PowerDiagram(mesh.sample(20, 0), None, mesh)
    assert type(plotting.power_diagram(diagram).density).__name__ == "TriMesh"


def test_densities_lie_under_the_cells():
    grid = geomot.GridDensity([[1.0, 0.0], [2.0, 1.0]])
    diagram = geomot.PowerDiagram(np.random.default_rng(0).random((20, 2)), source=grid)
    drawing = plotting.power_diagram(diagram)
    assert drawing.density.get_zorder() < drawing.cells.get_zorder()
    assert not len(drawing.cells.get_facecolor())
    assert "density" not in plotting.power_diagram(diagram, "masses")
    assert "density" in plotting.power_diagram(geomot.PowerDiagram([[0.5, 0.5]]), density=True)
