"""Nearest sites in power distance in any dimension, to the accuracy of float64.

A fused float32 pass tells which sites cannot have the largest score of a point, by a bound on its
rounding. The scores of the others, mostly of one small group, are computed in float64.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from geomot._constants.sampling import NEAR_DIMENSIONS, NEAR_POINTS
from geomot._core.montecarlo import ExactSites
from geomot._duplicates import Merged
from geomot.potentials import heights_in_frame

__all__ = ["Assigner", "Frame", "central_point"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Sites that the centre of all is taken from.
_CENTRAL_SITES = 1023

# Exponents of a frame's unit: what it is multiplied by must be a float64 number.
_LEAST_EXPONENT = -1000


def central_point(sites: FloatArray) -> FloatArray:
    """Return a point amid most of the sites, however far the others are.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.

    Returns
    -------
    ndarray of shape (d,)
        The median of each coordinate, of sites spread evenly over their order.
    """
    count = min(len(sites), _CENTRAL_SITES)
    places = np.linspace(0, len(sites) - 1, count).round().astype(np.int64)
    centre: FloatArray = np.median(sites[places], axis=0)
    return centre


class Frame:
    """The frame in which scores lose nothing to units, a far origin or a few far sites.

    It is that of the sites given: sites that cannot win are to be left out.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.

    Attributes
    ----------
    centre : ndarray of shape (d,)
        Its origin.
    exponent : int
        Its unit of length is this power of two, so that scaling by it is exact.
    sites : ndarray of shape (n, d)
        The sites in it; no coordinate exceeds 1.
    """

    def __init__(self, sites: FloatArray) -> None:
        self.centre = central_point(sites)
        moved = sites - self.centre
        exponent = int(np.frexp(np.abs(moved).max())[1])
        self.exponent = max(exponent, _LEAST_EXPONENT)
        self.sites = np.ldexp(moved, -self.exponent)
        self.squares = np.einsum("nk,nk->n", self.sites, self.sites)

    @property
    def factor(self) -> float:
        """What lengths are multiplied by."""
        return float(np.ldexp(1.0, -self.exponent))

    def heights(self, weights: FloatArray) -> FloatArray:
        """Return the heights of power weights (n,) in the frame, at most 0."""
        # the common part first: it may have no place in the frame
        with np.errstate(over="ignore"):
            lower = np.ldexp(weights - weights.max(), -2 * self.exponent)
        heights = heights_in_frame(lower, self.squares)
        return heights - heights.max()


class Assigner:
    """Sites and weights, prepared for many points.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    weights : ndarray of shape (n,)
        Their power weights; coincident sites with mass have the same.
    masses : ndarray of shape (n,), optional
        What the sites are to receive: those without mass get no point, wherever it is. If None, all
        sites may win.
    """

    def __init__(
        self, sites: FloatArray, weights: FloatArray, masses: FloatArray | None = None
    ) -> None:
        self.members = None if masses is None else Merged(sites, masses).members
        own = sites if self.members is None else sites[self.members]
        self.frame = Frame(own)
        n, d = own.shape
        self._packed = ExactSites(self.frame.sites, d <= NEAR_DIMENSIONS and n >= NEAR_POINTS)
        self._set(weights)

    def _set(self, weights: FloatArray) -> None:
        own = weights if self.members is None else weights[self.members]
        self._scores = self._packed.under(self.frame.heights(own))

    def under(self, weights: FloatArray) -> Assigner:
        """Return an assigner of the same sites under other weights, in far less time."""
        other = copy.copy(self)
        other._set(weights)
        return other

    def __call__(self, points: FloatArray, threads: int = 1) -> IntArray:
        """Return the index of the site of largest score for each point, (q,) int64.

        Of sites whose float64 scores are equal, the one with the lowest index.
        """
        x = np.ascontiguousarray(points, np.float64)
        labels = self._scores.largest(x, self.frame.centre, self.frame.factor, threads)
        return labels if self.members is None else self.members[labels]
