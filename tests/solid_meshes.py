"""Meshes of tetrahedra for tests."""

from __future__ import annotations

import itertools

import numpy as np


def voxel_mesh(mask):
    """Points and tetrahedra of the voxels of the unit cube that a mask holds, six to each."""
    mask = np.asarray(mask, dtype=bool)
    axes = [np.arange(m + 1) / m for m in mask.shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    shape = tuple(m + 1 for m in mask.shape)
    found = []
    for order in itertools.permutations(range(3)):
        corner = np.argwhere(mask)
        path = [np.ravel_multi_index(tuple(corner.T), shape)]
        for axis in order:
            corner = corner + np.eye(3, dtype=int)[axis]
            path.append(np.ravel_multi_index(tuple(corner.T), shape))
        found.append(np.column_stack(path))
    return points, np.concatenate(found)


def ball_mesh(n):
    """Points and tetrahedra that nearly fill the unit ball: a cube of n^3 voxels, bent."""
    points, simplices = voxel_mesh(np.ones((n, n, n)))
    cube = 2.0 * points - 1.0
    far = np.abs(cube).max(axis=1, keepdims=True)
    length = np.linalg.norm(cube, axis=1, keepdims=True)
    return np.where(length > 0.0, cube * far / np.where(length > 0.0, length, 1.0), 0.0), simplices
