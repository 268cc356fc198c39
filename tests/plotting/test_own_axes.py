"""Axes of the user's own: subplots, scales, styles, what is on them already, sizes of files."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import geomot
from geomot import datasets, discrete, plotting

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def brenier():
    return geomot.BrenierMap().fit(datasets.moons(40))


@pytest.fixture(scope="module")
def line():
    return geomot.solve(np.random.default_rng(0).random((12, 1)) + 0.1)


def clouds():
    return np.random.default_rng(0).random((2, 8, 2)) + 0.1


DRAWN = {
    "power_diagram": lambda b, s, ax: plotting.power_diagram(b, "masses", ax=ax),
    "density": lambda b, s, ax: plotting.source_density(
        geomot.GridDensity(np.arange(1.0, 7.0).reshape(2, 3), [0.1, 0.1], [1, 1]), ax=ax
    ),
    "site_cloud": lambda b, s, ax: plotting.site_cloud(b, ax=ax),
    "class_names": lambda b, s, ax: plotting.class_names(
        [[0.2, 0.3], [0.8, 0.4]], ["a", "b"], ax=ax
    ),
    "contours": lambda b, s, ax: plotting.brenier_contours(b, ax=ax),
    "singular_set": lambda b, s, ax: plotting.singular_set(b.extended(), resolution=40, ax=ax),
    "permutation": lambda b, s, ax: plotting.permutation(*clouds(), np.arange(8), ax=ax),
    "plan": lambda b, s, ax: plotting.transport_plan(discrete.plan(*clouds()), ax=ax),
    "convergence": lambda b, s, ax: plotting.convergence(b, ax=ax),
    "masses": lambda b, s, ax: plotting.mass_errors(b, ax=ax),
    "cells on the line": lambda b, s, ax: plotting.power_diagram(s, ax=ax),
    "map on the line": lambda b, s, ax: plotting.monotone_map(s, ax=ax),
    "functions on the line": lambda b, s, ax: plotting.distribution_functions(s, ax=ax),
    "potential on the line": lambda b, s, ax: plotting.brenier_potential(s, ax=ax),
}
drawn = pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)


@drawn
def test_subplots(brenier, line, draw):
    """The neighbours of the axes stay as they are, in figures and in subfigures."""
    figure = plt.figure(layout="constrained")
    left, right = figure.subfigures(1, 2)
    first, second = left.subplots(2, 1)
    other = right.subplots()
    drawing = draw(brenier, line, first)
    assert drawing.axes is first
    assert drawing.figure is left
    for ax in (second, other):
        assert not ax.has_data()
        assert ax.get_aspect() == "auto"
        assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (0, 1))
    figure.canvas.draw()
    assert len(plt.get_fignums()) == 1


@drawn
def test_limits_labels_and_artists_of_the_user_stay(brenier, line, draw):
    ax = plt.subplots()[1]
    (own,) = ax.plot([-3.0, 4.0], [0.5, 0.6], color="red")
    ax.set(xlabel="km", ylabel="north", title="mine", xlim=(-3.0, 2.0))
    draw(brenier, line, ax)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("km", "north", "mine")
    assert ax.get_xlim() == (-3.0, 2.0)
    assert own in ax.lines
    assert own.get_color() == "red"
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")


@drawn
def test_limits_grow(brenier, line, draw):
    fresh, ax = plt.subplots()[1], plt.subplots()[1]
    ax.plot([-30.0, 40.0], [1e-3, 60.0])
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    draw(brenier, line, ax)
    assert ax.get_xlim()[0] <= x0
    assert ax.get_xlim()[1] >= x1
    assert ax.get_ylim()[0] <= y0
    assert ax.get_ylim()[1] >= y1
    draw(brenier, line, fresh)
    for side in ("x", "y"):
        if getattr(fresh, f"get_{side}scale")() == "linear":
            low, high = getattr(fresh, f"get_{side}lim")()
            grown_low, grown_high = getattr(ax, f"get_{side}lim")()
            assert grown_low <= low + 0.2 * (high - low)
            assert grown_high >= high - 0.2 * (high - low)


@drawn
def test_log_axes(brenier, line, draw, tmp_path):
    ax = plt.subplots()[1]
    # A potential may be negative.
    scale = "linear" if draw is DRAWN["potential on the line"] else "log"
    ax.set(xscale="log", yscale=scale)
    draw(brenier, line, ax)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", scale)
    ax.figure.savefig(tmp_path / "log.png")
    assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
    assert ax.get_xlim()[0] > 0.0


def test_twin_axes(brenier):
    """Two axes at one place cannot have a shape of their own."""
    ax = plt.subplots()[1]
    other = ax.twinx()
    other.plot([0, 1], [3, 4])
    plotting.power_diagram(brenier, ax=ax)
    assert ax.get_aspect() == "auto"
    ax.figure.canvas.draw()


def test_edges_are_bent_on_log_axes():
    """A border that is straight in the plane is a curve on logarithmic axes."""
    box = geomot.UniformBox([1, 1], [9, 9])
    diagram = geomot.PowerDiagram([[2.0, 2.0], [5.0, 4.0]], source=box)
    ax = plt.subplots()[1]
    ax.set(xscale="log", yscale="log")
    paths = plotting.power_diagram(diagram, ax=ax).cells.get_paths()
    on_border = [v for path in paths for v in path.vertices if abs(v @ [3.0, 2.0] - 16.5) < 1e-9]
    assert len(on_border) > 20


@drawn
def test_dark_style(brenier, line, draw):
    """Marks in the colour of text stand out from the background."""
    with plt.style.context("dark_background"):
        ax = plt.subplots()[1]
        drawing = draw(brenier, line, ax)
        for name in {"outline", "links", "jumps", "labels", "target"} & set(drawing):
            for artist in drawing[name] if isinstance(drawing[name], list) else [drawing[name]]:
                get = getattr(artist, "get_color", None) or artist.get_edgecolor
                colours = mpl.colors.to_rgba_array(get())[:, :3]
                assert (colours @ [0.299, 0.587, 0.114] > 0.3).all(), name
        assert to_rgb(ax.get_facecolor()) == (0.0, 0.0, 0.0)
        ax.figure.canvas.draw()


@drawn
def test_columns_of_a_journal(brenier, line, draw):
    """What is drawn on a new figure of 3.3 inches stays within it."""
    with mpl.rc_context({"figure.figsize": (3.3, 2.5)}):
        figure = draw(brenier, line, None).figure
    assert figure.get_size_inches()[0] == pytest.approx(3.3)
    figure.canvas.draw()
    inside = figure.bbox.padded(1.0)
    for ax in figure.axes:
        box = ax.get_tightbbox()
        assert inside.x0 <= box.x0
        assert box.x1 <= inside.x1
        assert inside.y0 <= box.y0
        assert box.y1 <= inside.y1


def test_columns_of_a_journal_in_monte_carlo(sampled):
    for draw in (plotting.convergence, plotting.mass_errors, plotting.site_cloud):
        with mpl.rc_context({"figure.figsize": (3.3, 2.5)}):
            figure = draw(sampled).figure
        figure.canvas.draw()
        (box,) = [ax.get_tightbbox() for ax in figure.axes]
        assert figure.bbox.padded(1.0).x0 <= box.x0
        assert figure.bbox.padded(1.0).y0 <= box.y0
        assert box.y1 <= figure.bbox.padded(1.0).y1


@pytest.mark.parametrize(
    "make", [lambda b: b, lambda b: b.solution_, lambda b: b.solution_.diagram()]
)
def test_maps_solutions_and_diagrams_alike(brenier, make):
    thing = make(brenier)
    expected = [path.vertices for path in plotting.power_diagram(brenier).cells.get_paths()]
    for drawing in (plotting.power_diagram(thing), plotting.transport_map(thing, 50)[0]):
        found = [path.vertices for path in drawing.cells.get_paths()]
        np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    assert len(plotting.site_cloud(thing).sites.get_offsets()) == 40
    assert plotting.brenier_contours(thing).filled.levels[0] < 0
    assert len(plotting.brenier_potential(thing)) == 2


def test_a_map_must_be_fitted():
    with pytest.raises(ValueError, match="not fitted yet"):
        plotting.power_diagram(geomot.BrenierMap())


def test_further_keywords_and_a_bar_of_ones_own(brenier):
    figure, (ax, bar_ax) = plt.subplots(1, 2)
    drawing = plotting.power_diagram(
        brenier, "masses", norm=mpl.colors.Normalize(0, 1), legend=False, alpha=0.5, zorder=7, ax=ax
    )
    assert (drawing.cells.get_alpha(), drawing.cells.get_zorder()) == (0.5, 7)
    bar = figure.colorbar(drawing.cells, cax=bar_ax, label="mine")
    assert (bar.vmin, bar.vmax) == (0, 1)
    with pytest.raises(AttributeError, match="no_such_thing"):
        plotting.power_diagram(brenier, no_such_thing=1)


def test_a_legend_of_ones_own(brenier):
    kinds = np.array(["east", "west"])[np.arange(40) % 2]
    drawing = plotting.site_cloud(brenier, kinds, legend=False)
    assert "legend" not in drawing
    legend = drawing.axes.legend(*drawing.legend_elements(), loc="lower right", title="side")
    assert [text.get_text() for text in legend.get_texts()] == ["east", "west"]
    colours = [to_rgb(handle.get_color()) for handle in drawing.legend_elements()[0]]
    assert colours == [to_rgb(colour) for colour in plotting.class_colors(2)]


def test_a_drawing_is_a_mapping_of_artists(brenier):
    drawing = plotting.power_diagram(brenier, triangulation=True)
    assert set(drawing) >= {"cells", "triangulation", "sites", "outline"}
    assert drawing["cells"] is drawing.cells
    with pytest.raises(AttributeError, match="there is no artist 'legend', only: cells"):
        _ = drawing.legend
    drawing.remove()
    assert not drawing.axes.collections
    assert not drawing.axes.lines


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_sizes_of_files(tmp_path, suffix):
    """5000 sites with their cells: hardly more than the dots alone, as matplotlib draws them."""
    points = np.random.default_rng(0).random((5000, 2))
    solution = geomot.solve(points, tol=0.1)
    own = plt.subplots()[1]
    own.plot(*points.T, "o", markersize=1)
    own.figure.savefig(tmp_path / f"own.{suffix}")
    allowed = (tmp_path / f"own.{suffix}").stat().st_size
    for name, drawing in {
        "cells": plotting.power_diagram(solution, "masses", ax=plt.subplots()[1]),
        "cloud": plotting.site_cloud(solution, ax=plt.subplots()[1]),
        "map": plotting.transport_map(solution, 5000, axes=plt.subplots(1, 2)[1])[0],
    }.items():
        drawing.figure.savefig(tmp_path / f"{name}.{suffix}")
        size = (tmp_path / f"{name}.{suffix}").stat().st_size
        assert size < 2.0 * allowed + 200_000, (name, size, allowed)


def test_few_cells_stay_lines(tmp_path):
    drawing = plotting.power_diagram(geomot.PowerDiagram(np.random.default_rng(0).random((300, 2))))
    assert not drawing.cells.get_rasterized()
    drawing.figure.savefig(tmp_path / "few.svg")
    assert "<image" not in (tmp_path / "few.svg").read_text()
