"""Balls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from geomot import (
    UniformBall,
)

pytestmark = pytest.mark.usefixtures("silent")
rng = np.random.default_rng


@pytest.mark.parametrize("d", [1, 2, 3, 10, 200])
@pytest.mark.parametrize("radius", [1e-150, 1.0, 1e60])
def test_ball(d, radius):
    ball = UniformBall(np.zeros(d), radius)
    points = ball.sample(2000, random_state=0) / radius
    assert np.linalg.norm(points, axis=1).max() <= 1.0
    u = np.column_stack([rng(1).random((2000, d)), np.ones(2000)])
    outer = np.linalg.norm(ball.from_uniforms(u) / radius, axis=1)
    assert outer.min() > 1.0 - 1e-14 and outer.max() <= 1.0
    share = np.linalg.norm(points, axis=1) ** d
    assert stats.kstest(share, "uniform").pvalue > 1e-3
    assert ball.exact == (d <= 3) and ball.n_uniforms == d + 1
    middle = ball.from_uniforms(np.full((1, d + 1), 0.5))
    assert np.linalg.norm(middle / radius) == pytest.approx(0.5 ** (1.0 / d))


@pytest.mark.parametrize(
    ("center", "radius", "error", "words"),
    [
        (0.0, 1.0, ValueError, r"center must have shape \(d,\)"),
        ([], 1.0, ValueError, r"center must have shape \(d,\)"),
        ([0.0, np.inf], 1.0, ValueError, "center must be finite"),
        ([0.0], 0.0, ValueError, "radius must be positive"),
        ([0.0], -1.0, ValueError, "radius must be positive"),
        ([0.0], np.nan, ValueError, "radius must be positive"),
        ([0.0], 1e150, ValueError, "radius must not exceed"),
        ([0.0], [1.0], TypeError, "radius must be a positive number"),
        ([0.0], True, TypeError, "radius must be a positive number"),
        (["a"], 1.0, TypeError, "center must hold real numbers"),
    ],
)
def test_ball_refused(center, radius, error, words):
    with pytest.raises(error, match=words):
        UniformBall(center, radius)
