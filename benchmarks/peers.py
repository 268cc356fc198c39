"""geomot beside other packages on the same inputs: one table.

    pip install -r requirements-peers.txt      (those that are not installed are left out, by name)
    python benchmarks/peers.py
    python benchmarks/peers.py --cases solve assign --repeats 5

Each row is a process of its own that is asked to use one thread. Times are seconds of processor
time, those of all threads where a package starts some: the median of the repeats, least and most;
"times" is the median relative to geomot's. The last column says how good the result is, measured in
the same way for all packages of a case. Imports, inputs and these checks are not timed. A package
that takes longer than `--limit` is said to.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# What is imported, and the distribution that it comes from.
DISTRIBUTIONS = {
    "geomot": "geomot",
    "numpy": "numpy",
    "scipy": "scipy",
    "ot": "POT",
    "pysdot": "pysdot",
    "faiss": "faiss-cpu",
}


# ---- cases: each makes its input and returns what is timed, and what judges its result ----


def plane(n):
    from geomot import datasets

    return datasets.planar_problem("u2d", n)[0]


def square():
    from pysdot.domain_types import ConvexPolyhedraAssembly

    domain = ConvexPolyhedraAssembly()
    domain.add_box([0, 0], [1, 1], 1.0, 0)  # its default number of a cut, -1, fails in numpy 2
    return domain


def total_error(masses):
    return f"masses sum to 1 {abs(sum(masses) - 1.0):+.0e}"


def diagram_geomot(n):
    import geomot

    sites = plane(n)
    return lambda: geomot.PowerDiagram(sites, threads=1).masses, total_error


def diagram_pysdot(n):
    import numpy as np
    from pysdot import PowerDiagram

    sites, domain = plane(n), square()
    return lambda: PowerDiagram(sites, np.zeros(n), domain).integrals(), total_error


def diagram_scipy(n):
    from scipy.spatial import Delaunay

    sites = plane(n)
    return lambda: Delaunay(sites), lambda found: f"{len(found.simplices)} triangles, no masses"


def mass_error(n):
    """The largest relative error of equal masses, by geomot's diagram of these weights."""
    import geomot

    sites = plane(n)

    def judge(weights):
        masses = geomot.PowerDiagram(sites, weights).masses
        return f"mass error {abs(masses * n - 1).max():.0e}"

    return judge


def solve_geomot(n):
    import geomot

    sites = plane(n)
    return lambda: geomot.solve(sites, threads=1).weights_exact, mass_error(n)


def solve_pysdot(n):
    import numpy as np
    from pysdot import OptimalTransport

    sites, domain = plane(n), square()

    def work():
        # Its default, changes of weights below 1e-8, can stop far from the masses.
        transport = OptimalTransport(
            sites, np.zeros(n), domain, np.full(n, 1.0 / n), obj_max_dw=0, obj_max_dm=1e-9 / n
        )
        transport.adjust_weights()
        return transport.get_weights()

    return work, mass_error(n)


def cloud(n, d=10):
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.standard_normal((n, d)), rng.standard_normal((20_000, d))


def share_of_right(n):
    """How many points are assigned as exact scores in float64 say."""
    import numpy as np

    sites, points = cloud(n)
    scores = (-0.5 * (sites**2).sum(axis=1) + block @ sites.T for block in np.split(points, 20))
    right = np.concatenate([s.argmax(axis=1) for s in scores])
    return lambda found: f"{(np.asarray(found) == right).mean():.4%} right"


def assign_geomot(n):
    import numpy as np

    from geomot._search.nearest_cell import Assigner

    sites, points = cloud(n)
    assigner = Assigner(sites, np.zeros(n))
    return lambda: assigner(points, 1), share_of_right(n)


def assign_numpy(n):
    """The matrix product in float32, block by block, and its argmax."""
    import numpy as np
    from protocol import assign, score_table

    sites, points = cloud(n)
    table = score_table(sites, -0.5 * (sites**2).sum(axis=1))
    points = points.astype(np.float32)
    return lambda: assign(points, table), share_of_right(n)


def assign_scipy(n):
    from scipy.spatial import cKDTree

    sites, points = cloud(n)
    tree = cKDTree(sites)
    return lambda: tree.query(points)[1], share_of_right(n)


def assign_faiss(n):
    import faiss
    import numpy as np

    faiss.omp_set_num_threads(1)
    sites, points = cloud(n)
    index = faiss.IndexFlatL2(sites.shape[1])
    index.add(sites.astype(np.float32))
    points = points.astype(np.float32)
    return lambda: index.search(points, 1)[1][:, 0], share_of_right(n)


def variation(n):
    """Total variation of the masses of some heights on fresh points."""
    from protocol import mixture_sites, resolved_tv

    sites = mixture_sites(n)
    return lambda heights: f"total variation {resolved_tv(heights, sites, 'normal', 1).tv:.3f}"


def samples_geomot(n):
    from protocol import mixture_sites

    import geomot

    sites, source = mixture_sites(n), geomot.Gaussian([0.0] * 10, 1.0)

    def work():
        return geomot.solve(sites, None, source, tol=0.05, random_state=0, threads=1).heights

    return work, variation(n)


