"""Draw the figures of docs/core.md: ``python docs/figures/core.py`` writes them here and now."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

import geomot
from geomot import plotting

BLUE, ORANGE = plotting.class_colors(2)
SITES = np.random.default_rng(4).random((30, 2))


def save(figure, name):
    """Write a figure into the present folder."""
    figure.savefig(f"{name}.png", dpi=150)


def bare(*panels):
    """Take axes away where only shapes matter."""
    for ax in panels:
        ax.set_axis_off()


def weights_and_cells():
    """The same sites under three sets of weights."""
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    panels = figure.subplots(ncols=3)
    rng = np.random.default_rng(1)
    cases = {
        "equal weights: Voronoi": np.zeros(30),
        "random weights": 0.03 * rng.random(30),
        "weights of equal masses": geomot.solve(SITES).weights,
    }
    for ax, (title, weights) in zip(panels, cases.items(), strict=True):
        diagram = geomot.PowerDiagram(SITES, weights)
        plotting.power_diagram(
            diagram, "masses", norm=Normalize(0, 0.1), legend=False, links=False, ax=ax
        )
        ax.set_title(title, fontsize="medium")
    bare(*panels)
    save(figure, "weights")


def potential_on_the_line():
    """Tangents, their upper envelope, and the cells below."""
    sites, heights = np.array([-0.6, 0.1, 0.5, 1.4]), np.array([0.05, 0.1, -0.05, -0.75])
    x = np.linspace(0, 1, 400)
    lines = sites[:, None] * x + heights[:, None]
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    left, right = figure.subplots(ncols=2)
    colours = plotting.class_colors(4)
    for line, colour in zip(lines, colours, strict=True):
        left.plot(x, line, color=colour, linewidth=0.8)
    envelope, owner = lines.max(axis=0), lines.argmax(axis=0)
    for k, colour in enumerate(colours):
        part = owner == k
        left.plot(x[part], envelope[part], color=colour, linewidth=3)
        right.plot(x[part], np.full(part.sum(), sites[k]), color=colour, linewidth=3)
        if part.any():
            left.axvspan(x[part][0], x[part][-1], ymax=0.04, color=colour, linewidth=0)
    left.set(xlabel="$x$", ylim=(-0.8, 0.75), title="$u(x) = \\max_i\\,(x y_i + h_i)$")
    right.set(xlabel="$x$", title="$T(x) = u'(x)$")
    save(figure, "potential")


def signs_of_floats():
    """Turns of three points by naive arithmetic and by exact arithmetic, on neighbouring floats."""
    size, ulp = 64, 2.0**-53
    a, b = (12.0, 12.0), (24.0, 24.0)
    naive, exact = np.empty((2, size, size))
    for i in range(size):
        for j in range(size):
            x, y = 0.5 + i * ulp, 0.5 + j * ulp
            naive[j, i] = np.sign((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]))
            exact[j, i] = np.sign(Fraction(y) - Fraction(x))
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    panels = figure.subplots(ncols=2)
    colours = ListedColormap([BLUE, "#FFFFFF", ORANGE])
    for ax, signs, title in zip(
        panels, (naive, exact), ("rounded at each step", "exact, as in geomot"), strict=True
    ):
        ax.imshow(signs, cmap=colours, vmin=-1, vmax=1, origin="lower")
        ax.set_title(title, fontsize="medium")
    bare(*panels)
    save(figure, "signs")


def steps_of_newton():
    """Cells at the start, after one and two steps, and the error of each step."""
    sites = np.random.default_rng(0).random((60, 2)) ** 2
    states = []
    weights = np.zeros(60)
    solution = geomot.solve(sites, initial_weights=weights, callback=states.append)
    figure = Figure(figsize=(7, 2.3), layout="constrained")
    panels = figure.subplots(ncols=4, width_ratios=(1, 1, 1, 1.5))
    for ax, k in zip(panels, (0, 1, 3), strict=False):
        diagram = geomot.PowerDiagram(sites, states[k].weights_exact)
        plotting.power_diagram(diagram, links=False, ax=ax)
        ax.set_title("start: Voronoi" if k == 0 else f"step {k}", fontsize="medium")
    bare(*panels[:3])
    errors = [state.mass_error for state in states]
    panels[3].semilogy(range(len(errors)), errors, "o-", markersize=3)
    panels[3].axhline(solution.tol, color=ORANGE, linestyle="--", linewidth=1)
    panels[3].set(xlabel="step", title="largest relative error")
    panels[3].title.set_fontsize("medium")
    save(figure, "newton")


def levels_of_insertion():
    """The heaviest sites first, each level from the one before."""
    rng = np.random.default_rng(2)
    sites = np.concatenate([0.5 + 0.03 * rng.standard_normal((150, 2)), rng.random((90, 2))])
    order = rng.permutation(240)
    figure = Figure(figsize=(7, 2.4), layout="constrained")
    panels = figure.subplots(ncols=4)
    voronoi = geomot.PowerDiagram(sites)
    plotting.power_diagram(voronoi, links=False, sites=False, ax=panels[0])
    panels[0].set_title("Voronoi cells of 240", fontsize="medium")
    for ax, n in zip(panels[1:], (15, 60, 240), strict=True):
        solution = geomot.solve(sites[order[:n]])
        plotting.power_diagram(solution, links=False, sites=False, ax=ax)
        ax.set_title(f"{n} sites, solved", fontsize="medium")
    bare(*panels)
    save(figure, "levels")


def samples_and_verdict():
    """The error of a fit by samples, and the test at its end."""
    sites = np.random.default_rng(0).standard_normal((300, 5))
    source = geomot.Gaussian(np.zeros(5), 1.0)
    solution = geomot.solve(sites, source=source, tol=0.03, random_state=0)
    figure = Figure(figsize=(7, 3), layout="constrained")
    plotting.convergence(solution, ax=figure.subplots())
    save(figure, "montecarlo")


with plotting.style():
    weights_and_cells()
    potential_on_the_line()
    signs_of_floats()
    steps_of_newton()
    levels_of_insertion()
    samples_and_verdict()
