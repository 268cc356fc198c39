"""
Generative models of digits, compared
=====================================

Every method gets the same digits, the same codes of dimension 10 where it works on codes, and is
judged by the same classifier: this is the comparison that ``geomot compare E3`` makes, from Python.
Transport in the latent space follows Liu et al. (arXiv:1809.05964) and Lei et al.
(arXiv:1710.05488).

As it stands this takes few images, narrow networks and few steps of training (with torch), for some
seconds: it shows the machinery, not the quality. ``--full`` takes all images, all methods and the
full settings, and some 40 minutes for each seed. What is finished is kept in ``--folder``: if
stopped, start it once more with the same folder, and it goes on. What the same comparison measures
on digits of MNIST stands in docs/experiments.md.
"""

# %%
# The study
# ---------
# A study is data, methods and metrics. This one has scikit-learn's digits, of which a fifth is held
# out. In the small form a few of the methods will do.

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator

from geomot import compare, plotting

parser = argparse.ArgumentParser()
parser.add_argument("--full", action="store_true", help="all methods, full training")
parser.add_argument("--seeds", type=int, default=1, help="how many seeds")
parser.add_argument("--folder", type=Path, help="where cells are kept; nowhere by default")
arguments = parser.parse_args()
if arguments.seeds < 1:
    parser.error("--seeds must be 1 or more")

wanted = ("training data", "exact Brenier map", "extended map", "VAE", "potential regression",
          "fluid flow", "flow matching")  # fmt: skip
temporary = tempfile.TemporaryDirectory()
folder = arguments.folder or Path(temporary.name)
(study,) = compare.studies("E3", small=not arguments.full, folder=folder)
if not arguments.full:
    study = replace(study, entries=tuple(e for e in study.entries if e.label in wanted))

# %%
# The comparison
# --------------
# Each cell, one method with one seed, is written to a file when it is done. The report has tables
# and figures of its own too: ``report.save(folder)``.

seeds = tuple(range(arguments.seeds))
report = compare.run([study], folder, seeds=seeds, progress=arguments.full)
print(report.markdown())
problem = study.make(0)
temporary.cleanup()

# %%
# The figure
# ----------
# Left the Frechet distance of each method in the features of the classifier, with its spread if
# there are several seeds. The dashed line is the distance between training and held-out data, the
# best possible. Right the first images that each method makes.

labels = [entry.label for entry in study.entries if report.cells_of(study.name, entry.label)]
rows, columns = len(labels), 10
(blue,) = plotting.class_colors(1)
made = []
for label in labels:
    cell = report.cells_of(study.name, label)[0]
    shape = (columns, *problem.train.shape[1:])
    made.append(np.full(shape, 0.5) if cell.diverged else cell.arrays["samples"][:columns])

with plotting.style(width=7):
    figure, (chart, samples) = plt.subplots(
        ncols=2, figsize=(7, 0.9 + 0.34 * rows), width_ratios=(1, 1.6), layout="compressed"
    )
    for row, label in enumerate(labels):
        found = report.summary(study.name, label, "frechet")
        if found.count:
            spread = found.deviation if found.count > 1 else None
            chart.errorbar(found.mean, row, xerr=spread, fmt="o", color=blue)
    best = report.summary(study.name, "training data", "frechet").mean
    chart.axvline(best, color="#777777", linewidth=0.8, linestyle="--")
    chart.set(xscale="log", ylim=(rows - 0.5, -0.5), xlabel="Frechet distance, log scale")
    chart.xaxis.set_major_formatter("{x:g}")
    chart.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    chart.xaxis.set_minor_formatter("{x:g}")
    # As high as the rows of images beside it.
    chart.set_box_aspect(1.6 * rows / columns)
    chart.set_yticks(range(rows), labels)
    chart.tick_params(axis="y", length=0)
    chart.grid(axis="y")
    plotting.image_grid(np.concatenate(made), columns=columns, vmin=0, vmax=1, ax=samples)
    samples.set_title("first samples")
    if not arguments.full:
        steps = max(report.values(study.name, label, "steps").max(initial=0) for label in labels)
        figure.suptitle(f"Short training ({steps:.0f} steps, {len(problem.train)} images)")
plt.show()