def samples_pot(n):
    """Averaged stochastic gradients with its default step; more steps, nearer masses."""
    import numpy as np
    from ot.semidiscrete import solve_semidiscrete
    from protocol import mixture_sites, sample

    sites = mixture_sites(n)
    centred = (sites - sites.mean(axis=0)).astype(np.float32)

    def work():
        rng = np.random.default_rng(0)
        return solve_semidiscrete(
            centred,
            lambda size: sample("normal", size, 10, rng),
            metric=lambda x, y: -(x @ y.T),
            max_iter=10_000,
            batch_size=64,
        )

    return work, variation(n)


def clouds(n):
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 10)), rng.standard_normal((n, 10)) + 0.5


def mean_cost(cost):
    return f"W2^2 {cost:.12g}"


def assignment_geomot(n):
    from geomot import discrete

    a, b = clouds(n)
    return lambda: discrete.assignment(a, b).cost, mean_cost


def assignment_scipy(n):
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    a, b = clouds(n)

    def work():
        costs = cdist(a, b, "sqeuclidean")
        return costs[linear_sum_assignment(costs)].mean()

    return work, mean_cost


def assignment_pot(n):
    import ot

    a, b = clouds(n)
    return lambda: ot.emd2([], [], ot.dist(a, b), numItermax=10**7), mean_cost


# Name, sizes, what is done, and for each package its function; geomot's comes first.
CASES = {
    "diagram": (
        [10**4, 10**5],
        "power diagram of uniform sites, with masses",
        {"geomot": diagram_geomot, "pysdot": diagram_pysdot, "scipy": diagram_scipy},
    ),
    "solve": (
        [10**3, 10**4],
        "equal masses on uniform sites, to 1e-9",
        {"geomot": solve_geomot, "pysdot": solve_pysdot},
    ),
    "assign": (
        [10**3, 10**4],
        "20000 points to the nearest site, d = 10",
        {
            "geomot": assign_geomot,
            "numpy": assign_numpy,
            "scipy": assign_scipy,
            "faiss": assign_faiss,
        },
    ),
    "samples": (
        [10**3],
        "equal masses of a normal source, d = 10",
        {"geomot": samples_geomot, "ot": samples_pot},
    ),
    "assignment": (
        [10**3],
        "optimal assignment of two clouds, d = 10",
        {"geomot": assignment_geomot, "scipy": assignment_scipy, "ot": assignment_pot},
    ),
}


# ---- one row, in a process of its own ----


def measure(case, package, n, repeats):
    """Seconds of the repeats, after one that is not counted, and how good the result is."""
    work, judge = CASES[case][2][package](n)
    result, seconds = work(), []
    for _ in range(repeats):
        began = time.process_time()
        result = work()
        seconds.append(time.process_time() - began)
    return {"seconds": seconds, "quality": judge(result)}


def in_process(case, package, n, repeats, limit):
    """The row of one package, or in words why there is none."""
    order = json.dumps({"case": case, "package": package, "n": n, "repeats": repeats})
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--row", order],
            env={**os.environ, **ONE_THREAD},
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return f"more than {limit:g} s for {repeats + 1} runs"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])


# ---- the table ----


def version(package):
    try:
        return metadata.version(DISTRIBUTIONS[package])
    except metadata.PackageNotFoundError:
        return getattr(__import__(package), "__version__", "?")


def commit():
    def git(*arguments):
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
        return done.stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for each row")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measure(**json.loads(options.row))))
        return
    there = {package: find_spec(package) is not None for package in DISTRIBUTIONS}
    if not there["geomot"]:
        parser.error("geomot is not installed")
    versions = ", ".join(f"{DISTRIBUTIONS[p]} {version(p)}" for p in DISTRIBUTIONS if there[p])
    print(f"commit {commit()}; {processor()}, {os.cpu_count()} cores, one thread asked for")
    print(
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}"
    )
    if missing := [DISTRIBUTIONS[p] for p in DISTRIBUTIONS if not there[p]]:
        print(f"not installed: {', '.join(missing)}")
    print()
    print("| case | N | package | median CPU s | least to most | times | result |")
    print("|---|---|---|---|---|---|---|")
    for case in options.cases:
        sizes, what, packages = CASES[case]
        for n in sizes:
            base = None
            for package in packages:
                if not there[package]:
                    continue
                row = in_process(case, package, n, options.repeats, options.limit)
                start = f"| {what} | {n:.0e} | {DISTRIBUTIONS[package]} |"
                if isinstance(row, str):
                    print(f"{start} | | | {row} |", flush=True)
                    continue
                median = statistics.median(row["seconds"])
                if package == "geomot":
                    base = median
                times = "" if base is None else f"{median / base:.2g}"
                spread = f"{min(row['seconds']):.3g} to {max(row['seconds']):.3g}"
                print(f"{start} {median:.3g} | {spread} | {times} | {row['quality']} |", flush=True)


if __name__ == "__main__":
    main()
