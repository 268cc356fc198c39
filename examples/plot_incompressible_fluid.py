"""
An incompressible fluid on the torus
====================================

Euler's equations describe a fluid in which every part keeps its volume. Gallouet and Merigot (A
Lagrangian scheme a la Brenier for the incompressible Euler equations, 2018) move n particles that
stand for equal parts: optimal transport gives each particle a cell of area 1 / n, and a spring
pulls it to the centroid of its cell. Stiff springs keep particles from gathering. Here the exact
flow is known: four vortices that never change.
"""

# %%
# Four vortices
# -------------
# The velocity field is stationary, only the particles move. They start at points that stand for the
# torus as evenly as possible, so that all springs are slack.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

N, STEPS, DURATION, SPRING = 600, 50, 0.5, 0.04
torus = geomot.UniformBox([0, 0], [1, 1], periodic=True)


def flow(x):
    a, b = 2 * np.pi * x.T
    return np.column_stack([np.sin(a) * np.cos(b), -np.cos(a) * np.sin(b)])


start = geomot.quantize(torus, N, masses="equal", tol=0.02, random_state=0).points

# %%
# Steps
# -----
# Each step solves one transport problem, from the weights of the last. The energy is that of the
# motion plus W2^2 / (2 SPRING^2), which is what the springs hold; Verlet's steps nearly conserve
# the sum. The exact particles move by the midpoint rule, in smaller steps.


def springs(x, solution):
    solution = geomot.solve(x % 1.0, source=torus, initial_weights=solution, tol=1e-6)
    pull = (solution.diagram().centroids - x % 1.0) / SPRING**2
    return pull, solution.cost / (2 * SPRING**2), solution


step = DURATION / STEPS
x, v, exact = start.copy(), flow(start), start.copy()
pull, held, solution = springs(x, None)
first = solution
rows = [(0.5 * np.mean(np.sum(v**2, axis=1)), held, 0.0, 0.0)]
for _ in range(STEPS):
    v += 0.5 * step * pull
    x += step * v
    pull, held, solution = springs(x, solution)
    v += 0.5 * step * pull
    for _ in range(10):
        exact += 0.1 * step * flow(exact + 0.05 * step * flow(exact))
    rows.append((
        0.5 * np.mean(np.sum(v**2, axis=1)),
        held,
        np.sqrt(np.mean(np.sum((x - exact) ** 2, axis=1))),
        np.sqrt(np.mean(np.sum((v - flow(x)) ** 2, axis=1))),
    ))  # fmt: skip
moving, held, away, wrong = np.array(rows).T
held = held - held[0]
change = np.ptp(moving + held) / moving[0]
print(f"the energy changes by {100 * change:.2f} % of that of the motion")
print(f"springs hold at most {100 * (held / moving[0]).max():.0f} % of it")
print(f"root mean squared distance to the exact particles {away[-1]:.3f}, after half the time "
      f"{away[STEPS // 2]:.3f}; they have gone {DURATION * np.sqrt(0.5):.2f}")  # fmt: skip
print(f"root mean squared error of the velocities {wrong[-1]:.2f}, of {np.sqrt(0.5):.2f}")

# %%
# The figure
# ----------
# Cells keep the colour of the stripe in which their particles began.

stripes = (start[:, 1] % 1.0 * 4).astype(int)
times = step * np.arange(STEPS + 1)
with plotting.style(width=7):
    figure, axes = plt.subplots(2, 2, figsize=(7, 5.6), layout="compressed", height_ratios=(1.5, 1))
    for ax, now, title in (
        (axes[0, 0], first, "at first"),
        (axes[0, 1], solution, f"{N} equal parts of the fluid at time {DURATION}"),
    ):
        plotting.power_diagram(
            now, [f"stripe {k}" for k in stripes], sites=False, legend=False, linewidth=0.2, ax=ax
        )
        ax.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xlabel="", ylabel="", xticks=[0, 1],
               yticks=[0, 1])  # fmt: skip
        ax.set_title(title)
    axes[1, 0].plot(times, moving, label="motion")
    axes[1, 0].plot(times, held, label="springs")
    axes[1, 0].plot(times, moving + held, "k", label="sum")
    axes[1, 0].set(xlabel="time", ylabel="energy", ylim=(0, 1.6 * moving[0]))
    axes[1, 0].set_title(f"Energy is conserved to {100 * change:.2f} %")
    axes[1, 0].legend(ncols=3)
    axes[1, 1].plot(times, away)
    axes[1, 1].set(xlabel="time", ylabel="distance", ylim=(0, None))
    axes[1, 1].set_title("Distance to the exact particles")
plt.show()
