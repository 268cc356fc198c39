"""
From one shape to another
=========================

The optimal map between two shapes of the same area moves mass as little as possible. It is the
gradient of a convex function, so it cannot turn anything around; and where the shapes differ in
kind it has to tear: an L has no hole, an annulus has one.
"""

# %%
# Two shapes
# ----------
# Polygons may have any shape, with holes. The annulus is laid around the centre of the L.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import hsv_to_rgb

import geomot
from geomot import plotting

letter = geomot.UniformPolygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])
angles = np.linspace(0, 2 * np.pi, 96, endpoint=False)
circle = np.column_stack([np.cos(angles), np.sin(angles)])
centre = letter.mean
outer, inner = 1.15, 0.6
annulus = geomot.UniformPolygon(centre + outer * circle, holes=[centre + inner * circle])

# %%
# Points for the second one
# -------------------------
# Semi-discrete transport goes to points. `quantize` finds those that stand for the annulus best,
# each for the same area; the map onto them is then exact. Points between its cells are sent between
# their sites, except where these lie more than four spacings apart: there the map is torn.

points = geomot.quantize(annulus, 1000, masses="equal", tol=0.03, random_state=0).points
brenier = geomot.BrenierMap(letter).fit(points)
extended = brenier.extended(threshold=4.0)
solution = brenier.solution_
rate, error = extended.rejection_rate(random_state=0)
print(f"{solution.status}: relative error of the masses {solution.mass_error:.0e}")
print(f"W2 = {np.sqrt(solution.cost):.4f}; {100 * rate:.1f} +- {100 * error:.1f} % is singular")

# %%
# Neighbouring cells that are sent far from each other lie along the tear. It is an arc in the
# middle of the L, from which the hole opens.

pairs = solution.diagram().facets.sites
apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
print(f"neighbouring cells go at most {apart.max():.2f} apart, {np.median(apart):.2f} as a rule")

# %%
# The figure
# ----------
# Every point moves along a straight line at constant speed. Colours tell the direction in which
# its destination lies, seen from the centre.

start = letter.sample(8000, random_state=1)
end = extended.transform(start)
offset = end - centre
direction = np.arctan2(offset[:, 1], offset[:, 0]) / (2 * np.pi) % 1.0
colours = hsv_to_rgb(np.column_stack([direction, np.tile([0.65, 0.85], (len(start), 1))]))
with plotting.style(width=7):
    figure, axes = plt.subplots(
        ncols=4, figsize=(7, 2.2), layout="compressed", sharex=True, sharey=True
    )
    for ax, t in zip(axes, (0, 1 / 3, 2 / 3, 1), strict=True):
        ax.scatter(*((1 - t) * start + t * end).T, s=1.2, c=colours, linewidths=0, rasterized=True)
        ax.set(aspect="equal", xlim=(-0.55, 2.25), ylim=(-0.55, 2.25), xticks=(), yticks=())
        ax.set_axis_off()
    plotting.singular_set(extended, cmap="gray", ax=axes[0])
    axes[0].set_title("an L, torn along black")
    for ax, name in zip(axes[1:], ("a third of the way", "two thirds", "the annulus"), strict=True):
        ax.set_title(name)
plt.show()
