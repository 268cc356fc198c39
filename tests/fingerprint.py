"""Hashes of results, to see that a change of structure changes no bit.

    python tests/fingerprint.py > before.txt      and the same after it, then compare the two

200 diagrams, 100 solves (plane, line, sampling), 20 generators, and the round trips of their files;
a line for each kind, or with `--each` for each result. Hashes are those of one machine: processors
with other instructions round other sums.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import warnings
from pathlib import Path

import numpy as np

import geomot
from geomot.generator import LatentGenerator
from geomot.latent import PCACodec


def hashed(*arrays):
    total = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()[:16]


def domain_of(rng):
    if rng.random() < 0.5:
        return geomot.UniformBox([0.0, 0.0], 0.5 + rng.random(2))
    return geomot.UniformPolygon.regular(int(rng.integers(3, 9)))


def diagram(seed):
    rng = np.random.default_rng([1, seed])
    n = int(rng.integers(1, 300))
    sites = rng.random((n, 2)) if seed % 3 else rng.integers(0, 12, (n, 2)) / 12.0
    d = geomot.PowerDiagram(sites, 0.02 * rng.random(n), domain_of(rng))
    hessian = d.hessian()
    return hashed(
        d.masses, d.centroids, d.costs, hessian.data, hessian.indices, d.facets.sites,
        d.facets.measures,
        d.vertices, d.locate(rng.random((50, 2))), d.triangulation,
    )  # fmt: skip


def solved(solution):
    parts = [solution.weights_exact, solution.masses, solution.bracket, solution.cost]
    parts += [solution.n_iter, np.frombuffer(solution.status.encode(), dtype=np.uint8)]
    points = solution.source.sample(100, 0)
    return hashed(*map(np.asarray, parts), solution.assign(points), solution.history.dual)


def solve(seed):
    rng = np.random.default_rng([2, seed])
    kind = seed % 4
    if kind < 2:
        n = int(rng.integers(1, 200))
        masses = rng.dirichlet(np.ones(n)) if kind else None
        return geomot.solve(rng.random((n, 2)), masses, domain_of(rng))
    if kind == 2:
        n = int(rng.integers(1, 100))
        return geomot.solve(rng.random((n, 1)), source=geomot.Gaussian([0.5], 0.1))
    n, d = int(rng.integers(2, 80)), int(rng.integers(2, 7))
    source = geomot.Gaussian(np.zeros(d), 1.0)
    sites = rng.standard_normal((n, d))
    return geomot.solve(sites, source=source, tol=0.2, random_state=seed, method="montecarlo")


def generator(seed):
    rng = np.random.default_rng([3, seed])
    X = rng.standard_normal((80, 6)) @ rng.standard_normal((6, 6))
    made = LatentGenerator(PCACodec(3), tv_tol=0.3, random_state=seed).fit(X)
    return made, hashed(made.sample(20, random_state=0), made.codes_)


def fingerprints():
    """All kinds, with the hashes of each result."""
    solutions = [solve(seed) for seed in range(100)]
    generators = [generator(seed) for seed in range(20)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        files = []
        for k, solution in enumerate(solutions):
            solution.save(path / f"{k}.npz")
            files.append(solved(geomot.load(path / f"{k}.npz")))
        for k, (made, _) in enumerate(generators):
            made.save(path / f"g{k}")
            files.append(hashed(LatentGenerator.load(path / f"g{k}").sample(20, random_state=0)))
    return {
        "diagrams": [diagram(seed) for seed in range(200)],
        "solves": [solved(solution) for solution in solutions],
        "generators": [hashes for _, hashes in generators],
        "files": files,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", action="store_true", help="a line for each result")
    each = parser.parse_args().each
    warnings.simplefilter("ignore")
    for kind, found in fingerprints().items():
        if each:
            for k, value in enumerate(found):
                print(kind, k, value)
        else:
            print(kind, len(found), hashlib.sha256("".join(found).encode()).hexdigest()[:16])


if __name__ == "__main__":
    main()
