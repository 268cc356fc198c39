"""
Convex polytopes from normals and areas
=======================================

Minkowski's theorem: facets of given normals and areas fit together to one convex polytope, if the
areas times the normals sum to zero. Alexandrov's: over a convex domain there is one convex surface
whose facets have given normals and project onto parts of given masses. The second is the graph of
a Brenier potential, and both are found by Newton's method on exact power diagrams.
"""

# %%
# Minkowski's problem
# -------------------
# Random normals, and areas that differ by a factor of some hundred. The areas are changed a little
# so that the surface closes. The largest area gives the largest facet, whatever its neighbours.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting
from geomot.polytopes import alexandrov, minkowski

N = 120
rng = np.random.default_rng(0)
normals = rng.standard_normal((N, 3))
normals /= np.linalg.norm(normals, axis=1, keepdims=True)
areas = np.exp(rng.standard_normal(N))
tilt = np.linalg.solve((normals * areas[:, None]).T @ normals, areas @ normals)
areas *= 1.0 - normals @ tilt
stone = minkowski(normals, areas)
print(f"Minkowski: {stone.status} in {stone.n_iter} steps, error {stone.area_error:.1e}")
print(f"           {stone.polytope}")

# %%
# Alexandrov's problem
# --------------------
# Slopes on a sunflower spiral, which make a bowl. Its facets project onto cells of equal area of a
# disk; their own areas grow with the slope.

k = np.arange(N) + 0.5
radius, angle = 1.6 * np.sqrt(k / N), k * np.pi * (3.0 - 5.0**0.5)
slopes = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
downwards = np.column_stack([slopes, -np.ones(N)])
bowl = alexandrov(downwards, source=geomot.UniformPolygon.regular(64))
print(f"Alexandrov: {bowl.status}, largest mass error {bowl.solution.mass_error:.1e}")
print(f"           {bowl.polytope}")

# %%
# The figure
# ----------
# Of the second polytope, walls and lid are left out: their values are NaN.

facets = bowl.polytope.areas.copy()
facets[N:] = np.nan
with plotting.style(width=7):
    figure = plt.figure(figsize=(7, 3.0), layout="compressed")
    left, right = (figure.add_subplot(1, 2, j + 1, projection="3d") for j in range(2))
    plotting.polytope(stone, "areas", ax=left)
    left.set_title("normals and areas given")
    plotting.polytope(bowl, facets, label="area of facet", ax=right)
    right.set_title("normals and projected masses given")
    right.view_init(elev=60)
    for ax, body in ((left, stone), (right, bowl)):
        ax.set_axis_off()
        ax.set_box_aspect(np.ptp(body.vertices, axis=0), zoom=1.3)
plt.show()
