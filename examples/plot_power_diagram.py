"""
Power diagrams: what weights do to cells
========================================

A power (Laguerre) diagram gives each site the points where ``|x - y_i|^2 - w_i`` is least. With
equal weights it is the Voronoi diagram; a bigger weight makes a bigger cell, and a site whose
weight is too small owns nothing. This freedom is what transport uses: for any positive masses
there are weights, unique up to a constant, whose cells have exactly these masses.
"""

# %%
# Sites in the unit square, and two diagrams
# ------------------------------------------
# A diagram is computed once, when it is made; everything measured is an attribute. Emptiness is
# decided exactly: the mass of an empty cell is 0.0.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

rng = np.random.default_rng(3)
sites = rng.random((120, 2))
voronoi = geomot.PowerDiagram(sites)
weights = 0.012 * rng.random(120)
power = geomot.PowerDiagram(sites, weights)
print(f"Voronoi: {voronoi.empty.sum()} empty cells, masses sum to {voronoi.masses.sum():.15f}")
print(f"power:   {power.empty.sum()} empty cells, masses sum to {power.masses.sum():.15f}")

# %%
# Equal masses
# ------------
# `solve` finds the weights for which all cells have the same mass, and says how far from it they
# are.

solution = geomot.solve(sites)
print(f"equal masses: {solution.status}, largest relative error {solution.mass_error:.1e}")

# %%
# The figure
# ----------
# Cells are coloured by their weight; the Voronoi diagram shows its dual triangulation instead.

figure, axes = plt.subplots(ncols=3, figsize=(12.5, 3.8), layout="compressed")
plotting.power_diagram(voronoi, triangulation=True, ax=axes[0])
plotting.power_diagram(power, "weights", ax=axes[1])
plotting.power_diagram(solution, "weights", ax=axes[2])
titles = ("Voronoi, dual triangulation", "random weights", "weights for equal masses")
for ax, title in zip(axes, titles, strict=True):
    ax.set_title(title)
plt.show()
