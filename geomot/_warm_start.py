"""The potential of a solution, carried over to sites that have moved a little.

What is carried over is not the weights but the Brenier potential: it is scaled and shifted as the
sites are on the whole, which is exact for such motions, and beyond them each site's plane keeps its
value over the centroid of its cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot.potentials import heights_from_weights, weights_from_heights
from geomot.solution import Solution

__all__ = ["carried_weights"]

FloatArray = NDArray[np.float64]


def carried_weights(solution: Solution, sites: FloatArray) -> FloatArray | None:
    """Return the potential of a solution, for sites that have moved.

    For sites s y + t the optimal heights are s times those for y. What a site moves beyond that,
    by delta, lowers its height by <c, delta>: its plane keeps its value over the centroid c. On a
    torus there is no scale, and cells move with their sites.

    Parameters
    ----------
    solution : Solution
        For the sites before.
    sites : ndarray of shape (n, d)
        Where they are now.

    Returns
    -------
    ndarray of shape (n, 2) or None
        Weights hi, lo to start from; None if the sites are turned round, and none make sense.

    Examples
    --------
    >>> import geomot
    >>> solution = geomot.solve([[0.3, 0.5], [0.8, 0.5]], [0.3, 0.7])
    >>> moved = solution.sites + 0.125
    >>> weights = carried_weights(solution, moved)
    >>> geomot.PowerDiagram(moved, weights).masses.round(12).tolist()
    [0.3, 0.7]
    """
    old, nu = solution.sites, solution.target_masses
    around = solution.source.periodic_domain is not None
    before, after = (old, sites) if around else (old - nu @ old, sites - nu @ sites)
    spread = 0.0 if around else float(np.sum(nu @ before**2))
    scale = float(np.sum(nu @ (before * after))) / spread if spread > 0.0 else 1.0
    if not 0.0 < scale < np.inf:
        return None
    centroids = np.where(np.isnan(solution.centroids), solution.source.mean, solution.centroids)
    hi, lo = heights_from_weights(old, *solution.weights_exact.T)
    lowered = np.sum(centroids * (after - scale * before), axis=1)
    return np.column_stack(weights_from_heights(sites, scale * hi - lowered, scale * lo))
