"""Continuous conditions: the optimal map in the product of data and conditions.

The noise of a pair gets a condition c' of its own, drawn from those of the data, and goes with the
datum (y, c) of least mean augmented cost

    |x - y|^2 + weight (s_X / s_c)^2 |c' - c|^2,

where s_X^2 and s_c^2 are the sums of the variances of data and conditions. As the weight grows, c
tends to c', so that noise and condition of a pair become independent; with a weight of 0 the
condition follows the datum alone (Chemseddine, Hagemann, Steidl, Wald, "Conditional Wasserstein
distances with applications in Bayesian OT flow matching", 2024; Cheng, Schwing, "The curse of
conditions", 2025).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot.sources import Samples, Source, WrappedSource

__all__ = ["NoiseWithCondition", "condition_scale", "with_condition"]

FloatArray = NDArray[np.float64]


def condition_scale(sites: FloatArray, condition: FloatArray, weight: float) -> float:
    """Return what conditions are multiplied by before they are put beside the data.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The data.
    condition : ndarray of shape (n, c)
        Their conditions.
    weight : float
        The weight of the conditions in the cost.

    Returns
    -------
    float
    """
    spread, own = sites.var(axis=0).sum(), condition.var(axis=0).sum()
    if own == 0.0:
        raise ValueError("condition must hold at least two different rows")
    return float(np.sqrt(weight * spread / own))


def with_condition(source: Source, condition: FloatArray, masses: FloatArray) -> WrappedSource:
    """Return the law of noise and an independent condition.

    Parameters
    ----------
    source : Source
        The law of the noise.
    condition : ndarray of shape (n, c)
        The conditions, scaled.
    masses : ndarray of shape (n,)
        Their masses.

    Returns
    -------
    WrappedSource
    """
    return WrappedSource(NoiseWithCondition(source, Samples(condition, masses)))


class NoiseWithCondition:
    """Sampler of noise and independent conditions, side by side.

    Parameters
    ----------
    noise, condition : Source
        The two laws.
    """

    def __init__(self, noise: Source, condition: Source) -> None:
        self.noise, self.condition = noise, condition
        self.dim = noise.dim + condition.dim

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw points, shape (n, dim).

        Parameters
        ----------
        n : int
            How many.
        rng : Generator
            The randomness.

        Returns
        -------
        ndarray of shape (n, dim)
        """
        return np.hstack([self.noise.sample(n, rng), self.condition.sample(n, rng)])
