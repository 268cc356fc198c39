"""
Handwritten digits through a planar latent space
================================================

An autoencoder maps images to codes in the plane. The exact optimal map from a disk onto the codes
turns uniform noise into codes with the masses asked for: no digit is lost, and none is made up from
two. The decoder turns codes into images. `geomot demo` does the same and writes a summary.
"""

# %%
# Codes
# -----
# The autoencoder is trained alone; nothing pulls its codes towards a prior.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting
from geomot.datasets import digits
from geomot.demo import balanced_masses, matching_disk
from geomot.latent import Autoencoder

images, labels = digits()
codec = Autoencoder(epochs=100, random_state=0).fit(images)
codes = codec.encode(images)
print(f"mean squared reconstruction error {codec.reconstruction_error(images):.4f}")

# %%
# The map
# -------
# Each of the ten digits gets mass 1/10, shared equally by its codes; the source is the disk with
# the same mean and variance.

masses = balanced_masses(labels)
solution = geomot.solve(codes, masses, matching_disk(codes, masses))
print(f"{solution.status}, mass error {solution.mass_error:.1e}, W2^2 = {solution.cost:.6f}")

# %%
# New samples
# -----------
# The map is exact, so it sends noise to training codes: these images decode some of them. Points
# between codes decode to images that no code has.

noise = solution.source.sample(96, random_state=1)
generated = codec.decode(codes[solution.assign(noise)])
zero, six = (codes[labels == digit].mean(axis=0) for digit in (0, 6))
path = codec.decode(zero + np.linspace(0, 1, 12)[:, None] * (six - zero))

# %%
# The figure
# ----------
# The cells of the disk have the colour of the digit that they are sent to.

figure = plt.figure(figsize=(10.8, 4.6), layout="compressed")
grid = figure.add_gridspec(2, 2, width_ratios=(1.15, 1), height_ratios=(8, 1))
ax = plotting.power_diagram(
    solution, labels, sites=False, label="digit", ax=figure.add_subplot(grid[:, 0])
)
ax.set_title("cells, by digit")
ax = plotting.image_grid(generated, columns=12, vmin=0, vmax=1, ax=figure.add_subplot(grid[0, 1]))
ax.set_title("decoded samples")
ax = plotting.image_grid(path, columns=12, vmin=0, vmax=1, ax=figure.add_subplot(grid[1, 1]))
ax.set_title("from 0 to 6 in the latent space")
plt.show()
