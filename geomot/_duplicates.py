"""Sites as a solver wants them, distinct and of positive mass, and the way back to all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._constants import SEED_RANGE

__all__ = ["Merged", "representatives"]

FloatArray = NDArray[np.float64]

# Keys of points are mixed by a shift to the right, so that high bits count too, and by factors that
# are drawn with a fixed seed.
_KEY_SHIFT = 29
_KEY_SEED = 0


def representatives(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each row the lowest index of the rows that equal it; -0.0 equals 0.0.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        Finite coordinates.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    bits = (points + 0.0).view(np.uint64)
    factors = np.random.default_rng(_KEY_SEED).integers(
        SEED_RANGE, size=(points.shape[1], 1), dtype=np.uint64
    )
    # integer arithmetic wraps around: equal rows have equal keys, others hardly ever
    keys = np.zeros(len(points), dtype=np.uint64)
    for k in range(points.shape[1]):
        keys ^= keys >> np.uint64(_KEY_SHIFT)
        keys += bits[:, k] * (2 * factors[k] + 1)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    owner = first[inverse]
    if np.array_equal(points[owner], points):
        return owner
    _, first, inverse = np.unique(points, axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()]


class Merged:
    """The distinct sites of positive mass; coincident sites are merged, others wait outside.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        All sites.
    masses : ndarray of shape (n,)
        Their target masses.

    Attributes
    ----------
    members : ndarray of int, shape (m,)
        The sites that are solved for: of coincident ones with mass the lowest index.
    sites, masses : ndarray of shape (m, d) and (m,)
        Those sites, and the masses of all that coincide with them.
    idle : ndarray of int
        Sites without mass that coincide with no member.
    """

    def __init__(self, sites: FloatArray, masses: FloatArray) -> None:
        self.all_sites = sites
        self.all_masses = masses
        first = representatives(sites)
        held = np.flatnonzero(masses > 0.0)
        owner = np.arange(len(sites))
        owner[first[held[::-1]]] = held[::-1]  # of several the lowest, which is written last
        self.owner = owner[first]
        together = np.zeros(len(sites))
        np.add.at(together, self.owner, masses)
        self.members = np.flatnonzero(together > 0.0)
        self.sites = np.ascontiguousarray(sites[self.members])
        self.masses = together[self.members]
        self.idle = np.flatnonzero(together[self.owner] == 0.0)
        self._share = np.divide(
            masses, together[self.owner], where=masses > 0.0, out=np.zeros_like(masses)
        )

    def spread(self, values: FloatArray) -> FloatArray:
        """Values of the members, for all sites: twins share them in proportion to their masses."""
        whole = np.zeros((len(self.owner), *values.shape[1:]))
        whole[self.members] = values
        return whole[self.owner] * self._share.reshape(-1, *(1,) * (values.ndim - 1))

    def copied(self, values: FloatArray) -> FloatArray:
        """Values of the members, for all sites: twins have the same, idle sites NaN."""
        whole = np.full((len(self.owner), *values.shape[1:]), np.nan)
        whole[self.members] = values
        return whole[self.owner]
