"""The affine map that gives codes mean 0 and covariance 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomot.generator.moment_matching import moments

__all__ = ["Whitening"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Whitening:
    """An affine map of codes to sites of mean 0 and covariance 1, and back.

    Attributes
    ----------
    centre : ndarray of shape (d,)
        The mean of the codes.
    linear : ndarray of shape (d, d)
        Sites are (codes - centre) @ linear.
    """

    centre: FloatArray
    linear: FloatArray

    @classmethod
    def of(cls, codes: FloatArray, masses: FloatArray, name: str) -> Whitening:
        """The map for some codes with masses; `name` is what messages call them."""
        mean, covariance = moments(codes, masses, name)
        values, vectors = np.linalg.eigh(covariance)
        return cls(mean, vectors / np.sqrt(values))

    def to_sites(self, codes: FloatArray) -> FloatArray:
        """Sites of codes."""
        sites: FloatArray = (codes - self.centre) @ self.linear
        return sites

    def to_codes(self, sites: FloatArray) -> FloatArray:
        """Codes of sites, or of other points in their space."""
        codes: FloatArray = np.linalg.solve(self.linear.T, sites.T).T + self.centre
        return codes
