"""Convergence and mass errors as figures."""

from __future__ import annotations

import dataclasses
import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import geomot
from geomot import plotting

pytestmark = pytest.mark.filterwarnings("error")


def test_convergence_of_solution_and_history(solution):
    drawing = plotting.convergence(solution)
    ax = drawing.axes
    assert ax.get_yscale() == "log"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "mass error"
    np.testing.assert_array_equal(drawing.error.get_ydata(), solution.history["residual"])
    assert [*plotting.convergence(solution.history), "tolerance"] == [
        *[name for name in drawing if name != "tolerance"],
        "tolerance",
    ]
    with pytest.raises(ValueError, match="solution must be"):
        plotting.convergence(np.zeros(3))


def test_convergence_of_a_direct_solve():
    """Nothing was iterated: the error that was reached is shown beside the tolerance."""
    solution = geomot.solve(np.random.default_rng(0).random((30, 1)), tol=1e-6)
    drawing = plotting.convergence(solution)
    assert drawing.axes.get_xlabel() == "computed directly, without iteration"
    assert legend_of(drawing.axes) == [f"mass error {solution.mass_error:.1g}", "tolerance 1e-06"]
    if solution.mass_error > 0.0:
        assert drawing.error.get_ydata() == [solution.mass_error]
    low, high = drawing.axes.get_ylim()
    assert low < 1e-6 < high


@pytest.fixture(scope="module")
def uneven():
    """A map in three dimensions whose masses span five decades, fitted hardly at all."""
    masses = 10.0 ** -np.linspace(0, 5, 80)
    points = np.random.default_rng(1).random((80, 3))
    with pytest.warns(geomot.ConvergenceWarning):
        return geomot.solve(
            points, masses, method="montecarlo", normalize=True, max_iter=3, random_state=0
        )


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_convergence_of_samples(sampled):
    ax = plotting.convergence(sampled).axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "samples fitted to",
        "total variation",
    )
    history = sampled.history
    held = history.residual > 0
    drawing = plotting.convergence(sampled)
    np.testing.assert_array_equal(drawing.error.get_xdata(), history.samples[held])
    np.testing.assert_array_equal(drawing.error.get_ydata(), history.residual[held])
    np.testing.assert_array_equal(drawing.tolerance.get_ydata(), [0.05, 0.05])
    assert "tolerance 0.05" in legend_of(drawing.axes)
    # The guide falls as one over the root of the samples, through the estimate's own floor.
    expected = sampled.estimate.tv_floor * np.sqrt(
        sampled.estimate.n_samples / drawing.guide.get_xdata()
    )
    np.testing.assert_allclose(drawing.guide.get_ydata(), expected)
    # The history alone has neither interval nor tolerance nor guide.
    assert set(plotting.convergence(history)) <= {"error", "zeros", "legend"}


@pytest.mark.parametrize("low", [0.0, 0.01])
def test_the_last_interval_is_a_bar_or_an_arrow(sampled, low):
    """An interval that reaches zero has no lower end on a logarithmic axis: an arrow says so."""
    estimate = dataclasses.replace(sampled.estimate, tv_interval=(low, 0.04))
    drawing = plotting.convergence(dataclasses.replace(sampled, estimate=estimate))
    if low:
        np.testing.assert_array_equal(drawing.interval.get_ydata(), [0.01, 0.04])
        assert drawing.interval.get_label() == "95 % interval"
    else:
        _, caps, _ = drawing.interval.lines
        assert [cap.get_marker() for cap in caps] == [mpl.markers.CARETDOWNBASE]
        assert drawing.interval.get_label() == "upper end of the 95 % interval"
    drawing.figure.canvas.draw()


def test_ticks_of_monte_carlo_do_not_overlap(sampled):
    ax = plotting.convergence(sampled).axes
    ax.figure.set_size_inches(3.3, 2.5)
    ax.figure.canvas.draw()
    for axis, side in ((ax.xaxis, 0), (ax.yaxis, 1)):
        labels = axis.get_ticklabels() + axis.get_ticklabels(minor=True)
        low, high = sorted(ax.get_xlim() if side == 0 else ax.get_ylim())
        boxes = [
            (box.x0, box.x1) if side == 0 else (box.y0, box.y1)
            for label in labels
            if label.get_text() and low <= label.get_position()[side] <= high
            for box in [label.get_window_extent()]
        ]
        boxes.sort()
        assert len(boxes) >= 2
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(boxes))


def test_convergence_without_positive_estimates(sampled, tmp_path):
    history = sampled.history.copy()
    history.residual[:] = 0.0
    ax = plotting.convergence(history).axes
    assert "estimate is 0" in legend_of(ax)
    ax.figure.savefig(tmp_path / "zero.png")
    history.samples[:] = 0.0  # as files of earlier versions may have it
    ax = plotting.convergence(history).axes
    assert ax.texts[0].get_text() == "no samples were fitted to"
    ax.figure.savefig(tmp_path / "none.png")


