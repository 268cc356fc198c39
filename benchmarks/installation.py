"""Size and import time of geomot, of what it requires, and of its extras, as a table.

    python benchmarks/installation.py

Sizes are those of the installed files of a package and of what it requires, without compiled
bytecode; what the rows above hold is not counted again. Times are processor times of new processes,
less that of Python itself.
"""

from __future__ import annotations

import re
import resource
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path

REPEATS = 5

# What to import, for each row: the base, then extras.
ROWS = (
    ("numpy, scipy", ("numpy", "scipy"), "import numpy, scipy.sparse.linalg, scipy.spatial"),
    ("approx-chol, tqdm, shtab", ("approx-chol", "tqdm", "shtab"), "import approx_chol, tqdm"),
    ("scikit-learn", ("scikit-learn",), "import sklearn.base"),
    ("matplotlib", ("matplotlib",), "import matplotlib.pyplot"),
    ("geomot", ("geomot",), "import geomot"),
    ("geomot, a solve", (), "import geomot; geomot.solve([[0.5, 0.5]])"),
    ("geomot, an estimator", (), "import geomot; geomot.BrenierMap"),
    ("geomot, figures", (), "import geomot; geomot.plotting.power_diagram"),
    ("extra discrete: POT", ("POT",), "import ot"),
    ("extra torch", ("torch",), "import torch"),
    ("extra view: meshio", ("meshio",), "import meshio"),
    ("extra view: pyvista", ("pyvista",), "import pyvista"),
)


def closure(name: str, found: dict[str, metadata.Distribution]) -> None:
    """Add a distribution and what it requires without extras."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in found:
        return
    try:
        found[key] = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    for line in found[key].requires or ():
        requirement, _, marker = line.partition(";")
        if "extra" not in marker and "sys_platform ==" not in marker:
            closure(re.match(r"[\w.-]+", requirement)[0], found)


def megabytes(distributions) -> float:
    """Size of the files of distributions; a package built in place counts with its folder."""
    total = 0
    for distribution in distributions:
        for file in distribution.files or ():
            path = Path(distribution.locate_file(file))
            if path.suffix != ".pyc" and path.is_file():
                total += path.stat().st_size
    return total / 1e6


def seconds(code: str) -> float | None:
    """Median processor time of a process that runs code, less that of one that does nothing."""
    times = []
    for statement in (code, "pass"):
        runs = []
        for _ in range(REPEATS):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [sys.executable, "-c", statement], cwd="/", check=False, capture_output=True
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode != 0:
                return None
            runs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        times.append(statistics.median(runs))
    return times[0] - times[1]


def main() -> None:
    counted: dict[str, metadata.Distribution] = {}
    print("| package | MB | import, processor seconds |")
    print("| --- | --- | --- |")
    for title, packages, code in ROWS:
        before = set(counted)
        for package in packages:
            closure(package, counted)
        size = megabytes(counted[key] for key in counted.keys() - before)
        took = seconds(code)
        if took is None:
            print(f"| {title} | not installed | |", flush=True)
        else:
            print(f"| {title} | {f'{size:.0f}' if packages else ''} | {took:.2f} |", flush=True)


if __name__ == "__main__":
    main()
