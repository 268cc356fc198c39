"""
The extended map: new points, no mixtures
=========================================

The optimal map onto data returns the data. Its continuous extension makes new points between them,
but must not make any between data that have nothing to do with each other: where the map jumps from
one mode of the data to another, it has its singular set, and that is left as it is.
"""

# %%
# Data with modes
# ---------------
# Eight narrow Gaussians on a ring, and two moons. The source is the uniform measure on a square
# about them.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting
from geomot.datasets import gaussian_modes, moons, ring

centres, deviation = ring(8, radius=1.0), 0.05
gaussians, labels = gaussian_modes(1000, centres, deviation)
square = geomot.UniformBox([-1.3, -1.3], [1.3, 1.3])
problems = {"eight Gaussians": (gaussians, square), "two moons": (moons(600), None)}

# %%
# The optimal map and its extensions
# ----------------------------------
# ``threshold=numpy.inf`` extends the map across the singular set too: a continuous map from a
# square has to put points between the modes. By default sites are combined only if they are no
# farther apart than what is usual between neighbours.

maps = {}
for name, (data, source) in problems.items():
    brenier = geomot.BrenierMap(source).fit(data)
    maps[name] = brenier.extended(), brenier.extended(threshold=np.inf)
    rate, error = maps[name][0].rejection_rate(random_state=0)
    print(f"{name}: {100 * rate:.1f} +- {100 * error:.1f} % of the source is singular")

# %%
# What lies between the modes
# ---------------------------
# A sample of the Gaussians is a mixture if it is farther than four standard deviations from all
# eight centres; one in 3000 of the data is.

extended, everything = maps["eight Gaussians"]
samples = {
    "optimal map": extended.transform(square.sample(10_000, 1), "discrete"),
    "extended everywhere": everything.sample(10_000, 1),
    "extended map": extended.sample(10_000, 1),
}
for name, points in samples.items():
    apart = np.linalg.norm(points[:, None] - centres, axis=2)
    mixed = np.mean(apart.min(axis=1) > 4 * deviation)
    share = np.bincount(apart.argmin(axis=1), minlength=8) / len(points)
    print(
        f"{name}: {100 * mixed:.2f} % mixtures, modes hold {share.min():.3f} to {share.max():.3f}"
    )

# %%
# The figure
# ----------
# Left the cells with the singular set, in the middle samples of the map that is extended
# everywhere, right those of the extended map.

figure, axes = plt.subplots(2, 3, figsize=(11, 7.4), layout="compressed")
for row, (name, (extended, everything)) in zip(axes, maps.items(), strict=True):
    plotting.power_diagram(extended.solution, ax=row[0])
    plotting.singular_set(extended, ax=row[0])
    row[0].set_title(f"{name}: singular set")
    for ax, shown, title in (
        (row[1], everything, "extended everywhere"),
        (row[2], extended, "extended map"),
    ):
        ax.scatter(*shown.sample(4000, 2).T, s=2, linewidths=0)
        ax.set(title=title, aspect="equal")
plt.show()
