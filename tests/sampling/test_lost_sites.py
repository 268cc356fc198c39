"""Sites that fitting has lost get a cell of about their mass."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

import geomot
from geomot import Gaussian, PowerDiagram, UniformBox
from geomot._sampling.designs import PairDesign, PointDesign
from geomot._sampling.lost_sites import Thresholds, lost_sites, place_sites
from geomot._search.backends import CoreBackend


@pytest.mark.parametrize("cls", [PointDesign, PairDesign])
def test_placed_sites_have_about_their_masses(cls):
    r = np.random.default_rng(0)
    n = 60
    sites = r.random((n, 2))
    masses = np.ones(n)
    lost = np.array([3, 17, 40])
    masses[lost] = [2e-4, 1e-3, 3e-3]  # times 1 / 57
    masses /= masses.sum()
    exact = geomot.solve(sites, masses)
    design = cls(sites, UniformBox.unit(2), r, 1, CoreBackend())
    heights = design.heights(exact.weights)
    buried = heights.copy()
    buried[lost] -= 1.0
    true = PowerDiagram(sites, design.weights(buried)).masses
    assert (true[lost] == 0).all()
    placed = place_sites(design, design.stream(r), buried, masses, lost)
    np.testing.assert_array_equal(np.delete(placed, lost), np.delete(buried, lost))
    found = PowerDiagram(sites, design.weights(placed)).masses
    # of chunks with half a sample for a site each: their number is 32
    error = np.abs(found[lost] / masses[lost] - 1.0)
    assert error.max() < 1.0
    assert np.median(error) < 0.5


def test_thresholds_are_quantiles_of_what_is_to_be_exceeded():
    """A site at the mean of normal samples of the line, against a best score of 0: t = -z s."""
    r = np.random.default_rng(1)
    sites = np.array([[1.0], [1.0], [-2.0], [0.5]])
    shares = np.array([0.4, 0.01, 0.01, 1e-3])
    thresholds = Thresholds(sites, shares)
    points = r.standard_normal((max(thresholds.wanted, 1 << 16), 1)).astype(np.float32)
    thresholds.add(points, np.zeros(len(points), dtype=np.float32))
    heights = thresholds.heights()
    # t has the distribution of |s| z, and 32 half-samples find the quantile to a few parts in ten
    found = ndtr(heights / np.abs(sites[:, 0]))
    np.testing.assert_allclose(found / shares, 1.0, atol=0.75)
    assert (thresholds.heights() == heights).all()


def test_which_sites_are_lost():
    # 10 000 samples of a test: ten are due to the second site, one to the third, fifty to the last
    masses = np.array([0.9, 1e-3, 1e-4, 1e-4, 1e-9, 5e-3])
    masses[0] = 1.0 - masses[1:].sum()
    counts = np.array([9999, 0, 0, 1, 0, 5])
    many = 10**9  # samples of a fit that has found all of them
    assert lost_sites(masses, counts, many).tolist() == [1, 5]
    # a fit of 10 000 cannot have found the third; the last is less than can be placed
    assert lost_sites(masses, counts, 10_000).tolist() == [1, 2, 5]


def test_a_short_look_at_many_equal_sites_loses_none():
    """The cliff: every site that a look had missed counted as lost, and was placed anew."""
    n = 50_000
    masses = np.full(n, 1.0 / n)
    counts = np.random.default_rng(0).multinomial(4 * n, masses)
    assert np.count_nonzero(counts == 0) > 500
    assert lost_sites(masses, counts, 20 * n).size == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_no_mass_above_1e_minus_6_is_lost(seed):
    r = np.random.default_rng(seed)
    n, d = 200, 6
    masses = r.permutation(np.geomspace(1e-6, 1.0, n))
    masses /= masses.sum()
    sites, source = r.standard_normal((n, d)), Gaussian(np.zeros(d), 1.0)
    s = geomot.solve(sites, masses, source, tol=0.02, random_state=seed, threads=1)
    assert s.converged
    counts = np.zeros(n)
    for k in range(1000, 1020):
        counts += np.bincount(s.assign(source.sample(50_000, k), threads=1), minlength=n)
    due = masses * 1e6
    # a height from D samples and a test with D due: 2^-D have none, .6 of the sites by chance
    assert ((counts == 0) & (due >= 3)).sum() <= 2
    assert ((counts == 0) & (due >= 20)).sum() == 0
