"""Polyhedra that share their corners, from faces found cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

__all__ = ["Faces", "shared_polyhedra"]

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
