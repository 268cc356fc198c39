"""
Grains of prescribed volumes
============================

A metal is made of grains, and their volumes are close to lognormal. A power diagram is the usual
model of such a polycrystal, but its cells have the volumes that the weights happen to give.
Optimal transport turns this around: for any volumes there are weights whose cells have them, to
nine digits here. Simulations repeat the block in all directions, so the box is periodic: a grain
at its border is whole, and goes on at the opposite side.
"""

# %%
# Volumes, and places for the grains
# ----------------------------------
# Random sites make splinters. Sites that are moved to the centroids of their cells a few times
# (Lloyd's method, with volumes that stay what they are) make compact grains.

import importlib.util

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

N, ROUNDS = 5000, 4
torus = geomot.UniformBox([0, 0, 0], [1, 1, 1], periodic=True)
rng = np.random.default_rng(0)
volumes = rng.lognormal(0.0, 0.5, N)
volumes /= volumes.sum()
sites = rng.random((N, 3))
solution = geomot.solve(sites, volumes, torus)
for _ in range(ROUNDS):
    sites = solution.centroids % 1.0
    solution = geomot.solve(sites, volumes, torus)
diagram = solution.diagram()
print(f"{N} grains: {solution.status}, largest relative error {solution.mass_error:.1e}")
print(f"faces of a grain: {2 * len(diagram.facets) / N:.2f} on average")

# %%
# For ParaView
# ------------
# With the extra `view` the grains go into a file as polyhedra, each whole and with its volume.

if importlib.util.find_spec("meshio"):
    diagram.to_meshio({"target": volumes}).write("grains.vtu")

# %%
# The figure
# ----------
# The block is cut open along grains; the cut through its middle shows each grain where it meets
# the plane, also in the colour of its volume, and beyond the box the copies, faded. Volumes are in
# multiples of the mean.

relative = N * diagram.masses
corner = (diagram.centroids[:, 0] > 0.5) & (diagram.centroids[:, 1:] < [0.5, 2.0]).all(axis=1)
opened = ~(corner & (diagram.centroids[:, 2] > 0.5))
scale = plt.Normalize(0, 3)
with plotting.style(width=7):
    figure = plt.figure(figsize=(7, 2.6), layout="constrained")
    grid = figure.add_gridspec(1, 3, width_ratios=(1.15, 1, 1))
    solid = figure.add_subplot(grid[0], projection="3d")
    cut, bars = figure.add_subplot(grid[1]), figure.add_subplot(grid[2])
    look = {"norm": scale, "legend": False}
    plotting.solid_cells(solution, relative, shown=opened, linewidths=0.15, ax=solid, **look)
    solid.set_axis_off()
    solid.set_box_aspect((1, 1, 1), zoom=1.18)
    drawing = plotting.planar_cut(solution, relative, ax=cut, **look)
    cut.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    bars.set_box_aspect(1)
    both = [solid, cut]
    figure.colorbar(
        drawing.cells, ax=both, label="volume / mean", location="bottom", shrink=0.7, aspect=40
    )
    steps = np.linspace(0, 4, 41)
    bars.hist(relative, steps, density=True, color="#9DBAD5")
    x = np.linspace(0.02, 4, 400)
    mean = np.exp(0.125)
    density = np.exp(-2 * np.log(mean * x) ** 2) / (x * 0.5 * np.sqrt(2 * np.pi))
    bars.plot(x, density, color="#222222", lw=1)
    bars.set(xlabel="volume / mean", ylabel="grains (density)", xlim=(0, 4))
plt.show()
