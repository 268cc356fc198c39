"""
Quantisation with cells of equal mass
=====================================

Which N points represent a uniform measure best? Lloyd's method moves each site to the centroid of
its Voronoi cell, over and over. With cells of equal mass in place of Voronoi cells, every point
stands for the same share of the measure, as in stippling or blue-noise sampling (de Goes et al.,
"Blue noise through optimal transport", 2012). Both need centroids only, and geomot's are exact.
"""

# %%
# Two variants of Lloyd's method
# ------------------------------
# The cost of a diagram is the integral of the squared distance to the site of the cell. Moving a
# site to the centroid never increases it, nor does computing the diagram anew.

import matplotlib.pyplot as plt
import numpy as np

import geomot
from geomot import plotting

N, ROUNDS = 200, 60
domain = geomot.UniformPolygon.regular(128)
start = domain.sample(N, random_state=1)


def voronoi(sites, weights):
    return geomot.PowerDiagram(sites, source=domain)


def equal_masses(sites, weights):
    # The last weights are a good start: the sites have moved a little only.
    return geomot.solve(sites, source=domain, initial_weights=weights).diagram()


def lloyd(diagram_of):
    sites, weights, costs = start, None, []
    for _ in range(ROUNDS):
        diagram = diagram_of(sites, weights)
        costs.append(diagram.costs.sum())
        sites, weights = diagram.centroids, diagram.weights_exact
    return diagram_of(sites, weights), costs


# %%
# No set of N points can do better than regular hexagons would (Fejes Toth): the cost is at least
# 5 / (18 sqrt 3) times the area of the domain over N.

bound = 5 / (18 * np.sqrt(3)) * domain.area / N
results = {"Voronoi cells": lloyd(voronoi), "cells of equal mass": lloyd(equal_masses)}
for name, (diagram, costs) in results.items():
    spread = diagram.masses.max() / diagram.masses.min()
    print(f"{name}: cost / bound {costs[-1] / bound:.4f}, largest / smallest mass {spread:.2f}")

# %%
# The figure
# ----------
# Colours are masses of cells in multiples of the mean, dots are sites. Of the costs, the curves
# show how far they are above the bound of regular hexagons.

with plotting.style(width=7):
    figure, axes = plt.subplots(ncols=3, figsize=(7, 2.2), layout="constrained")
    figure.get_layout_engine().set(wspace=0.08)
    scale = plt.Normalize(0.7, 1.3)
    for ax, (name, (diagram, _)) in zip(axes, results.items(), strict=False):
        drawing = plotting.power_diagram(
            diagram, diagram.masses * N, norm=scale, legend=False, ax=ax
        )
        ax.set_axis_off()
        ax.set_title(name)
    figure.colorbar(drawing.cells, ax=axes[:2], label="mass / mean mass", aspect=30)
    curves = zip(plotting.class_colors(2), ("Voronoi", "equal mass"), results.values(), strict=True)
    for colour, label, (_, costs) in curves:
        above = 100 * (np.array(costs) / bound - 1)
        axes[2].semilogy(above, color=colour, label=f"{label}: {above[-1]:.1f} %")
    axes[2].set(xlabel="round", ylabel="above the bound, %", title="cost, and its last value")
    axes[2].yaxis.set_major_formatter("{x:g}")
    axes[2].legend(loc="upper right")
plt.show()
