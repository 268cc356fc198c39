"""Fuzz of the Monte Carlo fit: families of problems that are hard for it, over seeds.

    python tests/fuzz_montecarlo.py --seeds 8 --dims 2 3 10      (with the package installed)

A family is a rule for sites, masses and a source. Each of its problems is solved with default
settings at a coarse tolerance, with a cap on the steps. Per family and dimension a line tells how
many solves converged, the samples used relative to what independent samples would need,
FIT_NOISE n (factor / tol)^2 or one first look if that is more (median and largest of those that
converged), and for the others the total variation they ended at, with the number of the seed.

Problem k of a family is the same however many are run: `--families NAME --dims D --only K` runs it
alone. The exit code is 1 when anything did not converge.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import dataclass

import numpy as np
from checks import validate

import geomot
from geomot import Gaussian, GridDensity, Samples, UniformBall, UniformBox
from geomot._constants.sampling import FIRST_LOOK, FIT_CAP, FIT_NOISE, LEAST_BATCH
from geomot._mass_estimate import variation_factor
from geomot.sources import WrappedSource

# Steps that are granted to every problem: with few sites a few samples already need some steps.
LEAST_STEPS = 500


class Drawn:
    """A source that is known by its samples only."""

    def __init__(self, dim, draw):
        self.dim = dim
        self.draw = draw

    def sample(self, n, rng):
        return self.draw(n, rng)


def drawn(dim, draw):
    return WrappedSource(Drawn(dim, draw))


def normal(d):
    return Gaussian(np.zeros(d), 1.0)


def own_moments(sites):
    """The normal source with the sites' own mean and covariance."""
    cov = np.cov(sites.T).reshape(sites.shape[1], -1)
    return Gaussian(sites.mean(axis=0), cov)


def mixture(rng, n, d, components=10, spread=2.0, width=0.5):
    centres = spread * rng.standard_normal((components, d))
    return centres[rng.integers(components, size=n)] + width * rng.standard_normal((n, d))


def rotation(rng, d):
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def pieces(rng, d, count, distance, shares=None):
    """Gaussian blobs far from each other: a function that draws from them."""
    centres = distance * rng.standard_normal((count, d))
    shares = np.full(count, 1.0 / count) if shares is None else shares

    def draw(n, own):
        which = own.choice(count, size=n, p=shares)
        return centres[which] + own.standard_normal((n, d))

    return draw


# ---- families: (rng, n, d) -> sites, masses or None, source ----


def plain(rng, n, d):
    """The kind that the standard protocol measures."""
    return mixture(rng, n, d), None, normal(d)


def table(rng, n, d):
    """Columns of scales 1 to 1000, and a normal source with the sites' moments."""
    scales = rng.permutation(np.geomspace(1.0, 1e3, d))
    sites = mixture(rng, n, d) * scales
    return sites, None, own_moments(sites)


def turned_table(rng, n, d):
    """The same in coordinates that mix the columns."""
    scales = rng.permutation(np.geomspace(1.0, 1e3, d))
    sites = (mixture(rng, n, d) * scales) @ rotation(rng, d)
    return sites, None, own_moments(sites)


def skewed_table(rng, n, d):
    """Columns with heavy tails and scales of six decades, as prices and counts have them."""
    sites = np.exp(rng.standard_normal((n, d))) * 10.0 ** rng.uniform(-3, 3, d)
    return sites, None, own_moments(sites)


def foreign_table(rng, n, d):
    """Columns of scales 1e-6 to 1e6, and a standard normal source."""
    return mixture(rng, n, d) * rng.permutation(np.geomspace(1e-6, 1e6, d)), None, normal(d)


def flat_source(rng, n, d):
    """A normal source of variances 1 to 1e-6, and sites that do not know of it."""
    return mixture(rng, n, d), None, Gaussian(np.zeros(d), np.geomspace(1.0, 1e-6, d))


def classes(rng, n, d):
    """Tight classes in a standard normal."""
    count, width = rng.integers(2, 11), 10.0 ** -rng.uniform(1, 3)
    return mixture(rng, n, d, count, 1.0, width), None, normal(d)


def far_classes(rng, n, d):
    """Tight classes far from each other, of unequal sizes."""
    count, width = rng.integers(2, 6), 10.0 ** -rng.uniform(1, 2)
    centres = 10.0 * rng.standard_normal((count, d))
    which = rng.choice(count, size=n, p=rng.dirichlet(np.ones(count)))
    return centres[which] + width * rng.standard_normal((n, d)), None, normal(d)


