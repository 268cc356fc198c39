"""Clusters of sites that are near each other."""

from __future__ import annotations

import numpy as np

from geomot._sampling.clusters import centroids, hierarchy


def test_clusters_are_near_and_complete():
    rng = np.random.default_rng(2)
    centres = rng.random((40, 2)) * 100
    sites = np.repeat(centres, 25, axis=0) + 0.01 * rng.standard_normal((1000, 2))
    owners = hierarchy(sites, rng)
    assert len(owners[0]) == 1000
    for owner, coarser in zip(owners, [*owners[1:], None], strict=True):
        count = owner.max() + 1
        assert np.array_equal(np.unique(owner), np.arange(count))
        assert coarser is None or len(coarser) == count
    middle, masses = centroids(sites, np.ones(1000), owners[0])
    assert masses.sum() == 1000
    spread = np.linalg.norm(sites - middle[owners[0]], axis=1)
    assert np.median(spread) < 0.1


def test_few_sites_have_no_clusters():
    assert hierarchy(np.random.default_rng(0).random((11, 3)), np.random.default_rng(0)) == []
