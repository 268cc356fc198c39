"""
A photograph drawn with dots
============================

Each of many equal dots stands for the same share of a photograph's darkness, and lies at the
centroid of the cell that optimal transport gives it (de Goes, Breeden, Ostromoukhov, Desbrun, "Blue
noise through optimal transport", 2012). The dots are spread evenly but without a pattern: blue
noise.

``geomot stipple PICTURE -n 20000 -o dots.svg`` does this from the command line.
``python examples/plot_stippling.py --dots 5000`` takes fewer dots than the default.
"""

# %%
# The photograph
# --------------
# Its grey values are the density of a measure, upside down: dark pixels hold mass. One pixel has
# side 1.

import argparse
import time

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import EllipseCollection
from sklearn.datasets import load_sample_image

import geomot
from geomot import plotting

parser = argparse.ArgumentParser()
parser.add_argument("--dots", type=int, default=20_000, help="number of dots (20000)")
n = parser.parse_args().dots

photograph = load_sample_image("china.jpg")
ink = 1.0 - photograph @ [0.299, 0.587, 0.114] / 255.0
height, width = ink.shape
source = geomot.GridDensity(ink.T[:, ::-1], [0, 0], [width, height])

# %%
# The dots
# --------
# `quantize` solves for cells of equal masses in every step. Dots are as large as the picture is
# dark.

start = time.perf_counter()
drawing = geomot.quantize(source, n, masses="equal", tol=0.02, random_state=0)
seconds = time.perf_counter() - start
print(f"{n} dots: {drawing.status}, {drawing.n_iter} steps, {seconds:.1f} s")
masses = drawing.diagram().masses
print(f"shares of the ink: all equal up to {n * np.abs(masses - 1 / n).max():.0e}")
diameter = 2 * np.sqrt(ink.sum() / (np.pi * n))

# %%
# The spectrum
# ------------
# Under a uniform density the power of a point set at the frequency k is
# ``|sum_j exp(2 pi i k x_j)|^2`` over the number of points. Random points have power 1 at all
# frequencies: white noise. Dots have almost none at low frequencies, so that no clusters and holes
# are seen.

square = geomot.UniformBox.unit(2)
m = 1000
blue = geomot.quantize(square, m, masses="equal", tol=0.02, random_state=0).points
white = square.sample(m, random_state=1)
side = int(2.5 * np.sqrt(m))
k = np.arange(-side, side + 1)
lengths = np.hypot(*np.meshgrid(k, k)) / np.sqrt(m)
bins = np.arange(0.025, 2.45, 0.05)


def spectrum(points):
    """The power, averaged over directions."""
    waves = np.exp(2j * np.pi * points[:, :, None] * k)
    power = np.abs(waves[:, 0].T @ waves[:, 1]) ** 2 / m
    ring = np.digitize(lengths.ravel(), bins)
    sums, counts = (np.bincount(ring, x, len(bins) + 1)
                    for x in (power.ravel(), np.ones(power.size)))  # fmt: skip
    return sums[1:-1] / counts[1:-1]


middles = 0.5 * (bins[1:] + bins[:-1])
of_blue, of_white = spectrum(blue), spectrum(white)
print(f"power below half the cells' frequency: {of_blue[middles < 0.5].mean():.3f}, "
      f"of random points {of_white[middles < 0.5].mean():.2f}")  # fmt: skip

# %%
# The figure
# ----------

with plotting.style(width=7):
    figure = plt.figure(figsize=(7, 7.7))
    above, below = figure.subfigures(2, 1, height_ratios=(5.05, 2.65))
    ax = above.subplots()
    ax.add_collection(
        EllipseCollection(
            *2 * [np.full(n, diameter)],
            np.zeros(n),
            units="x",
            offsets=drawing.points,
            offset_transform=ax.transData,
            facecolor="black",
            edgecolor="none",
        )  # fmt: skip
    )
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.set_axis_off()
    ax.set_title(f"{n} dots, each of the same share of the photograph's darkness")
    axes = below.subplots(ncols=3, width_ratios=(1, 1, 1.45))
    clouds = {"Dots: blue noise": blue, "Random: white noise": white}
    for ax, (name, points) in zip(axes[:2], clouds.items(), strict=True):
        ax.plot(*points.T, ".", color="black", markersize=2.5)
        ax.set(xlim=(0, 0.6), ylim=(0, 0.6), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
        ax.set_title(name)
    axes[2].plot(middles, of_blue, label="dots")
    axes[2].plot(middles, of_white, label="random")
    axes[2].set(xlim=(0, 2.4), ylim=(0, None), ylabel="power")
    axes[2].set_xlabel(r"frequency / $\sqrt{n}$ for n points")
    axes[2].set_title("Dots lack low frequencies")
    axes[2].legend()
plt.show()
