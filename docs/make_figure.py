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
    grid = figure.add_gridspec(1, 3, width_ratios=(1, 0.95, 1.1))
    source, target = plotting.transport_map(
        solution, 600, axes=(figure.add_subplot(grid[0]), figure.add_subplot(grid[1]))
    )
    surface = plotting.brenier_potential(solution, ax=figure.add_subplot(grid[2], projection="3d"))
    source.axes.set_title("power diagram of the source, with samples")
    target.axes.set_title("the points they are sent to")
    surface.axes.set_title("Brenier potential")

# A palette of 256 colours makes the file less than half as large.
pixels = BytesIO()
figure.savefig(pixels, dpi=100)
image = Image.open(pixels).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3)
image.save(Path(__file__).with_name("figure.png"), optimize=True)
