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
from geomot.discrete import assignment

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
# Paths between images
# --------------------
# Half of the codes are assigned to the other half at the least cost. The decoded path between two
# partners is g((1 - t) y0 + t y1); those with the longest way to go are shown.

labels = [entry.label for entry in study.entries if report.cells_of(study.name, entry.label)]
half = len(problem.codes) // 2
first, second = problem.codes[:half], problem.codes[half : 2 * half]
partners = assignment(first, second).permutation
longest = np.argsort(np.sum((first - second[partners]) ** 2, axis=1))[::-1][: len(labels)]
times = np.linspace(0, 1, 12)[:, None]
codes = [(1 - times) * first[i] + times * second[partners[i]] for i in longest]
strips = problem.codec.decode(np.concatenate(codes)).clip(0, 1)

# %%
# The figure
# ----------
# Left the Frechet distance of each method in the features of the classifier, with its spread if
# there are several seeds: what training data have to held-out data, dashed, is what can be reached.
# In the middle what each method makes, right the paths.

rows = len(labels)
sizes = (2.2, 4.4, 4.4)
figure, (chart, samples, paths) = plt.subplots(
    1, 3, figsize=(13.2, 0.8 + 0.37 * rows), width_ratios=sizes, layout="compressed"
)
for row, label in enumerate(labels):
    found = report.summary(study.name, label, "frechet")
    if found.count:
        spread = found.deviation if found.count > 1 else None
        chart.errorbar(found.mean, row, xerr=spread, fmt="o", color="#0072B2")
best = report.summary(study.name, "training data", "frechet").mean
chart.axvline(best, color="#222222", linewidth=0.8, linestyle="--")
chart.set(xscale="log", ylim=(rows - 0.5, -0.5))
chart.xaxis.set_major_formatter("{x:g}")
chart.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
chart.xaxis.set_minor_formatter("{x:g}")
# As high as the rows of images beside it, which are 12 wide.
chart.set_box_aspect(rows / 12 * sizes[1] / sizes[0])
chart.set_yticks(range(rows), labels)
chart.tick_params(axis="y", length=0)
chart.grid(axis="y", color="#EEEEEE")
chart.spines[["top", "right"]].set_visible(False)
chart.set_title("Frechet distance", fontsize="medium")

made = []
for label in labels:
    cell = report.cells_of(study.name, label)[0]
    shape = (12, *problem.train.shape[1:])
    made.append(np.full(shape, 0.5) if cell.diverged else cell.arrays["samples"][:12])
plotting.image_grid(np.concatenate(made), columns=12, vmin=0, vmax=1, ax=samples)
samples.set_title("samples of each method", fontsize="medium")
plotting.image_grid(strips, columns=12, vmin=0, vmax=1, ax=paths)
paths.set_title("paths between assigned codes", fontsize="medium")
plt.show()
