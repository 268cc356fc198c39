"""Rows that occur several times, exactly or nearly: as one row with their masses together."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import BrenierMap, Gaussian
from geomot.extended.twins import Twins, coincident_owners, near_owners


def rng(seed=0):
    return np.random.default_rng(seed)


SITES = rng().standard_normal((300, 5))
FIRST = np.arange(300) < 180


def fitted(sites, masses=None, tv_tol=0.02):
    source = Gaussian(np.zeros(sites.shape[1]), 1.0)
    brenier = BrenierMap(source, tv_tol=tv_tol, random_state=0, threads=1)
    return brenier.fit(sites, sample_weight=masses)


@pytest.fixture(scope="module")
def doubled():
    """The distinct rows, of which some have twice the mass."""
    return fitted(SITES, 1.0 + FIRST)


def same_maps(extended, expected):
    """The same images up to what a threshold and weights estimated from samples differ by."""
    assert extended.threshold == pytest.approx(expected.threshold, rel=0.05)
    x = expected.solution.source.sample(2000, 1)
    apart = np.linalg.norm(extended.transform(x) - expected.transform(x), axis=1)
    assert np.median(apart) < 0.2


def copies(extended):
    """Share of the samples that are sites."""
    images = extended.sample(2000, 0)
    gaps = np.linalg.norm(images[:, None] - SITES, axis=2).min(axis=1)
    return np.mean(gaps < 1e-3)


def test_repeated_rows_are_as_masses(doubled):
    extended = fitted(np.concatenate([SITES, SITES[FIRST]])).extended()
    same_maps(extended, doubled.extended())
    assert np.isfinite(extended.sample(4000, 0)).all()


def test_rows_repeated_as_a_whole_are_no_copies():
    extended = fitted(np.concatenate([SITES, SITES])).extended()
    assert copies(extended) == pytest.approx(copies(fitted(SITES).extended()), abs=0.03)


@pytest.mark.filterwarnings("ignore::geomot.errors.ConvergenceWarning")
def test_rows_repeated_up_to_rounding(doubled):
    near = SITES[FIRST] + 1e-6 * rng(1).standard_normal((180, 5))
    extended = fitted(np.concatenate([SITES, near]), tv_tol=0.1).extended()
    assert extended.threshold == pytest.approx(doubled.extended().threshold, rel=0.05)
    assert copies(extended) == pytest.approx(copies(doubled.extended()), abs=0.05)


def test_noisy_copies_leave_the_fence():
    """They are sites of their own, but tell nothing of how far apart sites may lie."""
    near = SITES[FIRST] + 1e-2 * rng(1).standard_normal((180, 5))
    assert fitted(np.concatenate([SITES, near])).extended().threshold < 4.0


def test_repeated_rows_leave_the_singular_set():
    """With a tenth of the rows repeated, samples lay between the clusters."""
    side = np.where(np.arange(300) % 2 == 0, -1.6, 1.6)
    sites = 0.2 * SITES
    sites[:, 0] += side
    extended = fitted(np.concatenate([sites, sites[:30]])).extended()
    assert (np.abs(extended.sample(4000, 0)[:, 0]) > 0.8).all()


def test_columns_of_few_values():
    extended = fitted(np.round(SITES)).extended()
    assert extended.threshold < 3.0
    assert np.isfinite(extended.sample(1000, 0)).all()


def test_shares_of_twins_are_in_proportion_to_their_masses():
    sites = np.concatenate([SITES[:50], SITES[:20], SITES[:10]])
    masses = rng(2).random(80)
    masses[70:75] = 0.0
    brenier = fitted(sites, masses)
    x = brenier.solution_.source.sample(500, 3)
    extended = brenier.extended()
    table = extended.shares(x).toarray()
    np.testing.assert_allclose(table.sum(axis=1), 1.0)
    np.testing.assert_allclose(table @ sites, extended.transform(x), atol=1e-12)
    np.testing.assert_allclose(table[:, :10] * masses[50:60], table[:, 50:60] * masses[:10])
    assert (table[:, 70:75] == 0.0).all()
    plane = BrenierMap().fit(np.tile([[0.2, 0.2], [0.8, 0.3], [0.4, 0.9]], (2, 1)))
    np.testing.assert_allclose(
        plane.extended().shares([[0.2, 0.2]]).toarray()[0, [0, 3]].min(), 0.5
    )


def test_owners():
    sites = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, -0.0], [1e-5, 0.0], [0.0, 1.0], [5.0, 5.0]])
    masses = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    same = coincident_owners(sites, masses)
    assert same.tolist() == [2, 1, 2, 3, 4, 5]
    near = near_owners(sites, same, masses, np.array([0.0, 1.0, 0.5, 2.0, 1.0, 0.0]), 1)
    assert near.tolist() == [3, 1, 3, 3, 4, 5]
    twins = Twins(near, sites, masses)
    np.testing.assert_allclose(twins.places[3], [0.5e-5, 0.0])
    np.testing.assert_allclose(twins.mean(sites)[3], [0.5e-5, 0.0])
    assert near_owners(sites[:2], np.arange(2), np.ones(2), np.ones(2), 1).tolist() == [0, 1]


def test_tight_clusters_are_no_twins():
    """Many sites near each other are a structure of their own."""
    r = rng(4)
    sites = np.concatenate([1e-6 * r.random((50, 3)), 1.0 + 1e-6 * r.random((50, 3))])
    owner = np.arange(100)
    np.testing.assert_array_equal(near_owners(sites, owner, np.ones(100), np.ones(100), 1), owner)
