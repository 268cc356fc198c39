"""Measure the Monte-Carlo solver and its kernels, and print tables.

Each case runs in a process of its own, with one thread unless said otherwise, so that its time and
its peak memory are its own. `peers_montecarlo.py` and `peers_kernel.py` measure other packages.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import protocol

DIMENSIONS = (2, 3, 10, 32, 64, 128, 512)
KINDS = ("normal", "codes", "clusters", "uniform")


def in_process(case, **parameters):
    """Run one case of this file in a fresh interpreter and return what it measured."""
    command = [sys.executable, __file__, "--case", case, json.dumps(parameters)]
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(parameters.get("threads", 1)))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{case} {parameters}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def median_seconds(work, repeats=7):
    work()
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def source_of(name, d):
    import geomot

    return geomot.Gaussian(np.zeros(d), 1.0) if name == "normal" else geomot.UniformBox.unit(d)


# ---- cases, each run in a process of its own ----


def case_kernel(n, d, threads, samples=4096):
    """Rates in 1e9 per second: sample-site pairs, and those times d for single points."""
    from geomot._core.montecarlo import PairScores, PointScores

    rng = np.random.default_rng(0)
    sites = rng.standard_normal((n, d), dtype=np.float32)
    heights = (-0.5 * (sites * sites).sum(axis=1)).astype(np.float32)
    points = rng.standard_normal((samples, d), dtype=np.float32)
    scores = PointScores(sites)
    row = {}
    seconds = median_seconds(lambda: scores.winners(points, heights, threads=threads))
    row["points"] = samples * n * d / seconds / 1e9
    seconds = median_seconds(lambda: scores.winners(points, heights, runner=True, threads=threads))
    row["points, runner-up"] = samples * n * d / seconds / 1e9
    split, groups = (d + 1) // 2, samples // 256
    left = rng.standard_normal((groups, 16, split), dtype=np.float32)
    right = rng.standard_normal((groups, 16, d - split), dtype=np.float32)
    pairs = PairScores(sites, split)
    seconds = median_seconds(lambda: pairs.winners(left, right, heights, threads=threads))
    row["pairs"] = samples * n / seconds / 1e9

    def product():
        for start in range(0, samples, 512):
            block = points[start : start + 512] @ sites.T
            block += heights
            block.argmax(axis=1)

    row["numpy"] = samples * n * d / median_seconds(product, 3) / 1e9
    square = rng.standard_normal((2048, 2048), dtype=np.float32)
    row["sgemm"] = 2048**3 / median_seconds(lambda: square @ square) / 1e9
    # where float32 differs from float64, and by how much more than its rounding explains
    exact = points[:1024].astype(float) @ sites.T.astype(float) + heights
    found = scores.winners(points[:1024], heights).first
    rows = np.arange(1024)
    lost = exact.max(axis=1) - exact[rows, found]
    size = np.abs(points[:1024]).astype(float) @ np.abs(sites.T) + np.abs(heights)
    row["different"] = int((found != exact.argmax(axis=1)).sum())
    row["unexplained"] = int((lost > 2.0**-23 * (d + 2) * size.max(axis=1)).sum())
    return row


def case_assign(n, d, kind, samples, repeats=9):
    """Rates of `assign` and of the bare product of matrices, in turn, in 1e9 products a second."""
    from threadpoolctl import threadpool_info

    from geomot._search.nearest_cell import Assigner

    rng = np.random.default_rng([n, d])
    points = rng.standard_normal((samples, d))
    if kind == "uniform":
        points, sites = rng.random((samples, d)), rng.random((n, d))
    elif kind == "clusters":
        centres = 3.0 * rng.standard_normal((10, d))
        sites = centres[rng.integers(10, size=n)] + 0.1 * rng.standard_normal((n, d))
    elif kind == "codes":  # rectified, of decaying variance
        sites = np.maximum(rng.standard_normal((n, d)) + 0.5, 0.0)
        sites *= 5.0 * np.arange(1, d + 1) ** -0.5
    else:
        sites = rng.standard_normal((n, d))
    # the map between Gaussians of these variances, so that many sites have a cell
    centred, mean = sites - sites.mean(axis=0), points.mean(axis=0)
    heights = -0.5 * points.std() / sites.std() * (centred**2).sum(axis=1) - centred @ mean
    assigner = Assigner(sites, 2.0 * heights + (sites**2).sum(axis=1))
    x, y = points.astype(np.float32), sites.astype(np.float32)
    scores = np.empty((samples, n), dtype=np.float32)
    labels = assigner(points)
    spent = {"assign": [], "sgemm": []}
    for _ in range(repeats):
        start = time.perf_counter()
        np.matmul(x, y.T, out=scores)
        between = time.perf_counter()
        assigner(points)
        spent["sgemm"].append(between - start)
        spent["assign"].append(time.perf_counter() - between)
    row = {name: samples * n * d / statistics.median(s) / 1e9 for name, s in spent.items()}
    row["share"] = statistics.median(
        a / b for a, b in zip(spent["sgemm"], spent["assign"], strict=True)
    )
    row["cells"] = len(np.unique(labels))
    row["blas"] = [f"{i['architecture']} x {i['num_threads']}" for i in threadpool_info()]
    return row


def case_fit(n, d, source, tol, threads=1, seed=0):
    import geomot

    sites = protocol.mixture_sites(n, d)
    measure = source_of(source, d)
    # what a first call imports and allocates is not the solver's
    geomot.solve(sites[:100], source=measure, tol=0.2, random_state=1, threads=threads)
    cpu, wall = time.process_time(), time.perf_counter()
    solution = geomot.solve(
        sites, source=measure, tol=tol, random_state=seed, threads=threads, method="montecarlo"
    )
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    row = {
        "cpu": cpu,
        "wall": wall,
        "status": solution.status,
        "fitted": solution.estimate.n_fit_samples / n,
        "tested": solution.estimate.n_samples / n,
        "tv": solution.estimate.tv,
        "interval": solution.estimate.tv_interval,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if n <= 10_000:
        test = protocol.honest_tv(solution.heights, sites, source, int(40 * n), [7, seed])
        row["checked"] = (test.tv, test.tv_se)
    return row


def case_agreement(n, tol, seed=0):
    """Heights and masses in the plane, against the exact solution."""
    import geomot

    sites = np.random.default_rng(3).random((n, 2))
    exact = geomot.solve(sites)
    sampled = geomot.solve(sites, method="montecarlo", tol=tol, random_state=seed, threads=1)
    difference = sampled.heights - exact.heights
    difference -= difference.mean()
    true = geomot.PowerDiagram(sites, sampled.weights).masses
    z = (sampled.masses - true) / sampled.estimate.mass_standard_errors
    return {
        "samples": sampled.estimate.n_fit_samples,
        "heights": float(np.sqrt(np.mean(difference**2))),
        "largest z": float(np.abs(z).max()),
        "tv": 0.5 * float(np.abs(true - 1.0 / n).sum()),
        "claimed": sampled.estimate.tv_interval,
        "status": sampled.status,
    }


def case_masses(n, d, tol, decades, seed=0):
    """Masses that follow a power law."""
    import geomot

    sites = protocol.mixture_sites(n, d)
    masses = np.random.default_rng(5).permutation(np.geomspace(10.0**-decades, 1.0, n))
    masses /= masses.sum()
    cpu = time.process_time()
    s = geomot.solve(sites, masses, source_of("normal", d), tol=tol, random_state=seed, threads=1)
    cpu = time.process_time() - cpu
    # fresh and far more samples than the solver's own test
    counts = np.zeros(n)
    total, rng = 0, np.random.default_rng([11, seed])
    for _ in range(60):
        labels = s.assign(s.source.sample(50_000, rng))
        counts += np.bincount(labels, minlength=n)
        total += len(labels)
    low, high = s.estimate.mass_intervals(s.masses).T
    # the interval is the test's; the fit has an error of its own, as that of its samples
    slack = 3.0 * np.sqrt(masses / s.estimate.n_fit_samples)
    expected = masses * total
    return {
        "cpu": cpu,
        "status": s.status,
        "tv": s.estimate.tv,
        "interval": s.estimate.tv_interval,
        "fitted": s.estimate.n_fit_samples / n,
        "inside": float(((masses >= low - slack) & (masses <= high + slack)).mean()),
        "largest z": float(
            (np.abs(counts - expected) / np.sqrt(expected + (expected / masses * slack / 3) ** 2))[
                expected >= 1
            ].max()
        ),
        "lost": int(((counts == 0) & (expected >= 5)).sum()),
    }


# ---- tables ----


def table_kernel(arguments):
    print(
        "| d | threads | points | with runner-up | numpy | sgemm | points / sgemm | pairs, 1e9/s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    wrong = []
    for d in DIMENSIONS:
        for threads in arguments.threads:
            row = in_process("kernel", n=10_000, d=d, threads=threads)
            print(
                f"| {d} | {threads} | {row['points']:.1f} | {row['points, runner-up']:.1f} "
                f"| {row['numpy']:.1f} | {row['sgemm']:.0f} | {row['points'] / row['sgemm']:.2f} "
                f"| {row['pairs']:.1f} |",
                flush=True,
            )
            wrong.append((d, row["different"], row["unexplained"]))
    print("\nwinners of 1024 points that differ from float64 (and more than rounding explains):")
    print(", ".join(f"d={d}: {a} ({b})" for d, a, b in dict.fromkeys(wrong)))


def table_assign(arguments):
    print("| d | N | " + " | ".join(f"{kind}: share of sgemm (1e9 / s)" for kind in KINDS) + " |")
    print("|---|---|" + len(KINDS) * "---|")
    blas = set()
    for d in (2, 10, 32, 128, 512):
        for n in (1000, 10_000, 60_000):
            # a whole product of 60 000 sites would not fit into memory
            samples = 4096 if n * d <= 2e6 else 1024
            rows = [in_process("assign", n=n, d=d, kind=kind, samples=samples) for kind in KINDS]
            cells = (f"{row['share']:.2f} ({row['assign']:.0f})" for row in rows)
            print(f"| {d} | {n} | " + " | ".join(cells) + " |", flush=True)
            blas |= {name for row in rows for name in row["blas"]}
    print("\nkernel and threads of the product:", ", ".join(sorted(blas)))


def table_fit(arguments):
    print("| N | source | tol | CPU s | samples fitted, tested / N | tv | numpy test | MB |")
    print("|---|---|---|---|---|---|---|---|")
    for n, tol in arguments.cases or (
        (1e3, 0.05),
        (1e3, 0.01),
        (1e4, 0.05),
        (1e4, 0.01),
        (6e4, 0.05),
    ):
        for source in protocol.SOURCES:
            rows = [
                in_process("fit", n=int(n), d=arguments.dim, source=source, tol=tol, seed=seed)
                for seed in range(arguments.repeats)
            ]
            row = sorted(rows, key=lambda r: r["cpu"])[len(rows) // 2]
            low, high = row["interval"]
            checked = "{:.4f} +- {:.4f}".format(*row["checked"]) if "checked" in row else ""
            print(
                f"| {n:.0e} | {source} | {tol} | {row['cpu']:.2f} {row['status']} "
                f"| {row['fitted']:.0f}, {row['tested']:.0f} | {row['tv']:.4f} "
                f"[{low:.4f}, {high:.4f}] | {checked} | {row['memory']:.0f} |",
                flush=True,
            )


def table_agreement(arguments):
    print("| tol | samples | rms of heights - exact | true tv | claimed | largest z of a mass |")
    print("|---|---|---|---|---|---|")
    for tol in (0.16, 0.08, 0.04, 0.02, 0.01, 0.005):
        row = in_process("agreement", n=300, tol=tol)
        low, high = row["claimed"]
        print(
            f"| {tol} | {row['samples']} | {row['heights']:.2e} | {row['tv']:.4f} "
            f"| [{low:.4f}, {high:.4f}] | {row['largest z']:.1f} |",
            flush=True,
        )


def table_masses(arguments):
    print("| N | d | decades | tol | CPU s | fitted / N | tv | inside | largest z | lost |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for n, d in ((300, 5), (1000, 10), (10_000, 10)):
        row = in_process("masses", n=n, d=d, tol=0.01, decades=6)
        low, high = row["interval"]
        print(
            f"| {n} | {d} | 6 | 0.01 | {row['cpu']:.2f} {row['status']} | {row['fitted']:.0f} "
            f"| {row['tv']:.4f} [{low:.4f}, {high:.4f}] | {row['inside']:.4f} "
            f"| {row['largest z']:.1f} | {row['lost']} |",
            flush=True,
        )


TABLES = {
    "kernel": table_kernel,
    "assign": table_assign,
    "fit": table_fit,
    "agreement": table_agreement,
    "masses": table_masses,
}


def pair_of_numbers(text):
    n, tol = text.split(":")
    return float(n), float(tol)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", choices=TABLES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--cases", nargs="+", type=pair_of_numbers, metavar="N:TOL")
    parser.add_argument("--dim", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        name, parameters = arguments.case
        print(json.dumps(globals()[f"case_{name}"](**json.loads(parameters))))
        return
    if arguments.table is None:
        parser.error("name a table")
    TABLES[arguments.table](arguments)


if __name__ == "__main__":
    main()
