"""Looks at heights on fresh samples: wrong ones do not pass."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import geomot
from geomot import PowerDiagram, UniformBox
from geomot._constants import CONFIDENCE
from geomot._mass_estimate import sampling_scales, variation_factor
from geomot._sampling.designs import PairDesign, PointDesign
from geomot._sampling.verdict import Examiner
from geomot._search.backends import CoreBackend


def credible(successes, trials, level):
    """Whether so many successes can be had at a level of at least this."""
    return stats.binom.cdf(successes, trials, level) > 1e-3


def examined(n, cls, tol, factor, seed=11):
    """Design, masses and heights at `factor` times the largest squared distance that passes."""
    r = np.random.default_rng(seed)
    sites = r.random((n, 2))
    exact = geomot.solve(sites).weights
    design = cls(sites, UniformBox.unit(2), r, 1, CoreBackend())
    direction, nu = r.standard_normal(n) / n, np.full(n, 1.0 / n)
    most = factor * (tol / variation_factor(nu)) ** 2
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        masses = PowerDiagram(sites, exact + middle * direction).masses
        distance = float(np.sum((masses - nu) ** 2 / sampling_scales(nu)))
        low, high = (middle, high) if distance < most else (low, middle)
    return design, nu, design.heights(exact + high * direction), masses


def wrong_verdicts(n, cls, tol, factor, trials, looks=13):
    """Among trials, those in which one of many looks passes heights that stay as they are."""
    design, nu, heights, masses = examined(n, cls, tol, factor)
    wrong = 0
    for seed in range(trials):
        examiner = Examiner(design, nu, tol, np.random.default_rng(seed))
        fitted = int(examiner.usual / examiner.aim)
        for _ in range(looks):
            if examiner.look(heights, fitted).converged:
                wrong += 1
                break
            fitted = examiner.next_look(fitted)
    return wrong, 0.5 * float(np.abs(masses - nu).sum())


@pytest.mark.parametrize(("n", "cls"), [(60, PointDesign), (60, PairDesign)])
def test_looks_at_heights_that_are_clearly_wrong(n, cls):
    wrong, true = wrong_verdicts(n, cls, 0.1, 1.6, 30)
    assert true > 0.1
    assert credible(30 - wrong, 30, CONFIDENCE)


def test_looks_at_heights_that_are_hardly_wrong():
    """All looks together: a fit that gets stuck must not pass by being looked at often."""
    trials = 50
    wrong, _ = wrong_verdicts(3, PointDesign, 0.05, 1.02, trials)
    assert credible(trials - wrong, trials, CONFIDENCE), wrong


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "cls"),
    [
        (3, PointDesign),
        (12, PointDesign),
        (50, PointDesign),
        (100, PairDesign),
    ],
)
def test_looks_at_heights_that_are_hardly_wrong_at_length(n, cls):
    trials = 300
    wrong, _ = wrong_verdicts(n, cls, 0.05, 1.02, trials)
    assert credible(trials - wrong, trials, CONFIDENCE), wrong / trials


def test_looks_at_two_sites_whose_total_variation_is_too_large():
    """With two sites the estimate is the total variation itself: no error cancels another."""
    wrong, true = wrong_verdicts(2, PointDesign, 0.05, 1.15**2, 20)
    assert true == pytest.approx(1.15 * 0.05, rel=1e-6)
    assert credible(20 - wrong, 20, CONFIDENCE), wrong
