"""The exact dual between batches, and the regression of potentials."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from geomot import baselines

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("backend", ["POT", "scipy"])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (6, 6), (5, 8)])
def test_exact_dual_against_the_linear_program(backend, m, n, monkeypatch):
    from scipy.optimize import linprog

    from geomot.baselines.potential import exact_dual

    if backend == "POT":
        pytest.importorskip("ot")
    else:
        monkeypatch.setitem(sys.modules, "ot", None)
        monkeypatch.setitem(sys.modules, "ot.lp", None)
    rng = np.random.default_rng(m)
    x, y = rng.standard_normal((m, 3)), rng.standard_normal((n, 3))
    cost = 0.5 * np.square(x[:, None] - y).sum(-1)
    u, v = exact_dual(cost)
    assert (u[:, None] + v - cost).max() <= 1e-12
    assert u.mean() == pytest.approx(v.mean(), abs=1e-12)
    # the dual itself, as scipy solves it: max mean(u) + mean(v) with all u_i + v_j <= cost
    pairs = np.indices((m, n)).reshape(2, -1)
    rows = np.zeros((m * n, m + n))
    rows[np.arange(m * n), pairs[0]] = rows[np.arange(m * n), m + pairs[1]] = 1.0
    weights = np.concatenate([np.full(m, 1.0 / m), np.full(n, 1.0 / n)])
    dual = linprog(-weights, A_ub=rows, b_ub=cost.ravel(), bounds=(None, None))
    assert u.mean() + v.mean() == pytest.approx(-dual.fun, abs=1e-10)


def test_exact_dual_refuses_what_is_no_cost():
    from geomot.baselines.potential import exact_dual

    for cost in (np.zeros(3), np.zeros((0, 3)), [[np.nan]]):
        with pytest.raises(ValueError, match="cost must be a finite matrix"):
            exact_dual(cost)


def test_potential_regression_learns_a_translation():
    # T(x) = x + b is the gradient of |x|^2 / 2 + b x: D(x) = b x, up to a constant.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 2)) + [3.0, -1.0]
    model = baselines.PotentialRegression(
        hidden=(32, 32), max_steps=200, learning_rate=3e-3, standardize=False, random_state=0
    ).fit(X)
    Z = rng.standard_normal((200, 2))
    assert np.mean((model.transform(Z) - Z - [3.0, -1.0]) ** 2) < 0.3
    # the map is the gradient of the potential
    h = 1e-2
    steps = [model.potential(Z + h * e) - model.potential(Z - h * e) for e in np.eye(2)]
    slopes = np.stack(steps, 1) / (2 * h)
    assert np.median(np.abs(model.transform(Z) - Z - slopes)) < 0.02
