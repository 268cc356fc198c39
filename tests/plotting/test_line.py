"""The line: cells under the density, the monotone map, distribution functions, the potential."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import plotting

pytestmark = pytest.mark.filterwarnings("error")

SOURCES = {
    "box": geomot.UniformBox([0.0], [2.0]),
    "normal": geomot.Gaussian([0.4], [[0.04]]),
    "steps": geomot.GridDensity([1.0, 3.0, 0.0, 2.0]),
    "atoms": geomot.Samples(np.linspace(0.0, 1.0, 21)[:, None] ** 2),
}


@pytest.fixture(params=SOURCES)
def solution(request):
    sites = np.random.default_rng(0).random((7, 1))
    return geomot.solve(sites, source=SOURCES[request.param])


def area(polygon):
    x, y = polygon.T
    return 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def test_areas_of_cells_are_their_masses(solution):
    drawing = plotting.power_diagram(solution, np.arange(7) % 2, names=list("abcdefg"))
    assert len(drawing.cells.get_paths()) == 7
    if "atoms" in drawing:
        ends = [path.vertices[:, 0] for path in drawing.cells.get_paths()]
        cells = solution.diagram().cells
        for i, x in enumerate(ends):
            assert (x.min(), x.max()) == pytest.approx(cells[i][:, 0].tolist())
        return
    areas = [area(path.vertices) for path in drawing.cells.get_paths()]
    # Of a normal source small tails are not shown.
    np.testing.assert_allclose(areas, solution.masses, atol=2e-3)
    assert sum(areas) == pytest.approx(1.0, abs=3e-3)


def test_links_lead_from_sites_to_centroids(solution):
    drawing = plotting.power_diagram(solution, names=list("abcdefg"))
    ends = np.array(drawing.links.get_segments())
    np.testing.assert_allclose(ends[:, 0, 0], solution.sites[:, 0])
    np.testing.assert_allclose(ends[:, 1, 0], solution.diagram().centroids[:, 0])
    assert [text.get_text() for text in drawing.names] == list("abcdefg")
    assert "links" not in plotting.power_diagram(solution, links=False)
    ticks = drawing.axes.get_yticks()
    assert (ticks >= 0).all()


def test_the_map_is_monotone_and_sends_cells_to_sites(solution):
    drawing = plotting.monotone_map(solution)
    x, y = drawing.steps.get_xdata(), drawing.steps.get_ydata()
    middles = 0.5 * (x[0::3] + x[1::3])
    image = solution.sites[solution.assign(middles[:, None]), 0]
    np.testing.assert_array_equal(y[0::3], image)
    assert (np.diff(y[0::3]) > 0).all()


def test_distribution_functions(solution):
    drawing = plotting.distribution_functions(solution)
    x, shares = drawing.source.get_xdata(), drawing.source.get_ydata()
    np.testing.assert_array_equal(shares, solution.source.cdf(x))
    assert shares[-1] == pytest.approx(1.0, abs=2e-3)
    y = np.asarray(drawing.target.get_xdata())
    np.testing.assert_array_equal(y[1:-1], np.sort(solution.sites[:, 0]))
    steps = np.diff(drawing.target.get_ydata())
    np.testing.assert_allclose(steps[:-1], np.full(7, 1 / 7))


def test_the_potential_is_convex(solution):
    curve = plotting.brenier_potential(solution).curve
    x, u = curve.get_xdata(), curve.get_ydata()
    wide = np.diff(x) > 1e-9
    slopes = np.diff(u)[wide] / np.diff(x)[wide]
    mean = solution.masses @ solution.sites[:, 0]
    assert (np.diff(slopes) > -1e-6).all()
    assert slopes.min() >= solution.sites.min() - mean - 1e-6
    with pytest.raises(ValueError, match="values must be None on the line"):
        plotting.brenier_potential(solution, "masses")


def test_empty_cells_on_the_line():
    diagram = geomot.PowerDiagram([[0.2], [0.5], [0.8]], [0.0, -1.0, 0.0])
    drawing = plotting.power_diagram(diagram)
    np.testing.assert_array_equal(drawing.empty_sites.get_xdata(), [0.5])
    assert len(drawing.cells.get_paths()) == 2
    with pytest.raises(ValueError, match="triangulation must be False on the line"):
        plotting.power_diagram(diagram, triangulation=True)


@pytest.mark.parametrize("draw", [plotting.monotone_map, plotting.distribution_functions])
def test_what_needs_the_line(draw):
    with pytest.raises(ValueError, match="must lie on the line"):
        draw(geomot.PowerDiagram([[0.5, 0.5]]))
