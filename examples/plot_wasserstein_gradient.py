"""
Training with an exact Wasserstein loss
=======================================

W2^2 between a measure and points is a differentiable function of the points: each is pulled to the
centroid of its cell, with a force that is known as exactly as the map (`geomot.losses`). It can
stand at the end of any network. Here it teaches a network of one input to fill a hexagon with its
curve, with no adversary and no minibatch bias; and it moves points and their masses to the best
quantisation of the hexagon.
"""

# %%
# A curve that fills a hexagon
# ----------------------------
# The network maps numbers of [0, 1] to the plane. In each step it is shown 500 of them, one from
# each of 500 intervals: their images differ little from step to step, so that each transport
# problem starts from the solution of the last one.

import matplotlib.pyplot as plt
import numpy as np
import torch

import geomot
from geomot import plotting
from geomot.losses import Wasserstein2

N, STEPS = 500, 200
hexagon = geomot.UniformPolygon.regular(6)
stream = torch.Generator().manual_seed(0)


class Curve(torch.nn.Module):
    """Random waves of the input, and two dense layers on them."""

    def __init__(self):
        super().__init__()
        self.waves = 12.0 * torch.randn(1, 64, generator=stream)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(128, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2)
        )
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5, generator=stream)

    def forward(self, t):
        phases = t @ self.waves
        return self.layers(torch.cat([phases.sin(), phases.cos()], dim=1))


curve, loss = Curve(), Wasserstein2(hexagon, tol=1e-4, threads=1)
optimizer = torch.optim.Adam(curve.parameters(), lr=5e-3)
costs, newton = [], []
for _ in range(STEPS):
    t = (torch.arange(N) + torch.rand(N, generator=stream)) / N
    value = loss(curve(t[:, None]))
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    costs.append(value.item())
    newton.append(loss.solution.n_iter)
print(
    f"curve: W2^2 from {costs[0]:.3f} to {costs[-1]:.4f}, {np.mean(newton):.1f} Newton steps each"
)

# %%
# Points and masses
# -----------------
# The gradient of a mass is the Kantorovich weight of its site. If the masses are free as well, the
# best ones are those of the Voronoi cells, and the sites are those of the best quantiser.

M, ROUNDS = 60, 100
start = torch.tensor(hexagon.sample(M, random_state=1))
quantised, paths = {}, {}
for name in ("equal masses", "free masses"):
    sites = start.clone().requires_grad_()
    logits = torch.zeros(M, dtype=torch.float64, requires_grad=name == "free masses")
    quantise = Wasserstein2(hexagon, tol=1e-6, threads=1)
    optimizer = torch.optim.Adam([sites, logits] if logits.requires_grad else [sites], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, ROUNDS)
    paths[name] = []
    for _ in range(ROUNDS):
        value = quantise(sites, torch.softmax(logits, dim=0))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        paths[name].append(value.item())
    quantised[name] = quantise.solution
    masses = M * quantise.solution.target_masses
    voronoi = geomot.PowerDiagram(quantised[name].sites, source=hexagon).costs.sum()
    print(f"{name}: W2^2 {paths[name][-1]:.6f}, with the Voronoi cells {voronoi:.6f}")
    print(f"    masses {masses.min():.2f} to {masses.max():.2f} of their mean")

# %%
# The figure
# ----------
# No M points do better than regular hexagons of their own would (Fejes Toth): 5 / (18 sqrt 3) times
# the area over M, the dotted line.

with plotting.style(width=7):
    figure, axes = plt.subplots(ncols=3, figsize=(7, 2.3), layout="constrained")
    figure.get_layout_engine().set(wspace=0.08)
    blue, orange, purple = plotting.class_colors(3)
    plotting.source_density(hexagon, facecolor="none", ax=axes[0])
    image = curve(torch.linspace(0, 1, 4000)[:, None]).detach().numpy()
    axes[0].plot(*image.T, color=purple, linewidth=0.8)
    axes[0].set_title(f"curve, {STEPS} steps")
    free = quantised["free masses"]
    masses = M * free.target_masses
    cells = plotting.power_diagram(free, masses, legend=False, ax=axes[1]).cells
    axes[1].set_title(f"best {M} points")
    for ax in axes[:2]:
        ax.set_axis_off()
    figure.colorbar(cells, ax=axes[:2], label="mass / mean mass", aspect=30)
    axes[2].loglog(costs, color=purple, label=f"curve ({N} points)")
    for (name, path), colour, line in zip(paths.items(), (blue, orange), ("-", "--"), strict=True):
        axes[2].loglog(path, line, color=colour, label=f"{M} points, {name}")
    axes[2].axhline(5 / (18 * np.sqrt(3)) * hexagon.area / M, color="#777777", linestyle=":")
    axes[2].set(xlabel="step", ylabel="$W_2^2$", title="Wasserstein loss")
    axes[2].set_ylim(top=60)
    axes[2].legend(loc="upper right", fontsize="x-small")
plt.show()
