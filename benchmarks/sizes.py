"""What docs/sizes.md is computed from: rates, host time per step, memory, time of a gather.

    python benchmarks/sizes.py rates
    python benchmarks/sizes.py step 1000000 32
    python benchmarks/sizes.py memory 100000 128
    torchrun --nproc-per-node=2 benchmarks/sizes.py gather

Everything runs on one thread.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
import warnings
from functools import partial

import numpy as np

import geomot
from geomot._sampling.designs import make_design
from geomot._sampling.fit import Fit
from geomot._sampling.verdict import Examiner
from geomot._search.backends import CoreBackend


def seconds(work, repeats=5):
    """Median time of a call."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def rates():
    """Sample-site pairs per second: core and torch, points and product groups."""
    from geomot._search.torch_backend import TorchBackend

    rng = np.random.default_rng(0)
    for d in (10, 128):
        n, groups = 20_000, 8
        sites = rng.standard_normal((n, d))
        heights = -0.5 * (sites**2).sum(axis=1)
        points = rng.standard_normal((groups * 256, d))
        left, right = points[: groups * 32].reshape(2, groups, 16, d)
        left, right = left[..., : d // 2], right[..., d // 2 :]
        for name, backend in (("core", CoreBackend()), ("torch cpu", TorchBackend("cpu"))):
            one, pairs = backend.points(sites), backend.pairs(sites, d // 2)
            pace = [
                n * groups * 256 / seconds(partial(scores.winners, *samples)) / 1e9
                for scores, samples in ((one, (points, heights)), (pairs, (left, right, heights)))
            ]
            print(f"d={d} {name}: points {pace[0]:.2f}, product groups {pace[1]:.2f} Gpairs/s")


class Guess:
    """A backend that assigns samples at random, to time all that is not assignment."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def points(self, sites):
        self.n = len(sites)
        return self

    def pairs(self, sites, split):
        return self.points(sites)

    def winners(self, *arrays, runner=False, lead=None, threads=1):
        m = len(arrays[0]) * (256 if len(arrays) == 3 else 1)
        return type("Winners", (), {
            "first": self.rng.integers(self.n, size=m, dtype=np.int32),
            "second": self.rng.integers(self.n, size=m, dtype=np.int32),
            "best": self.rng.random(m, dtype=np.float32) + np.float32(1.0),
            "runner": self.rng.random(m, dtype=np.float32),
        })  # fmt: skip


def step(n, d):
    """Time of a step and of a look without the assignment."""
    rng = np.random.default_rng(0)
    sites = rng.standard_normal((n, d))
    masses = np.full(n, 1.0 / n)
    for source in (geomot.Gaussian(np.zeros(d), 1.0), geomot.UniformBall(np.zeros(d), 1.0)):
        design = make_design(sites, source, rng, 1, Guess())
        fit = Fit(design, masses, np.zeros(n), rng)
        for _ in range(4):
            fit.step()
        pace = seconds(fit.step, 24)
        examiner = Examiner(design, masses, 0.05, rng)
        start = time.perf_counter()
        look = examiner.look(fit.average, 10 * n)
        took = time.perf_counter() - start
        print(
            f"n={n} d={d} {type(source).__name__}: {1e3 * pace:.1f} ms for a step of "
            f"{fit.batch_size} samples, {took:.2f} s for a look of {look.tally.samples}"
        )


def memory(n, d):
    """Largest resident memory of a short solve, less that of the imports and the sites."""
    sites = np.random.default_rng(0).standard_normal((n, d))
    source = geomot.Gaussian(np.zeros(d), 1.0)
    geomot.solve(sites[:100], source=source, tol=0.5, random_state=0, threads=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    warnings.simplefilter("ignore")
    geomot.solve(sites, source=source, tol=0.3, random_state=0, threads=1, max_iter=8)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"n={n} d={d}: {peak / 1024:.0f} MiB more, {peak * 1024 / n:.0f} bytes per site")


def gather():
    """Time of the gather of a batch's winners."""
    from geomot._distributed import _Exchange, initialize

    with initialize() as ranks:
        exchange = _Exchange()
        packed = np.zeros(2 + 2 * 8192 // ranks.size, dtype=np.int32)
        took = seconds(lambda: exchange.gather(packed), 200)
        if ranks.rank == 0:
            print(f"{ranks.size} ranks: {1e3 * took:.2f} ms for the winners of 8192 samples")


if __name__ == "__main__":
    task, *sizes = sys.argv[1:]
    globals()[task](*map(int, sizes))
