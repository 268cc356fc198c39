"""Modes: shares, masses, and points between them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from geomot.metrics import (
    mode_statistics,
)

RING = 10.0 * np.column_stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)])


def ring(n, rng, masses=None):
    return RING[rng.choice(8, size=n, p=masses)] + rng.standard_normal((n, 2))


def test_modes_of_the_right_law():
    """Share outside as documented, and p-values that are uniform: with many points and with few."""
    rng = np.random.default_rng(0)
    found = mode_statistics(ring(20_000, rng), RING, 3.0)
    assert found.found == 8
    assert found.counts.sum() + found.outside == 20_000
    low, high = found.mixture_interval
    assert low < found.mixture_rate < high
    assert abs(found.mixture_rate - np.exp(-4.5)) < 0.004
    for n in (200, 20):
        values = [mode_statistics(ring(n, rng), RING, 3.0).p_value for _ in range(60)]
        assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_modes_of_wrong_masses_and_between():
    rng = np.random.default_rng(0)
    masses = np.array([4, 1, 1, 1, 1, 1, 1, 2]) / 12
    points = ring(600, rng, masses)
    assert mode_statistics(points, RING, 3.0).p_value < 1e-6
    assert mode_statistics(points, RING, 3.0, masses=masses).p_value > 1e-3
    found = mode_statistics(points, RING, 3.0, masses=masses)
    inside = found.counts
    reference = stats.chisquare(inside, inside.sum() * masses)
    assert (found.chi2, found.p_value) == pytest.approx(tuple(reference), rel=1e-9)
    between = 0.5 * (RING + np.roll(RING, 1, axis=0))
    found = mode_statistics(np.concatenate([RING[:3], between]), RING, 1.0)
    assert found.counts.tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert (found.outside, found.found) == (8, 3)
    assert found.mixture_rate == 8 / 11
    reference = stats.binomtest(8, 11).proportion_ci(method="exact")
    assert found.mixture_interval == pytest.approx(tuple(reference))
    assert found.p_value > 0.5
    assert found == mode_statistics(np.concatenate([RING[:3], between]), RING, np.ones(8))


def test_modes_at_the_ends():
    nothing = mode_statistics([[100.0, 0.0]], RING, 1.0)
    assert (nothing.found, nothing.outside, nothing.mixture_rate) == (0, 1, 1.0)
    assert nothing.mixture_interval[1] == 1.0
    assert np.isnan(nothing.chi2)
    assert np.isnan(nothing.p_value)
    one = mode_statistics(RING[:1] + np.zeros((9, 2)), RING[:1], 1.0)
    assert (one.chi2, one.p_value, one.mixture_interval[0]) == (0.0, 1.0, 0.0)
    # different radii: the nearest mode decides, then its own radius
    found = mode_statistics([[1.0], [2.6]], [[0.0], [3.0]], [2.0, 0.1])
    assert found.counts.tolist() == [1, 0]


def test_modes_refuse():
    for radius, message in [
        (0.0, "radius must be positive"),
        (np.nan, "radius must be positive"),
        (np.ones(3), "radius must be a number or have shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            mode_statistics(RING, RING, radius)
    with pytest.raises(ValueError, match="masses must be positive, got 0 at index 0"):
        mode_statistics(RING, RING[:2], 1.0, masses=[0.0, 1.0])
    with pytest.raises(ValueError, match=r"modes must have shape \(n, 2\)"):
        mode_statistics(RING, np.zeros((2, 3)), 1.0)
