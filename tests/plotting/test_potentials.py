"""Potentials as surfaces and contours."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from mpl_toolkits.mplot3d import art3d

from geomot import plotting

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def surfaces(monkeypatch):
    """The polygons given to each collection in space: they cannot be asked for afterwards."""
    made = []

    class Recorder(art3d.Poly3DCollection):
        def __init__(self, polygons, *args, **kwargs):
            made.append(polygons)
            super().__init__(polygons, *args, **kwargs)

    monkeypatch.setattr(art3d, "Poly3DCollection", Recorder)
    return made


def test_potential_is_lifted_to_its_values(solution, surfaces):
    ax = plotting.brenier_potential(solution, centered=False).axes
    surface, base = surfaces
    cells = solution.diagram().cells
    assert len(surface) == len(base) == len(cells)
    for i, (lifted, flat) in enumerate(zip(surface, base, strict=True)):
        u = cells[i] @ solution.sites[i] + solution.heights[i]
        np.testing.assert_allclose(lifted, np.column_stack([cells[i], u]), atol=1e-12)
        np.testing.assert_array_equal(flat[:, :2], cells[i])
    assert max(p[:, 2].max() for p in base) < min(p[:, 2].min() for p in surface)
    assert ax.get_zlabel() == "$u(x)$"


def test_centred_potential_has_no_slope(solution, surfaces):
    ax = plotting.brenier_potential(solution, projection=False).axes
    (surface,) = surfaces
    mean = solution.masses @ solution.sites
    for i, lifted in enumerate(surface):
        u = lifted[:, :2] @ (solution.sites[i] - mean) + solution.heights[i]
        np.testing.assert_allclose(lifted[:, 2], u, atol=1e-12)
    assert "bar y" in ax.get_zlabel()


def test_potential_needs_three_dimensional_axes(solution):
    with pytest.raises(ValueError, match="ax must be three-dimensional"):
        plotting.brenier_potential(solution, ax=plt.subplots()[1])


def test_contours_cover_the_values_on_the_domain(solution):
    ax = plotting.brenier_contours(solution, centered=False).axes
    filled = ax.collections[0]
    corners = solution.source.polygon
    u = (corners @ solution.sites.T + solution.heights).max(axis=1)
    assert filled.levels[0] <= u.min()
    assert u.max() <= filled.levels[-1]
    own = plotting.brenier_contours(solution, levels=[-0.2, 0.0, 0.2], cells=False).axes
    np.testing.assert_array_equal(own.collections[0].levels, [-0.2, 0.0, 0.2])
    assert not [c for c in own.collections if isinstance(c, PolyCollection)]
