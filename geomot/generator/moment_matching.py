"""Sources that match the moments of a target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._moments import weighted_moments
from geomot.sources import Gaussian, Source, UniformPolygon

__all__ = ["matching_disk", "matching_source", "moments"]

FloatArray = NDArray[np.float64]

# Directions in which the codes hardly vary get this share of the largest variance in the source,
# which must have a density; what it adds is mapped away.
_LEAST_VARIANCE = 1e-6

# Points that differ by no more than this share of their size are equal up to rounding; and extents
# whose squares, or 1e-6 of these, are no normal numbers.
_EQUAL = 8.0 * np.finfo(np.float64).eps
_LEAST_EXTENT = 1e-150

# Sides of the polygon that stands for the disk: its area is 1e-4 short of the disk's.
_DISK_SIDES = 256


def matching_source(points: FloatArray, masses: FloatArray, name: str) -> Source:
    """A source with mean and variance of some points: a disk in the plane, else a normal law.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        The points.
    masses : ndarray of shape (n,)
        Their masses, which sum to 1.
    name : str
        What they are, for the message of the error.

    Returns
    -------
    UniformPolygon or Gaussian

    Raises
    ------
    ValueError
        If the points are all equal up to rounding, or so near each other that float64 does not hold
        the squares of their distances.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.generator import matching_disk, matching_source
    >>> codes = np.random.default_rng(0).standard_normal((100, 2))
    >>> masses = np.full(100, 0.01)
    >>> source = matching_source(codes, masses, "codes")
    >>> bool(np.allclose(source.mean, codes.mean(axis=0)))
    True
    """
    mean, covariance = moments(points, masses, name)
    return matching_disk(points, masses) if points.shape[1] == 2 else Gaussian(mean, covariance)


def matching_disk(codes: FloatArray, masses: FloatArray) -> UniformPolygon:
    """The disk, as a regular polygon, with the mean and the total variance of the codes.

    Parameters
    ----------
    codes : ndarray of shape (n, 2)
        The codes.
    masses : ndarray of shape (n,)
        Their masses, which sum to 1.

    Returns
    -------
    UniformPolygon
        Of 256 sides. Source and target then differ by shape alone, which is what the transport
        cost measures.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.generator import matching_disk, matching_source
    >>> codes = np.random.default_rng(0).standard_normal((100, 2))
    >>> masses = np.full(100, 0.01)
    >>> disk = matching_disk(codes, masses)
    >>> len(disk.polygon)
    256
    """
    mean = masses @ codes
    variance = masses @ ((codes - mean) ** 2).sum(axis=1)
    # The uniform measure on a disk of radius r has the total variance r^2 / 2.
    return UniformPolygon.regular(_DISK_SIDES, mean, float(np.sqrt(2.0 * variance)))


def moments(points: FloatArray, masses: FloatArray, name: str) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance; directions of hardly any variance get some."""
    _check_extent(points, name)
    mean, covariance = weighted_moments(points, masses)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, _LEAST_VARIANCE * values[-1])
    return mean, (vectors * values) @ vectors.T


def _check_extent(points: FloatArray, name: str) -> None:
    """Refuse points that are all at one place."""
    extent = float(np.ptp(points, axis=0).max())
    if extent <= _EQUAL * float(np.abs(points).max()):
        raise ValueError(f"{name} must contain at least two different points")
    if extent < _LEAST_EXTENT:
        raise ValueError(
            f"{name} must not lie within {_LEAST_EXTENT:g} of each other, where squares of "
            f"distances underflow, got {extent:.3g}: multiply them by a constant"
        )
