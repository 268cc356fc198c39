"""Pictures of polytopes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from geomot import plotting
from geomot.polytopes import Polytope, graph_polytope, minkowski

pytestmark = pytest.mark.filterwarnings("error")

CUBE = np.vstack([np.eye(3), -np.eye(3)])


def test_numbers_colour_facets_and_nan_leaves_them_out():
    body = minkowski(CUBE, [1, 2, 3, 1, 2, 3])
    drawing = plotting.polytope(body, "areas", label="area")
    assert drawing.colorbar.ax.get_ylabel() == "area"
    assert drawing.facets.get_facecolor().shape == (6, 4)
    part = plotting.polytope(body, [1, 2, 3, 4, np.nan, np.nan], legend=False)
    assert list(part) == ["facets"]
    part.figure.canvas.draw()
    assert len(part.facets.get_facecolor()) == 4


def test_graphs_are_drawn_with_walls_and_lid(solution):
    graph = graph_polytope(solution)
    drawing = plotting.polytope(graph, alpha=0.5)
    drawing.figure.canvas.draw()
    assert len(drawing.facets.get_facecolor()) == np.count_nonzero(graph.areas)


def test_sides_of_a_polygon_in_the_plane():
    drawing = plotting.polytope(minkowski([(1, 0), (0, 1), (-1, -1)], [1, 1, 2**0.5]), "areas")
    assert len(drawing.facets.get_segments()) == 3
    assert drawing.colorbar.ax.get_ylabel() == "length of side"
    assert drawing.axes.get_aspect() == 1.0


def test_refusals(solution):
    cube = Polytope.from_halfspaces(CUBE, np.ones(6))
    with pytest.raises(TypeError, match="polytope must be a Polytope"):
        plotting.polytope(solution)
    with pytest.raises(ValueError, match='values must be an array or "areas"'):
        plotting.polytope(cube, "masses")
    with pytest.raises(ValueError, match="values must have shape"):
        plotting.polytope(cube, [1.0, 2.0])
    with pytest.raises(ValueError, match="ax must be three-dimensional"):
        plotting.polytope(cube, ax=plt.subplots()[1])
