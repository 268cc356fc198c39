"""
Grains in a scan
================

A tomograph gives a body as voxels: integers that grow with the density, and zeros where there is
air. Such an array is a source like any other. Optimal transport divides the body into grains of
given masses, each compact, and measures every grain exactly, voxel by voxel. Here this is a porous
body with a dense rim, and 400 grains whose masses are lognormal.
"""

# %%
# A scan
# ------
# A round body with bumps. Pores come from smooth noise, and so does the uneven density.

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

import geomot
from geomot import plotting

SIZE, N, ROUNDS = 64, 400, 3
rng = np.random.default_rng(0)
axes = [(np.arange(SIZE) + 0.5) / SIZE - 0.5] * 3
x, y, z = np.meshgrid(*axes, indexing="ij")
noise, bumps = (
    gaussian_filter(rng.standard_normal((SIZE,) * 3), width, mode="wrap") for width in (2.5, 7.0)
)
depth = 0.42 + 0.04 * bumps / bumps.std() - np.sqrt(x**2 + y**2 + 1.6 * z**2)
body = (depth > 0.0) & ((noise < 1.2 * noise.std()) | (depth < 0.03))
density = 90.0 + 25.0 * noise / noise.std() + 120.0 * np.exp(-((depth / 0.05) ** 2))
scan = np.where(body, np.clip(density, 20.0, 255.0), 0.0).astype(np.uint8)
source = geomot.GridDensity(scan)
print(f"{scan.size} voxels, of which {np.mean(scan > 0):.0%} are not empty; {source}")

# %%
# Grains of given masses
# ----------------------
# Sites are drawn where the material is. Three times they move to the centres of mass of their
# grains, which rounds the grains; the masses stay what they are.

masses = rng.lognormal(0.0, 0.5, N)
masses /= masses.sum()
sites = source.sample(N, rng)
solution = geomot.solve(sites, masses, source)
for _ in range(ROUNDS):
    sites = solution.centroids
    solution = geomot.solve(sites, masses, source)
diagram = solution.diagram()
print(f"{N} grains: {solution.status}, largest relative error {solution.mass_error:.1e}")

# %%
# Not every grain is as dense as the next: the masses are given, the volumes follow. Counting voxels
# would find them, and the masses, with an error of some per cent.

places = np.stack([x, y, z], axis=-1).reshape(-1, 3) + 0.5
held = scan.reshape(-1) > 0
owner = diagram.locate(places[held])
counted = np.bincount(owner, scan.reshape(-1)[held], N) / scan.sum(dtype=np.int64)
print(f"masses by counting voxels are off by {np.abs(counted / masses - 1).mean():.1%} on average")

# %%
# The figure
# ----------
# A slice of the scan; the grains in it, coloured by their masses; the lower half of the body.

labels = np.full(scan.size, -1)
labels[held] = owner
labels = labels.reshape(scan.shape)
middle = SIZE // 2
fine = (np.arange(8 * SIZE) + 0.5) / (8 * SIZE)
across, up = np.meshgrid(fine, fine, indexing="ij")
level = (middle + 0.5) / SIZE
slice_ = diagram.locate(np.column_stack([across.ravel(), up.ravel(), np.full(across.size, level)]))
slice_ = slice_.reshape(across.shape)
border = (slice_[1:, 1:] != slice_[:-1, 1:]) | (slice_[1:, 1:] != slice_[1:, :-1])
shade = plt.get_cmap("viridis")(plt.Normalize(0.0, 3.0)(N * masses))
image = shade[slice_]
image[1:, 1:][border] = (1.0, 1.0, 1.0, 1.0)
image[np.repeat(np.repeat(scan[:, :, middle] == 0, 8, axis=0), 8, axis=1)] = 1.0

with plotting.style(width=7):
    figure = plt.figure(figsize=(7, 2.5), layout="constrained")
    grid = figure.add_gridspec(1, 3)
    left, right = (figure.add_subplot(grid[k]) for k in range(2))
    solid = figure.add_subplot(grid[2], projection="3d")
    left.imshow(scan[:, :, middle].T, cmap="gray", origin="lower", extent=(0, 1, 0, 1))
    left.set_title("a slice of the scan")
    right.imshow(image.transpose(1, 0, 2), origin="lower", extent=(0, 1, 0, 1))
    right.set_title("its grains")
    for ax in (left, right):
        ax.set_axis_off()
    coarse = labels[::2, ::2, :middle:2]
    solid.voxels(coarse >= 0, facecolors=shade[coarse], linewidth=0.0, shade=True)
    solid.set_box_aspect((2, 2, 1), zoom=1.35)
    solid.set_title("half of the body")
    solid.set_axis_off()
    colours = plt.cm.ScalarMappable(plt.Normalize(0.0, 3.0), "viridis")
    figure.colorbar(colours, ax=solid, label="mass of the grain / mean", shrink=0.8)
plt.show()
