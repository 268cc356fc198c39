"""Maximum mean discrepancy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist

from geomot._plans.costs import blocks
from geomot._validation import as_tolerance
from geomot.metrics._clouds import two_clouds

__all__ = ["median_distance", "mmd"]

FloatArray = NDArray[np.float64]

KERNELS = ("gaussian", "energy")

# The median distance is found from so many points of each cloud at most, chosen by a fixed seed.
_MEDIAN_POINTS = 1000
_MEDIAN_SEED = 0


def mmd(
    a: ArrayLike, b: ArrayLike, *, kernel: str = "gaussian", bandwidth: float | None = None
) -> float:
    """Squared maximum mean discrepancy between the laws of two samples, without bias.

    Parameters
    ----------
    a, b : array_like of shape (n, d), (m, d)
        Independent samples of two points or more.
    kernel : {"gaussian", "energy"}
        "gaussian": k(x, y) = exp(-|x - y|^2 / (2 s^2)), s the bandwidth. "energy": -|x - y|, for
        which the result is the energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'|; it needs no
        bandwidth, and scales as a distance does.
    bandwidth : float, optional
        That of the Gaussian kernel; by default `median_distance`. To compare several generators
        with one data set, find it once, from the data, and pass it each time.

    Returns
    -------
    float
        Mean of k over pairs in a, plus that over pairs in b, less twice that over pairs across,
        no point being paired with itself: so the expectation is exactly the squared discrepancy,
        and values below 0 occur where it is small.

    Notes
    -----
    Gretton, Borgwardt, Rasch, Scholkopf, Smola 2012, "A kernel two-sample test", Lemma 6; Szekely,
    Rizzo 2013, "Energy statistics".

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.metrics import mmd
    >>> a, b = np.random.default_rng(0).standard_normal((2, 400, 2))
    >>> abs(mmd(a, b)) < 0.01 < mmd(a, b + 1.0)
    True
    """
    x, y = two_clouds(a, b, least=2)
    if not isinstance(kernel, str) or kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {KERNELS}, got {kernel!r}")
    if kernel == "energy" and bandwidth is not None:
        raise ValueError(f"bandwidth must be None for the energy kernel, got {bandwidth!r}")
    scale = 0.0
    if kernel == "gaussian":
        width = median_distance(x, y) if bandwidth is None else as_tolerance(bandwidth, "bandwidth")
        if width == 0.0:
            raise ValueError("bandwidth must be given if most points coincide, got None")
        scale = -0.5 / width**2
    n, m = len(x), len(y)
    itself = 1.0 if kernel == "gaussian" else 0.0
    within_a = (_sum(x, x, scale) - n * itself) / (n * (n - 1.0))
    within_b = (_sum(y, y, scale) - m * itself) / (m * (m - 1.0))
    return within_a + within_b - 2.0 * _sum(x, y, scale) / (n * m)


def _sum(x: FloatArray, y: FloatArray, scale: float) -> float:
    """Sum of the kernel over all pairs; a scale of 0 stands for the energy kernel."""
    total = 0.0
    for _, squares in blocks(x, y):
        if scale == 0.0:
            total -= float(np.sqrt(squares, out=squares).sum())
        else:
            squares *= scale
            total += float(np.exp(squares, out=squares).sum())
    return total


def median_distance(a: ArrayLike, b: ArrayLike | None = None) -> float:
    """Median distance between two different points of one cloud, or of two together.

    Parameters
    ----------
    a, b : array_like of shape (n, d), (m, d)
        The clouds; the second one is optional.

    Returns
    -------
    float
        From 1000 points of each at most, which are always the same ones.

    Examples
    --------
    >>> from geomot.metrics import median_distance
    >>> median_distance([[0.0], [1.0], [3.0]])
    2.0
    """
    x, y = two_clouds(a, a if b is None else b)
    rng = np.random.default_rng(_MEDIAN_SEED)
    chosen = [x, y] if b is not None else [x]
    few = [
        points
        if len(points) <= _MEDIAN_POINTS
        else points[rng.choice(len(points), _MEDIAN_POINTS, replace=False)]
        for points in chosen
    ]
    pooled = np.concatenate(few)
    if len(pooled) < 2:
        raise ValueError(f"a must hold at least 2 points, got {len(pooled)}")
    return float(np.median(pdist(pooled)))
