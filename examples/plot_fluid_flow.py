"""
Mass transport by a fluid, and why games go round
=================================================

A generative adversarial network looks for a saddle point, and gradient steps may circle about one
for ever. Mass transport networks (MTGN) by Lin, Lensink and Haber (arXiv:1910.01694) need no
adversary: a residual network is read as a fluid that carries points to the data, and the distance
to the data is that of two Gaussian mixtures, at ever finer widths. Here both learn the image of a
normal law under a random residual network, so that there is a true map to compare with.

As it stands this trains narrow networks (with torch) for a few seconds: it shows the machinery, not
the quality. ``--full`` takes the paper's numbers of steps, and a quarter of an hour. What that
measures, as means over three seeds (``geomot compare E4 --seeds 0,1,2``; the error is the mean
squared distance to the true map, the cost that of points to their images):

====================  ============  ==============  ============  ===============
map                   W2            error           cost          energy distance
====================  ============  ==============  ============  ===============
training data         0.22 +- 0.04                                0.002 +- 0.003
optimal map           0.21 +- 0.03  0.085 +- 0.036  0.40 +- 0.37  0.000
extended map          0.21 +- 0.03  0.080 +- 0.037  0.40 +- 0.37  0.000
MTGN                  0.29 +- 0.11  0.14 +- 0.05    0.22 +- 0.14  0.018 +- 0.020
MTGN, tuned           0.21 +- 0.03  0.076 +- 0.011  0.31 +- 0.24  0.002 +- 0.003
GAN                   0.34 +- 0.07  4.4 +- 3.2      4.1 +- 1.7    0.014 +- 0.008
GAN, tuned            0.21 +- 0.04  1.4 +- 1.9      1.8 +- 1.7    0.001 +- 0.002
====================  ============  ==============  ============  ===============

The paper's claim holds: MTGN comes near the true map, and a GAN fits the data by a map that has
nothing to do with it. The optimal map is as near: the true one moves little more than it must.
MTGN's clouds are a little too narrow, unless its mixtures become so.
"""

# %%
# A saddle point
# --------------
# Descent in x and ascent in y on the function x y, whose only saddle point is the origin. Steps in
# turn go round it, steps at the same time spiral out.

import argparse

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection

import geomot
from geomot import metrics, plotting
from geomot.baselines import GAN, FluidFlow

parser = argparse.ArgumentParser()
parser.add_argument("--full", action="store_true", help="the paper's networks and steps")
full = parser.parse_args().full

rate = 0.2
in_turn, together = [np.array([1.0, 0.0])], [np.array([1.0, 0.0])]
for _ in range(40):
    x, y = in_turn[-1]
    x = x - rate * y
    in_turn.append(np.array([x, y + rate * x]))
    x, y = together[-1]
    together.append(np.array([x - rate * y, y + rate * x]))

# %%
# Data
# ----
# Points of a standard normal law, moved by a residual network of eight steps with random weights,
# whose widths grow from 2 to 64. The methods see the images of other points than those that they
# are judged by.

rng = np.random.default_rng([0, 40])
layers = [
    (
        rng.standard_normal((2, width)) / np.sqrt(2.0),
        rng.standard_normal(width),
        rng.standard_normal((width, 2)) / np.sqrt(width),
    )
    for width in (2, 4, 8, 16, 32, 64, 64, 64)
]


def true_map(points):
    """Residual network whose steps have length 2 / 8."""
    for into, bias, back in layers:
        points = points + 0.25 * np.tanh(points @ into + bias) @ back
    return points


n = 2048 if full else 256
data, held_out = true_map(rng.standard_normal((n, 2))), true_map(rng.standard_normal((2000, 2)))
fresh = np.random.default_rng(1).standard_normal((2000, 2))
wanted = true_map(fresh)

# %%
# The optimal map
# ---------------
# The true map is a map onto these data, but not the one of least cost: no method that looks for the
# optimal map can find it from the data alone. So the maps are compared with both. The optimal map
# is solved by sampling, as in higher dimensions, to a total variation of the masses that is stated.

brenier = geomot.BrenierMap(
    geomot.Gaussian(np.zeros(2), 1.0),
    method="montecarlo",
    tv_tol=0.02 if full else 0.08,
    random_state=0,
).fit(data)
optimal = brenier.transform(fresh)

# %%
# Training
# --------
# The callback measures the map from time to time, and keeps where it sends some points. The tuned
# MTGN goes on to a width ten times as small, the tuned GAN is trained on standardised data with
# learning rates that fall to zero.

