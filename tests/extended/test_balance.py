"""Images keep the masses of sites: shares against sums, classes of different density."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from geomot import BrenierMap, Gaussian
from geomot.extended.balance import frequencies


def test_frequencies_solve_the_equations():
    """Half of what the first of two cells has goes to the second."""
    shares = csr_array(np.array([[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]))
    masses = np.array([0.4, 0.6])
    often = frequencies(shares, np.array([0, 0, 1]), masses)
    np.testing.assert_allclose(often, [2.0, 1.0 / 3.0], rtol=0.01)
    # no points, no opinion; a map that mixes nothing needs none
    identity = csr_array(np.eye(3))
    np.testing.assert_allclose(frequencies(identity, np.arange(3), np.full(3, 1 / 3)), 1.0)
    np.testing.assert_allclose(frequencies(identity[:2], np.arange(2), np.full(3, 1 / 3)), 1.0)


def test_rejected_points_are_made_up_for():
    shares = csr_array(np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
    often = frequencies(shares, np.array([0, 0, 1, 1]), np.array([0.5, 0.5]))
    assert often[0] / often[1] == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("singular", ["side", "discrete", "reject"])
def test_a_sparse_class_keeps_its_mass(singular):
    """It lost 15 % to the dense one, and where singular points are rejected 20 %."""
    r = np.random.default_rng(0)
    far = 1.5 * r.standard_normal((100, 5)) + 2.5 * np.eye(5)[0]
    sites = np.concatenate([0.5 * r.standard_normal((900, 5)), far])
    sparse = (np.arange(1000) >= 900).astype(np.float64)
    source = Gaussian(sites.mean(axis=0), np.cov(sites.T))
    brenier = BrenierMap(source, tv_tol=0.03, random_state=0, threads=1).fit(sites)
    extended = brenier.extended()
    lost = []
    for keep in (False, True):
        points = extended._drawn(60_000, np.random.default_rng(1), singular, keep)
        table = extended.shares(points, "side" if singular == "side" else "discrete")
        if singular == "reject":
            table = table[~extended.is_singular(points)]
        lost.append(1.0 - (table @ sparse).mean() / sparse.mean())
    assert lost[0] > 0.08
    assert abs(lost[1]) < 0.04


def test_samples_are_those_of_the_source_where_masses_are_not_kept():
    sites = np.random.default_rng(3).random((100, 3))
    brenier = BrenierMap(Gaussian(np.full(3, 0.5), 0.1), tv_tol=0.1, random_state=0).fit(sites)
    extended = brenier.extended()
    x = extended.solution.source.sample(500, np.random.default_rng(4))
    images = extended.sample(500, np.random.default_rng(4), keep_masses=False)
    np.testing.assert_array_equal(images, extended.transform(x))
    assert extended.sample(500, 4).shape == (500, 3)
