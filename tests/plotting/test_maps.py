"""Maps, plans and singular sets as figures."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from scipy.sparse import csr_array

import geomot
from geomot import discrete, plotting

pytestmark = pytest.mark.filterwarnings("error")


def test_samples_have_the_colour_of_their_site(solution):
    source, target = plotting.transport_map(solution, 50, random_state=1)
    samples, colours = source.samples, target.sites.get_facecolor()
    index = solution.assign(samples.get_offsets().data)
    np.testing.assert_array_equal(samples.get_facecolor(), colours[index])
    assert len(np.unique(colours, axis=0)) == 60
    assert (colours >= 0).all()
    assert (colours <= 1).all()


def test_map_takes_samples_or_none(solution):
    points = solution.source.sample(7, 0)
    source, _ = plotting.transport_map(solution, points)
    np.testing.assert_array_equal(source.samples.get_offsets(), points)
    source, _ = plotting.transport_map(solution, 0)
    assert list(source) == ["cells", "outline"]
    with pytest.raises(ValueError, match="axes must be two"):
        plotting.transport_map(solution, axes=[source.axes])


def test_of_a_normal_source_four_deviations_are_drawn():
    source = geomot.Gaussian([1.0, 0.0], [[1.0, 0.5], [0.5, 0.25 + 1e-3]])
    solution = geomot.solve(np.random.default_rng(3).random((30, 2)), source=source)
    flat = [
        plotting.power_diagram(solution),
        plotting.brenier_contours(solution),
        plotting.transport_map(solution, 50, random_state=1)[0],
        plotting.singular_set(geomot.ExtendedMap(solution), resolution=20),
    ]
    for drawing in flat:
        low, high = drawing.axes.get_xlim()
        assert -3.5 < low <= -3.0 and 5.0 <= high < 5.5
    surface = plotting.brenier_potential(solution).axes
    assert surface.get_xlim() == pytest.approx((-3.0, 5.0), abs=0.7)
    assert surface.get_zlim()[1] < 20.0  # the potential at 4 deviations, not at 40


def test_map_of_a_source_without_cells():
    points = np.random.default_rng(3).random((70, 2))
    source = geomot.Samples(np.random.default_rng(4).normal(size=(500, 2)))
    solution = geomot.solve(points, source=source, tol=0.1, random_state=0)
    left, right = plotting.transport_map(solution, 50, random_state=1)
    assert list(left) == ["samples"]
    samples = left.samples
    np.testing.assert_array_equal(samples.get_offsets(), source.sample(50, 1))
    colours = right.sites.get_facecolor()
    index = solution.assign(samples.get_offsets().data)
    np.testing.assert_array_equal(samples.get_facecolor(), colours[index])
    with pytest.raises(ValueError, match="samples must be at least 1"):
        plotting.transport_map(solution, 0)
    with pytest.raises(ValueError, match="in the plane, .* for exact diagrams"):
        plotting.power_diagram(solution)


def test_permutation_is_drawn():
    a, b = np.random.default_rng(0).random((2, 6, 2))
    best = discrete.assignment(a, b)
    assert "legend" not in plotting.permutation(a, b, best.permutation, legend=False)
    drawing = plotting.permutation(a, b, best.permutation)
    assert [text.get_text() for text in drawing.legend.get_texts()] == ["from", "to"]
    for k, segment in enumerate(drawing.moves.get_segments()):
        np.testing.assert_allclose(segment, [a[k], b[best.permutation[k]]])
    assert sorted(t.get_text() for t in drawing.labels)[:2] == ["$x_{1}$", "$x_{2}$"]
    assert len(drawing.labels) == 12
    with pytest.raises(ValueError, match="partners must be a permutation of 0"):
        plotting.permutation(a, b, [0, 0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="as many points"):
        plotting.permutation(a, b[:5], range(6))


def test_transport_plan_is_drawn():
    rng = np.random.default_rng(0)
    plan = discrete.plan(rng.random((4, 2)), rng.random((3, 2)), [0.1, 0.2, 0.3, 0.4])
    assert "legend" not in plotting.transport_plan(plan, legend=False)
    drawing = plotting.transport_plan(plan)
    assert len(drawing.moves.get_segments()) == len(plan.rows)
    widths = np.asarray(drawing.moves.get_linewidths())
    np.testing.assert_allclose(
        widths / widths.max(), np.maximum(plan.masses / plan.masses.max(), 0.05)
    )
    with pytest.raises(TypeError, match="plan must be a Plan"):
        plotting.transport_plan(np.zeros(3))
    with pytest.raises(ValueError, match="plan must be one in the plane, got 3"):
        plotting.transport_plan(discrete.plan(np.eye(3), np.eye(3)))


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_a_plan_as_a_matrix(kind):
    """The matrix of a plan, as POT returns it, gives the picture of the plan."""
    rng = np.random.default_rng(0)
    a, b, masses = rng.random((4, 2)), rng.random((3, 2)), [0.1, 0.2, 0.3, 0.4]
    plan = discrete.plan(a, b, masses)
    matrix = np.zeros((4, 3))
    matrix[plan.rows, plan.columns] = plan.masses
    expected = plotting.transport_plan(plan)
    drawing = plotting.transport_plan(kind(matrix), a, b)
    np.testing.assert_array_equal(drawing.moves.get_segments(), expected.moves.get_segments())
    np.testing.assert_allclose(drawing.moves.get_linewidths(), expected.moves.get_linewidths())
    np.testing.assert_allclose(drawing.a.get_sizes(), expected.a.get_sizes())
    for arguments, message in (
        ((kind(matrix),), "a and b must be given with a matrix"),
        ((kind(matrix), a, a), r"plan must have shape \(4, 4\), got \(4, 3\)"),
        ((kind(-matrix), a, b), "plan must not be negative"),
        ((plan, a, b), "a and b must be None for a Plan"),
    ):
        with pytest.raises(ValueError, match=message):
            plotting.transport_plan(*arguments)


def test_singular_set_leaves_the_axes_of_a_diagram_as_they_are():
    sites = np.concatenate([np.random.default_rng(0).random((40, 2)) + [k, 0] for k in (0, 9)])
    brenier = geomot.BrenierMap(geomot.UniformBox([0, 0], [10, 1])).fit(sites)
    cells = plotting.power_diagram(brenier)
    cells.axes.set_title("mine")
    limits = cells.axes.get_xlim(), cells.axes.get_ylim()
    drawing = plotting.singular_set(brenier.extended(), resolution=60, ax=cells.axes, alpha=0.7)
    assert (drawing.axes.get_xlim(), drawing.axes.get_ylim()) == limits
    assert drawing.axes.get_title() == "mine"
    assert drawing.singular.get_alpha() == 0.7
    assert drawing.axes.get_autoscalex_on()
    assert drawing.legend_elements()[1] == ["singular set"]


def test_points_that_stay_are_grey():
    sites = np.random.default_rng(0).random((12, 2))
    solution = geomot.solve(sites, np.full(12, 0.04), partial=True)
    source, _ = plotting.transport_map(solution, 300)
    stays = solution.assign(np.asarray(source.samples.get_offsets())) < 0
    assert 50 < stays.sum() < 250
    colours = source.samples.get_facecolors()
    assert len(np.unique(colours[stays], axis=0)) == 1
    np.testing.assert_allclose(colours[stays][0], to_rgba("#999999"))
    for draw in (plotting.brenier_potential, plotting.brenier_contours):
        with pytest.raises(ValueError, match="must not be of partial transport"):
            draw(solution)
