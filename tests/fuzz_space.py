"""Differential fuzz of the power diagram in space against the exact oracle.

    python tests/fuzz_space.py --count 1000 --seed 0      (with the package installed)

Configurations are small, random and degenerate: lattices, planes, lines, spheres, duplicates,
neighbours an ulp apart, far and clustered sites, weights hi + lo that make cells vanish exactly or
nearly, boxes and polyhedra as domains. Compared are the set of empty cells, volumes, centroids,
costs and facets; each triangulation is checked facet by facet, exactly, and polyhedra sum up to
their volumes.

Number k of a seed is the same configuration however many are run: `--only K` runs it alone.
The exit code is 1 when anything disagrees.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import numpy as np
from space_oracles import ExactSpaceDiagram, disagreements

import geomot

KINDS = 12
WEIGHTS = 7


def _sites(rng, n, kind):
    if kind == 0:
        return rng.random((n, 3))
    if kind == 1:
        return rng.integers(0, 4, (n, 3)) / 4.0
    if kind == 2:
        return rng.integers(0, 3, (n, 3)) * (1 / 3)
    if kind == 3:  # in a plane along the axes
        return np.column_stack([rng.integers(0, 5, (n, 2)) / 5, np.full(n, 0.5)])
    if kind == 4:  # in a tilted plane, exactly
        plane = rng.integers(0, 8, (n, 2)) / 16
        return np.column_stack([plane, plane @ [1.0, 0.5]])
    if kind == 5:
        return np.outer(rng.integers(0, 16, n) / 16, [1, 1, rng.integers(0, 2)])
    if kind == 6:  # cospherical
        on = [(x, y, z) for x in range(-3, 4) for y in range(-3, 4) for z in range(-3, 4)]
        on = np.array([p for p in on if p[0] ** 2 + p[1] ** 2 + p[2] ** 2 == 9])
        return on[rng.integers(len(on), size=n)] / 8 + 0.5
    if kind == 7:  # an ulp apart
        base = rng.random((max(n // 3, 1), 3))[rng.integers(max(n // 3, 1), size=n)]
        return base + np.spacing(base) * rng.integers(-1, 2, (n, 3))
    if kind == 8:
        return 0.5 + 10.0 ** -rng.integers(2, 12) * rng.standard_normal((n, 3))
    if kind == 9:
        return rng.standard_normal((n, 3)) * 10.0 ** rng.integers(0, 5)
    if kind == 10:  # mirrored across faces of the box
        half = rng.integers(0, 4, (n, 3)) / 4.0
        return np.where(rng.random((n, 3)) < 0.3, -half, half)
    return np.vstack([rng.random((n - n // 2, 3)), rng.integers(0, 2, (n // 2, 3))])


def _weights(rng, sites, kind):
    n = len(sites)
    low = np.zeros(n)
    if kind == 0:
        hi = np.zeros(n)
    elif kind == 1:
        hi = 0.1 * rng.random(n)
    elif kind == 2:
        hi = rng.integers(0, 4, n) / 32.0
    elif kind == 3:  # all lifted points on a plane, or nearly
        hi = np.sum(sites**2, axis=1)
        low = hi * 2.0**-60 * rng.integers(-1, 2, n)
    elif kind == 4:
        hi = np.sum(sites**2, axis=1) - rng.integers(0, 2, n) / 64
    elif kind == 5:
        hi = np.full(n, 0.25)
        low = 2.0**-70 * rng.integers(-2, 3, n)
    else:
        hi = rng.standard_normal(n) * 10.0 ** rng.integers(-8, 3)
    return np.column_stack([hi, low])


def _source(rng, kind):
    if kind < 5:
        return geomot.UniformBox.unit(3)
    if kind == 5:
        lower = rng.standard_normal(3)
        return geomot.UniformBox(lower, lower + 10.0 ** rng.uniform(-3, 1, 3))
    if kind == 6:
        return geomot.UniformPolyhedron(np.vstack([np.eye(3), -np.eye(3)]))
    return geomot.UniformPolyhedron(rng.random((rng.integers(4, 9), 3)))


def configuration(seed, k):
    """Sites, weights and source number k of a seed, and what they are called."""
    rng = np.random.default_rng([seed, k])
    kinds = rng.integers(KINDS), rng.integers(WEIGHTS), rng.integers(8)
    sites = _sites(rng, int(rng.integers(1, 11)), kinds[0])
    return tuple(map(int, kinds)), sites, _weights(rng, sites, kinds[1]), _source(rng, kinds[2])


def faults(sites, weights, source) -> list[str]:
    """What is wrong with the diagram of a configuration, in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # weights that could be masses
        diagram = geomot.PowerDiagram(sites, weights, source)
    exact = ExactSpaceDiagram(sites, weights, source.domain.planes)
    found = disagreements(diagram, exact, relative=1e-7, tiny=1e-15)
    if not abs(diagram.masses.sum() - 1) <= 1e-12:
        found.append(f"masses sum to {diagram.masses.sum()!r}")
    volumes = np.zeros(len(sites))
    for i, cell in enumerate(diagram.cells):
        for face in cell.faces:
            p = cell.vertices[face] - cell.vertices[0]
            for b, c in zip(p[1:], p[2:], strict=False):
                volumes[i] += np.linalg.det([p[0], b, c]) / 6
    size = float(np.abs(source.bounds).max()) ** 3
    off = np.abs(volumes - diagram.masses * float(exact.volume))
    if not (off <= 1e-13 * size).all():
        found.append(f"polyhedron {int(off.argmax())} is off by {off.max():.1e}")
    labels = diagram.locate(diagram.centroids[~diagram.empty])
    if not np.array_equal(labels, np.flatnonzero(~diagram.empty)):
        tiny = diagram.masses[~diagram.empty] < 1e-12
        if not tiny[labels != np.flatnonzero(~diagram.empty)].all():
            found.append("a centroid lies in another cell")
    return found


def run(count, seed, start=0, report=print):
    """Run configurations start to start + count; how many are wrong."""
    wrong = 0
    for k in range(start, start + count):
        kinds, sites, weights, source = configuration(seed, k)
        try:
            found = faults(sites, weights, source)
        except Exception as error:
            found = [f"{type(error).__name__}: {error}"]
        if found:
            wrong += 1
            report(f"{k} {kinds} of {len(sites)}: {'; '.join(found)[:400]}")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    began = time.perf_counter()
    if options.only is None:
        bad = run(options.count, options.seed)
    else:
        bad = run(1, options.seed, options.only)
    print(f"{bad} wrong, {time.perf_counter() - began:.0f} s")
    sys.exit(bad > 0)
