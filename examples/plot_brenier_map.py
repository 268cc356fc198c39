"""
The Brenier map onto two moons
==============================

The optimal map for the squared distance is the gradient of a convex function, the Brenier
potential. Onto finitely many points it is piecewise linear: a polyhedral surface whose facets lie
over the cells of a power diagram. Where the target falls into separate pieces, the surface has a
crease, and the map jumps there.
"""

# %%
# A target and a source
# ---------------------
# 400 points on two moons, and the uniform measure on a disk (a regular polygon of 128 sides).

import matplotlib.pyplot as plt

import geomot
from geomot import plotting
from geomot.datasets import moons

target = moons(400)
disk = geomot.UniformPolygon.regular(128, center=(0.5, 0.5), radius=0.6)

# %%
# The map
# -------
# The bracket is certified: its lower end is the value of the Kantorovich dual, its upper end the
# cost of a transport plan, so that the true squared Wasserstein distance lies between.

solution = geomot.solve(target, source=disk)
low, high = solution.bracket
print(f"{solution.status} after {solution.n_iter} steps, mass error {solution.mass_error:.1e}")
print(f"W2^2 = {solution.cost:.12f}, between {low:.12f} and {high:.12f}")

# %%
# Sampling
# --------
# Points of the source are located in the diagram: each goes to the site of its cell.

samples = disk.sample(800, random_state=0)
images = solution.sites[solution.assign(samples)]
print(f"mean of the images {images.mean(axis=0)}, of the target {target.mean(axis=0)}")

# %%
# The figure
# ----------
# A cell, the samples in it, the point of the target that they are sent to and the facet over the
# cell have the same colour. Where neighbouring cells differ in colour, the map jumps, and the
# surface has its crease. A linear function, which would hide its shape, is subtracted.

with plotting.style(width=7):
    figure = plt.figure(figsize=(7, 2.5), layout="compressed")
    left, middle = figure.add_subplot(1, 3, 1), figure.add_subplot(1, 3, 2)
    middle.sharex(left)
    middle.sharey(left)
    surface = figure.add_subplot(1, 3, 3, projection="3d")
    _, points = plotting.transport_map(solution, samples, s=3, axes=(left, middle))
    plotting.brenier_potential(
        solution,
        projection=False,
        elevation=40,
        azimuth=-75,
        facecolors=points.sites.get_facecolor(),
        edgecolors=points.sites.get_facecolor(),
        ax=surface,
    )
    left.set_title("source: cells and samples")
    middle.set_title("target: 400 points")
    surface.set_title("Brenier potential")
    surface.set(zlabel="", xlabel="", ylabel="")
plt.show()
