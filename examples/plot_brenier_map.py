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
# Cells, the samples in them and the sites they are sent to share a colour. Below: how Newton's
# method converged, and the potential as a surface over the diagram.

figure = plt.figure(figsize=(9.6, 8.4), layout="compressed")
grid = figure.add_gridspec(2, 2)
plotting.transport_map(
    solution, samples, axes=(figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1]))
)
plotting.convergence(solution, ax=figure.add_subplot(grid[1, 0]))
plotting.brenier_potential(solution, ax=figure.add_subplot(grid[1, 1], projection="3d"))
plt.show()
