"""
Monge's problem: who goes where
===============================

In 1781 Monge asked how to carry a heap of earth to a hole with the least effort. Between two clouds
of equally many points the answer is a permutation, and between weighted clouds it is a plan, which
may split points. This follows the survey of Peyre in SIAM News (2021): from six points to
thousands, and on to images, which are carried along the paths between their codes.

As it stands this takes a few seconds; ``--full`` takes 5000 points, and two or three times as long.
"""

# %%
# Six points
# ----------
# Of the 720 permutations one has the least mean squared distance, which is the cost here. A random
# one is drawn beside it.

import argparse
from itertools import permutations

import matplotlib.pyplot as plt
import numpy as np

from geomot import discrete, plotting
from geomot.datasets import digits
from geomot.latent import PCACodec

parser = argparse.ArgumentParser()
parser.add_argument("--full", action="store_true", help="5000 points")
full = parser.parse_args().full


def heap_and_hole(n, m, rng):
    """Draw a round cloud, and a ring about it."""
    angle, radius = 2 * np.pi * rng.random(m), 2.5 + 0.3 * rng.standard_normal(m)
    ring = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return rng.standard_normal((n, 2)), ring


def mean_cost(a, b, partners):
    """Mean squared distance of the points and their partners."""
    return np.mean(np.sum((a - b[partners]) ** 2, axis=1))


rng = np.random.default_rng([0, 60])
six_from, six_to = heap_and_hole(6, 6, rng)
by_lot = rng.permutation(6)
best = discrete.assignment(six_from, six_to)
costs = [mean_cost(six_from, six_to, list(order)) for order in permutations(range(6))]
print(f"six points: cost {mean_cost(six_from, six_to, by_lot):.3f} by lot, {best.cost:.3f} optimal")
print(f"            the least of all {len(costs)} permutations costs {min(costs):.3f}")

# %%
# Thousands of points
# -------------------
# The solver's potentials prove that the permutation is optimal: the cost lies in a bracket that is
# as narrow as rounding allows. If each point in turn takes the nearest one that is left, the last
# ones go far.

n = 5000 if full else 2000
heap, hole = heap_and_hole(n, n, rng)
many = discrete.assignment(heap, hole)
left, greedy = np.ones(n, dtype=bool), np.empty(n, dtype=np.int64)
for i, point in enumerate(heap):
    free = np.flatnonzero(left)
    greedy[i] = free[np.argmin(np.sum((hole[free] - point) ** 2, axis=1))]
    left[greedy[i]] = False
print(f"{n} points: cost {many.cost:.4f}, known up to {many.gap:.0e}")
print(f"            {mean_cost(heap, hole, greedy):.4f} greedily, "
      f"{mean_cost(heap, hole, rng.permutation(n)):.4f} by lot")  # fmt: skip

# %%
# Weighted clouds
# ---------------
# 60 points against 80, all with masses of their own: some have to be split. Mass moves between at
# most 60 + 80 - 1 pairs.

few_from, few_to = heap_and_hole(60, 80, rng)
p, q = rng.random(60) + 0.1, rng.random(80) + 0.1
plan = discrete.plan(few_from, few_to, p / p.sum(), q / q.sum())
split = np.sum(np.bincount(plan.rows) > 1)
print(f"weighted:   cost {plan.cost:.4f}, {len(plan.rows)} pairs, {split} of 60 points are split")

# %%
# Images
# ------
# Codes of handwritten threes are assigned to codes of eights, and each pair is joined by the path
# g((1 - t) y0 + t y1), where g is the decoder. Here it is that of 20 principal components, which is
# linear: the path is a cross-fade of two images. Optimal partners are alike already, so that little
# has to change on the way; partners by lot are not.

images, labels = digits()
codec = PCACodec(20).fit(images)
codes = codec.encode(images)
threes, eights = codes[labels == 3], codes[labels == 8]
size = min(len(threes), len(eights))
threes, eights = threes[:size], eights[:size]
partners = {
    "optimal partners": discrete.assignment(threes, eights).permutation,
    "random partners": rng.permutation(size),
}
times = np.linspace(0, 1, 9)[:, None]
strips = {}
for name, to in partners.items():
    paths = [(1 - times) * threes[k] + times * eights[to[k]] for k in range(3)]
    strips[name] = codec.decode(np.concatenate(paths)).clip(0, 1).reshape(-1, 8, 8)
    print(f"digits:     mean squared change {mean_cost(threes, eights, to):.3f}, {name}")

# %%
# The figure
# ----------
# Blue points are carried to orange squares. Above a random permutation, below the optimal one, of
# points and of digits. Of the weighted clouds, areas are masses, and the widths of lines are what
# moves.

rows = {
    "random partners": (by_lot, mean_cost(six_from, six_to, by_lot)),
    "optimal partners": (best.permutation, best.cost),
}
with plotting.style(width=7):
    figure = plt.figure(figsize=(7, 3.2), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1.35, 1.25))
    for k, (name, (to, cost)) in enumerate(rows.items()):
        ax = figure.add_subplot(grid[k, 0])
        moves = plotting.permutation(six_from, six_to, to, labels=False, legend=False, ax=ax)
        ax.set_axis_off()
        ax.set_title(f"{name}: {cost:.2f}")
        ax = figure.add_subplot(grid[k, 1])
        plotting.image_grid(strips[name], columns=9, vmin=0, vmax=1, ax=ax)
        ax.set_anchor("N")
        change = mean_cost(threes, eights, partners[name])
        ax.set_title(f"threes to eights: {change:.2f}")
    ax = figure.add_subplot(grid[:, 2])
    plotting.transport_plan(plan, legend=False, ax=ax)
    ax.set_axis_off()
    ax.set_anchor("N")
    ax.set_title(f"60 to 80 with masses: {plan.cost:.2f}")
    ax.legend(*moves.legend_elements(), ncols=2, loc="upper center", bbox_to_anchor=(0.5, 0))
    figure.suptitle("Mean squared distance from points to their partners")
plt.show()
