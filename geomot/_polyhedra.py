"""Polyhedra that share their corners, from faces found cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geomot._facets import Facets

__all__ = ["Faces", "moments_of_both_sides", "moments_of_faces", "shared_polyhedra"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Corners this close together, relative to the extent of all, differ by rounding only.
_ROUNDING = 2.0**-50


@dataclass(frozen=True)
class Faces:
    """Faces of cells, one cell after the other.

    Attributes
    ----------
    counts : ndarray of shape (n,)
        Number of faces of each cell.
    labels : ndarray of shape (F,)
        What lies across each face.
    sizes : ndarray of shape (F,)
        Number of its corners.
    corners : ndarray of shape (sum of sizes,)
        The corners of the faces, as rows of a table.
    """

    counts: IntArray
    labels: IntArray
    sizes: IntArray
    corners: IntArray


def shared_polyhedra(
    faces: Faces,
    keys: IntArray,
    places: FloatArray,
    planes: FloatArray,
    perm: NDArray[np.int32],
    empty: NDArray[np.bool_],
    extent: float,
) -> tuple[FloatArray, IntArray, IntArray, IntArray, IntArray]:
    """Return corners, offsets, face_offsets, indices and labels, in the caller's order of sites.

    Parameters
    ----------
    faces : Faces
        Of the cells in sorted positions.
    keys : ndarray of shape (v, 4)
        What meets in each corner; equal for one corner of several cells.
    places : ndarray of shape (v, 3)
        Where it is.
    planes : ndarray of shape (k, 4)
        The domain's.
    perm : ndarray of shape (n,)
        The caller's number of each sorted position.
    empty : ndarray of shape (n,)
        Cells without interior, in the caller's order.
    extent : float
        Of all places.
    """
    row = _one_place(keys, places, extent)
    sizes, corners, labels, owner = _distinct(faces, row[faces.corners])
    inner = labels >= 0
    labels[inner] = perm[labels[inner]]
    # a cell that touches the domain from outside has no face: the domain's plane has
    outside = np.flatnonzero(inner & empty[np.where(inner, labels, 0)])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for f in outside:
        points = places[corners[starts[f] : starts[f + 1]]]
        away = np.abs(points @ planes[:, :3].T - planes[:, 3]).max(axis=0)
        labels[f] = -1 - int(np.argmin(away))
    # from sorted positions to the caller's order
    cell = perm[owner]
    order = np.argsort(cell, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=len(perm)))])
    face_offsets = np.concatenate([[0], np.cumsum(sizes[order])])
    indices = corners[
        np.repeat(starts[:-1][order] - face_offsets[:-1], sizes[order]) + np.arange(len(corners))
    ]
    used, indices = np.unique(indices, return_inverse=True)
    return places[used], offsets, face_offsets, indices.astype(np.int64), labels[order]


def moments_of_faces(
    facets: Facets,
    cells: tuple[FloatArray, IntArray, IntArray, IntArray, IntArray],
    centroids: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return barycentre and covariance of the points of each facet in space.

    Parameters
    ----------
    facets : Facets
        The facets, in space.
    cells : tuple of ndarray
        Corners, offsets, face_offsets, indices and labels, as in `geomot.diagram.Polyhedra`.
    centroids : ndarray of shape (n, 3)
        Those of the cells.

    Returns
    -------
    means : ndarray of shape (m, 3)
        In the order of `facets`. A facet that is too small to have corners has them amid its cells.
    covariances : ndarray of shape (m, 3, 3)
    """
    corners, offsets, face_offsets, indices, labels = cells
    n, m = len(facets.coordinates), len(facets)
    owner = np.repeat(np.arange(n), np.diff(offsets))
    key = facets.sites[:, 0] * n + facets.sites[:, 1]
    wanted = owner * n + labels
    faces = np.flatnonzero((labels > owner) & np.isin(wanted, key))
    # the fan of each face's first corner
    start, size = face_offsets[faces], np.diff(face_offsets)[faces] - 2
    face = np.repeat(np.arange(len(faces)), size)
    at = np.arange(len(face)) - np.repeat(np.cumsum(size) - size, size) + start[face] + 1
    apex = corners[indices[start]]
    b = corners[indices[at]] - apex[face]
    c = corners[indices[at + 1]] - apex[face]
    area = 0.5 * np.linalg.norm(np.cross(b, c), axis=1)
    row = np.searchsorted(key, wanted[faces])[face]
    total = np.bincount(row, area, m)
    drawn = total > 0.0
    i, j = facets.sites.T
    means = 0.5 * (centroids[i] + centroids[j])
    covariances = np.zeros((m, 3, 3))
    origin = np.zeros((m, 3))
    origin[row] = apex[face]
    middle = (b + c) / 3.0
    safe = np.where(drawn, total, 1.0)
    first = np.column_stack([np.bincount(row, area * x, m) for x in middle.T]) / safe[:, None]
    means[drawn] = (origin + first)[drawn]
    b, c, middle = (x - first[row] for x in (b, c, middle))
    for p in range(3):
        for q in range(3):
            # of a triangle, from its middle and its corners
            product = 9.0 * middle[:, p] * middle[:, q] + b[:, p] * b[:, q] + c[:, p] * c[:, q]
            product += first[row, p] * first[row, q]
            covariances[:, p, q] = np.bincount(row, area * product / 12.0, m) / safe
    return means, covariances


