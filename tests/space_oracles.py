"""Slow, obvious, exact answers in space, in rational arithmetic.

Nothing here imports the package.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def exact(array):
    """Nested lists of fractions of an array of doubles."""
    if np.ndim(array) == 0:
        return Fraction(float(array))
    return [exact(row) for row in np.asarray(array, dtype=float)]


def det3(a, b, c):
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


def minus(a, b):
    return [x - y for x, y in zip(a, b, strict=True)]


def orientation(a, b, c, d):
    """det(a - d, b - d, c - d)."""
    return det3(minus(a, d), minus(b, d), minus(c, d))


class Lifted:
    """Weighted sites, exactly.

    Parameters
    ----------
    sites : (n, 5) array
        x, y, z and the weight as hi + lo.
    """

    def __init__(self, sites):
        self.points = [row[:3] for row in exact(sites)]
        self.weights = [row[3] + row[4] for row in exact(sites)]

    def centre(self, tet):
        """The point that has one power distance to four sites, and that distance."""
        o = self.points[tet[3]]
        rows = [minus(self.points[k], o) for k in tet[:3]]
        w = self.weights
        right = [
            (sum(x * x for x in row) - w[k] + w[tet[3]]) / 2
            for row, k in zip(rows, tet[:3], strict=True)
        ]
        det = det3(*rows)
        columns = list(zip(*rows, strict=True))
        z = [
            det3(*zip(*[right if j == k else columns[j] for j in range(3)], strict=True)) / det
            for k in range(3)
        ]
        return [x + y for x, y in zip(z, o, strict=True)], sum(x * x for x in z) - w[tet[3]]

    def power(self, k, x):
        """Power distance of a point from site k."""
        return sum(d * d for d in minus(x, self.points[k])) - self.weights[k]

    def excess(self, tet):
        """By how much each site is farther from the tetrahedron's centre than its vertices."""
        x, distance = self.centre(tet)
        return [self.power(k, x) - distance for k in range(len(self.points))]


def triangulation_faults(sites, tets, ghosts=4) -> list[str]:
    """What keeps tetrahedra from being a regular triangulation of the sites, in words.

    Parameters
    ----------
    sites : (n, 5) array
        The last `ghosts` of them are the corners of the convex hull.
    tets : (k, 4) array
    """
    lifted = Lifted(sites)
    found = []
    volume = Fraction(0)
    for tet in np.asarray(tets).tolist():
        size = orientation(*[lifted.points[k] for k in tet])
        if size <= 0:
            found.append(f"{tet} is not positive")
            continue
        volume += size
        excess = lifted.excess(tet)
        below = [k for k, e in enumerate(excess) if e < 0]
        if below:
            found.append(f"{tet} has {below} below its plane")
    hull = abs(orientation(*[lifted.points[k] for k in range(len(sites) - ghosts, len(sites))]))
    if volume != hull:
        found.append(f"volumes sum to {float(volume / hull)} of the hull's")
    return found
