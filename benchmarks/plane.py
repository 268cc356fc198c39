"""Measure the plane core against scipy's Delaunay triangulation, and print tables.

Each case runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

REPEATS = {10**3: 9, 10**4: 7, 10**5: 5, 10**6: 3}
STRATEGY_CASES = (
    "u2d",
    "clust2d",
    "two-scales",
    "moons",
    "annulus",
    "masses-1e-6",
    "masses-1e-9",
    "far",
    "cauchy",
)


def timed(work):
    """Return the result of `work`, its CPU seconds and its wall-clock seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def in_process(case, **parameters):
    """Run one case of this file in a fresh interpreter and return what it measured."""
    command = [sys.executable, __file__, "--case", case, json.dumps(parameters)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def medians(rows):
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


# ---- cases, each run in a process of its own ----


def case_delaunay(n, repeats):
    from scipy.spatial import Delaunay

    points = np.random.default_rng(0).random((n, 2))
    return {"cpu": statistics.median(timed(lambda: Delaunay(points))[1] for _ in range(repeats))}


def case_diagram(name, n, threads, repeats):
    import geomot
    from geomot import datasets

    sites, _ = datasets.planar_problem(name, n)
    weights = (0.5 / n if name == "u2d" else 0.0) * np.random.default_rng(1).random(n)

    def work():
        diagram = geomot.PowerDiagram(sites, weights, threads=threads)
        return diagram.masses, diagram.centroids, diagram.costs, diagram.facets

    rows = []
    for _ in range(repeats):
        _, cpu, wall = timed(work)
        rows.append({"cpu": cpu, "wall": wall})
    return {**medians(rows), "memory": peak()}


def case_solve(name, n, threads, repeats):
    import geomot
    from geomot import datasets

    sites, masses = datasets.planar_problem(name, n)
    rows = []
    for _ in range(repeats):
        solution, cpu, wall = timed(lambda: geomot.solve(sites, masses, threads=threads))
        rows.append({"cpu": cpu, "wall": wall})
    return {
        **medians(rows),
        "memory": peak(),
        "steps": solution.n_iter,
        "error": solution.mass_error,
        "status": solution.status,
    }


def case_strategy(name, n):
    import geomot
    from geomot import datasets
    from geomot._newton import newton

    sites, masses = datasets.planar_problem(name, n)
    counts = {"full": 0, "coarse": 0}
    evaluate = newton.Problem.evaluate

    def counting(problem, *arguments):
        counts["full" if len(problem) == n else "coarse"] += 1
        return evaluate(problem, *arguments)

    newton.Problem.evaluate = counting
    solution, cpu, _ = timed(lambda: geomot.solve(sites, masses, threads=1))
    return {
        "cpu": cpu,
        "steps": solution.n_iter,
        "diagrams": counts["full"],
        "coarse": counts["coarse"],
        "error": solution.mass_error,
        "status": solution.status,
    }


def case_profile(name, n):
    """Seconds inside each part of one solve, by wrapping its functions."""
    import geomot
    from geomot import _laplacian as laplacian
    from geomot import datasets
    from geomot._newton import insertion as start
    from geomot._newton import newton

    spent = dict.fromkeys(("diagram", "insertion", "assembly", "linear solve"), 0.0)

    def clocked(function, part):
        def wrapper(*arguments, **keywords):
            result, cpu, _ = timed(lambda: function(*arguments, **keywords))
            spent[part] += cpu
            return result

        return wrapper

    newton.Problem.evaluate = clocked(newton.Problem.evaluate, "diagram")
    newton.Iterate.hessian = clocked(newton.Iterate.hessian, "assembly")
    newton.solve_laplacian = clocked(laplacian.solve_laplacian, "linear solve")
    start._insert = clocked(start._insert, "insertion")
    sites, masses = datasets.planar_problem(name, n)
    _, cpu, _ = timed(lambda: geomot.solve(sites, masses, threads=1))
    return {**spent, "total": cpu, "Python and the rest": cpu - sum(spent.values())}


def peak():
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ---- tables ----


def table_diagram(sizes, threads):
    print("| input | N | threads | CPU s | wall s | MB | CPU / scipy Delaunay |")
    print("|---|---|---|---|---|---|---|")
    for n in sizes:
        base = in_process("delaunay", n=n, repeats=REPEATS[n])["cpu"]
        for name in ("u2d", "clust2d"):
            for t in threads:
                row = in_process("diagram", name=name, n=n, threads=t, repeats=REPEATS[n])
                print(
                    f"| {name} | {n:.0e} | {t} | {row['cpu']:.4f} | {row['wall']:.4f} "
                    f"| {row['memory']:.0f} | {row['cpu'] / base:.3f} |",
                    flush=True,
                )


def table_solve(sizes, threads):
    print("| input | N | threads | CPU s | wall s | MB | steps | mass error | CPU / Delaunay |")
    print("|---|---|---|---|---|---|---|---|---|")
    for n in sizes:
        base = in_process("delaunay", n=n, repeats=REPEATS[n])["cpu"]
        for name in ("u2d", "clust2d"):
            for t in threads:
                repeats = 1 if n == 10**6 else REPEATS[n]
                row = in_process("solve", name=name, n=n, threads=t, repeats=repeats)
                print(
                    f"| {name} | {n:.0e} | {t} | {row['cpu']:.3f} | {row['wall']:.3f} "
                    f"| {row['memory']:.0f} | {row['steps']} | {row['error']:.1e} {row['status']} "
                    f"| {row['cpu'] / base:.2f} |",
                    flush=True,
                )


def table_strategies(sizes, threads):
    print("| input | N | steps / diagrams | coarse diagrams | CPU s | mass error |")
    print("|---|---|---|---|---|---|")
    for n in sizes:
        for name in STRATEGY_CASES:
            row = in_process("strategy", name=name, n=n)
            print(
                f"| {name} | {n:.0e} | {row['steps']} / {row['diagrams']} | {row['coarse']} "
                f"| {row['cpu']:.2f} | {row['error']:.1e} {row['status']} |",
                flush=True,
            )


def table_profile(sizes, threads):
    print("| input | N | part | CPU s | share |")
    print("|---|---|---|---|---|")
    for n in sizes:
        for name in ("u2d", "clust2d"):
            row = in_process("profile", name=name, n=n)
            total = row["total"]
            for part, seconds in row.items():
                print(f"| {name} | {n:.0e} | {part} | {seconds:.2f} | {seconds / total:.0%} |")


TABLES = {
    "diagram": (table_diagram, (10**3, 10**4, 10**5, 10**6)),
    "solve": (table_solve, (10**3, 10**4, 10**5, 10**6)),
    "strategies": (table_strategies, (10**4, 10**5)),
    "profile": (table_profile, (10**5,)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", choices=TABLES)
    parser.add_argument("--sizes", nargs="+", type=float)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        name, parameters = arguments.case
        print(json.dumps(globals()[f"case_{name}"](**json.loads(parameters))))
        return
    if arguments.table is None:
        parser.error("name a table")
    table, sizes = TABLES[arguments.table]
    table([int(n) for n in arguments.sizes] if arguments.sizes else sizes, arguments.threads)


if __name__ == "__main__":
    main()
