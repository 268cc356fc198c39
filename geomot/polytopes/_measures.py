"""Measures of the facets of a convex polytope in three and four dimensions.

A facet is projected along the axis that its normal is nearest to: nothing is turned, and its
measure is that of the projection over the normal's component.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["facet_measures"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


def facet_measures(
    vertices: FloatArray, facets: tuple[Any, ...], normals: FloatArray
) -> FloatArray:
    """Return the measure of each facet: an area in three dimensions, a volume in four.

    Parameters
    ----------
    vertices : ndarray of shape (V, D)
        The corners.
    facets : tuple of length m
        Corners of polygons in order, in four dimensions tuples of such polygons.
    normals : ndarray of shape (m, D)
        Unit normals.

    Returns
    -------
    ndarray of shape (m,)
    """
    m, dim = normals.shape
    axis = np.abs(normals).argmax(axis=1)
    slant = np.abs(normals[np.arange(m), axis])
    if dim == 3:
        owner = np.arange(m)
        polygons = facets
    else:
        owner = np.repeat(np.arange(m), [len(f) for f in facets])
        polygons = tuple(polygon for facet in facets for polygon in facet)
    start, first, second, polygon = _fans(polygons)
    facet = owner[polygon]
    # the coordinates that are left, in any order: sizes do not depend on it
    kept = (axis[facet, None] + np.arange(1, dim)) % dim
    corners = [vertices[rows[:, None], kept] for rows in (first, second)]
    if dim == 4:
        centres = _centres(vertices, polygons, owner, m)
        apex = centres[facet[:, None], kept]
        # the triangles of a fan, each with the point inside
        sizes = (
            np.abs(
                np.linalg.det(
                    np.stack(
                        [vertices[start[:, None], kept] - apex, *(c - apex for c in corners)],
                        axis=1,
                    )
                )
            )
            / 6.0
        )
    else:
        (ax, ay), (bx, by) = ((c - vertices[start[:, None], kept]).T for c in corners)
        sizes = 0.5 * (ax * by - ay * bx)
    return np.abs(np.bincount(facet, sizes, minlength=m)) / slant


def _fans(
    polygons: tuple[IndexArray, ...],
) -> tuple[IndexArray, IndexArray, IndexArray, IndexArray]:
    """Corners of triangles that make each polygon, and the polygon that they are from."""
    sizes = np.array([len(p) for p in polygons])
    rows = np.concatenate(polygons)
    number = np.repeat(np.arange(len(sizes)), sizes)
    begin = (np.cumsum(sizes) - sizes)[number]
    place = np.arange(len(rows)) - begin
    inner = np.flatnonzero((place > 0) & (place < sizes[number] - 1))
    return rows[begin[inner]], rows[inner], rows[inner + 1], number[inner]


def _centres(
    vertices: FloatArray, polygons: tuple[IndexArray, ...], owner: IndexArray, m: int
) -> FloatArray:
    """A point inside each facet: the mean of the corners of its polygons."""
    sizes = np.array([len(p) for p in polygons])
    rows, facet = np.concatenate(polygons), np.repeat(owner, sizes)
    count = np.maximum(np.bincount(facet, minlength=m), 1)
    sums = [np.bincount(facet, column, minlength=m) for column in vertices[rows].T]
    return np.column_stack(sums) / count[:, None]
