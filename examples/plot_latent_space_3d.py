"""
A latent space of three dimensions
==================================

Principal components map handwritten digits to codes in space. There the optimal map is exact, too:
Newton's method on power diagrams sends a ball onto 1797 codes, each digit with the same mass. A cut
shows which part of the ball belongs to which digit, and a straight path through the ball becomes a
sequence of images. They are blurred, as three components are: an autoencoder
(``plot_digits_latent.py``) makes sharper ones.
"""

# %%
# Codes and the map
# -----------------
# The ball has the mean and the variance of the codes. Each digit gets mass 1/10, shared equally by
# its codes.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting
from geomot.cli._demo import balanced_masses
from geomot.datasets import digits
from geomot.latent import PCACodec

images, labels = digits()
codec = PCACodec(3).fit(images)
codes = codec.encode(images)
print(f"mean squared reconstruction error {codec.reconstruction_error(images):.4f}")
masses = balanced_masses(labels)
mean = masses @ codes
# in space the variance of a ball is 3/5 of its squared radius
radius = np.sqrt(5 / 3 * (masses @ np.sum((codes - mean) ** 2, axis=1)))
solution = geomot.solve(codes, masses, geomot.UniformBall(mean, radius))
print(f"{solution.status}, mass error {solution.mass_error:.1e}, W2^2 = {solution.cost:.6f}")

# %%
# A path
# ------
# From the middle of the cells of one digit to that of another, straight through the ball. The map
# itself jumps from code to code; its extension blends the codes of neighbouring cells.

FROM, TO, STEPS = 0, 7, 12
extended = geomot.ExtendedMap(solution)
ends = [solution.centroids[labels == digit].mean(axis=0) for digit in (FROM, TO)]
path = np.linspace(*ends, STEPS)
nearest = labels[solution.assign(path)]
print("digits whose cells the path crosses:", *nearest)
blended = codec.decode(extended.transform(path)).reshape(-1, 8, 8)
copied = codec.decode(codes[solution.assign(path)]).reshape(-1, 8, 8)

# %%
# The figure
# ----------
# Above, the ball cut across its third axis, in one colour for each digit, and the codes; below, the
# images along the path: decoded codes, and those of the extended map.

with plotting.style(width=7):
    figure = plt.figure(figsize=(7, 5.2), layout="compressed")
    upper, lower = figure.subfigures(2, height_ratios=(3, 1.5))
    left = upper.add_subplot(1, 2, 1)
    right = upper.add_subplot(1, 2, 2, projection="3d")
    plotting.planar_cut(solution, labels, legend=False, ax=left)
    left.set_axis_off()
    left.set_title("the ball, cut: cells by digit")
    for digit, colour in enumerate(plotting.class_colors(10)):
        right.plot(*codes[labels == digit].T, ".", ms=2, color=colour, label=digit)
    right.set(xticklabels=[], yticklabels=[], zticklabels=[])
    right.legend(loc="center left", bbox_to_anchor=(1.05, 0.5), markerscale=4, frameon=False)
    right.set_title("the codes")
    for ax, row, title in zip(
        lower.subplots(2), (copied, blended), ("the map", "its extension"), strict=True
    ):
        plotting.image_grid(row, columns=STEPS, vmin=0, vmax=1, ax=ax)
        ax.set_title(f"{title}, from {FROM} to {TO}")
plt.show()
