"""Convergence and mass errors as figures."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import geomot
from geomot import plotting

pytestmark = pytest.mark.filterwarnings("error")


def test_convergence_of_solution_and_history(solution):
    ax = plotting.convergence(solution)
    assert ax.get_yscale() == "log"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "mass error"
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), solution.history["residual"])
    assert len(plotting.convergence(solution.history).lines) == len(ax.lines) - 1
    with pytest.raises(ValueError, match="solution must be"):
        plotting.convergence(np.zeros(3))


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
    ax = plotting.convergence(sampled)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "samples fitted to",
        "total variation of the masses",
    )
    history = sampled.history
    held = history.residual > 0
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), history.samples[held])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), history.residual[held])
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["tolerance 0.05"].get_ydata(), [0.05, 0.05])
    assert lines["95 % interval"].get_ydata()[1] == sampled.estimate.tv_interval[1]
    # The guide falls as one over the root of the samples, through the estimate's own floor.
    guide = lines["noise of as many samples"]
    expected = sampled.estimate.tv_floor * np.sqrt(sampled.estimate.n_samples / guide.get_xdata())
    np.testing.assert_allclose(guide.get_ydata(), expected)
    # The history alone has neither interval nor tolerance nor guide.
    assert len(plotting.convergence(history).lines) == 1 + (~held).any()


def test_convergence_without_positive_estimates(sampled, tmp_path):
    history = sampled.history.copy()
    history.residual[:] = 0.0
    ax = plotting.convergence(history)
    assert "estimate is 0" in legend_of(ax)
    ax.figure.savefig(tmp_path / "zero.png")
    history.samples[:] = 0.0  # as files of earlier versions may have it
    ax = plotting.convergence(history)
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
    ax = plotting.mass_errors(sampled)
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
    assert ax.get_ylabel() == "measured mass / target mass"
    low, high = ax.get_ylim()
    assert low <= ends.min()
    assert ends.max() <= high


def test_mass_errors_over_decades(uneven, tmp_path):
    ax = plotting.mass_errors(uneven)
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
    ax = plotting.mass_errors(solution)
    expected = np.sort(solution.masses) * 60 - 1
    np.testing.assert_allclose(dots_of(ax)[:, 1], expected, atol=1e-12)
    assert legend_of(ax) == ["tolerance 1e-06"]
    assert len(ax.collections) == 1


def test_mass_errors_leave_out_sites_without_target():
    points = np.random.default_rng(2).random((40, 3))
    masses = np.r_[np.zeros(10), np.full(30, 1 / 30)]
    solution = geomot.solve(points, masses, method="montecarlo", tol=0.1, random_state=0)
    ax = plotting.mass_errors(solution, ax=plt.subplots()[1])
    assert len(dots_of(ax)) == 30
    with pytest.raises(TypeError, match="solution must be a Solution, got ndarray"):
        plotting.mass_errors(points)


def test_masses_of_a_hundred_thousand_sites(tmp_path):
    points = np.random.default_rng(0).random((100_000, 3))
    solution = geomot.solve(points, method="montecarlo", tol=0.5, random_state=0)
    ax = plotting.mass_errors(solution)
    ax.figure.savefig(tmp_path / "big.svg")
    assert len(ax.collections) <= 3
    assert len(dots_of(ax)) == 100_000
    assert (tmp_path / "big.svg").stat().st_size < 1e6
