"""Weights under which no cell is empty: the product of the marginals' quantile maps.

The increasing maps of the sites' marginals onto those of a product measure are the gradient of a
strictly convex potential u*. At y_i it lies in the cell of y_i, so that no cell is empty, wherever
the sites are. Along a periodic axis the identity is such a map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from geomot import _double_double
from geomot._double_double import Pair
from geomot._moments import weighted_moments
from geomot._newton.newton import Problem
from geomot.potentials import weights_from_heights
from geomot.sources import Product

__all__ = ["quantile_weights"]

FloatArray = NDArray[np.float64]


def quantile_weights(problem: Problem) -> Pair:
    """Return weights under which no cell is empty.

    Parameters
    ----------
    problem : Problem
        With any source; under a normal one the masses are near their targets too.

    Returns
    -------
    Pair
    """
    product = problem.source.product
    if product is not None and product.kind == "normal":
        return _onto_normal(problem, product)
    return _onto_box(problem)


def _onto_box(problem: Problem) -> Pair:
    """Of the maps onto uniform marginals, those of a box inside the domain."""
    # h_i = -sum_k int^{y_ik} X_k, with X_k the increasing map of coordinate k onto the box
    torus = problem.source.periodic_domain
    lower, upper = problem.domain.inscribed_box()
    hi, lo = np.zeros(len(problem)), np.zeros(len(problem))
    for k in range(problem.domain.dim):
        if torus is not None and torus.periodic[k]:
            continue
        part = _marginal_weights(problem.sites[:, k], problem.masses, lower[k], upper[k])
        hi, lo = _double_double.add(_double_double.add((hi, lo), part[0]), part[1])
    return hi, lo


def _marginal_weights(y: FloatArray, masses: FloatArray, lower: float, upper: float) -> Pair:
    """The integral of 2 (t - X(t)) up to each y, X the marginal's map onto [lower, upper]."""
    values, which = np.unique(y, return_inverse=True)
    mass = np.bincount(which, masses)
    # Wider arithmetic where the platform has it: neighbours may be close together.
    t = values.astype(np.longdouble)
    x = lower + (upper - lower) * np.cumsum(mass.astype(np.longdouble))[:-1]
    pieces = np.diff(t) * ((t[1:] + t[:-1]) - 2.0 * x)
    integral = np.concatenate([[np.longdouble(0.0)], np.cumsum(pieces)])
    hi = integral.astype(np.float64)
    lo = (integral - hi).astype(np.float64)
    return hi[which], lo[which]


def _onto_normal(problem: Problem, product: Product) -> Pair:
    """Of the maps onto standard normal marginals, where the source is that of m + L z.

    There <x, y> = <m, y> + <z, L^T y>. Marginals are taken along the principal axes of the L^T y:
    where the sites' coordinates are independent there, the masses are their targets.
    """
    sites, masses = problem.sites, problem.masses
    seen = sites - weighted_moments(sites, masses)[0]
    linear = product.linear
    images = seen * linear if linear.ndim == 1 else seen @ linear
    size = float(np.abs(images).max()) or 1.0
    axes = np.linalg.eigh(weighted_moments(images / size, masses)[1])[1]
    heights = -(seen.astype(np.longdouble) @ product.offset)
    for coordinate in (images @ axes).T:
        heights -= _marginal_integral(coordinate, masses)
    hi = heights.astype(np.float64)
    hi, lo = weights_from_heights(sites, hi, (heights - hi).astype(np.float64))
    # Small numbers have fine digits: those of most sites, whatever one far away has.
    return _double_double.add((hi, lo), np.full_like(hi, -np.median(hi)))


def _marginal_integral(y: FloatArray, masses: FloatArray) -> NDArray[np.longdouble]:
    """The integral up to each y of the marginal's map onto the standard normal measure."""
    values, which = np.unique(y, return_inverse=True)
    mass = np.bincount(which, masses)
    below, above = np.cumsum(mass)[:-1], np.cumsum(mass[::-1])[::-1][1:]
    # the lesser one has the digits
    quantiles = np.where(below < above, ndtri(below), -ndtri(above))
    pieces = np.diff(values.astype(np.longdouble)) * quantiles
    integral: NDArray[np.longdouble] = np.concatenate([[np.longdouble(0.0)], np.cumsum(pieces)])
    return integral[which]
