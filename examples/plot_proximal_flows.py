"""
Proximal flows: what each Wasserstein term is good for
======================================================

A flow that lowers a divergence from the data can be kept in bounds by two terms. The Wasserstein-1
term keeps the critic of the divergence Lipschitz, so that it stays finite where the data lie on a
curve. The Wasserstein-2 term charges for kinetic energy, so that paths are straight and few steps
suffice. Gu et al. (arXiv:2407.11901) compose both. Here are the four cases, with and without each
term, on two moons.

As it stands this trains narrow networks (with torch) for a few seconds: it shows the machinery, not
the quality. ``--full`` takes the paper's networks and its 25000 steps for each case, and about an
hour in all; ``--dim 7`` or ``--dim 12`` puts the moons into a plane of a larger space. What that
measures in 12 dimensions, with three seeds (``geomot compare E5-moons-12 --seeds 0,1,2``; the last
but one column has how far points move when steps are halved, over the data's deviation):

===================  =====  ==========  ==============  =========  ============================
case                 W2     divergence  kinetic energy  half step  outcome
===================  =====  ==========  ==============  =========  ============================
optimal map          0.44               9.6
W1 and W2            1.7    0.35        8.6             0.04
W1 only              5.6    1.4         253             0.87
W2 only                                                            NaN at steps 10078 to 11831
neither              4.8    -0.83       151             0.46
===================  =====  ==========  ==============  =========  ============================

Without W1 the critic's slope grows until its exponential overflows; without W2 the samples huddle
in one place, and are driven from there to another, unless the critic learns faster than in the
paper. ``docs/experiments.md`` has more.
"""

# %%
# Data
# ----
# Two half circles with little noise. In more than two dimensions the other coordinates are zero:
# there the data have no density, and the divergence from them is infinite.

import argparse

import matplotlib.pyplot as plt
import numpy as np

from geomot import metrics, plotting
from geomot.baselines import ProximalFlow
from geomot.datasets import embedded_moons

parser = argparse.ArgumentParser()
parser.add_argument("--full", action="store_true", help="the paper's networks and steps")
parser.add_argument("--dim", type=int, choices=(2, 7, 12), default=2, help="dimension")
arguments = parser.parse_args()
full, dim = arguments.full, arguments.dim

data = embedded_moons(10_000 if full else 1000, dim, random_state=[0, 50])
held_out = embedded_moons(2000, dim, random_state=[0, 51])
# The held-out moons are sorted along their arcs: in another order, any part of them is a sample.
held_out = np.random.default_rng(0).permutation(held_out)

# %%
# The four cases
# --------------
# All else is equal: the flow runs from the normal law for a time of 1, in steps of 0.2. A training
# that is no longer finite ends as "diverged", which is a result; its networks are those that were
# last found finite.

cases = {
    "W1 and W2": (True, True),
    "W1 only": (True, False),
    "W2 only": (False, True),
    "neither": (False, False),
}
small = {
    "max_steps": 45,
    "batch_size": 100,
    "critic_steps": 3,
    "potential_hidden": (32, 32),
    "critic_hidden": (32, 32),
    "learning_rate": 1e-2,
    "critic_learning_rate": 1e-2,
}
preset = "E5-moons" if dim == 2 else f"E5-moons-{dim}"
flows = {}
for name, (w1, w2) in cases.items():
    model = ProximalFlow.from_preset(
        preset, **{"w1": w1, "w2": w2, "random_state": 0, **({} if full else small)}
    )
    flows[name] = model.fit(data)

# %%
# Indicators
# ----------
# Along optimal flows the potential U solves a Hamilton-Jacobi equation, and at the end its slope is
# that of the critic. The errors of both are indicators: they are not trained on. Paths of optimal
# flows are straight, so that steps of half the length lead to the same samples; the last but one
# column has the root mean square of their distance. W2 is that to as many held-out points.

n = 1000 if full else 500
start = np.random.default_rng(1).standard_normal((n, dim))
samples = {}
print("           outcome            divergence  kinetic  HJ residual  terminal  half step     W2")
for name, model in flows.items():
    samples[name] = model.transform(start)
    halved = model.transform(start, step=0.5 * model.step)
    change = np.sqrt(np.mean(np.sum((samples[name] - halved) ** 2, axis=1)))
    outcome = model.status_ + (f" at {model.diverged_at_}" if model.diverged_at_ else "")
    if np.isfinite(samples[name]).all():
        distance = np.sqrt(metrics.wasserstein2(samples[name], held_out[:n]))
    else:
        distance = np.nan
    values = model.indicators(held_out[:n], 2)
    print(
        f"{name:10} {outcome:18} {values['divergence']:10.3g}  {values['kinetic_energy']:7.3g}"
        f"  {values['hamilton_jacobi']:11.3g}  {values['terminal']:8.3g}  {change:9.3g}"
        f"  {distance:5.3g}"
    )

# %%
# The figure
# ----------
# Left, samples of the four cases over the data in grey, in the first two coordinates. Right, the
# divergence and the kinetic energy during the training: with the W2 term, points move less.

colours = dict(zip(cases, plotting.class_colors(4), strict=True))
lines = dict(zip(cases, ("-", "--", "-.", ":"), strict=True))
with plotting.style(width=7):
    figure = plt.figure(figsize=(7, 3.5), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1, 1.3))
    first = None
    for k, (name, points) in enumerate(samples.items()):
        first = ax = figure.add_subplot(grid[k // 2, k % 2], sharex=first, sharey=first)
        ax.scatter(*held_out[:, :2].T, s=2, color="#C9D1D9", linewidths=0)
        ax.scatter(*points[:, :2].T, s=3, color=colours[name], linewidths=0)
        ax.set(xlim=(-8, 8), ylim=(-6, 6), aspect="equal", xticks=(-5, 0, 5), yticks=(-5, 0, 5))
        ax.set(xlabel="$x_1$", ylabel="$x_2$")
        ax.label_outer()
        hidden = np.mean(~(np.abs(points[:, :2]) <= (8, 6)).all(axis=1))
        verdict = "diverged" if flows[name].status_ == "diverged" else ""
        verdict = verdict or (f"{100 * hidden:.0f} % not shown" if hidden >= 0.005 else "")
        ax.set_title(f"{name}: {verdict}" if verdict else name)
    for row, (column, title) in enumerate(
        (("divergence", "divergence"), ("kinetic_energy", "kinetic energy"))
    ):
        ax = figure.add_subplot(grid[row, 2])
        for name, model in flows.items():
            history = model.history_
            values = np.where(np.isfinite(history[column]), history[column], np.nan)
            ax.plot(
                history["step"], values, lines[name], color=colours[name], linewidth=1, label=name
            )
        if np.abs(ax.dataLim.intervaly).max() > 20:
            ax.set_yscale("symlog", linthresh=1)
        ax.set_title(title)
    ax.set_xlabel("step")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    if not full:
        figure.suptitle(f"Short training ({small['max_steps']} steps, narrow networks)")
plt.show()
