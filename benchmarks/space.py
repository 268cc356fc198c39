"""Measure diagrams and solves in space against scipy's Delaunay triangulation, and print tables.

    python benchmarks/space.py --sizes 1000 10000 100000
    python benchmarks/space.py --densities
    python benchmarks/space.py --sources

Times are processor seconds of one thread, medians, and multiples of what scipy's Delaunay takes for
uniform points in the same process. Each row runs in a process of its own, so that its peak memory
is its own. Those of densities and of other sources are multiples of what the uniform measure on the
box takes for the same sites: for sources those of u3d.
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

CASES = ("u3d", "clust3d")
DENSITIES = ("voxels-64", "voxels-256", "tetrahedra-1e5", "ball of tetrahedra")
SOURCES = ("torus", "ball", "normal")
HARD = ("shell", "plane", "masses-1e-6", "masses-1e-9", "two-scales", "far", "cauchy", "lattice")


def problem(name, n):
    """Sites and target masses."""
    r = np.random.default_rng(0)
    masses = np.full(n, 1 / n)
    if name == "u3d":
        sites = r.random((n, 3))
    elif name == "clust3d":
        centres = r.random((10, 3))
        sites = centres[r.integers(10, size=n)] + 0.01 * r.standard_normal((n, 3))
        sites = np.clip(sites, 0, 1)
    elif name == "shell":
        v = r.standard_normal((n, 3))
        v /= np.linalg.norm(v, axis=1)[:, None]
        sites = 0.5 + (0.45 + 0.005 * r.standard_normal((n, 1))) * v
    elif name == "plane":
        sites = np.column_stack([r.random((n, 2)), np.full(n, 0.5)])
    elif name.startswith("masses-1e-"):
        sites = r.random((n, 3))
        masses = 10.0 ** (-int(name[10:]) * r.random(n))
    elif name == "two-scales":
        small = [0.2, 0.7, 0.4] + 1e-4 * r.standard_normal((n - n // 10, 3))
        sites = np.vstack([small, r.random((n // 10, 3))])
    elif name == "far":
        sites = 1000 + 50 * r.random((n, 3)) ** 3
    elif name == "cauchy":
        sites = r.standard_cauchy((n, 3))
    else:
        axis = np.arange(round(n ** (1 / 3))) / 64
        sites = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
        masses = np.ones(len(sites))
    return sites, masses / masses.sum()


def density(name):
    """A source other than the box; densities are bright, with a range of 1e2."""
    import geomot

    if name == "torus":
        return geomot.UniformBox([0, 0, 0], [1, 1, 1], periodic=True)
    if name == "ball":
        return geomot.UniformBall([0.5, 0.5, 0.5], 0.5)
    if name == "normal":
        return geomot.Gaussian([0.5, 0.5, 0.5], 1 / 12)
    r = np.random.default_rng(1)
    if name.startswith("voxels"):
        axis = (np.arange(int(name[7:])) + 0.5) / int(name[7:])
        x, y, z = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
        waves = np.sin(9.0 * x + 4.0 * y) * np.sin(7.0 * y + 5.0 * z)
        return geomot.GridDensity(10.0**waves * (0.5 + r.random(waves.shape)))
    from scipy.spatial import Delaunay

    corners = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), axis=-1).reshape(-1, 3)
    points = np.vstack([r.random((15_000, 3)), corners])
    values = 10.0 ** np.sin(9.0 * points[:, 0] + 4.0 * points[:, 1])
    if name.startswith("ball"):
        points, values = 2.0 * points - 1.0, None
        length = np.linalg.norm(points, axis=1, keepdims=True)
        points *= np.abs(points).max(axis=1, keepdims=True) / length
        points = 0.5 + 0.5 * points
    return geomot.MeshDensity(points, Delaunay(points).simplices, values)


def dense_row(kind, name, n, repeats, threads):
    """What a density takes, and what the uniform measure does."""
    import geomot

    source = density(name)
    sites = problem("u3d", n)[0] if name in SOURCES else source.sample(n, 0)
    geomot.PowerDiagram(sites[:1], None, source)  # sets the kernel up
    out = {"case": name, "n": n}
    for key, measure in (("uniform", geomot.UniformBox.unit(3)), ("cpu", source)):
        if kind == "density diagram":
            out[key] = statistics.median(
                cpu_of(lambda m=measure: geomot.PowerDiagram(sites, None, m, threads=threads))
                for _ in range(repeats)
            )
        else:
            began = time.process_time()
            solution = geomot.solve(sites, None, measure, threads=threads)
            out[key] = time.process_time() - began
            out |= {"steps": solution.n_iter, "error": solution.mass_error}
    out["ratio"] = out["cpu"] / out["uniform"]
    return out


def cpu_of(work):
    began = time.process_time()
    work()
    return time.process_time() - began


def row(kind, name, n, repeats, threads):
    """What one case takes; run in a process of its own."""
    if kind.startswith("density"):
        return dense_row(kind, name, n, repeats, threads)
    from scipy.spatial import Delaunay

    import geomot

    points = np.random.default_rng(0).random((n, 3))
    scipy = statistics.median(cpu_of(lambda: Delaunay(points)) for _ in range(repeats))
    sites, masses = problem(name, n)
    box = geomot.UniformBox.unit(3)
    geomot.PowerDiagram(sites[:10], None, box)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = {"case": name, "n": len(sites), "delaunay": scipy}
    if kind == "diagram":
        times = []
        for _ in range(repeats):
            wall = time.perf_counter()
            times.append(cpu_of(lambda: geomot.PowerDiagram(sites, None, box, threads=threads)))
            out["wall"] = time.perf_counter() - wall
        out["cpu"] = statistics.median(times)
    else:
        wall = time.perf_counter()
        began = time.process_time()
        solution = geomot.solve(sites, masses, box, threads=threads)
        out["cpu"] = time.process_time() - began
        out["wall"] = time.perf_counter() - wall
        out |= {"status": solution.status, "steps": solution.n_iter, "error": solution.mass_error}
    out["ratio"] = out["cpu"] / scipy
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    out["bytes a site"] = 1024 * grown / len(sites)
    return out


def in_process(*arguments):
    """One row, measured in a fresh interpreter."""
    command = [sys.executable, __file__, "--row", json.dumps(arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--hard", action="store_true", help="solve the hard cases, too, at 1e4")
    parser.add_argument(
        "--densities", action="store_true", help="voxels and tetrahedra alone, with 1e4 sites"
    )
    parser.add_argument(
        "--sources",
        action="store_true",
        help="torus, ball and normal measure alone, with 1e4 sites",
    )
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(row(*json.loads(options.row))))
        return
    jobs = [(kind, name, n) for kind in ("diagram", "solve") for n in options.sizes
            for name in CASES]  # fmt: skip
    if options.hard:
        jobs += [("solve", name, 10_000) for name in HARD]
    if options.densities:
        jobs = [(f"density {kind}", name, 10_000) for kind in ("diagram", "solve")
                for name in DENSITIES]  # fmt: skip
    if options.sources:
        jobs = [(f"density {kind}", name, 10_000) for kind in ("diagram", "solve")
                for name in SOURCES]  # fmt: skip
    for kind, name, n in jobs:
        found = in_process(kind, name, n, options.repeats, options.threads)
        print(kind, " ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}"
                             for k, v in found.items()), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
