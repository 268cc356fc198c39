"""
The extended map: new points, no mixtures
=========================================

The optimal map onto data returns the data. Its continuous extension makes new points between them,
but must not make any between unrelated data: where the map jumps from one mode of the data to
another, it has its singular set, and there the extension is not used.
"""

# %%
# Data with modes
# ---------------
# Eight narrow Gaussians on a ring. The source is the uniform measure on a square about them.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting
from geomot.datasets import gaussian_modes, ring

centres, deviation = ring(8, radius=1.0), 0.05
data, labels = gaussian_modes(1000, centres, deviation)
square = geomot.UniformBox([-1.3, -1.3], [1.3, 1.3])

# %%
# The optimal map and its extensions
# ----------------------------------
# ``threshold=numpy.inf`` extends the map across the singular set too: a continuous map from a
# square has to put points between the modes. By default sites are combined only if they are no
# farther apart than what is usual between neighbours. At the border of the square cells have few
# neighbours, and these are far apart: there it is singular too.

brenier = geomot.BrenierMap(square).fit(data)
extended, everything = brenier.extended(), brenier.extended(threshold=np.inf)
rate, error = extended.rejection_rate(random_state=0)
print(f"{100 * rate:.1f} +- {100 * error:.1f} % of the source is singular")

# %%
# What lies between the modes
# ---------------------------
# A sample is a mixture if it is farther than four standard deviations from all eight centres; one
# in 3000 of the data is.


def mixed(points):
    """Which points are mixtures, and the nearest centre of each."""
    apart = np.linalg.norm(points[:, None] - centres, axis=2)
    return apart.min(axis=1) > 4 * deviation, apart.argmin(axis=1)


samples = {
    "optimal map": extended.transform(square.sample(10_000, 1), "discrete"),
    "extended everywhere": everything.sample(10_000, 1),
    "extended map": extended.sample(10_000, 1),
}
rates = {}
for name, points in samples.items():
    outside, nearest = mixed(points)
    rates[name] = 100 * outside.mean()
    share = np.bincount(nearest, minlength=8) / len(points)
    print(
        f"{name}: {rates[name]:.2f} % mixtures, modes hold {share.min():.3f} to {share.max():.3f}"
    )

# %%
# The figure
# ----------
# Left the cells with the singular set, and the data as dots. Then samples of the two extensions, of
# which the mixtures have the colour of the singular set.

vermilion = plotting.class_colors(7)[-1]
blue = plotting.class_colors(1)[0]
with plotting.style(width=7):
    figure, axes = plt.subplots(
        ncols=3, figsize=(7, 2.7), layout="compressed", sharex=True, sharey=True
    )
    plotting.power_diagram(extended.solution, ax=axes[0])
    plotting.singular_set(extended, ax=axes[0])
    axes[0].set_title(f"cells, and the singular\nset: {100 * rate:.1f} %")
    for ax, name in zip(axes[1:], ("extended everywhere", "extended map"), strict=True):
        points = samples[name][:4000]
        outside, _ = mixed(points)
        ax.scatter(*points[~outside].T, s=1.5, color=blue, linewidths=0)
        ax.scatter(*points[outside].T, s=5, color=vermilion, marker="s", linewidths=0)
        ax.set(title=f"{name}:\n{rates[name]:.2g} % mixtures", aspect="equal")
        ax.set(xlabel="$y_1$", ylabel="$y_2$")
plt.show()
