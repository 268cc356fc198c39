"""
A map between two shapes in space
=================================

The optimal map from a cube to a ring moves each point as little as possible. A ring has a hole and
a cube has none: the map has to tear, and does so along surfaces around the axis. Half way along,
the mass is neither cube nor ring (McCann's interpolation).
"""

# %%
# Two shapes of one volume
# ------------------------
# The source is exact: a cube, as a polyhedron. The target is made of points, here of a
# body-centred lattice, in a ring around the vertical axis.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

N = 4000
major, minor = 0.62, 0.3
volume = 2 * np.pi**2 * major * minor**2
side = volume ** (1 / 3)
pitch = (2 * volume / N) ** (1 / 3)
axis = pitch * np.arange(-40, 41)
lattice = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
lattice = np.concatenate([lattice, lattice + pitch / 2])
radius = np.hypot(lattice[:, 0], lattice[:, 1])
ring = lattice[np.hypot(radius - major, lattice[:, 2]) < minor]
cube = geomot.UniformBox([-side / 2] * 3, [side / 2] * 3)

# %%
# The map
# -------
# Each point of the ring gets a piece of the cube of one volume. All figures of the cost are
# certified.

solution = geomot.solve(ring, source=cube)
print(f"{len(ring)} points: {solution.status}, mass error {solution.mass_error:.1e}")
print(f"W2 = {solution.cost**0.5:.6f}, the sides of the cube are {side:.6f}")

# %%
# The figure
# ----------
# The centroids of the cells on their way to the points. The half in front of the axis is left out,
# so that the inside is seen. The colour is the distance from the axis in the cube: what was near
# it is the inner side of the ring.

start, end = solution.centroids, ring
behind = start[:, 1] > 0.0
distance = np.hypot(start[:, 0], start[:, 1])
with plotting.style(width=7):
    figure, axes = plt.subplots(
        2, 2, figsize=(7, 3.7), layout="compressed", subplot_kw={"projection": "3d"}
    )
    for ax, share in zip(axes.flat, (0.0, 1 / 3, 2 / 3, 1.0), strict=True):
        x, y, z = ((1 - share) * start + share * end)[behind].T
        dots = ax.scatter(
            x,
            y,
            z,
            c=distance[behind],
            cmap="viridis",
            s=9,
            lw=0.1,
            edgecolors="white",
            depthshade=False,
        )
        ax.set(xlim=(-1, 1), ylim=(-0.2, 1), zlim=(-0.55, 0.55))
        ax.set_title(f"$t = {share:.2g}$", y=0.92)
        ax.set_axis_off()
        ax.set_box_aspect((2, 1.2, 1.1), zoom=1.22)
        ax.view_init(elev=35, azim=-90)
    figure.colorbar(
        dots, ax=axes, label="distance from the axis in the cube", shrink=0.7, aspect=25
    )
plt.show()