steps = {"MTGN": 5000, "GAN": 8000} if full else {"MTGN": 120, "GAN": 160}
narrow = {
    "MTGN": {"layers": 4, "width": 32, "batch_size": 128, "learning_rate": 5e-3},
    "GAN": {"generator_hidden": (64, 64), "critic_hidden": (64, 64), "batch_size": 128},
}
shrunk = {"MTGN": {}, "GAN": {}} if full else narrow
models = {
    "MTGN": FluidFlow.from_preset("E4", **shrunk["MTGN"]),
    "MTGN, tuned": FluidFlow.from_preset("E4", width_end=0.01, **shrunk["MTGN"]),
    "GAN": GAN.from_preset("E4", **shrunk["GAN"]),
    "GAN, tuned": GAN(**{"batch_size": 512, **shrunk["GAN"]}, schedule="cosine", averaging=0.99),
}
start = fresh[:60]
kept, errors = {}, {name: [] for name in models}
for name, model in models.items():
    last = steps[name.split(",")[0]]
    model.set_params(max_steps=last, log_every=last // 20, random_state=0)

    def look(model, step, name=name):
        """Measure the map, and keep some of its images."""
        error = np.mean(np.sum((model.transform(fresh) - wanted) ** 2, axis=1))
        errors[name].append((step, error))
        kept[name] = (
            model.trajectories(start)
            if isinstance(model, FluidFlow)
            else np.stack([start, model.transform(start)], axis=1)
        )

    model.fit(data, callback=look)

# %%
# Errors of the maps
# ------------------
# Mean squared distances of images of the same points, and W2 from samples to held-out data.

size = 1000 if full else 500
maps = {
    "true map": wanted,
    "optimal map": optimal,
    "extended map": brenier.extended().transform(fresh),
}
maps |= {name: model.transform(fresh) for name, model in models.items()}
print("              to the true map  to the optimal map    W2")
for name, images in maps.items():
    first, second = (np.mean(np.sum((images - z) ** 2, axis=1)) for z in (wanted, optimal))
    distance = np.sqrt(metrics.wasserstein2(images[:size], held_out[:size]))
    print(f"{name:13} {first:15.3f}  {second:18.3f}  {distance:5.3f}")

# %%
# The figure
# ----------
# Above, where three maps send the same points: lines lead to the dots, over the data in grey. What
# a GAN sends where is left to chance: lines that cross show that its map is not one of least cost.
# Below, the error against the true map during the training, and steps about the saddle point.

blue, orange = plotting.class_colors(2)
ink = "#222222"
low, high = held_out.min(axis=0), held_out.max(axis=0)
middle, half = 0.5 * (low + high), 0.55 * np.max(high - low)
panels = (
    ("true map", np.stack([start, wanted[: len(start)]], axis=1), ink),
    (f"MTGN, {steps['MTGN']} steps", kept["MTGN"], blue),
    (f"GAN, {steps['GAN']} steps", kept["GAN"], orange),
)
with plotting.style(width=7):
    figure = plt.figure(figsize=(7, 4.8), layout="constrained")
    above, below = figure.add_gridspec(2, 1, height_ratios=(1.15, 1))
    axes = above.subgridspec(1, 3).subplots(sharex=True, sharey=True)
    for ax, (title, paths, colour) in zip(axes, panels, strict=True):
        ax.scatter(*held_out[:1000].T, s=2, color="#C9D1D9", linewidths=0)
        ax.add_collection(LineCollection(list(paths), colors=colour, linewidths=0.5))
        ax.scatter(*paths[:, -1].T, s=8, color=colour, linewidths=0, zorder=3)
        ax.set(xlim=middle[0] + [-half, half], ylim=middle[1] + [-half, half], aspect="equal")
        ax.set(title=title, xlabel="$y_1$", ylabel="$y_2$")
        ax.label_outer()
    curves, saddle = below.subgridspec(1, 2, width_ratios=(1.6, 1)).subplots()
    for (name, values), colour, line in zip(
        errors.items(), (blue, blue, orange, orange), ("-", ":", "-", ":"), strict=True
    ):
        curves.semilogy(*np.transpose(values), line, color=colour, label=name)
    level = np.mean(np.sum((optimal - wanted) ** 2, axis=1))
    curves.axhline(level, color=ink, linewidth=0.8, linestyle="--", label="optimal map")
    curves.set(xlabel="step", ylabel="mean squared error", title="distance to the true map")
    curves.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    saddle.plot(*np.array(in_turn).T, color=ink, label="in turn")
    saddle.plot(*np.array(together).T, "--", color=ink, label="together")
    saddle.plot(0, 0, "+", color=ink)
    saddle.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xlabel="x", ylabel="y")
    saddle.set_title("steps about the saddle of x y")
    saddle.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
