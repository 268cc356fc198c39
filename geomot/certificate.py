"""Certified bounds on W2^2 from one diagram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._constants import CERTIFICATE_ROUNDING
from geomot.potentials import dual_value

__all__ = ["bracket"]

FloatArray = NDArray[np.float64]


def bracket(
    sites: FloatArray,
    weights: FloatArray,
    weights_low: FloatArray,
    masses: FloatArray,
    costs: FloatArray,
    target_masses: FloatArray,
    polygon: FloatArray,
) -> tuple[float, tuple[float, float]]:
    """Return the dual value, and bounds on W2^2 to the target masses.

    The lower bound is the dual value, which no weights can raise above W2^2. The upper bound is
    the cost of a transport plan: every cell to its site, and then what cells have in excess moved
    to sites that lack it, at the worst price in the domain. Both allow for rounding.

    Parameters
    ----------
    sites : ndarray of shape (n, 2)
    weights, weights_low : ndarray of shape (n,)
        Leading and trailing parts.
    masses, costs, target_masses : ndarray of shape (n,)
        Measured masses and costs of the cells, and the masses wanted.
    polygon : ndarray of shape (m, 2)
        The domain.

    Returns
    -------
    dual : float
    bounds : tuple of float
        Lower and upper.
    """
    primal = float(np.sum(costs))
    dual = dual_value(costs, masses, target_masses, weights, weights_low)
    moved = 0.5 * float(np.sum(np.abs(masses - target_masses)))
    # The price of a change of sites is affine in x: its largest value over the domain's bounding
    # box is that of a corner.
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    price = 0.0
    for x in (low[0], high[0]):
        for y in (low[1], high[1]):
            distance = (x - sites[:, 0]) ** 2 + (y - sites[:, 1]) ** 2
            price = max(price, float(distance.max() - distance.min()))
    rounding = CERTIFICATE_ROUNDING * primal
    return dual, (dual - rounding, primal + moved * price + rounding)
