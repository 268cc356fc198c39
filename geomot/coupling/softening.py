"""Potentials of the regularised problem, from those of the optimal map.

Under a regularisation epsilon the masses of the optimal map's weights are those of blurred cells,
which are not the targets. Each step measures them on fresh points of the source and adds to the
weights

    epsilon eta (nu_i - g_i) / nu_i,

a damped step of Sinkhorn's iteration, whose rate eta falls so that the noise of the measurements
averages out (Robbins, Monro 1951; Polyak, Juditsky 1992). A test on points that no step has seen
ends it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomot._mass_estimate import sampling_scales, total_variation, variation_factor
from geomot.coupling.rules import SoftRule
from geomot.solution import Solution

__all__ = ["Softened", "soften"]

FloatArray = NDArray[np.float64]

# Points of a step: for each site, and at least.
_STEP_POINTS = 4, 4096

# Steps before the first test, and by how many times more before the next; in all at most.
_FIRST_STEPS = 8
_GROWTH = 2
_MOST_ASCENTS = 256

# Rates fall as (1 + step / _SLOW)^-_DECAY.
_SLOW = 4.0
_DECAY = 0.6

# Points of a test, for each site and at least, in so many streams.
_TEST_POINTS = 16, 16384
_STREAMS = 8


@dataclass(frozen=True, eq=False)
class Softened:
    """Potentials of the regularised problem.

    Attributes
    ----------
    weights : ndarray of shape (n,)
        The weights.
    epsilon : float
        The regularisation.
    top_k : int
        Terms that are kept.
    tv : float
        Total variation between the masses and their targets, estimated on fresh points.
    converged : bool
        Whether it is within the tolerance.
    """

    weights: FloatArray
    epsilon: float
    top_k: int
    tv: float
    converged: bool


def soften(
    solution: Solution,
    epsilon: float,
    top_k: int,
    tol: float,
    rng: np.random.Generator,
    threads: int,
) -> Softened:
    """Find weights whose soft cells have the target masses.

    Parameters
    ----------
    solution : Solution
        The optimal map, whose weights are the start.
    epsilon : float
        The regularisation.
    top_k : int
        Terms that are kept.
    tol : float
        Total variation from which on the weights are right.
    rng : Generator
        All randomness.
    threads : int
        Number of threads.

    Returns
    -------
    Softened
    """
    nu = solution.target_masses
    n = len(nu)
    rule = SoftRule(solution.sites, solution.weights, nu, epsilon, top_k)
    held = nu > 0.0

    def masses(weights: FloatArray, points: int) -> FloatArray:
        index, shares = rule.under(weights).plan(solution.source.sample(points, rng), threads)
        return np.bincount(index.ravel(), shares.ravel(), minlength=n) / points

    def variation(weights: FloatArray) -> float:
        points = max(_TEST_POINTS[0] * n, _TEST_POINTS[1]) // _STREAMS
        errors = np.stack([masses(weights, points) - nu for _ in range(_STREAMS)])[:, held]
        # products of different streams are free of the noise of each
        products = errors.sum(axis=0) ** 2 - (errors**2).sum(axis=0)
        scales = sampling_scales(nu[held])
        distance = float(np.sum(products / scales)) / (_STREAMS * (_STREAMS - 1))
        return total_variation(distance, variation_factor(nu[held]))

    weights = solution.weights.copy()
    average, tv = weights.copy(), variation(weights)
    step, following = 0, _FIRST_STEPS
    points = max(_STEP_POINTS[0] * n, _STEP_POINTS[1])
    while tv > tol and step < _MOST_ASCENTS:
        while step < following:
            error = (nu - masses(weights, points))[held] / nu[held]
            rate = epsilon * (1.0 + step / _SLOW) ** -_DECAY
            weights[held] += rate * np.clip(error, -1.0, 1.0)
            step += 1
            average += 2.0 / (step + 1.0) * (weights - average)
        tv = variation(average)
        following *= _GROWTH
    return Softened(average, epsilon, top_k, tv, tv <= tol)
