"""Maps, plans and singular sets as figures."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection

import geomot
from geomot import discrete, plotting

pytestmark = pytest.mark.filterwarnings("error")


def only(ax, kind):
    (found,) = [artist for artist in ax.collections if type(artist) is kind]
    return found


def test_samples_have_the_colour_of_their_site(solution):
    source, target = plotting.transport_map(solution, 50, random_state=1)
    samples = only(source, PathCollection)
    colours = only(target, PathCollection).get_facecolor()
    index = solution.assign(samples.get_offsets().data)
    np.testing.assert_array_equal(samples.get_facecolor(), colours[index])
    assert len(np.unique(colours, axis=0)) == 60
    assert (colours >= 0).all()
    assert (colours <= 1).all()


def test_map_takes_samples_or_none(solution):
    points = solution.source.sample(7, 0)
    source, _ = plotting.transport_map(solution, points)
    np.testing.assert_array_equal(only(source, PathCollection).get_offsets(), points)
    source, _ = plotting.transport_map(solution, 0)
    assert not [c for c in source.collections if isinstance(c, PathCollection)]


def test_of_a_normal_source_four_deviations_are_drawn():
    source = geomot.Gaussian([1.0, 0.0], [[1.0, 0.5], [0.5, 0.25 + 1e-3]])
    solution = geomot.solve(np.random.default_rng(3).random((30, 2)), source=source)
    flat = [
        plotting.power_diagram(solution),
        plotting.brenier_contours(solution),
        plotting.transport_map(solution, 50, random_state=1)[0],
        plotting.singular_set(geomot.ExtendedMap(solution), resolution=20),
    ]
    for ax in flat:
        low, high = ax.get_xlim()
        assert -3.5 < low <= -3.0 and 5.0 <= high < 5.5
    surface = plotting.brenier_potential(solution)
    assert surface.get_xlim() == pytest.approx((-3.0, 5.0), abs=0.5)
    assert surface.get_zlim()[1] < 20.0  # the potential at 4 deviations, not at 40


def test_map_of_a_source_without_cells():
    points = np.random.default_rng(3).random((70, 2))
    source = geomot.UniformBall([0.0, 0.0], 2.0)
    solution = geomot.solve(points, source=source, tol=0.1, random_state=0)
    left, right = plotting.transport_map(solution, 50, random_state=1)
    assert not [c for c in left.collections if isinstance(c, PolyCollection)]
    samples = only(left, PathCollection)
    np.testing.assert_array_equal(samples.get_offsets(), source.sample(50, 1))
    colours = only(right, PathCollection).get_facecolor()
    index = solution.assign(samples.get_offsets().data)
    np.testing.assert_array_equal(samples.get_facecolor(), colours[index])
    with pytest.raises(ValueError, match="samples must be at least 1"):
        plotting.transport_map(solution, 0)
    with pytest.raises(ValueError, match="source must be a UniformBox"):
        plotting.power_diagram(solution)


def test_permutation_is_drawn():
    a, b = np.random.default_rng(0).random((2, 6, 2))
    best = discrete.assignment(a, b)
    assert plotting.permutation(a, b, best.permutation, legend=False).get_legend() is None
    ax = plotting.permutation(a, b, best.permutation)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["from", "to"]
    (lines,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    for k, segment in enumerate(lines.get_segments()):
        np.testing.assert_allclose(segment, [a[k], b[best.permutation[k]]])
    assert sorted(t.get_text() for t in ax.texts)[:2] == ["$x_{1}$", "$x_{2}$"]
    assert len(ax.texts) == 12
    with pytest.raises(ValueError, match="partners must be a permutation of 0"):
        plotting.permutation(a, b, [0, 0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="as many points"):
        plotting.permutation(a, b[:5], range(6))


def test_transport_plan_is_drawn():
    rng = np.random.default_rng(0)
    plan = discrete.plan(rng.random((4, 2)), rng.random((3, 2)), [0.1, 0.2, 0.3, 0.4])
    assert plotting.transport_plan(plan, legend=False).get_legend() is None
    ax = plotting.transport_plan(plan)
    assert ax.get_legend() is not None
    (lines,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    assert len(lines.get_segments()) == len(plan.rows)
    widths = np.asarray(lines.get_linewidths())
    np.testing.assert_allclose(
        widths / widths.max(), np.maximum(plan.masses / plan.masses.max(), 0.05)
    )
    with pytest.raises(TypeError, match="plan must be a Plan"):
        plotting.transport_plan(np.eye(3))
    with pytest.raises(ValueError, match="plan must be one in the plane, got 3"):
        plotting.transport_plan(discrete.plan(np.eye(3), np.eye(3)))
