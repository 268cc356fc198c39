"""Weights, heights and the potentials: every sign and factor of 2 is here.

With sites y_i, power weights w_i and the cost |x - y|^2:

- heights ``h_i = (w_i - |y_i|^2) / 2``,
- Brenier potential ``u(x) = max_i (<x, y_i> + h_i)``, attained by the cell i that contains x,
- Kantorovich potential ``phi(x) = min_i (|x - y_i|^2 - w_i) = |x|^2 - 2 u(x)``, psi(y_i) = w_i,
- derivatives ``d mass_i / d w_j = -measure / (2 |y_i - y_j|)`` over the facet of i and j,
  and twice that in the heights,
- dual value ``K(w) = int phi + sum_i w_i nu_i``, at most W2^2 for every w.

Weights and heights are unevaluated sums hi + lo of two floats. Their arithmetic is carried out in
such pairs, with errors of about 2^-104 of the largest term, so that a conversion or a potential
loses nothing to cancellation far from the origin. What samples tell is less accurate: functions for
frames, whose origin is amid the sites, and for scores <x, y_i> + h_i take and return plain floats.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from geomot._double_double import Pair, double, halve, negate, plus, two_product, two_sum
from geomot._facets import Facets

__all__ = [
    "arc_rates_in_heights",
    "arc_rates_in_weights",
    "bisector_offsets",
    "brenier_potential",
    "doubled_heights",
    "doubled_scores",
    "dual_value",
    "heights_from_weights",
    "heights_in_frame",
    "kantorovich_potential",
    "mass_rates_in_heights",
    "mass_rates_in_weights",
    "potentials_of_scores",
    "power_rates_of_moves",
    "weights_from_heights",
    "weights_in_frame",
]

FloatArray = NDArray[np.float64]


def _pair(hi: FloatArray, lo: FloatArray | None) -> Pair:
    return two_sum(hi, np.zeros_like(hi) if lo is None else lo)


def _dot(x: FloatArray, y: FloatArray) -> Pair:
    """Return the scalar products of the rows of x and y."""
    total = two_product(x[:, 0], y[:, 0])
    for k in range(1, x.shape[1]):
        total = plus(total, two_product(x[:, k], y[:, k]))
    return total


def heights_from_weights(
    sites: FloatArray, weights: FloatArray, weights_low: FloatArray | None = None
) -> Pair:
    """Return the heights of the Brenier potential, (w_i - |y_i|^2) / 2.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites y_i.
    weights : ndarray of shape (n,)
        The power weights, or their leading parts.
    weights_low : ndarray of shape (n,), optional
        The trailing parts; zero if None.

    Returns
    -------
    heights, heights_low : ndarray of shape (n,)
        Leading and trailing parts.

    Examples
    --------
    >>> import numpy as np
    >>> heights_from_weights(np.array([[3.0, 4.0]]), np.array([5.0]))
    (array([-10.]), array([0.]))
    """
    return halve(plus(_pair(weights, weights_low), negate(_dot(sites, sites))))


def weights_from_heights(
    sites: FloatArray, heights: FloatArray, heights_low: FloatArray | None = None
) -> Pair:
    """Return the power weights, 2 h_i + |y_i|^2; the inverse of `heights_from_weights`.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites y_i.
    heights : ndarray of shape (n,)
        The heights, or their leading parts.
    heights_low : ndarray of shape (n,), optional
        The trailing parts; zero if None.

    Returns
    -------
    weights, weights_low : ndarray of shape (n,)
        Leading and trailing parts.

    Examples
    --------
    >>> import numpy as np
    >>> weights_from_heights(np.array([[3.0, 4.0]]), np.array([-10.0]))
    (array([5.]), array([0.]))
    """
    return plus(double(_pair(heights, heights_low)), _dot(sites, sites))


def brenier_potential(
    points: FloatArray,
    indices: NDArray[np.int64],
    sites: FloatArray,
    weights: FloatArray,
    weights_low: FloatArray | None = None,
) -> FloatArray:
    """Evaluate u(x) = max_i (<x, y_i> + h_i) where the maximising sites are known.

    Parameters
    ----------
    points : ndarray of shape (q, d)
        Where to evaluate.
    indices : ndarray of shape (q,), int64
        The site whose cell contains each point.
    sites, weights, weights_low : ndarray
        As in `heights_from_weights`.

    Returns
    -------
    ndarray of shape (q,)

    Examples
    --------
    >>> import numpy as np
    >>> sites, weights = np.array([[1.0, 0.0], [0.0, 2.0]]), np.zeros(2)
    >>> brenier_potential(np.array([[1.0, 1.0]]), np.array([0]), sites, weights)
    array([0.5])
    """
    y = sites[indices]
    low = None if weights_low is None else weights_low[indices]
    return plus(_dot(points, y), heights_from_weights(y, weights[indices], low))[0]


def kantorovich_potential(
    points: FloatArray,
    indices: NDArray[np.int64],
    sites: FloatArray,
    weights: FloatArray,
    weights_low: FloatArray | None = None,
) -> FloatArray:
    """Evaluate phi(x) = min_i (|x - y_i|^2 - w_i) where the minimising sites are known.

    Parameters
    ----------
    points : ndarray of shape (q, d)
        Where to evaluate.
    indices : ndarray of shape (q,), int64
        The site whose cell contains each point.
    sites, weights, weights_low : ndarray
        As in `heights_from_weights`.

    Returns
    -------
    ndarray of shape (q,)

    Examples
    --------
    >>> import numpy as np
    >>> sites, weights = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0.25, 0.0])
    >>> kantorovich_potential(np.array([[1.0, 1.0]]), np.array([0]), sites, weights)
    array([0.75])
    """
    low = None if weights_low is None else weights_low[indices]
    total = negate(_pair(weights[indices], low))
    for k in range(points.shape[1]):
        # The difference is a pair (a, b) already: (a + b)^2 = a^2 + 2 a b, up to b^2.
        a, b = two_sum(points[:, k], -sites[indices, k])
        total = plus(total, plus(two_product(a, a), two_product(2.0 * a, b)))
    return total[0]


def heights_in_frame(weights: FloatArray, squares: FloatArray, unit: float = 1.0) -> FloatArray:
    """Return (w_i - q_i) / (2 u): heights in a frame in which sites have the squared lengths q_i.

    The unit u of squared length in the frame is that of the weights' own by default.

    Examples
    --------
    >>> import numpy as np
    >>> heights_in_frame(np.array([1.0, 5.0]), np.array([1.0, 1.0]))
    array([0., 2.])
    """
    return (weights - squares) / (2.0 * unit)


def weights_in_frame(heights: FloatArray, squares: FloatArray, unit: float = 1.0) -> FloatArray:
    """Return 2 u h_i + q_i; the inverse of `heights_in_frame`.

    Examples
    --------
    >>> import numpy as np
    >>> weights_in_frame(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    array([1., 5.])
    """
    return 2.0 * unit * heights + squares


def doubled_heights(sites: FloatArray, weights: FloatArray) -> FloatArray:
    """Return w_i - |y_i|^2, in plain floats.

    Examples
    --------
    >>> import numpy as np
    >>> doubled_heights(np.array([[3.0, 4.0]]), np.array([5.0]))
    array([-20.])
    """
    return weights - np.sum(sites**2, axis=1)


def doubled_scores(inner: FloatArray, doubled: FloatArray) -> FloatArray:
    """Return 2 <x, y_i> + 2 h_i from the products and the heights doubled, or of differences.

    That of two sites is by how much the power distance from the one exceeds that from the other.

    Examples
    --------
    >>> import numpy as np
    >>> doubled_scores(np.array([11.0]), np.array([-20.0]))
    array([2.])
    """
    return 2.0 * inner + doubled


def potentials_of_scores(squares: FloatArray, scores: FloatArray) -> FloatArray:
    """Return |x|^2 - 2 u(x): Kantorovich potentials from lengths and best scores, or their sums.

    Examples
    --------
    >>> import numpy as np
    >>> potentials_of_scores(np.array([2.0]), np.array([0.5]))
    array([1.])
    """
    return squares - 2.0 * scores


def bisector_offsets(squares: FloatArray, gains: FloatArray) -> FloatArray:
    """Return (|d|^2 + w_i - w_j) / 2 for d = y_j - y_i: cells meet where <x - y_i, d> is this.

    Examples
    --------
    >>> import numpy as np
    >>> bisector_offsets(np.array([4.0]), np.array([1.0]))
    array([2.5])
    """
    return 0.5 * (squares + gains)


def mass_rates_in_weights(facets: Facets) -> FloatArray:
    """Return -d mass_i / d w_j of neighbours i and j, of shape (m,) for m facets.

    Examples
    --------
    >>> import geomot
    >>> mass_rates_in_weights(geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).facets)
    array([1.])
    """
    return facets.measures / (2.0 * facets.distances)


def mass_rates_in_heights(facets: Facets) -> FloatArray:
    """Return -d mass_i / d h_j of neighbours i and j, of shape (m,) for m facets.

    Examples
    --------
    >>> import geomot
    >>> mass_rates_in_heights(geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).facets)
    array([2.])
    """
    return facets.measures / facets.distances


def arc_rates_in_heights(arcs: FloatArray, radii: FloatArray) -> FloatArray:
    """Return d mass_i / d h_i through the arcs where cells end in balls of squared radius w_i.

    Parameters
    ----------
    arcs : ndarray of shape (n,)
        Integrals of the density along the arcs.
    radii : ndarray of shape (n,)
        Radii of the balls; 0 where there is none.

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> circle = np.array([2.0 * np.pi * 0.2])
    >>> (arc_rates_in_heights(circle, np.array([0.2])) / (2.0 * np.pi)).round(12).tolist()
    [1.0]
    """
    return np.divide(arcs, radii, out=np.zeros_like(arcs), where=arcs > 0.0)


def arc_rates_in_weights(arcs: FloatArray, radii: FloatArray) -> FloatArray:
    """Return d mass_i / d w_i through the arcs, half of `arc_rates_in_heights`, shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> circle = np.array([2.0 * np.pi * 0.2])
    >>> (arc_rates_in_weights(circle, np.array([0.2])) / np.pi).round(12).tolist()
    [1.0]
    """
    return 0.5 * arc_rates_in_heights(arcs, radii)


def power_rates_of_moves(away: FloatArray) -> FloatArray:
    """Return 2 (x - y): seen from x, the move of a site y by dy is a gain of weight, this times dy.

    Of covariances of x it returns the part of such products that the mean of x does not tell.

    Examples
    --------
    >>> import numpy as np
    >>> power_rates_of_moves(np.array([[0.5, 0.0]]))
    array([[1., 0.]])
    """
    return 2.0 * away


def dual_value(
    costs: FloatArray,
    masses: FloatArray,
    target_masses: FloatArray,
    weights: FloatArray,
    weights_low: FloatArray | None = None,
) -> float:
    """Return the Kantorovich dual value K(w), a lower bound on W2^2.

    Parameters
    ----------
    costs : ndarray of shape (n,)
        Integral of |x - y_i|^2 over each cell.
    masses : ndarray of shape (n,)
        Mass of each cell; they sum to 1.
    target_masses : ndarray of shape (n,)
        The masses wanted; they sum to 1.
    weights, weights_low : ndarray of shape (n,)
        As in `heights_from_weights`.

    Returns
    -------
    float
        sum_i costs_i + sum_i w_i (target_masses_i - masses_i).

    Examples
    --------
    >>> import numpy as np
    >>> costs, masses = np.array([0.05, 0.05]), np.array([0.5, 0.5])
    >>> round(dual_value(costs, masses, np.array([0.25, 0.75]), np.array([0.0, 0.1])), 12)
    0.125
    """
    # A constant added to the weights changes nothing while both masses sum to 1. They do so up to
    # rounding of each mass, which its weight multiplies: subtracting the median by mass keeps the
    # sum of the products small, wherever the weights of light sites are.
    order = np.argsort(weights, kind="stable")
    share = np.cumsum(target_masses[order])
    median = weights[order[np.searchsorted(share, 0.5 * share[-1])]]
    w, w_low = plus(_pair(weights, weights_low), _pair(np.full_like(weights, -median), None))
    missing, missing_low = two_sum(target_masses, -masses)
    product, error = two_product(w, missing)
    error = error + w_low * missing + w * missing_low
    return math.fsum(np.concatenate([costs, product, error]).data)