def strokes_of(ax):
    """Ends of the intervals in the order of their places."""
    found = [c for c in ax.collections if len(c.get_offsets()) <= 1 and len(c.get_paths())]
    ends = np.concatenate([p.vertices.reshape(-1, 2, 2) for c in found for p in c.get_paths()])
    assert (ends[:, 0, 0] == ends[:, 1, 0]).all()
    order = np.argsort(ends[:, 0, 0], kind="stable")
    return ends[order, 0, 0], ends[order][:, :, 1]


def dots_of(ax):
    (found,) = [c for c in ax.collections if len(c.get_offsets()) > 1]
    return found.get_offsets().data


def test_mass_errors_of_equal_masses(sampled):
    ax = plotting.mass_errors(sampled).axes
    ratios = np.sort(sampled.masses) * 150
    np.testing.assert_allclose(dots_of(ax), np.column_stack([np.arange(1, 151), ratios]))
    intervals = sampled.estimate.mass_intervals(sampled.masses) * 150
    places, ends = strokes_of(ax)
    np.testing.assert_array_equal(places, np.arange(1, 151))
    np.testing.assert_allclose(ends, intervals[np.argsort(sampled.masses, kind="stable")])
    missed = np.count_nonzero((ends[:, 0] > 1) | (ends[:, 1] < 1))
    assert legend_of(ax) == [
        f"95 % interval holds the target: {150 - missed}",
        f"misses it: {missed}",
    ]
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert ax.get_xlabel() == "sites, sorted by measured mass"
    assert ax.get_ylabel() == "measured / target mass"
    low, high = ax.get_ylim()
    assert low <= ends.min()
    assert ends.max() <= high


def test_mass_errors_over_decades(uneven, tmp_path):
    ax = plotting.mass_errors(uneven).axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlabel() == "target mass"
    places, _ = strokes_of(ax)
    np.testing.assert_array_equal(places, np.sort(uneven.target_masses))
    # A site that no sample fell into is at the bottom, not lost.
    assert (uneven.masses == 0).any()
    assert len(dots_of(ax)) == 80
    assert (dots_of(ax)[:, 1] > 0).all()
    ax.figure.savefig(tmp_path / "uneven.png")


def test_mass_errors_of_an_exact_solution(solution):
    drawing = plotting.mass_errors(solution)
    errors = np.abs(np.sort(solution.masses) * 60 - 1)
    held = errors > 0
    np.testing.assert_allclose(dots_of(drawing.axes)[:, 1], errors[held], rtol=1e-3, atol=1e-15)
    assert drawing.axes.get_yscale() == "log"
    labels = legend_of(drawing.axes)
    assert labels[0] == f"largest error {solution.mass_error:.1e}"
    assert labels[-1] == "tolerance 1e-06"
    assert "zeros" not in drawing or len(drawing.zeros.get_xdata()) == (~held).sum()


def test_exact_masses_without_any_error():
    solution = geomot.solve([[0.25, 0.5], [0.75, 0.5]])
    assert (solution.masses == 0.5).all()
    drawing = plotting.mass_errors(solution)
    assert legend_of(drawing.axes) == ["no error: 2 sites", "tolerance 1e-09"]
    drawing.figure.canvas.draw()


def test_light_sites_have_a_tolerance_of_their_own():
    masses = np.array([1e-6, 0.5, 0.5 - 1e-6])
    solution = geomot.solve(np.random.default_rng(0).random((3, 2)), masses, tol=1e-6, atol=1e-9)
    tolerated = plotting.mass_errors(solution).tolerance
    np.testing.assert_allclose(tolerated.get_ydata(), [1e-3, 1e-6, 1e-6])


def test_mass_errors_leave_out_sites_without_target():
    points = np.random.default_rng(2).random((40, 3))
    masses = np.r_[np.zeros(10), np.full(30, 1 / 30)]
    solution = geomot.solve(points, masses, method="montecarlo", tol=0.1, random_state=0)
    ax = plotting.mass_errors(solution, ax=plt.subplots()[1]).axes
    assert len(dots_of(ax)) == 30
    with pytest.raises(TypeError, match="solution must be a Solution, got ndarray"):
        plotting.mass_errors(points)


def test_masses_of_many_sites(tmp_path):
    points = np.random.default_rng(0).random((20_000, 3))
    solution = geomot.solve(points, method="montecarlo", tol=0.5, random_state=0)
    ax = plotting.mass_errors(solution).axes
    ax.figure.savefig(tmp_path / "big.svg")
    assert len(ax.collections) <= 3
    assert len(dots_of(ax)) == 20_000
    assert (tmp_path / "big.svg").stat().st_size < 1e6
