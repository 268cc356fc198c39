"""
Grains of a polycrystal, with prescribed areas
==============================================

Simulations of metals need a periodic cell filled with grains whose sizes follow the statistics of a
real sample. Power diagrams draw grains with straight borders, and optimal transport finds the
weights that give them exactly the areas wanted, as Bourne, Kok, Roper and Spanjer do (Laguerre
tessellations and polycrystalline microstructures, 2020). Here are 400 grains in the plane, with
areas drawn from a lognormal law.
"""

# %%
# Areas
# -----
# Grain sizes are often close to lognormal. The areas are those of the period, a unit square.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

N = 400
rng = np.random.default_rng(0)
areas = rng.lognormal(sigma=0.5, size=N)
areas /= areas.sum()
print(f"areas from {N * areas.min():.2f} to {N * areas.max():.2f} times the mean")

# %%
# Weights, and centroids
# ----------------------
# On a torus cells are whole around their sites, and a grain at the border goes on at the opposite
# one. Random sites make grains of odd shapes. Lloyd's method moves every site to the centroid of
# its grain and solves again, from the last weights: grains become rounder, all areas stay exact.
# (``geomot.GridDensity(values, periodic=True)`` in place of the box would make grains smaller where
# the values are larger.)

torus = geomot.UniformBox([0, 0], [1, 1], periodic=True)
sites = rng.random((N, 2))
solution, spread, largest = None, [], 0.0
for _ in range(40):
    solution = geomot.solve(sites, areas, torus, initial_weights=solution)
    spread.append(solution.cost)
    largest = max(largest, solution.mass_error)
    sites = solution.diagram().centroids % 1.0
crystal = solution.diagram()
print(f"largest relative error of an area in {len(spread)} solves: {largest:.0e}")
print(f"mean squared distance to the site {spread[0]:.2e} at first, {spread[-1]:.2e} at last")
hexagons = 5 / (18 * np.sqrt(3)) * np.sum(areas**2)
print(f"regular hexagons of these areas would have {hexagons:.2e}")

# %%
# Neighbours
# ----------
# Where three grains meet at every corner of a periodic pattern, they have six sides on average, by
# Euler's formula. Large grains have more: their mean area grows with the number of sides, about
# linearly, which is Lewis's law.

sides = np.bincount(crystal.facets.sites.ravel(), minlength=N)
print(f"{sides.mean():.2f} sides on average, from {sides.min()} to {sides.max()}")
counts = np.flatnonzero(np.bincount(sides) >= 5)
means = np.array([N * areas[sides == k].mean() for k in counts])
slope = np.polyfit(sides, N * areas, 1)[0]
print(f"each side more adds {slope:.2f} mean areas")

# %%
# The figure
# ----------

with plotting.style(width=7):
    figure, (left, right) = plt.subplots(
        ncols=2, figsize=(7, 3.7), width_ratios=(1.35, 1), layout="compressed"
    )
    drawing = plotting.power_diagram(
        crystal, N * areas, sites=False, legend=False, norm="log", edgecolor="white", ax=left
    )
    left.set(xlim=(-0.06, 1.06), ylim=(-0.06, 1.06), xticks=[0, 1], yticks=[0, 1], xlabel="",
             ylabel="")  # fmt: skip
    bar = figure.colorbar(drawing.cells, ax=left, aspect=30, pad=0.02, ticks=[0.25, 0.5, 1, 2, 4])
    bar.ax.set_yticklabels(["¼", "½", "1", "2", "4"])
    bar.ax.minorticks_off()
    left.set_title(f"{N} grains, areas exact to {largest:.0e}")
    right.scatter(sides + rng.uniform(-0.2, 0.2, N), N * areas, s=3, linewidths=0, alpha=0.5)
    right.plot(counts, means, "k.-", label="mean of 5 and more grains")
    right.set(xlabel="number of sides", ylabel="area / mean area")
    right.set_title("Large grains have more sides")
    right.legend()
plt.show()
