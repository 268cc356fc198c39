"""
Optimal quantisation of a Gaussian
==================================

Which n points represent a normal measure best? If each point may stand for as much mass as is
nearest to it, points are also spent on the tails, where cells are large and hold little. If all
masses must be equal, cells in the tails are too large. All integrals are exact, on the whole plane.
"""

# %%
# Free and equal masses
# ---------------------
# In both cases every point is the centroid of its cell.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

source = geomot.Gaussian([0.0, 0.0], 1.0)
found = {kind: geomot.quantize(source, 100, masses=kind, random_state=0)
         for kind in ("free", "equal")}  # fmt: skip
for kind, points in found.items():
    masses = points.diagram().masses
    print(f"{kind} masses: {points.status} in {points.n_iter} steps, cost {points.cost:.5f}, "
          f"masses from {100 * masses.min():.2f} to {100 * masses.max():.2f} %")  # fmt: skip

# %%
# The rate
# --------
# Zador's theorem: n times the least cost tends to 5 / (18 sqrt 3) (int sqrt f)^2, which is
# 20 pi / (9 sqrt 3) for this density f. With equal masses the cost times n grows without bound,
# like log n.

limit = 20 * np.pi / (9 * np.sqrt(3))
sizes = np.unique(np.geomspace(1, 400, 16).round().astype(int))
costs = {
    kind: [geomot.quantize(source, n, masses=kind, random_state=0).cost for n in sizes]
    for kind in found
}
print(f"n = {sizes[-1]}: cost times n {sizes[-1] * costs['free'][-1]:.3f} and "
      f"{sizes[-1] * costs['equal'][-1]:.3f}, limit {limit:.3f}")  # fmt: skip

# %%
# Two points on the line are at the roots of 2 / pi.

two = geomot.quantize(geomot.Gaussian([0.0], 1.0), 2, tol=1e-9, random_state=0)
error = np.abs(np.sort(two.points[:, 0]) - np.sqrt(2 / np.pi) * np.array([-1, 1])).max()
print(f"two points on the line: error {error:.0e}")

# %%
# The figure
# ----------

with plotting.style(width=7):
    figure, axes = plt.subplots(ncols=3, figsize=(7, 2.7), width_ratios=(1, 1, 1.15))
    for ax, (kind, points) in zip(axes[:2], found.items(), strict=True):
        plotting.power_diagram(points.diagram(), "masses", legend=False, ax=ax)
        ax.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), xticks=[], yticks=[], aspect="equal")
        masses = 100 * points.diagram().masses
        shares = {"free": f"{masses.min():.1f} to {masses.max():.1f} %", "equal": "1 % each"}
        ax.set_title(f"{kind.capitalize()} masses: {shares[kind]}")
    for kind, values in costs.items():
        axes[2].semilogx(sizes, sizes * values, ".-", label=f"{kind} masses")
    axes[2].axhline(limit, color="0.5", linestyle="--", linewidth=0.8)
    axes[2].annotate("Zador's limit", (1, limit), (0, 3), textcoords="offset points", fontsize=7)
    axes[2].set(xlabel="points n", ylabel="cost × n")
    axes[2].set_title("Equal masses cost more")
    axes[2].legend()
plt.show()
