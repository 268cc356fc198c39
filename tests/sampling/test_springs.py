"""The tree of springs that a Hessian from samples stands on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array

from geomot._sampling.clusters import hierarchy, totals
from geomot._sampling.springs import Ground, stiffness


def tree(n=300, dim=3, seed=0):
    """A tree with springs of all sizes."""
    rng = np.random.default_rng(seed)
    owners = hierarchy(rng.random((n, dim)), rng)
    ground = Ground(owners, rng.random(n))
    ground.springs = [10.0 ** rng.uniform(-3, 3, len(m)) for m in ground.masses]
    return ground


def matrix_of(ground):
    """The whole graph's matrix, the nodes above the sites eliminated: what `apply` is to be."""
    ends, others, springs, grounded = ground.edges()
    size = len(grounded)
    joined = coo_array((springs, (ends, others)), shape=(size, size)).toarray()
    joined = joined + joined.T
    whole = np.diag(joined.sum(axis=1) + grounded) - joined
    n = len(ground.masses[0])
    above = np.linalg.solve(whole[n:, n:], whole[n:, :n])
    return whole[:n, :n] - whole[:n, n:] @ above


@pytest.mark.parametrize("n", [1, 5, 11, 12, 100, 300])
def test_the_tree_is_the_graph_with_its_clusters_eliminated(n):
    ground = tree(n)
    applied = np.stack([ground.apply(column) for column in np.eye(n)], axis=1)
    wanted = matrix_of(ground)
    np.testing.assert_allclose(applied, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())
    assert np.linalg.eigvalsh(0.5 * (applied + applied.T)).min() > 0.0


@pytest.mark.parametrize("level", [0, 1])
def test_a_coarse_tree_acts_as_the_whole_on_heights_equal_in_clusters(level):
    ground = tree()
    coarse = ground.coarse(level)
    labels = ground.owners[0] if level else np.arange(300)
    heights = np.random.default_rng(1).standard_normal(len(coarse.masses[0]))
    together = totals(labels, ground.apply(heights[labels]))
    np.testing.assert_allclose(coarse.apply(heights), together, rtol=1e-9)


def test_a_common_height_of_a_cluster_is_held_by_what_its_border_exchanges():
    """Two clusters that exchange next to nothing: their difference moves nearly freely."""
    owners = [np.repeat([0, 1], 4)]
    ground = Ground(owners, np.full(8, 1 / 8))
    inner = np.kron(np.eye(2), np.ones((4, 4)) - np.eye(4))
    border = np.zeros((8, 8))
    border[0, 4] = border[4, 0] = 1e-6
    flow = csr_array(inner + border)
    hits, samples = np.full(8, 1e5), 8e5
    diagonal = np.asarray(flow.sum(axis=1)).ravel()
    ground.learn(flow, hits, samples, diagonal * 8)
    ground.hold(0.01, 0.0)
    apart = np.repeat([1.0, -1.0], 4)
    alone = np.tile([1.0, -1.0], 4)
    held = [float(x @ ground.apply(x)) for x in (apart, alone)]
    # one site by 1 % of its diagonal; the clusters by 1 % of what is at their border, and a little
    # for the hits that may have been missed there
    assert held[1] == pytest.approx(0.01 * 3 * 8, rel=1e-3)
    assert held[0] < 1e-3 * held[1]


def test_stiffness_of_sites_that_few_samples_tell_is_that_around():
    owners = [np.repeat([0, 1], 50)]
    hits = np.full(100, 1e5)  # beside which the prior of all sites is small
    diagonal = np.repeat([2.0, 200.0], 50) * hits / hits.sum()
    hits[3], diagonal[3] = 0.0, 0.0  # not seen
    diagonal[60] *= 1e4  # a twin next to it
    stiff, close = stiffness(diagonal, hits, hits.sum(), owners)
    assert stiff[3] == pytest.approx(2.0, rel=0.1)
    assert stiff[10] == pytest.approx(2.0, rel=0.1)
    assert stiff[70] == pytest.approx(200.0, rel=0.1)
    assert np.flatnonzero(close).tolist() == [60]
    assert stiff[60] <= 10.0 * 200.0 * 1.1