def moments_of_both_sides(
    facets: Facets, pairs: IntArray, moments: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return barycentre and covariance of the density along each facet in space.

    Parameters
    ----------
    facets : Facets
        The facets, in space.
    pairs : ndarray of shape (s, 2)
        The sites i < j of facets as one of their cells has measured them, in any order.
    moments : ndarray of shape (s, 13)
        A place, and about it the integrals of 1, x, y, z, xx, xy, xz, yy, yz, zz times the density.

    Returns
    -------
    means : ndarray of shape (m, 3)
        In the order of `facets`.
    covariances : ndarray of shape (m, 3, 3)
    """
    n, m = len(facets.coordinates), len(facets)
    key = facets.sites[:, 0] * n + facets.sites[:, 1]
    wanted = pairs[:, 0].astype(np.int64) * n + pairs[:, 1]
    row = np.minimum(np.searchsorted(key, wanted), max(m - 1, 0))
    kept = (moments[:, 3] > 0.0) & (key[row] == wanted if m > 0 else False)
    row, moments = row[kept], moments[kept]
    share = moments[:, 3] / np.bincount(row, moments[:, 3], m)[row]
    middle = moments[:, 4:7] / moments[:, 3:4]
    places = moments[:, :3] + middle
    means: FloatArray = np.column_stack([np.bincount(row, share * x, m) for x in places.T])
    apart = places - means[row]
    covariances = np.empty((m, 3, 3))
    at = 7
    for p in range(3):
        for q in range(p, 3):
            within = moments[:, at] / moments[:, 3] - middle[:, p] * middle[:, q]
            both = np.bincount(row, share * (within + apart[:, p] * apart[:, q]), m)
            covariances[:, p, q] = covariances[:, q, p] = both
            at += 1
    return means, covariances


def _one_place(keys: IntArray, places: FloatArray, extent: float) -> IntArray:
    """The row of the table that stands for each corner."""
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    pairs = cKDTree(places[first]).query_pairs(_ROUNDING * extent, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(first), len(first)))
    _, group = connected_components(links, directed=False)
    _, least = np.unique(group, return_index=True)
    rows: IntArray = first[least[group[which.ravel()]]]
    return rows


def _distinct(faces: Faces, corners: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Faces without repeated corners: sizes, corners, labels and cells of those with three."""
    starts = np.concatenate([[0], np.cumsum(faces.sizes)])
    face = np.repeat(np.arange(len(faces.sizes)), faces.sizes)
    before = np.arange(len(corners)) - 1
    before[starts[:-1]] = starts[1:] - 1
    fresh = corners != corners[before]
    sizes = np.bincount(face[fresh], minlength=len(faces.sizes))
    kept = sizes >= 3
    owner = np.repeat(np.arange(len(faces.counts)), faces.counts)
    return sizes[kept], corners[fresh & kept[face]], faces.labels[kept].copy(), owner[kept]
