"""
The early universe, from where matter is today
==============================================

Matter was spread evenly once, and gravity has moved each piece of it by a gradient. As long as
paths have not crossed, the map from then to now is the gradient of a convex function: it is the
optimal map, so the matter of today tells where each piece began. This is the reconstruction of
Brenier, Frisch and others (2003), solved semi-discretely as by Levy, Mohayaee and von Hausegger
(2021). Here it is in miniature, in a periodic box, where the beginning is known: of 10 648
particles, displaced by 0.66 spacings of the lattice they started from, 99.6 % are traced back to
within half a spacing.
"""

# %%
# Matter that has moved
# ---------------------
# Particles start on a lattice. A Gaussian random field with a falling spectrum is the potential;
# its gradient moves them (Zel'dovich's approximation). ``--particles`` takes more of them.

import argparse

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--particles", type=int, default=10_648)
n = round(parser.parse_args().particles ** (1 / 3))

rng = np.random.default_rng(1)
wave = 2 * np.pi * np.fft.fftfreq(n, 1 / n)
kx, ky, kz = np.meshgrid(wave, wave, 2 * np.pi * np.arange(n // 2 + 1), indexing="ij")
square = kx**2 + ky**2 + kz**2
square[0, 0, 0] = 1.0
# of the density; its smallest scales are left out, where paths would cross
spectrum = square**-0.5 * np.exp(-square / (2 * np.pi * 2.5) ** 2)
field = np.fft.rfftn(rng.standard_normal((n, n, n))) * np.sqrt(spectrum)
field[0, 0, 0] = 0.0
moves = np.stack(
    [np.fft.irfftn(1j * k * field / square, (n, n, n), (0, 1, 2)) for k in (kx, ky, kz)], axis=-1
)
moves *= 0.03 / moves.std()
axis = (np.arange(n) + 0.5) / n
start = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
moves = moves.reshape(-1, 3)
today = (start + moves) % 1.0

# %%
# Where it came from
# ------------------
# The cell of each particle holds the matter that has gathered there, the same mass for all. Its
# centroid is where it began.

torus = geomot.UniformBox([0, 0, 0], [1, 1, 1], periodic=True)
solution = geomot.solve(today, source=torus)
found = today - solution.centroids
print(f"{len(today)} particles: {solution.status}, mass error {solution.mass_error:.1e}")
error = found - moves
error -= np.round(error)
size = np.sqrt((moves**2).mean())
off = np.sqrt((error**2).mean())
print(f"displacements of {size * n:.2f} lattice spacings, found to {off * n:.2f}")
correlation = np.corrcoef(found.ravel(), moves.ravel())[0, 1]
print(f"correlation of true and reconstructed displacements: {correlation:.4f}")
near = np.linalg.norm(error, axis=1) < 0.5 / n
print(f"{near.mean():.1%} are found to half a spacing")

# %%
# The figure
# ----------
# A slice of the box: the matter of today, with a cut through the cells, which cross the border of
# the box; the beginnings found for one layer of the lattice (blue) and the true ones (grey); and
# one component of all displacements. The few that are off are where paths nearly cross.

slab = np.abs(start[:, 2] - 0.5) < 1.0 / n
with plotting.style(width=7):
    figure, (left, middle, right) = plt.subplots(ncols=3, figsize=(7, 2.5), layout="compressed")
    look = {"facecolor": "#DCE5EE", "edgecolor": "#8FA3B5", "linewidth": 0.3}
    plotting.planar_cut(solution, position=float(axis[n // 2]), ax=left, **look)
    thin = np.abs(today[:, 2] - axis[n // 2]) < 0.5 / n
    left.plot(*today[thin, :2].T, ".", ms=1.5, color="#222222")
    left.set_title("Matter today, and its cells")
    began = (today - found)[slab] % 1.0
    middle.plot(*start[slab, :2].T, ".", ms=2.5, color="#C9C9C9")
    middle.plot(*began[:, :2].T, ".", ms=1.2, color="#1F5F8B")
    middle.set_title("Where it began")
    for ax in (left, middle):
        ax.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xlabel="", ylabel="")
        ax.set(xticks=[0, 1], yticks=[0, 1])
        ax.set_aspect("equal")
    right.plot(moves[:, 0], found[:, 0], ".", ms=1, alpha=0.3, color="#1F5F8B", rasterized=True)
    limit = 1.1 * np.abs(moves[:, 0]).max()
    right.plot([-limit, limit], [-limit, limit], "k-", lw=0.5)
    right.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="true", ylabel="reconstructed")
    right.set_title(f"Displacements: r = {correlation:.3f}")
    right.set_aspect("equal")
plt.show()
