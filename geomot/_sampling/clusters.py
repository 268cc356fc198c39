"""Clusters of sites, and clusters of clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._constants.sampling import (
    CLUSTER_SITES,
    FEWEST_CLUSTERS,
    LLOYD_STEPS,
    MOST_CLUSTERS,
)
from geomot._search.backends import CoreBackend

__all__ = ["centroids", "cluster", "hierarchy", "totals"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def hierarchy(sites: FloatArray, rng: np.random.Generator) -> list[IntArray]:
    """Return the cluster of each site, the cluster of each of these clusters, and so on.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites, in coordinates in which distances tell which sites are alike.
    rng : Generator
        Randomness of the clusters.

    Returns
    -------
    list of ndarray of int64
        An array for each level. The numbers in it, from 0 without gaps, are the indices of the next
        one. Empty for few sites.
    """
    owners: list[IntArray] = []
    while len(sites) >= 2 * FEWEST_CLUSTERS:
        count = min(max(len(sites) // CLUSTER_SITES, FEWEST_CLUSTERS), MOST_CLUSTERS)
        owners.append(cluster(sites, count, rng))
        sites, _ = centroids(sites, np.ones(len(sites)), owners[-1])
    return owners


def cluster(sites: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    """Return the cluster of each site, after a few of Lloyd's steps from random sites."""
    centres = sites[rng.choice(len(sites), count, replace=False)]
    points, sizes = sites.astype(np.float32), np.ones(len(sites))
    for _ in range(LLOYD_STEPS + 1):
        heights = -0.5 * np.einsum("kd,kd->k", centres, centres)
        nearest = CoreBackend().points(centres).winners(points, heights).first
        # numbers without gaps: some centres may have no site
        owners = np.unique(nearest, return_inverse=True)[1].reshape(-1)
        centres, _ = centroids(sites, sizes, owners)
    return owners.astype(np.int64)


def centroids(
    sites: FloatArray, masses: FloatArray, owners: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return centroid and mass of each cluster."""
    together = totals(owners, masses)
    sums = [totals(owners, masses * column) for column in sites.T]
    return np.stack(sums, axis=1) / together[:, None], together


def totals(owners: IntArray, values: FloatArray, count: int = 0) -> FloatArray:
    """Return the sum of values in each cluster, of so many at least."""
    sums: FloatArray = np.bincount(owners, values, count).astype(np.float64, copy=False)
    return sums
