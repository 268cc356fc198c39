"""The noise that samples leave in masses, and total variation under it."""

from __future__ import annotations

import numpy as np
import pytest
from tallies import Known, made_of

import geomot
from geomot._constants.sampling import TEST_STREAMS
from geomot._mass_estimate import sampling_scales, total_variation, variation_factor
from geomot._sampling.designs import PointDesign


@pytest.mark.parametrize("n", [2, 5, 200])
def test_total_variation_is_at_most_half_the_root(n):
    """tv <= sqrt(D(o)) / 2 for any errors, and 1.26 times the estimate."""
    r = np.random.default_rng(n)
    for _ in range(200):
        nu = r.dirichlet(np.full(n, r.choice([0.1, 1.0, 10.0])))
        nu = np.maximum(nu, 1e-12) / np.maximum(nu, 1e-12).sum()
        g = r.dirichlet(np.full(n, r.choice([0.1, 1.0, 10.0])))
        scales = sampling_scales(nu, r.choice([0.0, 1.0]) * r.random(n))
        assert scales.sum() == pytest.approx(1.0)
        true = 0.5 * np.abs(g - nu).sum()
        distance = float(np.sum((g - nu) ** 2 / scales))
        factor = variation_factor(nu)
        assert 0.3989 < factor <= 0.5 + 1e-12
        assert true <= 0.5 * np.sqrt(distance) + 1e-12
        assert true <= 1.2534 * total_variation(distance, factor) + 1e-12
    assert total_variation(-1e-3, 0.4) == 0.0
    assert total_variation(1e9, 0.4) == 1.0


def test_total_variation_of_gaussian_errors():
    """Of errors with the covariance of sampling, equal masses or not."""
    r = np.random.default_rng(0)
    for nu in (np.full(2000, 1 / 2000), r.dirichlet(np.ones(2000)), np.geomspace(1e-4, 1, 2000)):
        nu = np.maximum(nu, 1e-9) / np.maximum(nu, 1e-9).sum()
        g = nu + 1e-4 * np.sqrt(nu) * r.standard_normal(2000)
        distance = float(np.sum((g - nu) ** 2 / sampling_scales(nu)))
        estimate = total_variation(distance, variation_factor(nu))
        assert estimate == pytest.approx(0.5 * np.abs(g - nu).sum(), rel=0.06)
    assert sampling_scales(np.full(4, 0.25)).tolist() == [0.25] * 4
    assert variation_factor(np.ones(10**6)) == pytest.approx(1 / np.sqrt(2 * np.pi), rel=1e-6)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_total_variation_of_gaussian_errors_of_few_sites(n):
    r = np.random.default_rng(1)
    ratio = []
    for _ in range(2000):
        errors = r.standard_normal(n) / np.sqrt(n)
        errors -= errors.mean()
        factor = variation_factor(np.full(n, 1 / n))
        estimate = total_variation(float(np.sum(errors**2) * n) * 1e-4, factor)
        ratio.append(0.5 * np.abs(errors).sum() * 1e-2 / estimate)
    assert np.mean(ratio) == pytest.approx(1.0, abs=5 * np.std(ratio) / np.sqrt(2000) + 1e-9)


@pytest.mark.parametrize(
    "n",
    [
        2,
        30,
    ],
)
def test_floor_is_the_error_of_exact_masses(n):
    known = Known(n)
    floors, found = [], []
    for tally in known.tallies(PointDesign, known.masses, 200, 8):
        scales = sampling_scales(known.masses)
        floors.append(tally.estimate(0, known.weights, scales).tv_floor)
        drawn = np.random.default_rng(len(floors)).multinomial(tally.samples, known.masses)
        found.append(0.5 * np.abs(drawn / tally.samples - known.masses).sum())
    assert np.mean(floors) == pytest.approx(np.mean(found), rel=0.1)


def test_total_variation_is_at_most_one():
    n = 50
    counts = np.zeros((TEST_STREAMS, n), dtype=int)
    counts[:, 0] = 20
    tally = made_of(counts, np.full(TEST_STREAMS, 20), np.full(n, 1 / n))
    estimate = tally.estimate(0, np.zeros(n), np.full(n, 1 / n))
    assert estimate.tv <= 1.0
    assert estimate.tv_interval[1] <= 1.0


@pytest.mark.parametrize("n", [3, 5, 7])
def test_floor_of_coincident_sites(n):
    """Masses of one cell sum to more than 1, or less, by rounding."""
    solution = geomot.solve(np.full((n, 4), 0.1), random_state=0)
    assert solution.estimate.tv_floor == 0.0
