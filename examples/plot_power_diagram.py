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

N = 60
rng = np.random.default_rng(3)
sites = rng.random((N, 2))
voronoi = geomot.PowerDiagram(sites)
weights = 0.02 * rng.random(N)
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
# The sites are the same in all panels, and so is the scale of the colours: the mass of a cell in
# multiples of the mean. Crosses are sites whose cells are empty. Where weights enlarge a cell or
# shift it, its site may lie outside it: a line then leads from the site to the centroid.

panels = {
    "equal weights (Voronoi)": voronoi,
    "random weights": power,
    "weights for equal masses": solution,
}
with plotting.style(width=7):
    figure, axes = plt.subplots(
        ncols=3, figsize=(7, 2.7), layout="compressed", sharex=True, sharey=True
    )
    scale = plt.Normalize(0, 2)
    for ax, (title, diagram) in zip(axes, panels.items(), strict=True):
        drawing = plotting.power_diagram(
            diagram, N * diagram.masses, norm=scale, legend=False, ax=ax
        )
        ax.set_title(title)
        ax.label_outer()
    figure.colorbar(drawing.cells, ax=axes, label="mass / mean mass", extend="max", aspect=30)
plt.show()
