"""
Handwritten digits through ten principal components
===================================================

Above the plane, geomot fits the map to samples of the source, and measures its error on others.
Here the source is a Gaussian in ten dimensions, and the points are the principal components of 1797
images of digits. Counting samples in cells makes any map look bad, since counts are noisy; the
estimate that decides when the fit is done is free of that noise.
"""

# %%
# Codes
# -----
# Ten components keep 74 % of the variance of the 64 pixels. The Gaussian has the mean and
# the covariance of the codes, so that the map need not move much mass far.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

import geomot
from geomot import plotting
from geomot.datasets import digits

images, labels = digits()
pca = PCA(n_components=10, random_state=0)
codes = pca.fit_transform(images)
source = geomot.Gaussian(codes.mean(axis=0), np.cov(codes.T))

# %%
# The map
# -------
# The labels are for `predict`: they say which digit each point of the source is sent to.

brenier = geomot.BrenierMap(source, tv_tol=0.015, random_state=0).fit(codes, labels)
solution = brenier.solution_
low, high = solution.estimate.tv_interval
print(f"{solution.status}: total variation {solution.estimate.tv:.4f} in [{low:.4f}, {high:.4f}]")

# %%
# Honest and naive errors
# -----------------------
# The naive total variation compares the targets with the shares of so many samples. Even for exact
# masses it would not be 0: its floor falls as one over the root of the number of samples.

sizes = len(codes) * 4 ** np.arange(1, 5)
naive = []
for k, size in enumerate(sizes):
    drawn = solution.assign(source.sample(size, random_state=k))
    shares = np.bincount(drawn, minlength=len(codes)) / size
    naive.append(0.5 * np.abs(shares - solution.target_masses).sum())
floor = solution.estimate.tv_floor * np.sqrt(solution.estimate.n_samples / sizes)
for size, value in zip(sizes, naive, strict=True):
    print(f"naive total variation on {size} samples: {value:.4f}")

# %%
# New samples
# -----------
# The map sends noise to codes it was fitted to, and no others: what is decoded here are training
# images as ten components show them. It chooses them with the right probabilities, and shows which
# noise belongs to which digit.

noise = source.sample(2000, random_state=1)
sent_to = brenier.predict(noise)
chosen = np.concatenate([np.flatnonzero(sent_to == digit)[:12] for digit in range(10)])
generated = pca.inverse_transform(brenier.transform(noise[chosen]))

# %%
# The figure
# ----------

figure = plt.figure(figsize=(11.4, 8.4), layout="compressed")
grid = figure.add_gridspec(2, 2)
drawing = plotting.convergence(solution, ax=figure.add_subplot(grid[0, 0]))
drawing.axes.set_title("the fit")
drawing = plotting.mass_errors(solution, ax=figure.add_subplot(grid[0, 1]))
drawing.axes.set_title("masses, measured on fresh samples")
ax = figure.add_subplot(grid[1, 0])
blue, orange = plotting.class_colors(2)
ax.loglog(sizes, naive, "s-", color=orange, markersize=4, label="naive")
ax.loglog(sizes, floor, ":", color="#777777", label="naive, for exact masses")
ax.axhspan(low, high, color=blue, alpha=0.3, linewidth=0)
ax.axhline(solution.estimate.tv, color=blue, label="honest, with its 95 % interval")
ax.set(xlabel="samples counted", ylabel="total variation", title="honest and naive")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, fontsize="small")
names = [str(digit) for digit in range(10)]
ax = figure.add_subplot(grid[1, 1])
plotting.image_grid(generated, columns=12, row_labels=names, vmin=0, vmax=1, ax=ax)
ax.set_title("decoded samples, by predicted digit")
plt.show()
