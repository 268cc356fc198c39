"""Diagrams and sites: what is drawn, in which colours, into which files, without warnings."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import LogNorm

import geomot
from geomot import datasets, plotting

pytestmark = [
    pytest.mark.filterwarnings("error"),
    # OpenBLAS raises flags for what happens to lie in the lanes that pad small products.
    pytest.mark.filterwarnings("ignore:overflow encountered in dot:RuntimeWarning"),
]


def only(ax, kind):
    (found,) = [artist for artist in ax.collections if type(artist) is kind]
    return found


def test_diagram_is_one_collection_without_empty_cells(diagram):
    ax = plotting.power_diagram(diagram).axes
    cells = only(ax, PolyCollection)
    assert diagram.empty.any()
    assert len(cells.get_paths()) == (~diagram.empty).sum()
    first = np.flatnonzero(~diagram.empty)[0]
    np.testing.assert_array_equal(cells.get_paths()[0].vertices[:-1], diagram.cells[int(first)])
    assert ax.get_aspect() == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_1$", "$x_2$")


def test_given_axes_are_used(diagram):
    _, ax = plt.subplots()
    assert plotting.power_diagram(diagram, ax=ax).axes is ax
    assert plotting.brenier_contours(diagram, ax=ax).axes is ax
    assert plotting.site_cloud(diagram, ax=ax).axes is ax
    assert plotting.image_grid(np.zeros((3, 4, 4)), ax=ax).axes is ax
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", ["weights", "masses", "costs"])
def test_named_values_are_shown_with_a_labelled_bar(diagram, name):
    ax = plotting.power_diagram(diagram, name).axes
    shown = only(ax, PolyCollection).get_array()
    np.testing.assert_array_equal(shown, getattr(diagram, name)[~diagram.empty])
    assert name[:-1].removesuffix("e") in ax.figure.axes[1].get_ylabel()


def test_masses_over_decades_are_on_a_logarithmic_scale(diagram, solution):
    ax = plotting.power_diagram(diagram, "masses").axes
    assert isinstance(only(ax, PolyCollection).norm, LogNorm)
    ax = plotting.power_diagram(solution, "masses").axes
    norm = only(ax, PolyCollection).norm
    # Equal up to rounding: the scale must not magnify the rounding.
    assert not isinstance(norm, LogNorm)
    assert norm.vmax - norm.vmin > 0.05 * norm.vmax


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("volume", "values must be an array or one of"),
        (np.zeros(3), r"values must have shape \(60,\)"),
        (np.zeros(3, dtype=int), r"values must have shape \(60,\)"),
        (np.full(60, np.nan), "values must be finite"),
    ],
)
def test_bad_values_are_refused(solution, values, message):
    with pytest.raises(ValueError, match=message):
        plotting.power_diagram(solution, values)


def test_only_diagrams_and_solutions_are_drawn():
    with pytest.raises(TypeError, match="diagram must be"):
        plotting.power_diagram(np.zeros((3, 2)))
    with pytest.raises(TypeError, match="solution must be"):
        plotting.transport_map(np.zeros((3, 2)))


def test_triangulation_is_drawn_between_sites(diagram):
    ax = plotting.power_diagram(diagram, sites=False, triangulation=True).axes
    segments = only(ax, LineCollection).get_segments()
    corners = diagram.triangulation.tolist()
    pairs = {frozenset(t[:k] + t[k + 1 :]) for t in corners for k in range(3)}
    drawn = {frozenset(map(tuple, segment.tolist())) for segment in segments}
    assert drawn == {frozenset(map(tuple, diagram.sites[list(pair)].tolist())) for pair in pairs}
    assert len(segments) == len(pairs)


def test_triangulation_of_collinear_sites_is_empty():
    sites = np.column_stack([np.linspace(0.1, 0.9, 5), np.full(5, 0.5)])
    ax = plotting.power_diagram(geomot.PowerDiagram(sites), triangulation=True).axes
    assert len(only(ax, LineCollection).get_segments()) == 0


def test_one_site(tmp_path):
    diagram = geomot.PowerDiagram([[0.3, 0.6]])
    axes = (
        plotting.power_diagram(diagram, "weights", triangulation=True),
        plotting.brenier_potential(diagram),
        plotting.brenier_contours(diagram),
        plotting.site_cloud(diagram),
    )
    for k, ax in enumerate(axes):
        ax.figure.savefig(tmp_path / f"{k}.png")


def test_sites_are_drawn_in_proportion_to_their_masses():
    sites, masses = np.array([[0.2, 0.5], [0.8, 0.5]]), np.array([0.25, 0.75])
    ax = plotting.site_cloud(geomot.solve(sites, masses), "masses").axes
    small, large = only(ax, PathCollection).get_sizes()
    assert large == pytest.approx(3 * small)


def test_sites_above_the_plane_are_principal_components(sampled):
    ax = plotting.site_cloud(sampled, "weights").axes
    points = only(ax, PathCollection).get_offsets().data
    centred = sampled.sites - sampled.sites.mean(axis=0)
    values = np.linalg.eigvalsh(np.cov(centred.T, bias=True))[::-1]
    np.testing.assert_allclose(np.cov(points.T, bias=True), np.diag(values[:2]), atol=1e-10)
    # Distances in the projection are at most those between the sites.
    assert (np.linalg.norm(points, axis=1) <= np.linalg.norm(centred, axis=1) + 1e-12).all()
    share = 100 * values[0] / values.sum()
    assert ax.get_xlabel() == f"component 1 ({share:.0f} %)"


def test_the_line(tmp_path):
    sites, masses = np.array([[0.2], [0.5], [0.9]]), np.array([0.2, 0.5, 0.3])
    exact = geomot.solve(sites, masses)
    ax = plotting.convergence(exact).axes
    assert "computed directly" in ax.get_xlabel()
    ax.figure.savefig(tmp_path / "line.png")
    offsets = plotting.site_cloud(exact).sites.get_offsets().data
    np.testing.assert_array_equal(offsets, np.column_stack([sites[:, 0], masses]))
    drawing = plotting.mass_errors(exact)
    shown = [len(drawing[name].get_offsets()) for name in ("dots",) if name in drawing]
    shown += [len(drawing[name].get_xdata()) for name in ("zeros",) if name in drawing]
    assert sum(shown) == 3


def test_coincident_sites_in_space_are_drawn():
    masses = np.full(4, 0.25)
    points, labels = plotting.diagrams._flattened(np.ones((4, 3)), masses, ("", ""))
    np.testing.assert_array_equal(points, np.zeros((4, 2)))
    assert labels[0] == "component 1 (0 %)"


@pytest.mark.parametrize(
    "draw",
    [
        plotting.power_diagram,
        plotting.brenier_potential,
        plotting.brenier_contours,
        plotting.transport_map,
    ],
)
def test_cells_are_drawn_in_the_plane_alone(sampled, draw):
    name = "diagram" if draw is plotting.power_diagram else "solution"
    with pytest.raises(ValueError, match=rf"{name} must lie .*in the plane .* got 5 dimension"):
        draw(sampled)
    assert not plt.get_fignums()


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_files_are_written(tmp_path, solution, sampled, suffix):
    axes = {
        "diagram": plotting.power_diagram(solution, "weights", triangulation=True),
        "classes": plotting.power_diagram(solution, np.arange(60) % 10),
        "surface": plotting.brenier_potential(solution),
        "contours": plotting.brenier_contours(solution),
        "map": plotting.transport_map(solution, 100)[0],
        "convergence": plotting.convergence(solution),
        "samples": plotting.convergence(sampled),
        "masses": plotting.mass_errors(sampled),
        "images": plotting.image_grid(np.random.default_rng(0).random((4, 8, 8))),
    }
    for name, ax in axes.items():
        path = tmp_path / f"{name}.{suffix}"
        ax.figure.savefig(path)
        assert path.stat().st_size > 1000


def test_a_hundred_thousand_cells(tmp_path):
    diagram = geomot.PowerDiagram(datasets.u2d(100_000))
    ax = plotting.power_diagram(diagram, "masses").axes
    ax.figure.savefig(tmp_path / "big.svg")
    assert len(ax.get_children()) < 40
    assert len(only(ax, PolyCollection).get_paths()) == 100_000
    # The cells are stored as pixels, not as 100 000 paths.
    assert (tmp_path / "big.svg").stat().st_size < 6e6


def test_names_are_written_at_the_sites_and_do_not_cover_each_other():
    sites = np.stack(np.meshgrid(np.linspace(0.1, 0.9, 5), np.linspace(0.1, 0.9, 5)), -1)
    diagram = geomot.PowerDiagram(sites.reshape(-1, 2))
    names = [f"town {k}" if k else "" for k in range(25)]
    drawing = plotting.power_diagram(diagram, names=names)
    assert [text.get_text() for text in drawing.names] == names[1:]
    drawing.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in drawing.names]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    with pytest.raises(ValueError, match="names must have 25 entries, got 2"):
        plotting.power_diagram(diagram, names=["a", "b"])
    with pytest.raises(TypeError, match="names must be a sequence"):
        plotting.site_cloud(diagram, names="abc")


def test_links_show_sites_that_lie_outside_their_own_cells():
    """23 of 30 towns lay outside their own regions, and nothing said so."""
    towns = np.random.default_rng(0).normal(0.3, 0.1, (30, 2))
    solution = geomot.solve(towns)
    diagram = solution.diagram()
    outside = diagram.locate(towns) != np.arange(30)
    assert outside.sum() > 15
    drawing = plotting.power_diagram(solution)
    ends = np.array(drawing.links.get_segments())
    np.testing.assert_array_equal(ends[:, 0], towns[outside])
    np.testing.assert_array_equal(ends[:, 1], diagram.centroids[outside])
    assert len(plotting.power_diagram(solution, links=True).links.get_segments()) == 30
    assert "links" not in plotting.power_diagram(solution, links=False)


def test_hidden_sites_are_said():
    """Sites far from the domain, and sites without a cell."""
    sites = [[0.2, 0.5], [0.7, 0.5], [1.2, 0.5], [40.0, 0.5], [0.5, 90.0]]
    drawing = plotting.power_diagram(geomot.PowerDiagram(sites, [0, 0, -3, 0, 0]))
    assert drawing.note.get_text() == (
        "2 of 5 sites lie outside the picture\n× 3 of 5 cells are empty"
    )
    np.testing.assert_array_equal(drawing.empty_sites.get_xydata(), [[1.2, 0.5]])
    assert drawing.axes.get_xlim()[1] < 2.0
    assert drawing.axes.get_xlim()[1] > 1.2


def test_a_domain_with_a_hole_and_two_pieces():
    square = 4.0 * np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    region = geomot.UniformPolygon([square, square + 5.0], holes=[0.5 * square + 1.0])
    solution = geomot.solve(region.sample(12, 0), None, region)
    drawing = plotting.power_diagram(solution, values=solution.masses)
    paths = drawing.cells.get_paths()
    assert len(paths) == 12 and len(drawing.cells.get_array()) == 12
    rings = sum(len(solution.diagram().cells.outlines(i)) for i in range(12))
    assert sum((path.codes == path.CLOSEPOLY).sum() for path in paths) == rings
    assert len(drawing.outline.get_path().vertices) == 3 * 5
    for draw in (plotting.brenier_potential, plotting.brenier_contours, plotting.source_density):
        draw(region if draw is plotting.source_density else solution)


def test_copies_of_cells_on_a_torus_are_faded():
    torus = geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True)
    sites = np.random.default_rng(0).random((30, 2))
    drawing = plotting.power_diagram(geomot.PowerDiagram(sites, source=torus), "masses")
    assert len(drawing.cells.get_paths()) == 30
    assert drawing.copies.get_alpha() < 1.0
    assert len(drawing.copies.get_paths()) > 5
    # sites outside the box are drawn in it
    away = geomot.PowerDiagram(sites + [3.0, -2.0], source=torus)
    moved = plotting.power_diagram(away, "masses")
    np.testing.assert_allclose(
        np.column_stack(moved.sites.get_data()), np.column_stack(drawing.sites.get_data())
    )
    for draw in (plotting.brenier_potential, plotting.brenier_contours):
        with pytest.raises(ValueError, match="must not be periodic for graphs of potentials"):
            draw(away)
    with pytest.raises(ValueError, match="must not be periodic for drawings of the triangulation"):
        plotting.power_diagram(away, triangulation=True)


def test_axes_have_the_names_of_the_features():
    brenier = geomot.BrenierMap().fit(np.random.default_rng(0).random((20, 2)))
    brenier.feature_names_in_ = np.array(["width", "height"], dtype=object)
    source, target = plotting.transport_map(brenier, 10)
    drawings = [
        plotting.power_diagram(brenier),
        plotting.site_cloud(brenier),
        plotting.brenier_contours(brenier, resolution=10),
        source,
        target,
    ]
    for drawing in drawings:
        assert (drawing.axes.get_xlabel(), drawing.axes.get_ylabel()) == ("width", "height")
    assert plotting.site_cloud(brenier.solution_).axes.get_xlabel() == "$y_1$"
