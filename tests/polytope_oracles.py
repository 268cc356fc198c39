"""Polytopes of half-spaces by Qhull. Nothing here imports the package."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, HalfspaceIntersection

CUBE = np.vstack([np.eye(3), -np.eye(3)])


def directions(n, dim, seed):
    """Random unit vectors."""
    u = np.random.default_rng(seed).standard_normal((n, dim))
    return u / np.linalg.norm(u, axis=1)[:, None]


def qhull_areas(u, h):
    """Volume and areas of facets of a polytope with the origin inside."""
    halfspaces = np.column_stack([u, -h])
    hull = ConvexHull(HalfspaceIntersection(halfspaces, np.zeros(u.shape[1])).intersections)
    areas = np.zeros(len(u))
    for simplex, equation in zip(hull.simplices, hull.equations, strict=True):
        p = hull.points[simplex]
        if u.shape[1] == 2:
            size = np.linalg.norm(p[1] - p[0])
        else:
            size = 0.5 * np.linalg.norm(np.cross(p[1] - p[0], p[2] - p[0]))
        areas[np.argmax(u @ equation[:-1])] += size
    return hull.volume, areas
