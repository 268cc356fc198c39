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

brenier = geomot.BrenierMap(source, tv_tol=0.03, random_state=0).fit(codes, labels)
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
# Left: more samples reduce the naive error, for any map, and however good it is; the honest
# estimate says how good this one is. Right: each row is decoded samples predicted to be one digit.

blue, orange = plotting.class_colors(2)
names = [str(digit) for digit in range(10)]
with plotting.style(width=7):
    figure, (left, right) = plt.subplots(ncols=2, figsize=(7, 3.2), width_ratios=(1.2, 1))
    left.loglog(sizes, naive, "s-", color=orange, label="naive")
    left.loglog(sizes, floor, ":", color="#777777", label="naive, if masses were exact")
    left.axhspan(low, high, color=blue, alpha=0.3, linewidth=0)
    left.axhline(solution.estimate.tv, color=blue, label="honest, with 95 % interval")
    left.set(xlabel="samples counted", ylabel="total variation", title="Error of the masses")
    left.set_ylim(top=0.9)
    left.legend(loc="upper right")
    plotting.image_grid(generated, columns=12, row_labels=names, vmin=0, vmax=1, ax=right)
    right.set_anchor("N")
    right.set_title("Decoded samples by digit")
plt.show()
