"""Sites, sources and the honest test shared by the Monte-Carlo benchmarks; numpy only.

Heights h follow one convention everywhere: a point x belongs to the site argmax_i <x, y_i> + h_i.
Masses are equal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SOURCES = ("normal", "uniform")
SCORES = 640_000  # scores held at once while testing: they stay in the cache
NORMAL_TV = 0.399  # total variation of a standard normal relative error: 1 / sqrt(2 pi)


class Test(NamedTuple):
    """Total variation and chi^2 of some heights on fresh points, with standard errors."""

    tv: float
    tv_se: float
    chi2: float
    chi2_se: float
    n_test: int


def mixture_sites(n, d=10, seed=0):
    """Draw `n` sites from a fixed mixture of 10 equal Gaussians in `d` dimensions.

    The generator gives first the centres, N(0, 4 I), which therefore do not depend on `n`, then the
    component of each site, then its offset from the centre, N(0, I / 4).
    """
    r = np.random.default_rng(seed)
    centres = 2 * r.standard_normal((10, d))
    return centres[r.integers(10, size=n)] + 0.5 * r.standard_normal((n, d))


def sample(source, n, d, rng):
    """Draw `n` points of N(0, I) or of U(0, 1)^d in float32; the sites are never moved to fit."""
    if source == "normal":
        return rng.standard_normal((n, d), dtype=np.float32)
    if source == "uniform":
        return rng.random((n, d), dtype=np.float32)
    raise ValueError(f"source must be one of {SOURCES}, not {source!r}")


def moments(source):
    """Mean and standard deviation of one coordinate of a source."""
    return {"normal": (0.0, 1.0), "uniform": (0.5, 12**-0.5)}[source]


def score_table(sites, heights):
    """Return the (d + 1, N) float32 table T with (x, 1) @ T = <x, y_i> + h_i up to a function of x.

    Sites and heights are centred in float64 first, so that float32 spends no digits on constants.
    """
    sites = np.asarray(sites, dtype=float)
    heights = np.asarray(heights, dtype=float)
    rows = [(sites - sites.mean(axis=0)).T, (heights - heights.mean())[None]]
    return np.ascontiguousarray(np.vstack(rows), dtype=np.float32)


def assign(points, table):
    """Index of the largest score of each point, a cache-sized block of scores at a time."""
    d, n = table.shape[0] - 1, table.shape[1]
    step = int(np.clip(SCORES // n, 16, 1024))
    lifted = np.ones((len(points), d + 1), dtype=np.float32)
    lifted[:, :d] = points
    winners = np.empty(len(points), dtype=np.intp)
    scores = np.empty((step, n), dtype=np.float32)
    for start in range(0, len(points), step):
        block = lifted[start : start + step]
        held = np.matmul(block, table, out=scores[: len(block)])
        held.argmax(axis=1, out=winners[start : start + len(block)])
    return winners


def unbiased_chi2(counts):
    """Unbiased sum_i (g_i - nu_i)^2 / nu_i from the counts of independent points, nu = 1 / N."""
    total = counts.sum(axis=-1, dtype=float)
    pairs = (counts * (counts - 1.0)).sum(axis=-1)
    return counts.shape[-1] * pairs / (total * (total - 1)) - 1


def honest_tv(heights, sites, source, n_test, seed, blocks=16):
    """Estimate 1/2 sum |g_i - 1/N| of the cells of some heights on fresh points.

    On M points the plain estimate has a floor of about 0.399 sqrt(N / M) even for exact heights.
    The unbiased chi^2 = sum c (c - 1) / (M (M - 1) nu) - 1 over the counts c has none, and
    tv = 0.399 sqrt(chi^2) where relative errors are roughly Gaussian (an upper estimate where a
    few cells are far too large). The standard error of chi^2 is a jackknife over blocks.

    `seed` must not be one that the heights were fitted with. Memory: `blocks` counts per site and
    a block of scores.
    """
    n, d = np.shape(sites)
    table = score_table(sites, heights)
    rng = np.random.default_rng(seed)
    counts = np.zeros((blocks, n), dtype=np.int64)
    for b in range(blocks):
        left = n_test // blocks + (b < n_test % blocks)
        while left > 0:
            points = sample(source, min(left, 8192), d, rng)
            counts[b] += np.bincount(assign(points, table), minlength=n)
            left -= len(points)
    total = counts.sum(axis=0)
    chi2 = float(unbiased_chi2(total))
    without = np.array([unbiased_chi2(total - row) for row in counts])
    chi2_se = float(np.sqrt((blocks - 1) * without.var()))
    root = max(chi2, 0.0) ** 0.5
    tv_se = (max(chi2, 0.0) + chi2_se) ** 0.5 - root
    return Test(NORMAL_TV * root, NORMAL_TV * tv_se, chi2, chi2_se, int(n_test))


def resolved_tv(heights, sites, source, seed, relative=0.05, most=2**20):
    """Test some heights with as many points as resolve tv to about `relative`, at most `most`.

    Starts with max(16384, N) points; each further test uses fresh points and grows as the
    standard error of chi^2, which falls as 1 / M, asks for.
    """
    n_test = min(max(2**14, len(sites)), most)
    stream, attempt = [*np.atleast_1d(seed).tolist(), 2**31], 0
    while True:
        test = honest_tv(heights, sites, source, n_test, [*stream, attempt])
        if test.tv_se <= relative * test.tv or n_test >= most:
            return test
        growth = 1.2 * test.chi2_se / (2 * relative * max(test.chi2, test.chi2_se))
        n_test = min(int(n_test * max(growth, 2.0)), most)
        attempt += 1
