"""
Handwritten digits through a planar latent space
================================================

An autoencoder maps images to codes in the plane. The exact optimal map from a disk onto the codes
turns uniform noise into codes with the masses asked for: no digit is lost, and none is made up from
two. The decoder turns codes into images. In the plane all of it can be seen: which part of the disk
belongs to which digit, and where the map jumps. `geomot demo` does the same and writes a summary.
"""

# %%
# Codes
# -----
# The autoencoder is trained alone; nothing pulls its codes towards a prior.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle

import geomot
from geomot import plotting
from geomot.cli._demo import balanced_masses, matching_disk
from geomot.datasets import digits
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
# An atlas
# --------
# The map is exact, so it sends the disk to training codes and to nothing else. Its extension makes
# the codes between them, except on the singular set: there it stays on one side. Points of a grid
# in the disk, mapped and decoded, show everything that can be generated.

extended = geomot.ExtendedMap(solution)
rate, rate_error = extended.rejection_rate(random_state=0)
print(f"{100 * rate:.1f} +- {100 * rate_error:.1f} % of the disk is singular")

SIDE = 18
low, high = solution.source.bounds
steps = (np.arange(SIDE) + 0.5) / SIDE
x, y = np.meshgrid(low[0] + steps * (high - low)[0], high[1] - steps * (high - low)[1])
points = np.column_stack([x.ravel(), y.ravel()])
inside = np.linalg.norm(points - (low + high) / 2, axis=1) < (high[0] - low[0]) / 2
atlas = np.zeros((SIDE**2, 10, 10))
atlas[inside, 1:9, 1:9] = codec.decode(extended.transform(points[inside])).reshape(-1, 8, 8)

# %%
# The figure
# ----------
# Left the cells of the disk, in one colour for each digit that they are sent to, and the singular
# set in black. A digit stands at the cell in the middle of those of its code. Right the same disk.

with plotting.style(width=7):
    figure, (left, right) = plt.subplots(ncols=2, figsize=(7, 3.6), layout="compressed")
    plotting.power_diagram(solution, labels, sites=False, legend=False, ax=left)
    plotting.singular_set(extended, cmap="gray", alpha=0.8, ax=left)
    plotting.class_names(solution.centroids, labels, ax=left)
    left.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    left.set_axis_off()
    left.set_title(f"disk: cells by digit, {100 * rate:.1f} % singular")
    image = plotting.image_grid(atlas, gap=0, vmin=0, vmax=1, ax=right).image
    middle = 5 * SIDE - 0.5
    image.set_clip_path(Circle((middle, middle), 5 * SIDE + 3, transform=right.transData))
    right.set_title("the same disk, mapped and decoded")
plt.show()
