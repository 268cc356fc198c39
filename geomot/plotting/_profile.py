"""Densities on the line as polygons, and the stretch of the line that is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomot.sources._distributions import Atoms, Steps

__all__ = ["has_density", "line_profile", "line_range"]

# Points of a curve.
_POINTS = 513
# Mass beyond each end of what is shown of an unbounded source.
_TAIL = 1e-3


def line_range(source: Any) -> tuple[float, float]:
    """The stretch that is shown: the source's bounds, or all but small tails."""
    low, high = source.bounds[:, 0]
    if not np.isfinite([low, high]).all():
        low, high = source.quantile(_TAIL), source.isf(_TAIL)
    return float(low), float(high)


def has_density(source: Any) -> bool:
    """Whether a source on the line has a density, and not atoms."""
    return not isinstance(source.distribution, Atoms)


def line_profile(source: Any) -> tuple[np.ndarray, np.ndarray]:
    """Places, ascending, and the density there; of atoms their places and masses."""
    distribution = source.distribution
    if isinstance(distribution, Atoms):
        return distribution.places, distribution.weights
    if isinstance(distribution, Steps):
        heights = distribution.masses / distribution.widths
        return np.repeat(distribution.edges, 2)[1:-1], np.repeat(heights, 2)
    x = np.linspace(*line_range(source), _POINTS)
    return x, np.asarray(distribution.density(x))
