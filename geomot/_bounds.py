"""Certified bounds on W2^2 from one diagram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._constants.newton import CERTIFICATE_ROUNDING
from geomot.potentials import dual_value

__all__ = ["bracket", "largest_price"]

FloatArray = NDArray[np.float64]


def bracket(
    sites: FloatArray,
    weights: FloatArray,
    weights_low: FloatArray,
    masses: FloatArray,
    costs: FloatArray,
    target_masses: FloatArray,
    price: float,
) -> tuple[float, tuple[float, float]]:
    """Return the dual value, and bounds on W2^2 to the target masses.

    The lower bound is the dual value, which no weights can raise above W2^2, or 0. The upper bound
    is the cost of a transport plan: every cell goes to its site, and then what cells have in
    excess to sites that lack it, at no more than the given price. Both allow for rounding.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
    weights, weights_low : ndarray of shape (n,)
        Leading and trailing parts.
    masses, costs, target_masses : ndarray of shape (n,)
        Measured masses and costs of the cells, and the masses wanted.
    price : float
        A bound on the cost of moving a unit of mass to another site.

    Returns
    -------
    dual : float
    bounds : tuple of float
        Lower and upper.
    """
    primal = float(np.sum(costs))
    dual = dual_value(costs, masses, target_masses, weights, weights_low)
    moved = 0.5 * float(np.sum(np.abs(masses - target_masses)))
    rounding = CERTIFICATE_ROUNDING * primal
    return dual, (max(dual - rounding, 0.0), primal + moved * price + rounding)


def largest_price(sites: FloatArray, centroids: FloatArray) -> float:
    """Return a bound on the cost of moving a unit of mass from its cell's site to any other site.

    Moving a random part of cell i to site j costs |c_i - y_j|^2 - |c_i - y_i|^2 more than leaving
    it, c_i being the cell's centroid: no bound on the source is needed.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    centroids : ndarray of shape (n, d)
        The centroids of their cells; NaN where there is none.

    Returns
    -------
    float
    """
    centre = sites.mean(axis=0)
    radius = np.sqrt(np.max(np.sum((sites - centre) ** 2, axis=1)))
    held = ~np.isnan(centroids[:, 0])
    c, y = centroids[held], sites[held]
    farthest = np.sqrt(np.sum((c - centre) ** 2, axis=1)) + radius
    return max(float(np.max(farthest**2 - np.sum((c - y) ** 2, axis=1))), 0.0)
