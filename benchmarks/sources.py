"""What sources in the plane cost, as multiples of the uniform square with as many sites.

    python benchmarks/sources.py solves --sites 10000 [--only camera L] [--camera camera.png]
    python benchmarks/sources.py integration --sites 10000 --camera camera.png
    python benchmarks/sources.py pysdot --sites 10000 --camera camera.png

`solves`: time to a relative error of 1e-9 of every mass, equal masses; steps of Newton and
diagrams of the full size. Sites are uniform in the unit square ("u") or from the source ("s").
`integration`: a diagram with all measures, of sorted sites. `pysdot`: masses of the same weights
by pysdot 0.2.16, where it can answer. One thread, processor seconds. The camera is scikit-image's
photograph (data/camera.png); without it a photograph of scikit-learn's.
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import cache

import numpy as np
from PIL import Image
from scipy.spatial import Delaunay

import geomot
from geomot._exact import exact_sites
from geomot._newton import newton

MOST_SECONDS = 120.0
UNIT = geomot.UniformBox([0.0, 0.0], [1.0, 1.0])


def rectangle(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def circle(radius, n=64):
    angles = 2 * np.pi * np.arange(n) / n
    return 0.5 + radius * np.column_stack([np.cos(angles), np.sin(angles)])


@cache
def photograph(path):
    """A grey photograph as numbers from 0 to 255, of shape (512, 512), ``values[x, y]``."""
    if path is not None:
        grey = np.asarray(Image.open(path).convert("L"), dtype=float)
    else:
        from sklearn.datasets import load_sample_image

        picture = Image.fromarray(load_sample_image("china.jpg")).convert("L")
        grey = np.asarray(picture.resize((512, 512)), dtype=float)
    return grey[::-1].T


def images(path):
    dark = 255.0 - photograph(path)
    x, y = (np.mgrid[:512, :512] + 0.5) / 512
    disk = (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.16
    centres = (0.2, 0.3), (0.7, 0.8), (0.6, 0.2)
    blobs = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.002) for a, b in centres)
    return {
        "camera": dark + 1.0,
        "camera on black": (dark + 1.0) * disk,
        "range 1e4": 10.0 ** (4.0 * dark / 255.0),
        "3 islands": np.where(blobs > 0.05, blobs, 0.0),
        "80 islands": (np.sin(40 * x) * np.sin(40 * y) > 0.3) * 1.0,
    }


def sources(path):
    """Names and sources, on the unit square or about it."""
    polygon = geomot.UniformPolygon
    letter_u = [(0, 0), (1, 0), (1, 1), (0.8, 1), (0.8, 0.2), (0.2, 0.2), (0.2, 1), (0, 1)]
    found = {name: geomot.GridDensity(values) for name, values in images(path).items()}
    found |= {
        "L": polygon([(0, 0), (1, 0), (1, 0.5), (0.5, 0.5), (0.5, 1), (0, 1)]),
        "annulus": polygon(circle(0.5), holes=[circle(0.25)]),
        "U": polygon(letter_u),
        "zero strip": polygon([rectangle(0, 0, 0.4, 1), rectangle(0.6, 0, 1, 1)]),
        "two squares": polygon([rectangle(0, 0.3, 0.3, 0.7), rectangle(0.7, 0.3, 1, 0.7)]),
        "Gaussian": geomot.Gaussian([0.5, 0.5], 0.04),
        "disk": geomot.UniformBall([0.5, 0.5], 0.5),
        "torus": geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True),
    }
    return found


def sites_of(kind, source, n):
    """The sites, told by a letter: uniform, from the source, in clusters, far away."""
    rng = np.random.default_rng(0)
    if kind == "u":
        return rng.random((n, 2))
    if kind == "s":
        return np.unique(source.sample(n, rng), axis=0)
    if kind == "clusters":
        centres = source.sample(10, rng)
        return centres[np.arange(n) % 10] + 0.002 * rng.standard_normal((n, 2))
    return 100.0 * rng.standard_normal((n, 2)) + [1000.0, 0.0]


def kinds_of(name):
    return ("s", "u", "clusters", "far") if name == "Gaussian" else ("s", "u")


def solved(sites, source, masses=None, **options):
    """Seconds, steps, diagrams of the full size, status; stopped after MOST_SECONDS."""
    counted = [0]
    evaluate = newton.Problem.evaluate

    def counting(problem, *arguments, **keywords):
        counted[0] += len(problem) == len(sites)
        return evaluate(problem, *arguments, **keywords)

    newton.Problem.evaluate = counting
    try:
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solution = geomot.solve(
                sites,
                masses,
                source,
                tol=1e-9,
                threads=1,
                callback=lambda state: time.process_time() - start > MOST_SECONDS,
                **options,
            )
        seconds = time.process_time() - start
    finally:
        newton.Problem.evaluate = evaluate
    return seconds, solution.n_iter, counted[0], solution.status


def table_solves(arguments):
    n = arguments.sites
    base = min(solved(sites_of("u", UNIT, n), UNIT)[0] for _ in range(3))
    print(f"uniform square, {n} sites: {base:.2f} s\n")
    print("| source | sites | processor s | multiple | steps / diagrams | status |")
    print("|---|---|---|---|---|---|")

    def row(name, kind, result):
        seconds, steps, diagrams, status = result
        print(
            f"| {name} | {kind} | {seconds:.2f} | {seconds / base:.1f} | {steps} / {diagrams} "
            f"| {status} |",
            flush=True,
        )

    wanted = set(arguments.only or ())
    for name, source in sources(arguments.camera).items():
        for kind in kinds_of(name):
            if not wanted or name in wanted:
                row(name, kind, solved(sites_of(kind, source, n), source))
    if not wanted or "partial" in wanted:
        for total in (0.1, 0.5, 0.9, 0.99):
            masses = np.full(n, total / n)
            result = solved(sites_of("u", UNIT, n), UNIT, masses, partial=True)
            row(f"partial, {total:g}", "u", result)


def table_integration(arguments):
    n = arguments.sites
    sites = sites_of("u", UNIT, n)

    def seconds(source, repeats=9):
        sorted_sites, weights = exact_sites(sites, source), np.zeros(n)
        times = []
        for _ in range(repeats):
            start = time.process_time()
            diagram = sorted_sites.diagram(weights)
            _ = diagram.masses, diagram.facets
            times.append(time.process_time() - start)
        return min(times)

    base = seconds(UNIT)
    print(f"uniform square, {n} sites: {1e3 * base:.1f} ms\n")
    print("| source | ms | in addition, in uniform diagrams |")
    print("|---|---|---|")
    measured = {
        name: source
        for name, source in sources(arguments.camera).items()
        if name in ("camera", "annulus", "Gaussian", "disk", "torus")
    }
    corners = np.random.default_rng(1).random((10_000, 2))
    corners = np.vstack([corners, rectangle(0, 0, 1, 1)])
    triangles = Delaunay(corners).simplices
    name = f"mesh of {len(triangles)} triangles"
    measured[name] = geomot.MeshDensity(corners, triangles, 1.0 + corners[:, 0])
    for name, source in measured.items():
        found = seconds(source)
        print(f"| {name} | {1e3 * found:.1f} | {found / base - 1:.2f} |", flush=True)


# ---- beside pysdot ----


def pysdot_image(path):
    from pysdot.domain_types import ScaledImage

    return ScaledImage([0, 0], [1, 1], np.ascontiguousarray(images(path)["camera"].T))


def pysdot_parts(parts):
    """Convex polygons, each by a point and the outward normal of its sides.

    The last argument is the number of a cut, whose default, -1, fails in numpy 2.
    """
    from pysdot.domain_types import ConvexPolyhedraAssembly

    domain = ConvexPolyhedraAssembly()
    for part in parts:
        side = np.roll(part, -1, axis=0) - part
        normal = np.column_stack([side[:, 1], -side[:, 0]])
        normal /= np.linalg.norm(normal, axis=1)[:, None]
        domain.add_convex_polyhedron(np.column_stack([part, normal]), 1.0, 0)
    return domain


def table_pysdot(arguments):
    from pysdot import PowerDiagram
    from pysdot.radial_funcs import RadialFuncInBall, RadialFuncUnit

    n = arguments.sites
    found = sources(arguments.camera)
    sites = sites_of("u", UNIT, n)
    weights = 0.3 / n * np.random.default_rng(1).random(n)
    part = geomot.solve(sites, np.full(n, 0.5 / n), UNIT, partial=True)
    corners = np.array(rectangle(0.0, 0.0, 1.0, 1.0))
    cases = {
        "image": (found["camera"], weights, lambda: pysdot_image(arguments.camera), RadialFuncUnit),
        "annulus": (
            found["annulus"], weights, lambda: pysdot_parts(found["annulus"].domain.parts),
            RadialFuncUnit,
        ),
        "balls": (None, part.weights, lambda: pysdot_parts([corners]), RadialFuncInBall),
    }  # fmt: skip

    def fastest(work, repeats=3):
        times = []
        for _ in range(repeats):
            start = time.process_time()
            masses = np.array(work())
            times.append(time.process_time() - start)
        return masses, min(times)

    print("| source | geomot, s | pysdot, s | ratio | largest difference / mean mass |")
    print("|---|---|---|---|---|")
    for name, (source, given, domain, radial) in cases.items():
        cut = source is None
        ours, own = fastest(
            lambda s=UNIT if cut else source, w=given, p=cut: (
                geomot.PowerDiagram(sites, w, s, partial=p, threads=1).masses
            )
        )
        other_domain, function = domain(), radial()
        theirs, other = fastest(
            lambda w=given, d=other_domain, r=function: PowerDiagram(sites, w, d, r).integrals()
        )
        theirs *= ours.sum() / theirs.sum()
        worst = np.abs(ours - theirs).max() / ours.mean()
        print(f"| {name} | {own:.4f} | {other:.4f} | {other / own:.1f} | {worst:.0e} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=("solves", "integration", "pysdot"))
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--camera", help="a grey photograph")
    parser.add_argument("--only", nargs="*", help="names of sources")
    arguments = parser.parse_args()
    tables = {
        "solves": table_solves, "integration": table_integration, "pysdot": table_pysdot,
    }  # fmt: skip
    tables[arguments.table](arguments)


if __name__ == "__main__":
    main()
