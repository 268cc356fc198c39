"""Codes and the sites that stand for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame", "moments", "whitened"]

FloatArray = NDArray[np.float64]

# Directions in which the codes hardly vary get this share of the largest variance in the source,
# which must have a density; what it adds is mapped away.
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Frame:
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

    def to_sites(self, codes: FloatArray) -> FloatArray:
        """Codes in the frame."""
        sites: FloatArray = (codes - self.centre) @ self.linear
        return sites

    def to_codes(self, sites: FloatArray) -> FloatArray:
        """Points of the frame as codes."""
        codes: FloatArray = np.linalg.solve(self.linear.T, sites.T).T + self.centre
        return codes


def whitened(codes: FloatArray, masses: FloatArray, name: str) -> Frame:
    """The frame in which codes have mean 0 and covariance 1."""
    mean, covariance = moments(codes, masses, name)
    values, vectors = np.linalg.eigh(covariance)
    return Frame(mean, vectors / np.sqrt(values))


def moments(points: FloatArray, masses: FloatArray, name: str) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance; directions of hardly any variance get some."""
    mean = masses @ points
    centred = points - mean
    values, vectors = np.linalg.eigh((centred * masses[:, None]).T @ centred)
    if not values[-1] > 0.0:
        raise ValueError(f"{name} must not be all equal: there is nothing to tell them apart by")
    values = np.maximum(values, _LEAST_VARIANCE * values[-1])
    return mean, (vectors * values) @ vectors.T