def nested_classes(rng, n, d):
    """Clusters of clusters of clusters."""
    sites = np.zeros((n, d))
    for width in (1.0, 0.1, 0.01):
        sites += width * rng.standard_normal((4, d))[rng.integers(4, size=n)]
    return sites + 0.001 * rng.standard_normal((n, d)), None, normal(d)


def blobs(rng, n, d):
    """Four far Gaussian blobs as a source, normal sites."""
    draw = pieces(rng, d, 4, 10.0 ** rng.uniform(0.7, 2))
    return rng.standard_normal((n, d)), None, drawn(d, draw)


def blobs_to_blobs(rng, n, d):
    """Unequal blobs as a source, sites in other unequal blobs."""
    draw = pieces(rng, d, 5, 10.0 ** rng.uniform(0.7, 2), rng.dirichlet(np.full(5, 2.0)))
    target = pieces(rng, d, 6, 10.0 ** rng.uniform(0.7, 2), rng.dirichlet(np.full(6, 2.0)))
    return target(n, rng), None, drawn(d, draw)


def gaps(rng, n, d):
    """A product grid with nearly empty gaps."""
    d = min(d, 3)
    density = np.ones(())
    for _ in range(d):
        profile = np.where(rng.random(9) < 0.5, 1.0, 10.0 ** -rng.uniform(3, 12))
        profile[rng.integers(9)] = 1.0
        density = np.multiply.outer(density, profile)
    return rng.random((n, d)), None, GridDensity(density)


def overlapping(rng, n, d):
    """A mixture as a source, another one as sites."""
    draw = pieces(rng, d, 5, 2.0)
    return mixture(rng, n, d), None, drawn(d, draw)


def heavy_source(rng, n, d):
    """Student's distribution: of 3 degrees of freedom, or of less than 2, without a variance."""
    freedom = rng.choice([1.5, 3.0])

    def draw(m, own):
        return own.standard_normal((m, d)) / np.sqrt(own.chisquare(freedom, (m, 1)) / freedom)

    return mixture(rng, n, d), None, drawn(d, draw)


def heavy_sites(rng, n, d):
    """Cubes of normals."""
    return rng.standard_normal((n, d)) ** 3, None, normal(d)


def thin_source(rng, n, d):
    """A source on a curve."""
    across = rng.standard_normal((2, d))

    def draw(m, own):
        angle = 2 * np.pi * own.random(m)
        return np.column_stack([np.cos(angle), np.sin(angle)]) @ across

    return mixture(rng, n, d), None, drawn(d, draw)


def thin_sites(rng, n, d):
    """Sites in an affine subspace of one to d - 1 dimensions."""
    rank = int(rng.integers(1, max(d, 2)))
    return rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) + 1.0, None, normal(d)


def thin_both(rng, n, d):
    """Sites on one line, the source on another one."""
    one, two = rng.standard_normal((2, 1, d))
    draw = lambda m, own: own.standard_normal((m, 1)) @ two  # noqa: E731
    return rng.standard_normal((n, 1)) @ one, None, drawn(d, draw)


def far_site(rng, n, d):
    """One site far out."""
    sites = rng.standard_normal((n, d))
    sites[0] *= 10.0 ** rng.uniform(1, 6)
    return sites, None, normal(d)


