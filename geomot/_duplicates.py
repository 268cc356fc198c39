"""Sites as a solver wants them, distinct and of positive mass, and the way back to all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._distinct import representatives

__all__ = ["Merged"]

FloatArray = NDArray[np.float64]


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
