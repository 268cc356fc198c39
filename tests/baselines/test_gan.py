"""Penalties of critics."""

from __future__ import annotations

import numpy as np
import pytest
from small_baselines import normal_tensor

torch = pytest.importorskip("torch")


def test_penalties_on_a_known_critic():
    from geomot.baselines.gan import lipschitz_penalty, slope_penalty

    a = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    points = normal_tensor(6, 2)
    value = slope_penalty(lambda x: x @ a, points)
    assert value.item() == pytest.approx((5.0 - 1.0) ** 2)
    (slope,) = torch.autograd.grad(value, a)
    np.testing.assert_allclose(slope, 2.0 * 4.0 * np.array([0.6, 0.8]))
    assert lipschitz_penalty(lambda x: x @ a, points, 2.0).item() == pytest.approx(25.0 - 4.0)
    assert lipschitz_penalty(lambda x: x @ a, points, 6.0).item() == 0.0
    # |grad 1/2 |x|^2| = |x|
    norms = points.norm(dim=1)
    value = slope_penalty(lambda x: 0.5 * x.square().sum(1), points)
    assert value.item() == pytest.approx((norms - 1.0).square().mean().item())
    constant = slope_penalty(lambda x: 0.0 * x.sum(1) * a.sum(), points)
    assert constant.item() == pytest.approx(1.0)
    assert torch.autograd.grad(constant, a)[0].isfinite().all()
