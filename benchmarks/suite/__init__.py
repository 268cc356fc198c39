"""Benchmarks in asv's form: parameters, `setup`, `time_*`, `peakmem_*`.

    asv run --python=same --quick --bench Locate     (this installation; `asv run` builds it)

`asv.conf.json` names this folder alone: the scripts beside it need packages of their own.
"""

from __future__ import annotations

import numpy as np

import geomot
from geomot import datasets
from geomot._search.nearest_cell import Assigner


class Diagram:
    """One diagram with every measure."""

    params = (["u2d", "clust2d"], [10**3, 10**4, 10**5, 10**6], [1, 2])
    param_names = ("input", "n", "threads")
    timeout = 120

    def setup(self, name, n, threads):
        self.sites, _ = datasets.planar_problem(name, n)
        spread = 0.5 / n if name == "u2d" else 0.0
        self.weights = spread * np.random.default_rng(1).random(n)

    def time_diagram(self, name, n, threads):
        diagram = geomot.PowerDiagram(self.sites, self.weights, threads=threads)
        return diagram.masses, diagram.centroids, diagram.costs, diagram.facets

    peakmem_diagram = time_diagram


class Solve:
    """Equal masses to a relative error of 1e-9."""

    params = (["u2d", "clust2d"], [10**3, 10**4, 10**5, 10**6], [1, 2])
    param_names = ("input", "n", "threads")
    timeout = 600

    def setup(self, name, n, threads):
        self.sites, self.masses = datasets.planar_problem(name, n)

    def time_solve(self, name, n, threads):
        return geomot.solve(self.sites, self.masses, threads=threads)

    peakmem_solve = time_solve


class SolveLine:
    """Equal masses on the line, normal source: quantiles."""

    params = [10**3, 10**4, 10**5]
    param_names = ("n",)

    def setup(self, n):
        self.sites = np.random.default_rng(0).standard_normal((n, 1))
        self.source = geomot.Gaussian([0.0], 1.0)

    def time_solve(self, n):
        return geomot.solve(self.sites, None, self.source)

    peakmem_solve = time_solve


class Locate:
    """Point location by walking."""

    params = ([10**4, 10**5], [1, 2])
    param_names = ("n", "threads")

    def setup(self, n, threads):
        sites, _ = datasets.planar_problem("u2d", n)
        self.diagram = geomot.PowerDiagram(sites, threads=threads)
        self.points = np.random.default_rng(2).random((10**5, 2))

    def time_locate(self, n, threads):
        return self.diagram.locate(self.points)


class Assign:
    """Points to sites by float64 scores, normal sites and points."""

    params = ([10**3, 10**4], [2, 10, 32, 128, 512], [1, 2])
    param_names = ("n", "d", "threads")

    def setup(self, n, d, threads):
        rng = np.random.default_rng(0)
        self.assigner = Assigner(rng.standard_normal((n, d)), np.zeros(n))
        self.points = rng.standard_normal((4096, d))

    def time_assign(self, n, d, threads):
        return self.assigner(self.points, threads)


class MonteCarlo:
    """Equal masses within a total variation, ten Gaussians in d dimensions, normal source."""

    params = ([10**3, 10**4], [2, 10, 128], [0.1, 0.05])
    param_names = ("n", "d", "tol")
    timeout = 600

    def setup(self, n, d, tol):
        rng = np.random.default_rng(0)
        centres = 3.0 * rng.standard_normal((10, d))
        self.sites = centres[rng.integers(10, size=n)] + rng.standard_normal((n, d))
        self.source = geomot.Gaussian(np.zeros(d), 1.0)

    def time_solve(self, n, d, tol):
        return geomot.solve(
            self.sites, None, self.source, method="montecarlo", tol=tol, random_state=0, threads=1
        )

    peakmem_solve = time_solve


class Extended:
    """Images of points between the data."""

    params = ([10**3, 10**4], [2, 10])
    param_names = ("n", "d")

    def setup(self, n, d):
        rng = np.random.default_rng(0)
        source = geomot.UniformBox.unit(d)
        brenier = geomot.BrenierMap(source, tv_tol=0.1, random_state=0).fit(rng.random((n, d)))
        self.extended = brenier.extended()
        self.points = source.sample(10**4, rng)

    def time_transform(self, n, d):
        return self.extended.transform(self.points)
