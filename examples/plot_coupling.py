"""
Flow matching with optimal pairs
================================

Flow matching teaches a network the velocity along straight lines from noise to data. If noise and
data are paired at random, lines cross; where they do, the network learns their mean, and the paths
of the flow bend. If each point of noise goes with the datum that the optimal map sends it to, no
two lines cross, paths are nearly straight, and a single step of Euler's method generates well.

`geomot.coupling` fits the map onto the whole data set once. After that, a training loop only takes
its batches from another loader. Tables for other data and for minibatch plans are in
``docs/coupling.md``.
"""

# %%
# Data
# ----
# Two thousand points of eight Gaussians. The noise is standard normal, so the data are scaled to
# a standard deviation of 1.

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.collections import LineCollection

from geomot import metrics, plotting
from geomot.coupling import SemiDiscreteCoupling
from geomot.datasets import gaussian_modes, ring

torch.set_num_threads(1)
centres = ring(8, radius=5.0)
data, modes = gaussian_modes(2000, centres, 0.4, random_state=0)
held_out, _ = gaussian_modes(1000, centres, 0.4, random_state=1)
scale = data.std()
data, held_out, centres = data / scale, held_out / scale, centres / scale

# %%
# The couplings
# -------------
# Independent pairs stand for the usual training. Both loaders yield batches (noise, data) of
# tensors, with new noise in each pass.

coupling = SemiDiscreteCoupling(random_state=0).fit(data)
print(f"total variation of the masses: {coupling.tv_[0]:.3f}")


class Independent:
    """Noise and data that are drawn apart."""

    def __init__(self, rows):
        self.rows = torch.as_tensor(rows, dtype=torch.float32)
        self.stream = torch.Generator().manual_seed(0)

    def __iter__(self):
        for _ in range(600):
            chosen = torch.randint(len(self.rows), (256,), generator=self.stream)
            yield torch.randn(256, 2, generator=self.stream), self.rows[chosen]


loaders = {
    "independent pairs": Independent(data),
    "optimal pairs": coupling.loader(batch_size=256, n_batches=600),
}

# %%
# The training loop
# -----------------
# It is the same for both.


def train(loader):
    """Regress a network on the velocity of straight lines between pairs."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(3, 128),
        torch.nn.SiLU(),
        torch.nn.Linear(128, 128),
        torch.nn.SiLU(),
        torch.nn.Linear(128, 128),
        torch.nn.SiLU(),
        torch.nn.Linear(128, 2),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    for noise, end in loader:
        t = torch.rand(len(noise), 1)
        found = net(torch.cat([(1 - t) * noise + t * end, t], dim=1))
        loss = (found - (end - noise)).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net


@torch.no_grad()
def paths(net, noise, steps):
    """Positions of points that follow the velocity, after each step of Euler's method."""
    path = [torch.as_tensor(noise, dtype=torch.float32)]
    for k in range(steps):
        t = torch.full((len(noise), 1), k / steps)
        path.append(path[-1] + net(torch.cat([path[-1], t], dim=1)) / steps)
    return torch.stack(path, dim=1).numpy()


flows = {name: train(loader) for name, loader in loaders.items()}

# %%
# How many steps a sample takes
# -----------------------------
# The distance to held-out data, W2, after Euler's method with few steps and with many.

noise = np.random.default_rng(1).standard_normal((1000, 2))
print("steps of Euler's method      1      2      4     16")
for name, net in flows.items():
    ends = [paths(net, noise, steps)[:, -1] for steps in (1, 2, 4, 16)]
    distances = [np.sqrt(metrics.wasserstein2(end.astype(float), held_out)) for end in ends]
    print(f"{name:24}", *(f"{distance:6.2f}" for distance in distances))

# %%
# The figure
# ----------
# From left to right: some pairs of the training, the paths that the flow has learnt, and what one
# step of Euler's method makes of 1000 points. Colours tell the Gaussian where a line or path ends,
# or that is nearest to a point; the data are grey.

colours = np.array(plotting.class_colors(8))


def painted(points):
    """The colour of the nearest Gaussian."""
    return colours[np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)]


with plotting.style(width=7):
    figure, axes = plt.subplots(
        2, 3, figsize=(7, 4.9), sharex=True, sharey=True, layout="constrained"
    )
    pairs = {
        "independent pairs": next(iter(loaders["independent pairs"])),
        "optimal pairs": coupling.sample(256, random_state=2),
    }
    for row, (name, net) in zip(axes, flows.items(), strict=True):
        start, end = (np.asarray(side)[:80] for side in pairs[name])
        follow = paths(net, noise[:80], 64)
        single = paths(net, noise, 1)[:, -1]
        for ax in row:
            ax.scatter(*data.T, s=1, color="#D5DBE1", linewidths=0, rasterized=True)
            ax.set(aspect="equal", xlim=(-3, 3), ylim=(-3, 3), xticks=(), yticks=())
        for ax, lines in zip(row, (np.stack([start, end], axis=1), follow), strict=False):
            last = lines[:, -1]
            ax.add_collection(
                LineCollection(lines, colors=painted(last), linewidths=0.7, alpha=0.8)
            )
            ax.scatter(*lines[:, 0].T, s=3, color="#222222", linewidths=0, zorder=3)
        row[2].scatter(*single.T, s=3, c=painted(single), linewidths=0)
        row[0].set_ylabel(name)
    for ax, title in zip(
        axes[0], ("training pairs", "paths of the flow", "one Euler step"), strict=True
    ):
        ax.set_title(title)
plt.show()
