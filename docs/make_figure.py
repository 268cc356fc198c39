"""Make the figure of the README: ``python docs/make_figure.py``."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

import geomot
from geomot import plotting
from geomot.datasets import moons

disk = geomot.UniformPolygon.regular(256, center=(0.5, 0.5), radius=0.6)
solution = geomot.solve(moons(300), source=disk)

with plotting.style():
    figure = Figure(figsize=(11.4, 3.9), layout="compressed")
    left, middle = figure.add_subplot(1, 3, 1), figure.add_subplot(1, 3, 2)
    middle.sharex(left)
    middle.sharey(left)
    right = figure.add_subplot(1, 3, 3, projection="3d")
    source, target = plotting.transport_map(solution, 600, s=8, axes=(left, middle))
    colours = target.sites.get_facecolor()
    plotting.brenier_potential(
        solution,
        projection=False,
        elevation=40,
        azimuth=-75,
        facecolors=colours,
        edgecolors=colours,
        ax=right,
    )
    left.set_title("power diagram of the source, with samples")
    middle.set_title("the points they are sent to")
    right.set_title("Brenier potential over the diagram")
    right.set(xlabel="", ylabel="", zlabel="")

# A palette of 256 colours makes the file less than half as large.
pixels = BytesIO()
figure.savefig(pixels, dpi=100)
image = Image.open(pixels).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3)
image.save(Path(__file__).with_name("figure.png"), optimize=True)