def twin_columns(rng, n, d):
    """Columns that repeat, and constant ones."""
    half = mixture(rng, n, max(d // 2, 1))
    sites = np.column_stack([half, half, np.ones((n, d))])[:, :d]
    return sites, None, normal(d)


def power_law(rng, n, d):
    """Masses over four decades."""
    masses = rng.permutation(np.geomspace(1e-4, 1.0, n))
    return mixture(rng, n, d), masses / masses.sum(), normal(d)


def power_law_classes(rng, n, d):
    """Masses over four decades on tight classes; whole classes are light or heavy."""
    sites = mixture(rng, n, d, int(rng.integers(2, 8)), 1.0, 10.0 ** -rng.uniform(1, 2))
    order = np.argsort(sites[:, 0]) if rng.random() < 0.5 else rng.permutation(n)
    masses = np.geomspace(1e-4, 1.0, n)[order]
    return sites, masses / masses.sum(), normal(d)


def lattice(rng, n, d):
    """A lattice, source uniform on a ball or box."""
    side = max(int(np.ceil(n ** (1.0 / d))), 2)
    sites = rng.integers(side, size=(n, d))
    source = UniformBall(np.zeros(d), 1.0) if rng.random() < 0.5 else UniformBox.unit(d)
    return sites / side, None, source


def cloud(rng, n, d):
    """A source of points with masses."""
    points = mixture(rng, 100 * n, d, 4)
    return rng.standard_normal((n, d)), None, Samples(points, rng.random(100 * n))


def shells(rng, n, d):
    """Sites on two concentric spheres, source in a long box."""
    z = rng.standard_normal((n, d))
    radius = np.where(rng.random(n) < 0.5, 1.0, 0.1)
    box = UniformBox(np.zeros(d), np.geomspace(1.0, 1e3, d))
    return z / np.linalg.norm(z, axis=1, keepdims=True) * radius[:, None], None, box


def few(rng, n, d):
    """Two to five sites."""
    n = int(rng.integers(2, 6))
    masses = rng.dirichlet(np.ones(n)) if rng.random() < 0.5 else None
    return rng.standard_normal((n, d)), masses, normal(d)


FAMILIES = {
    f.__name__: f
    for f in (
        plain,
        table,
        turned_table,
        skewed_table,
        foreign_table,
        flat_source,
        classes,
        far_classes,
        nested_classes,
        blobs,
        blobs_to_blobs,
        gaps,
        overlapping,
        heavy_source,
        heavy_sites,
        thin_source,
        thin_sites,
        thin_both,
        far_site,
        twin_columns,
        power_law,
        power_law_classes,
        lattice,
        cloud,
        shells,
        few,
    )
}


@dataclass(frozen=True)
class Result:
    """How a solve ended."""

    status: str
    tv: float
    ratio: float  # samples fitted over those expected
    seconds: float


def problem(family, d, n, k):
    """Sites, masses and source of problem k."""
    rng = np.random.default_rng([list(FAMILIES).index(family), d, n, k])
    return FAMILIES[family](rng, n, d)


def expected_samples(n, masses, tol):
    """Samples that a fit by independent samples needs, one look at least."""
    masses = np.full(n, 1.0 / n) if masses is None else masses
    equal = float(np.sum(np.sqrt(masses)) ** 2)
    samples = FIT_NOISE * equal * (variation_factor(masses) / tol) ** 2
    return max(samples, FIRST_LOOK * n, LEAST_BATCH)


def examine(family, d, n, tol, k):
    """Solve problem k with default settings, and a cap on the steps."""
    sites, masses, source = problem(family, d, n, k)
    expected = expected_samples(len(sites), masses, tol)
    most = max(int(FIT_CAP * expected / LEAST_BATCH), LEAST_STEPS)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", geomot.ConvergenceWarning)
        s = geomot.solve(
            sites, masses, source, method="montecarlo", tol=tol, max_iter=most, random_state=k,
            threads=1,
        )  # fmt: skip
    seconds = time.perf_counter() - began
    validate(s)
    return Result(s.status, s.estimate.tv, s.estimate.n_fit_samples / expected, seconds)


def run(family, d, n, tol, seeds):
    """Results of several problems of a family."""
    return {k: examine(family, d, n, tol, k) for k in seeds}


def line(family, d, results):
    """One row of the table."""
    good = [r.ratio for r in results.values() if r.status == "converged"]
    failed = [
        f"{k}: {r.tv:.2f} {r.status if r.status != 'max_iter' else ''}".strip()
        for k, r in results.items()
        if r.status != "converged"
    ]
    spent = f"{np.median(good):6.1f} {max(good):7.1f}" if good else " " * 14
    seconds = sum(r.seconds for r in results.values())
    share = f"{len(good)}/{len(results)}"
    return f"{family:18} d={d:<3} {share:>6} {spent} {seconds:6.1f} s  {', '.join(failed)}"


def main(arguments=None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--dims", nargs="+", type=int, default=[2, 3, 5, 10, 50])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--n", type=int, default=400)
    parser.add_argument("--tol", type=float, default=0.05)
    parser.add_argument("--only", type=int, help="one seed")
    options = parser.parse_args(arguments)
    seeds = range(options.seeds) if options.only is None else [options.only]
    failed = total = 0
    for family in options.families:
        for d in options.dims:
            results = run(family, d, options.n, options.tol, seeds)
            failed += sum(r.status != "converged" for r in results.values())
            total += len(results)
            print(line(family, d, results), flush=True)
    print(f"{total - failed} of {total} converged")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
